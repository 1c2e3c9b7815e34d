"""A graphics card without one: tensors that say they are elsewhere, and are computed on the processor.

So what a card would refuse is refused, tensors of two devices in one operation, and what would make the processor wait
is counted, in networks of every kind. torch.device("meta") alone refuses less: it lets pass indices and weights of the
processor, and has no values, so a second stage can't be looked at.

Everything has to happen within Card(). Refused: torch's FakeTensor, which can be on "cuda" but has no values either.
What needs none is in test_cuda_rules.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, TypeGuard

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from tests.training.waits import ASKING, asker, by_mask, hidden

CARD = torch.device("meta")  # the one whose tensors autograd takes without a driver
INDEXING = ("aten.index.", "aten.index_put", "aten._index_put", "aten._unsafe_index")
MOVING = ("aten._to_copy", "aten.copy_", "aten._foreach_copy_")
EXTREMES = ("amin", "amax", "min", "max")


class MixedDevicesError(RuntimeError):
    """An operation that a card refuses."""


class NoDoublesError(TypeError):
    """Apple's cards have no float64: the MPS framework refuses each tensor of it."""


class There(Tensor):
    """A tensor on the card; `here` is what it holds."""

    here: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # as torch documents it

    @staticmethod
    def __new__(cls, here: Tensor) -> There:
        made: There = Tensor._make_wrapper_subclass(
            cls, here.shape, strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype, device=CARD
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch documents this signature
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise AssertionError(f"{func}: outside of Card()")


class Card(TorchDispatchMode):
    """`found`: how often the processor would wait, by the function of the program that asked, and for what.

    `not_apples`: the same of operations that Apple's cards lack or did wrongly: numbers of 64 bits with a fraction, the
    least or greatest integer in scatter_reduce (pytorch/pytorch #141948) and of integers of 64 bits at all (#191104).
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.not_apples: Counter[str] = Counter()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Card:
        """torch makes tensors of lists, and lists of tensors, without an operator that could be seen."""
        tensor, as_tensor, new, listed = torch.tensor, torch.as_tensor, Tensor.new_tensor, Tensor.tolist

        def made(data: Any, *, device: Any = None, **more: Any) -> Tensor:
            return tensor(data, **more).to(device)

        def taken(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
            return as_tensor(data, dtype=dtype).to(device)

        def new_tensor(self: Tensor, data: Any, **more: Any) -> Tensor:
            return made(data, **{"dtype": self.dtype, "device": CARD, **more}) if _there(self) else new(self, data)

        self._patch.setattr(torch, "tensor", made)
        self._patch.setattr(torch, "as_tensor", taken)
        self._patch.setattr(Tensor, "new_tensor", new_tensor)
        self._patch.setattr(Tensor, "tolist", lambda self: listed(self.cpu()))
        super().__enter__()
        return self

    def __exit__(self, *given: Any) -> None:
        super().__exit__(*given)
        self._patch.undo()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), str(func)
        given = list(_tensors((args, kwargs.values())))
        there = [tensor for tensor in given if _there(tensor)]
        onto = kwargs.get("device")
        if there or onto == CARD:
            self._look(func, name, args, kwargs, given)
        if onto == CARD:
            kwargs["device"] = torch.device("cpu")
        found = func(*tree_map(_held, args), **tree_map(_held, kwargs))
        if not (onto == CARD or (there and onto is None)):
            return found
        if _is_not_apples(name.split(".")[1].rstrip("_"), given, list(_tensors([found]))):
            self.not_apples[f"{asker()}: {name}"] += 1
        own = {id(tensor.here): tensor for tensor in there}  # an operation in place gives its tensor back
        return tree_map(lambda one: own[id(one)] if id(one) in own else _lifted(one), found)

    def _look(self, func: Any, name: str, args: Any, kwargs: Any, given: list[Tensor]) -> None:
        foreign = [tensor for tensor in given if not _there(tensor)]
        if name.startswith(MOVING):
            if foreign or kwargs.get("device") == torch.device("cpu"):
                self._count("a copy")
        elif name.startswith(INDEXING):
            if not _there(args[0]) or any(tensor.ndim for tensor in _tensors(args[2:]) if not _there(tensor)):
                raise MixedDevicesError(name)
            if any(not _there(tensor) for tensor in _tensors(args[1])):
                self._count("a copy")  # of the index, which torch allows
        elif any(tensor.ndim or torch.Tag.pointwise not in func.tags for tensor in foreign):
            raise MixedDevicesError(f"{name} of {['card' if _there(one) else 'processor' for one in given]}")
        if name.startswith(ASKING) or by_mask(name, args) or hidden(name, args):
            self._count(name.split(".")[1])

    def _count(self, what: str) -> None:
        if who := asker():
            self.found[f"{who}: {what}"] += 1


def _is_not_apples(name: str, given: list[Tensor], found: list[Tensor]) -> bool:
    if any(tensor.dtype == torch.float64 for tensor in found):
        return True
    integers = bool(given) and not given[0].is_floating_point()
    return integers and (name == "scatter_reduce" or (name in EXTREMES and given[0].dtype == torch.int64))


def _there(tensor: Tensor) -> TypeGuard[There]:
    return isinstance(tensor, There)


def _held(value: Any) -> Any:
    return value.here if isinstance(value, There) else value


def _lifted(value: Any) -> Any:
    if isinstance(value, Tensor) and value.dtype in (torch.float64, torch.complex128):
        raise NoDoublesError(f"{value.dtype} on the card")
    return There(value) if isinstance(value, Tensor) else value


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif not isinstance(value, str) and hasattr(value, "__iter__"):
            yield from _tensors(value)
