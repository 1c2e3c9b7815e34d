"""The backbone of a detector, which may rest for the first part of a training that begins with weights of a file.

Refused: to let rest whatever was taken from the file. A run that is resumed would have to know the file again; the
backbone is known from the detector alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from workbench.detectors.parts.detector import Detector

_DARKNET53, _RESNET, _VGG = ("stem", "shallow", "middle", "deep"), ("net.backbone.body",), "net.backbone"
PARTS: dict[str, tuple[str, ...]] = {  # what a file for the network's authors' own data sets would begin with
    "faster-rcnn": _RESNET,
    "fcos": _RESNET,
    "retinanet": _RESNET,
    "retinanet-v2": _RESNET,
    "ssd300": (f"{_VGG}.features", f"{_VGG}.extra.0"),  # extra.0 is VGG's fifth block, fc6 and fc7
    "ssd512": (f"{_VGG}.features", f"{_VGG}.extra.0"),
    "ssdlite": ("net.backbone.features",),
    "yolo9000": ("body",),
    "yolov1": ("body",),
    "yolov1-tiny": ("body",),
    "yolov2": ("shallow", "deep"),
    "yolov2-tiny": ("body",),
    "yolov3": _DARKNET53,
    "yolov3-spp": _DARKNET53,
    "yolov3-tiny": ("shallow", "deep"),
    "yolov4": ("backbone",),
    "yolov4-csp": _DARKNET53,
    "yolov4-tiny": ("stem", "block1", "block2", "block3"),
    "yolov4-tiny-3l": ("stem", "block1", "block2", "block3"),
}


def backbone(detector: Detector) -> tuple[nn.Module, ...]:
    """Its parts; none where it is not known. A plugin's detector may name them in a class attribute `backbone`."""
    parts: tuple[str, ...] = getattr(type(detector), "backbone", PARTS.get(detector.name, ()))
    return tuple(detector.get_submodule(name) for name in parts)


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
