"""Every setting of a loss reaches it: the same outputs and boxes, one setting changed, and each term as by hand.

A table says for each setting which terms it moves; what they become is written down here a second time, as plainly as
possible, from papers and Darknet's rules: C labels, N priors, one image of 128 x 128 pixels, three boxes far apart.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import (
    box_iou,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

from workbench import detectors
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.settings import rows

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


def terms(detector: Detector, raw: Raw, targets: Targets = TARGETS) -> Terms:
    torch.manual_seed(1)  # for what is drawn
    return {name: value.detach() for name, value in detector.loss(raw, targets).items()}


def cross_entropy(numbers: Tensor, wanted: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(numbers, wanted, reduction="none")


def half_square(numbers: Tensor, wanted: Tensor) -> Tensor:
    return (numbers - wanted) ** 2 / 2


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


def overlap_cost(kind: str, predicted: Tensor, truth: Tensor) -> Tensor:
    """(P,)"""
    if kind == "iou":
        plain: Tensor = 1 - box_iou(predicted, truth).diagonal()
        return plain
    losses = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}
    cost: Tensor = losses[kind](predicted, truth)
    return cost


# --- the losses by hand ---


def yolo(detector: Detector, raw: Raw) -> Terms:
    """YOLOv3, YOLOv4 and Scaled-YOLOv4: sums over priors."""
    s: Any = detector.settings
    csp = detector.name in CSP
    cost = half_square if csp else cross_entropy
    numbers, boxes = flat(raw, 5 + C), detector.candidates(raw).boxes[0]
    probability = numbers[:, 4:] if csp else numbers[:, 4:].sigmoid()
    found = answers(detector, s.match_iou)
    at, box = torch.tensor([one.index for one in found]), torch.tensor([one.box for one in found])
    assert len(set(at.tolist())) == len(at), "no prior is shared"

    there = functional.one_hot(LABELS[box], C).float()
    label = cost(numbers[at, 5:], there * (1 - s.label_smoothing) + s.label_smoothing / 2)
    wanted = torch.zeros(len(numbers))
    wanted[at] = box_iou(boxes[at], BOXES)[range(len(at)), box] if s.rescore else 1.0
    best = box_iou(boxes, BOXES).amax(1)
    least = 0.0 if getattr(s, "rules", "") == "pjreddie" else 0.25
    ignored = (best > s.ignore_iou) & (probability[:, 1:].amax(1) > least)
    positive = torch.zeros(len(numbers), dtype=torch.bool)
    positive[at] = True
    counted = positive | ~ignored
    level = levels(raw, 5 + C)
    if csp:
        smooth = {"none": [0, 0, 0], "all": [1, 1, 1], "medium, coarse": [0, 1, 1]}[s.smooth_objectness]
        smoothed = torch.tensor(smooth)[level].bool()
        wanted = torch.where(smoothed, best * ignored, wanted)
        counted = counted | smoothed
    objectness = cost(numbers[:, 4], wanted)
    if s.focal_gamma:
        label = label * focal(probability[at, 1:], there, s.focal_gamma)
        objectness = objectness * focal(probability[:, 0], wanted, s.focal_gamma)
    if s.hard_negatives:
        free = torch.where(counted & ~positive, objectness, -1.0)
        worst = free.topk(int(s.hard_negatives * len(at))).indices
        counted = positive.clone()
        counted[worst] = True
    if csp:
        objectness = objectness * torch.tensor(s.objectness_weights)[level]
    return {
        "box": yolo_box(detector, numbers, boxes, found),
        "objectness": objectness[counted].sum(),
        "label": label.sum(),
    }


def focal(probability: Tensor, wanted: Tensor, gamma: float) -> Tensor:
    """Lin et al. 2017, equation 5, for what is wanted between 0 and 1: alpha 0.25."""
    apart = probability * (1 - wanted) + (1 - probability) * wanted
    return (0.25 * wanted + 0.75 * (1 - wanted)) * apart**gamma


def yolo_box(detector: Detector, numbers: Tensor, boxes: Tensor, found: list[Answer]) -> Tensor:
    s: Any = detector.settings
    kind = getattr(s, "box_loss", "mse")
    if kind != "mse":
        published = 0.05 if detector.name in CSP else 0.07
        auto = published if s.box_gradient == "darknet" else 5.0
        predicted, truth = (
            torch.stack(some) for some in zip(*((boxes[a.index], BOXES[a.box]) for a in found), strict=True)
        )
        return overlap_cost(kind, predicted, truth).sum() * (auto if s.box_weight is None else s.box_weight)
    weight = {"pjreddie": 1.0}.get(getattr(s, "rules", ""), 0.75)
    weight = weight if getattr(s, "box_weight", None) is None else s.box_weight
    total = torch.zeros(())
    for one in found:
        encoded, area = in_cell(one, scale=scale_of(detector, one)), (BOXES[one.box, 2:] - BOXES[one.box, :2]).prod()
        if detector.name in CSP:
            cost = half_square(numbers[one.index, :4], activated(encoded)).sum()
        else:
            cost = cross_entropy(numbers[one.index, :2], encoded[:2]).sum()
            cost = cost + half_square(numbers[one.index, 2:4], encoded[2:]).sum()
        total = total + cost * (2 - area / PX**2)
    return total * weight


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


def region(detector: Detector, raw: Raw) -> Terms:
    """YOLOv2: one answering prior per box, labels by softmax."""
    s: Any = detector.settings
    old = s.rules == "paper"
    numbers, boxes = flat(raw, 5 + C), detector.candidates(raw).boxes[0]

    def cost(logits: Tensor, wanted: Tensor) -> Tensor:
        return half_square(logits.sigmoid(), wanted) if old else cross_entropy(logits, wanted)

    def coordinates(logits: Tensor, wanted: Tensor) -> Tensor:
        return cost(logits[:, :2], wanted[:, :2]).sum(1) + half_square(logits[:, 2:4], wanted[:, 2:]).sum(1)

    free, box, objectness, label = torch.ones(len(numbers), dtype=torch.bool), *torch.zeros(3)
    for one in answers(detector, 1.0):
        mine, truth = numbers[one.index], BOXES[one.box]
        area = (truth[2:] - truth[:2]).prod() / PX**2
        box = box + coordinates(mine[None], in_cell(one)[None])[0] * (1 if old else 2 - area)
        wanted = box_iou(boxes[one.index][None], truth[None])[0, 0] if s.rescore else torch.ones(())
        objectness = objectness + 5 * cost(mine[4], wanted)
        label = label + functional.cross_entropy(mine[None, 5:], LABELS[one.box][None])
        free[one.index] = False
    background = free & (box_iou(boxes, BOXES).amax(1) <= s.ignore_iou)
    objectness = objectness + cost(numbers[background, 4], torch.zeros(int(background.sum()))).sum()
    held = coordinates(numbers[free], torch.tensor([0.5, 0.5, 0.0, 0.0]).expand(int(free.sum()), 4)).sum()
    return {
        "box": box,
        "objectness": objectness,
        "label": label,
        "warm-up": 0.01 * held * (s.warm_up_images > 0),  # no image was seen so far
    }


def grid(detector: Detector, raw: Raw) -> Terms:
    """YOLOv1: 7 x 7 cells, halves of squares."""
    s: Any = detector.settings
    labels, confidences, numbers = torch.split(raw[0][0], [49 * C, 98, 392])
    labels, confidences, numbers = labels.view(49, C), confidences.view(49, 2), numbers.view(49, 2, 4)
    boxes = detector.candidates(raw).boxes[0].view(49, 2, 4)
    background = torch.ones(49, 2, dtype=torch.bool)
    box, objectness, label = torch.zeros(3)
    for truth, number in zip(BOXES, LABELS, strict=True):
        centre, sides = (truth[:2] + truth[2:]) / 2 / PX * 7, (truth[2:] - truth[:2]) / PX
        column, row = int(centre[0]), int(centre[1])
        cell = row * 7 + column
        overlap = box_iou(boxes[cell], truth[None])[:, 0]
        assert overlap.max() > 0
        mine = int(overlap.argmax())
        encoded = torch.cat([centre - torch.tensor([column, row]), sides.sqrt()])
        box = box + s.box_weight * half_square(numbers[cell, mine], encoded).sum()
        objectness = objectness + half_square(confidences[cell, mine], overlap[mine] if s.rescore else torch.ones(()))
        label = label + half_square(labels[cell], functional.one_hot(number, C)).sum()
        background[cell, mine] = False
    objectness = objectness + s.background_weight * half_square(confidences[background], torch.zeros(())).sum()
    return {"box": box, "objectness": objectness, "label": label}


def ssd(detector: Detector, raw: Raw) -> Terms:
    """SSD: the best default box of each true one and all above match_iou; three negatives per positive."""
    s: Any = detector.settings
    maps = len(raw) // 2
    logits, numbers = flat(raw[:maps], 1 + C), flat(raw[maps:], 4)
    defaults = detector.candidates(tuple(torch.zeros_like(level) for level in raw)).boxes[0]
    overlap = box_iou(BOXES, defaults)
    value, owner = overlap.max(0)
    owner = torch.where(value >= s.match_iou, owner, -1)
    for number in range(len(BOXES)):
        owner[int(overlap[number].argmax())] = number
    positive = owner >= 0
    wanted = torch.where(positive, LABELS[owner.clamp(min=0)] + 1, 0)
    label = functional.cross_entropy(logits, wanted, reduction="none")
    encoded = BoxCoder((10.0, 10.0, 5.0, 5.0)).encode_single(BOXES[owner[positive]], defaults[positive])
    count = int(positive.sum())
    return {
        "box": functional.smooth_l1_loss(numbers[positive], encoded, reduction="sum") / count,
        "label": (label[positive].sum() + label[~positive].topk(min(3 * count, int((~positive).sum()))).values.sum())
        / count,
    }


def retina(detector: Detector, raw: Raw) -> Terms:
    """RetinaNet by torchvision's matcher, focal loss and box coder."""
    s: Any = detector.settings
    logits, numbers = flat(raw[:5], C), flat(raw[5:], 4)
    anchors = detector.candidates(tuple(torch.zeros_like(level) for level in raw)).boxes[0]
    owner = Matcher(s.positive_iou, s.negative_iou, allow_low_quality_matches=True)(box_iou(BOXES, anchors))
    positive = owner >= 0
    wanted = functional.one_hot(LABELS[owner.clamp(min=0)], C) * positive[:, None]
    label = sigmoid_focal_loss(logits, wanted.float(), s.focal_alpha, s.focal_gamma)[owner != -2].sum()
    coder, truth = BoxCoder((1.0, 1.0, 1.0, 1.0)), BOXES[owner[positive]]
    if detector.name == "retinanet":
        box = (numbers[positive] - coder.encode_single(truth, anchors[positive])).abs().sum()
    else:
        box = generalized_box_iou_loss(
            coder.decode_single(numbers[positive], anchors[positive]), truth, reduction="sum"
        )
    return {"box": box / positive.sum(), "label": label / positive.sum()}


