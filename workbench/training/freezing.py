"""The backbone of a detector, which may rest for the first part of a training that begins with weights of a file.

Refused: to let rest whatever was taken from the file. A run that is resumed would have to know the file again; the
backbone is known from the detector alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workbench.detectors.parts.detector import Detector


def backbone(detector: Detector) -> tuple[nn.Module, ...]:
    """Its parts; none where the detector names none."""
    return tuple(detector.get_submodule(name) for name in detector.backbone_parts)


def rest(detector: Detector, on: bool, *, weights: bool = True) -> None:
    """Let the backbone rest, or learn again: its weights (unless `weights` is False), and what its batch norms count.

    Call it after detector.train(), which lets the norms count again, and for every copy of the network.
    """
    for part in backbone(detector):
        if weights:
            part.requires_grad_(not on)
        for norm in _norms(part):
            norm.train(not on)


def _norms(part: nn.Module) -> Iterator[nn.Module]:
    return (module for module in part.modules() if isinstance(module, _BatchNorm))
