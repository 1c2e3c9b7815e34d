"""Detectors of the smallest widths, what one in the middle of its training might say, and which priors learn what.

C labels, N priors, one image of 128 x 128 pixels, three boxes far apart.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workbench import detectors
from workbench.detectors.parts.detector import Detector, Raw, Targets

PX, C = 128, 3
BOXES = torch.tensor([[10.0, 14.0, 44.0, 60.0], [66.0, 60.0, 122.0, 90.0], [97.0, 13.0, 107.0, 23.0]])
LABELS = torch.tensor([0, 2, 1])
TARGETS = Targets(BOXES[None], LABELS[None], torch.zeros(1, len(BOXES), dtype=torch.bool))
NOTHING = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))

Terms = dict[str, Tensor]

V1 = ("yolov1", "yolov1-tiny")
V2 = ("yolov2", "yolov2-tiny", "yolo9000")
V3 = ("yolov3", "yolov3-spp", "yolov3-tiny")
V4 = ("yolov4", "yolov4-tiny", "yolov4-tiny-3l", "yolov4-csp")
CSP = ("yolov4-csp",)
SSD = ("ssd300", "ssd512", "ssdlite")
RETINA = ("retinanet", "retinanet-v2")


def built_in() -> list[str]:
    return [name for name, kind in detectors.load_all() if kind.__module__.startswith("workbench.detectors.")]


def build(name: str, **changes: Any) -> Detector:
    torch.manual_seed(0)
    kind = detectors.load_all().get(name).settings_class
    return detectors.build(name, dataclasses.replace(kind(input_px=PX, width=0.05), **changes), C).eval()


@functools.cache
def default(name: str) -> Detector:
    """Not to be changed."""
    return build(name)


@functools.cache
def outputs(name: str) -> Raw:
    """What a network in the middle of its training might say."""
    draw = torch.Generator().manual_seed(5)
    detector = default(name)
    if name in V1:  # 7 x 7 cells, two boxes each: labels, confidences, boxes of about a third of the image
        numbers = torch.tensor([0.5, 0.5, 0.6, 0.6]) + 0.1 * torch.randn(98, 4, generator=draw)
        rest = torch.rand(49 * C + 98, generator=draw)
        return (torch.cat([rest, numbers.flatten()])[None],)
    need = detector.anchor_need
    if need is None:
        with torch.no_grad():
            like = detector(torch.rand(1, 3, PX, PX, generator=draw))
        return tuple(torch.randn(level.shape, generator=draw) * 0.5 for level in like)
    raw = []
    for stride, mask in zip(need.strides, need.masks, strict=True):
        side = PX // stride
        level = torch.randn(1, len(mask), 5 + C, side, side, generator=draw)
        level[:, :, :4] *= 0.5  # boxes near their anchors
        level[:, :, 4] -= 2.0
        level[:, :, 5:] -= 1.0
        raw.append((level.sigmoid() if name in CSP else level).flatten(1, 2))
    if name in V3 + V4:
        plant(detector, raw, box=0, likely=False)
        plant(detector, raw, box=1, likely=True)
    return tuple(raw)


def plant(detector: Detector, raw: list[Tensor], box: int, likely: bool) -> None:
    """Let a prior that learns nothing find the box: of those, the one of the nearest shape."""
    need = detector.anchor_need
    assert need is not None
    learning = {one.anchor for one in answers(detector, getattr(detector.settings, "match_iou")) if one.box == box}  # noqa: B009
    idle = [
        (shape_iou(BOXES[box], detector.anchors[anchor]), level, place, detector.anchors[anchor])
        for level, mask in enumerate(need.masks)
        for place, anchor in enumerate(mask)
        if detector.anchors[anchor] not in learning
    ]
    _, level, place, anchor = max(idle)
    stride, csp = need.strides[level], detector.name in CSP
    x, y = ((BOXES[box, :2] + BOXES[box, 2:]) / 2 / stride).tolist()
    one = Answer(0, box, int(x), int(y), stride, anchor, level)
    encoded = in_cell(one, scale_of(detector, one))
    place_xy = encoded[:2].clamp(0.01, 0.99)
    numbers = activated(encoded) if csp else torch.cat([place_xy.logit(), encoded[2:]])
    rest = torch.tensor([1.0, *[2.0 if likely else -3.0] * C])
    numbers = torch.cat([numbers, rest.sigmoid() if csp else rest])
    raw[level].view(-1, 5 + C, *raw[level].shape[2:])[place, :, one.row, one.column] = numbers


def flat(raw: Raw, numbers: int) -> Tensor:
    """(N, numbers), in the order level, row, column, prior."""
    return torch.cat([level[0].permute(1, 2, 0).reshape(-1, numbers) for level in raw])


@dataclass(frozen=True)
class Answer:
    """Prior `index` of the N stands in a cell and learns box `box`."""

    index: int
    box: int
    column: int
    row: int
    stride: int
    anchor: tuple[float, float]
    level: int


def shape_iou(box: Tensor, anchor: tuple[float, float]) -> float:
    w, h = map(float, box[2:] - box[:2])
    common = min(w, anchor[0]) * min(h, anchor[1])
    return common / (w * h + anchor[0] * anchor[1] - common)


def answers(detector: Detector, match_iou: float) -> list[Answer]:
    """The anchor of the best shape, and those of a shape IoU above match_iou, in the cell of the box's centre."""
    need, found, first = detector.anchor_need, [], 0
    assert need is not None
    for level, (stride, mask) in enumerate(zip(need.strides, need.masks, strict=True)):
        cells = PX // stride
        for number, box in enumerate(BOXES):
            shapes = [shape_iou(box, anchor) for anchor in detector.anchors]
            x, y = ((box[:2] + box[2:]) / 2).tolist()
            column, row = int(x // stride), int(y // stride)
            for place, anchor in enumerate(mask):
                if shapes[anchor] == max(shapes) or shapes[anchor] > match_iou:
                    index = first + (row * cells + column) * len(mask) + place
                    found.append(Answer(index, number, column, row, stride, detector.anchors[anchor], level))
        first += cells * cells * len(mask)
    return found


def levels(raw: Raw, numbers: int) -> Tensor:
    """(N,) the level of each prior."""
    counts = torch.tensor([level.shape[1] // numbers * level.shape[2] * level.shape[3] for level in raw])
    return torch.arange(len(raw)).repeat_interleave(counts)


def scale_of(detector: Detector, one: Answer) -> float:
    """scale_x_y of the cfgs, by stride."""
    by_name = {"yolov4": {8: 1.2, 16: 1.1, 32: 1.05}, "yolov4-csp": {8: 2.0, 16: 2.0, 32: 2.0}}
    return by_name.get(detector.name, {}).get(one.stride, 1.05 if detector.name in V4 else 1.0)


def in_cell(one: Answer, scale: float = 1.0) -> Tensor:
    """x, y, log w, log h of a true box as its prior should say them."""
    box = BOXES[one.box]
    x, y = ((box[:2] + box[2:]) / 2 / one.stride).tolist()
    w, h = (box[2:] - box[:2]).tolist()
    place = [(x - one.column + (scale - 1) / 2) / scale, (y - one.row + (scale - 1) / 2) / scale]
    return torch.tensor([*place, torch.tensor(w / one.anchor[0]).log(), torch.tensor(h / one.anchor[1]).log()])


def activated(encoded: Tensor) -> Tensor:
    """Scaled-YOLOv4's form: sides are the anchor's times (2 s) squared."""
    return torch.cat([encoded[:2], encoded[2:].exp().sqrt() / 2])