def fcos(detector: Detector, raw: Raw) -> Terms:
    """FCOS: points on the grid's lines, as torchvision has them; of boxes that claim one, the smallest wins."""
    s: Any = detector.settings
    logits, numbers, centres = flat(raw[:5], C), flat(raw[5:10], 4), flat(raw[10:], 1)[:, 0]
    box, centre, wanted, positives, first = torch.zeros(()), torch.zeros(()), torch.zeros(len(logits), C), 0, 0
    for level, one in enumerate(raw[:5]):
        stride, (height, width) = 8 * 2**level, one.shape[2:]
        least, most = (0 if level == 0 else 4 * stride), (float("inf") if level == 4 else 8 * stride)
        for index in range(height * width):
            point = torch.tensor([index % width, index // width]) * stride
            claims = []
            for number, truth in enumerate(BOXES):
                sides = torch.cat([point - truth[:2], truth[2:] - point])
                near = (point - (truth[:2] + truth[2:]) / 2).abs().max() < s.centre_radius * stride
                if near and sides.min() > 0 and least < sides.max() < most:
                    claims.append(((truth[2:] - truth[:2]).prod().item(), number, sides))
            if claims:
                _, number, (left, top, right, bottom) = min(claims, key=lambda claim: claim[0])
                far = numbers[first + index] * stride
                predicted = torch.cat([point - far[:2], point + far[2:]])
                box = box + generalized_box_iou_loss(predicted, BOXES[number])
                ratio = min(left, right) / max(left, right) * min(top, bottom) / max(top, bottom)
                centre = centre + cross_entropy(centres[first + index], ratio.sqrt())
                wanted[first + index, LABELS[number]] = 1
                positives += 1
        first += height * width
    label = sigmoid_focal_loss(logits, wanted, 0.25, 2.0, reduction="sum")
    return {"box": box / positives, "centre": centre / positives, "label": label / positives}


# --- the table ---


@dataclass(frozen=True)
class Case:
    """At `value`, the setting moves exactly the terms `moves`; `factors`: by how much, where that can be said."""

    setting: str
    value: Any
    moves: tuple[str, ...]
    factors: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.setting}={self.value}"


BY_HAND: dict[str, Callable[[Detector, Raw], Terms]] = {
    **dict.fromkeys(V1, grid), **dict.fromkeys(V2, region), **dict.fromkeys(V3 + V4, yolo), **dict.fromkeys(SSD, ssd),
    **dict.fromkeys(RETINA, retina), "fcos": fcos,
}  # fmt: skip
TABLE: dict[tuple[str, ...], tuple[Case, ...]] = {
    V1: (
        Case("rescore", False, ("objectness",)),
        Case("box_weight", 10.0, ("box",), {"box": 2.0}),
        Case("background_weight", 2.0, ("objectness",)),
    ),
    V2: (
        Case("rules", "2018", ("box", "objectness", "warm-up")),
        Case("rescore", False, ("objectness",)),
        Case("ignore_iou", 0.2, ("objectness",)),
        Case("warm_up_images", 0, ("warm-up",), {"warm-up": 0.0}),
    ),
    V3 + V4: (
        Case("ignore_iou", 0.1, ("objectness",)),
        Case("match_iou", 0.1, ("box", "objectness", "label")),
        Case("rescore", True, ("objectness",)),
        Case("label_smoothing", 0.2, ("label",)),
        Case("focal_gamma", 2.0, ("objectness", "label")),
        Case("focal_gamma", 0.5, ("objectness", "label")),
        Case("hard_negatives", 3.0, ("objectness",)),
        Case("hard_negatives", 1.0, ("objectness",)),
    ),
    V3: (Case("rules", "pjreddie", ("box", "objectness"), {"box": 4 / 3}),),
    V4: (
        Case("box_loss", "diou", ("box",)),
        Case("box_loss", "giou", ("box",)),
        Case("box_loss", "iou", ("box",)),
        Case("box_loss", "mse", ("box",)),
        Case("box_weight", 10.0, ("box",), {"box": 2.0}),
        Case("box_weight", 0.0, ("box",), {"box": 0.0}),
        Case("box_gradient", "darknet", ("box",)),
    ),
    CSP: (
        Case("objectness_weights", (8.0, 2.0, 0.8), ("objectness",), {"objectness": 2.0}),
        Case("objectness_weights", (4.0, 1.0, 3.0), ("objectness",)),
        Case("smooth_objectness", "none", ("objectness",)),
        Case("smooth_objectness", "all", ("objectness",)),
    ),
    SSD: (Case("match_iou", 0.35, ("box", "label")),),
    ("ssd300",): (Case("box_scales", (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05), ("box", "label")),),
    ("ssd512",): (Case("box_scales", (0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05), ("box", "label")),),
    ("ssdlite",): (
        Case("smallest_boxes", 0.1, ("box", "label")),
        Case("largest_boxes", 0.7, ("box", "label")),
    ),
    RETINA: (
        Case("positive_iou", 0.75, ("box", "label")),
        Case("negative_iou", 0.2, ("label",)),
        Case("focal_gamma", 0.0, ("label",)),
        Case("focal_alpha", 0.5, ("label",)),
    ),
    ("fcos",): (
        Case("centre_radius", 0.5, ("box", "centre", "label")),
        Case("centre_radius", 1000.0, ("box", "centre", "label")),
    ),
}
CASES = [(name, case) for names, cases in TABLE.items() for name in names for case in cases]
LOSS_SETTINGS = {
    (name, row.name)
    for name in built_in()
    for row in rows(detectors.load_all().get(name).settings_class)
    if row.group == "Loss"
}
WITH_PRIOR = sorted(name for name, setting in LOSS_SETTINGS if setting == "objectness_prior")


@pytest.mark.parametrize("name", BY_HAND)
def test_by_default_every_term_is_as_by_hand(name: str) -> None:
    found, expected = terms(default(name), outputs(name)), BY_HAND[name](default(name), outputs(name))
    assert set(found) == set(expected)
    for term, value in found.items():
        assert value.item() == pytest.approx(expected[term].item(), rel=1e-4), term


@pytest.mark.parametrize(("name", "case"), CASES, ids=str)
def test_a_setting_moves_its_terms_to_what_they_are_by_hand_and_no_other(name: str, case: Case) -> None:
    changed, raw = build(name, **{case.setting: case.value}), outputs(name)
    before, after, expected = terms(default(name), raw), terms(changed, raw), BY_HAND[name](changed, raw)
    moved = {term for term in before if abs(after[term] - before[term]) > 5e-4 * abs(before[term])}
    assert moved == set(case.moves)
    for term, value in after.items():
        assert value.item() == pytest.approx(expected[term].item(), rel=1e-4, abs=1e-6), term
    for term, factor in case.factors.items():
        assert after[term].item() == pytest.approx(factor * before[term].item(), rel=1e-4), term


def test_no_setting_of_a_loss_is_missing_from_the_table() -> None:
    """A new one fails here until somebody says what it moves."""
    tabled = {(name, case.setting) for name, case in CASES} | {(name, "objectness_prior") for name in WITH_PRIOR}
    assert len(LOSS_SETTINGS) > 60
    assert LOSS_SETTINGS - tabled == set()


@pytest.mark.parametrize("value", [0.02, 0.5])
@pytest.mark.parametrize("name", WITH_PRIOR)
def test_training_starts_at_the_objectness_prior(name: str, value: float) -> None:
    """What the last layers' biases alone say to an image without boxes: the cost of the prior, at each of the N."""
    detector = build(name, objectness_prior=value)
    raw: list[Tensor] = []
    for out, like in zip(detector.outs, outputs(name), strict=True):
        bias = detector.get_parameter(f"{out}.bias").detach()
        level = bias[None, :, None, None].expand(like.shape)
        raw.append(level.sigmoid() if name in CSP else level)
        assert bias.view(-1, 5 + C)[:, 4].sigmoid().tolist() == pytest.approx([value] * (len(bias) // (5 + C)))
    level = levels(tuple(raw), 5 + C)
    square = torch.tensor(value**2 / 2)
    each = square if name in V2 + CSP else -torch.log(torch.tensor(1 - value))
    weights = torch.tensor([4.0, 1.0, 0.4])[level] if name in CSP else torch.ones(len(level))
    found = terms(detector, tuple(raw), NOTHING)["objectness"]
    assert found.item() == pytest.approx((each * weights).sum().item(), rel=1e-3)


@pytest.mark.parametrize("name", V4)
def test_darknets_gradient_pulls_in_another_direction_at_the_same_priors(name: str) -> None:
    slopes = []
    for gradient in ("true", "darknet"):
        raw = tuple(level.clone().requires_grad_() for level in outputs(name))
        build(name, box_gradient=gradient, box_weight=1.0).loss(raw, TARGETS)["box"].backward()  # type: ignore[no-untyped-call]
        slopes.append(flat(tuple(level.grad for level in raw if level.grad is not None), 5 + C))
    true, darknet = slopes
    at = sorted(one.index for one in answers(default(name), getattr(default(name).settings, "match_iou")))  # noqa: B009
    assert true.any(1).nonzero()[:, 0].tolist() == darknet.any(1).nonzero()[:, 0].tolist() == at
    likeness = functional.cosine_similarity(true[at], darknet[at])
    assert likeness.min() < 0.99


def test_ssds_default_boxes_have_the_sides_that_were_asked_for() -> None:
    """The first box of a map is a square of its scale, the second one of the root of its and the next one's."""
    scales = (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05)
    zero = tuple(torch.zeros_like(level) for level in outputs("ssd300"))
    found = build("ssd300", box_scales=scales).candidates(zero).boxes[0]
    first = 0
    for scale, following, level in zip(scales, scales[1:], zero, strict=False):
        sides = found[first : first + 2, 2:] - found[first : first + 2, :2]
        whole, between = scale * PX, min((scale * following) ** 0.5, 1) * PX
        assert sides.flatten().tolist() == pytest.approx([whole, whole, between, between], rel=1e-4)
        first += level.shape[1] // (1 + C) * level.shape[2] * level.shape[3]
    assert first == len(found)


def test_ssdlites_default_boxes_grow_evenly_from_the_smallest_to_the_largest() -> None:
    zero = tuple(torch.zeros_like(level) for level in outputs("ssdlite"))
    found = build("ssdlite", smallest_boxes=0.1, largest_boxes=0.6).candidates(zero).boxes[0]
    first, sides = 0, []
    for level in zero[:6]:
        sides.append((found[first, 2] - found[first, 0]).item() / PX)
        first += level.shape[1] // (1 + C) * level.shape[2] * level.shape[3]
    assert sides == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], rel=1e-4)


def test_proposals_bound_what_the_second_network_sees_and_nothing_else() -> None:
    few = build("faster-rcnn", proposals=10)
    raw = outputs("faster-rcnn")
    assert few.candidates(raw).boxes.shape[1] == 10
    assert default("faster-rcnn").candidates(raw).boxes.shape[1] == 1000
    before, after = terms(default("faster-rcnn"), raw), terms(few, raw)
    moved = {term for term in before if abs(after[term] - before[term]) > 5e-4 * abs(before[term])}
    assert moved == {"box", "label"}


@pytest.mark.parametrize("name", built_in())
def test_a_labels_weight_multiplies_its_boxes_and_another_labels_does_nothing(name: str) -> None:
    alone = Targets(TARGETS.boxes, torch.ones_like(TARGETS.labels), TARGETS.ignore)
    detector = copy.deepcopy(default(name))
    before = terms(detector, outputs(name), alone)
    detector.weigh_labels(torch.tensor([1.0, 3.0, 1.0]))
    after = terms(detector, outputs(name), alone)
    detector.weigh_labels(torch.tensor([7.0, 1.0, 5.0]))
    others = terms(detector, outputs(name), alone)
    assert after["box"].item() == pytest.approx(3 * before["box"].item(), rel=1e-4)
    assert after["label"] > before["label"] * 1.01
    for term, value in others.items():
        assert value.item() == pytest.approx(before[term].item(), rel=1e-5), term
