"""The backbone of a detector, which can be frozen for the first part of a training that starts from a file's weights.

Refused: freezing everything that was taken from the file. A resumed run would need the file again; the backbone is
known from the detector alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workbench.detectors.parts.detector import Detector


def backbone(detector: Detector) -> tuple[nn.Module, ...]:
    """The parts of the backbone; none if the detector names none."""
    return tuple(detector.get_submodule(name) for name in detector.backbone_parts)


def set_frozen(detector: Detector, on: bool, *, weights: bool = True) -> None:
    """Freeze the backbone, or let it learn again: its weights (unless `weights` is False) and batch norm statistics.

    Call it after detector.train(), which unfreezes the statistics, and for every copy of the network.
    """
    for part in backbone(detector):
        if weights:
            part.requires_grad_(not on)
        for norm in _norms(part):
            norm.train(not on)


def _norms(part: nn.Module) -> Iterator[nn.Module]:
    return (module for module in part.modules() if isinstance(module, _BatchNorm))
