"""Each loss a second time, as plainly as possible, from papers and Darknet's rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

from tests.detectors.made_outputs import (
    BOXES,
    CSP,
    LABELS,
    PX,
    RETINA,
    SSD,
    V1,
    V2,
    V3,
    V4,
    Answer,
    C,
    Terms,
    activated,
    answers,
    flat,
    in_cell,
    levels,
    scale_of,
)
from workbench.detectors.parts.detector import Detector, Raw


def cross_entropy(numbers: Tensor, wanted: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(numbers, wanted, reduction="none")


def half_square(numbers: Tensor, wanted: Tensor) -> Tensor:
    return (numbers - wanted) ** 2 / 2


def overlap_cost(kind: str, predicted: Tensor, truth: Tensor) -> Tensor:
    """(P,)"""
    if kind == "iou":
        plain: Tensor = 1 - box_iou(predicted, truth).diagonal()
        return plain
    losses = {"ciou": complete_box_iou_loss, "diou": distance_box_iou_loss, "giou": generalized_box_iou_loss}
    cost: Tensor = losses[kind](predicted, truth)
    return cost


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


BY_HAND: dict[str, Callable[[Detector, Raw], Terms]] = {
    **dict.fromkeys(V1, grid), **dict.fromkeys(V2, region), **dict.fromkeys(V3 + V4, yolo), **dict.fromkeys(SSD, ssd),
    **dict.fromkeys(RETINA, retina), "fcos": fcos,
}  # fmt: skip
