"""Networks for tests: built once and copied, as one of torchvision's takes half a second; or left uninitialised."""

from __future__ import annotations

import contextlib
import copy
import functools
import re
from collections.abc import Iterator, Mapping

import pytest
import torch
from torch import Tensor

from workbench import detectors
from workbench.detectors import DetectorSettings
from workbench.detectors.parts.detector import Detector

Anchors = tuple[tuple[float, float], ...]
CHANCE = ("uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_")


def build(
    name: str, settings: DetectorSettings, labels: int, anchors: Anchors | None = None, seed: int = 0
) -> Detector:
    """A copy of what `detectors.build` returns after `torch.manual_seed(seed)`, and the random state that it leaves."""
    if settings.width >= 1:  # hundreds of megabytes
        return _make(name, settings, labels, anchors, seed)[0]
    made, chance = _made(name, settings, labels, anchors, seed)
    torch.set_rng_state(chance)
    return copy.deepcopy(made)


def _make(
    name: str, settings: DetectorSettings, labels: int, anchors: Anchors | None, seed: int
) -> tuple[Detector, Tensor]:
    torch.manual_seed(seed)
    return detectors.build(name, settings, labels, anchors), torch.get_rng_state()


_made = functools.cache(_make)


@contextlib.contextmanager
def unfilled() -> Iterator[None]:
    """Networks built in this block have meaningless weights: for those about to be filled, by the million."""
    with pytest.MonkeyPatch.context() as patch:
        for name in CHANCE:
            patch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
        yield


def older_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one of torchvision's networks by the names that they had before its version 0.13."""

    def older(name: str) -> str:
        name = re.sub(r"(fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name)
        name = re.sub(r"(rpn\.head\.conv)\.0\.0\.", r"\1.", name)
        return re.sub(r"(_head\.conv)\.(\d)\.0\.", lambda found: f"{found[1]}.{2 * int(found[2])}.", name)

    return {older(name): tensor for name, tensor in state.items()}
