"""A graphics card that is none: tensors on it have shapes, kinds and a place, but no numbers (torch's FakeTensorMode).

Whatever mixes tensors of two places fails as on a real one, and so does what asks for a number. Gradients are made up
and torch's fused optimisers look at places only, as neither works without a card.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.cuda.amp import common
from torch.utils import _pytree

from workbench.training.late import Asker
from workbench.training.machine import Precision
from workbench.training.runtime import Runtime

CARD = torch.device("cuda:0")


@contextlib.contextmanager
def fake_card() -> Iterator[None]:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    mode.cache_enabled = False  # what one mode remembers makes the next one crash (torch 2.14)
    with pytest.MonkeyPatch.context() as patch, mode:
        patch.setattr(common, "amp_definitely_not_available", lambda: False)
        patch.setattr(nn.Module, "_apply", _moved)
        patch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
        patch.setattr(torch.autograd, "grad", _gradients)
        for name in ("_fused_sgd_", "_fused_adamw_"):
            patch.setattr(torch, name, _fused)
        yield


class CardRuntime(Runtime):
    """One process on it, whose numbers never come."""

    def __init__(self, precision: str) -> None:
        super().__init__(CARD, Precision(precision, ""))

    def asker(self) -> Asker | None:
        return lambda numbers: _Never()


class _Never:
    def here(self) -> bool:
        return False

    def wait(self) -> None:
        raise AssertionError("nobody may wait")

    def read(self) -> list[float]:
        raise AssertionError("nothing can be read")


def _moved(module: nn.Module, move: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """As nn.Module._apply, which changes parameters in place, as these can't be."""
    for child in module.children():
        _moved(child, move)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            module._parameters[name] = nn.Parameter(move(parameter.detach()), parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = move(buffer)
    return module


def _gradients(loss: Tensor, inputs: Any, **_: Any) -> tuple[Tensor, ...]:
    assert loss.device == CARD
    assert loss.dtype == torch.float32
    return tuple(torch.empty_like(one) for one in ([inputs] if isinstance(inputs, Tensor) else inputs))


def _fused(*given: Any, **more: Any) -> None:
    tensors = [one for one in _pytree.tree_leaves((given, more)) if isinstance(one, Tensor)]
    assert {one.device for one in tensors} == {CARD}
