"""Which prior answers for which box: Darknet's anchor matching for YOLOv3 and v4, and which priors are ignored.

B = images, M = most boxes of an image, K = (level, anchor) pairs, N = priors. A "slot" is a prior's index among
the N. Everything has a fixed shape: a box that is padding, or a pair that does not answer, gets slot N, one past the
last. So a training step needs neither a loop over boxes nor a value back from the graphics card.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.priors import Priors

CROWD_SHARE = 0.5  # of a prior or a prediction: with more of it inside an ignore region it is not called background
ORDER = torch.float32  # of a box among others: in scatter_reduce, Apple's cards find no least or greatest integer
AT_ONCE = 2**24  # pairs of a prior and a box, each of which takes some 30 bytes
BOXES_AT_ONCE = 32  # of M, at most, in best_overlap()


@dataclass(frozen=True)
class Matches:
    """The positives: pair k in the box's cell answers for box m where `taken`."""

    taken: Tensor  # (B, M, K) bool
    slots: Tensor  # (B, M, K) int64, N where not taken


def number_at_once(pairs: int) -> int:
    """How many images, or boxes, with so many pairs each AT_ONCE allows; one by one a card would be called 50 times
    for each.
    """
    return max(AT_ONCE // max(pairs, 1), 1)


def real(targets: Targets) -> Tensor:
    """(B, M) bool: boxes to be found: not padding, ignore regions or boxes under 1 px (which Darknet drops)."""
    sides = targets.boxes[..., 2:] - targets.boxes[..., :2]
    return (targets.labels >= 0) & ~targets.ignore & (sides >= 1).all(-1)


def shape_iou(sides: Tensor, anchors: Tensor) -> Tensor:
    """IoU of boxes with the same centre: sides (..., 2) against anchors (n, 2) -> (..., n)."""
    common = torch.minimum(sides[..., None, :], anchors).prod(-1)
    return common / (sides.prod(-1)[..., None] + anchors.prod(-1) - common).clamp(min=1e-9)


def match(targets: Targets, priors: Priors, anchors: Tensor, match_iou: float) -> Matches:
    """The anchor of the best shape on all levels (rule 18), and all others above `match_iou` (1: none; rule 22).

    Only the cell with the box's centre answers. anchors: (n, 2), including those in no mask: a box whose best anchor
    no level uses has no positive, as in Darknet.
    """
    pairs, boxes = priors.pairs, targets.boxes.float()
    iou = shape_iou(boxes[..., 2:] - boxes[..., :2], anchors)  # (B, M, n)
    best = iou.argmax(-1, keepdim=True)  # (B, M, 1)
    taken = (best == pairs.anchor) | (iou[..., pairs.anchor] > match_iou)  # (B, M, K)
    taken = taken & real(targets)[..., None]
    centres = (boxes[..., :2] + boxes[..., 2:]) / 2
    column = _cell(centres[..., 0:1], pairs.stride, pairs.columns)
    row = _cell(centres[..., 1:2], pairs.stride, pairs.rows)
    slots = pairs.first + (row * pairs.columns + column) * pairs.per_cell + pairs.place
    return Matches(taken, torch.where(taken, slots, len(priors)))


def _cell(centre: Tensor, stride: Tensor, count: Tensor) -> Tensor:
    """(B, M, 1) pixels -> (B, M, K) cell; a centre on or past the edge belongs to the last cell."""
    return torch.minimum((centre / stride).floor().long().clamp(min=0), count - 1)


def owners(matches: Matches, count: int) -> Tensor:
    """(B, M, K) bool: true for the last box of each slot, so that a slot with several boxes is counted once."""
    batch, boxes, pairs = matches.slots.shape
    order = torch.arange(boxes, device=matches.slots.device, dtype=ORDER)
    order = order.view(1, boxes, 1).expand(batch, boxes, pairs).reshape(batch, -1)
    slots = matches.slots.reshape(batch, -1)
    last = order.new_full((batch, count + 1), -1).scatter_reduce_(1, slots, order, "amax")
    return (last.gather(1, slots) == order).view_as(matches.taken) & matches.taken


def slot_labels(matches: Matches, labels: Tensor, count: int, label_count: int) -> Tensor:
    """(B, M, K, C) bool: the labels of all boxes in that slot (rule 20: a shared slot is trained on each of them)."""
    batch, boxes, pairs = matches.slots.shape
    wanted = matches.slots * label_count + labels.clamp(min=0)[..., None]  # (B, M, K)
    table = torch.zeros(batch, (count + 1) * label_count, dtype=torch.bool, device=labels.device)
    table.scatter_(1, wanted.reshape(batch, -1), True)
    table = table.view(batch, count + 1, label_count)
    slots = matches.slots.reshape(batch, -1, 1).expand(-1, -1, label_count)
    return table.gather(1, slots).view(batch, boxes, pairs, label_count)


def best_overlap(boxes: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """Per predicted box (B, N, 4): best IoU with a box to be found, largest share of it inside an ignore region."""
    iou, share = torch.zeros_like(boxes[..., 0]), torch.zeros_like(boxes[..., 0])
    area = _area(boxes)[..., None]  # (B, N, 1)
    found, ignored = real(targets), targets.ignore & (targets.labels >= 0)
    at_once = min(number_at_once(iou.numel()), BOXES_AT_ONCE)
    for start in range(0, targets.boxes.shape[1], at_once):
        some = slice(start, start + at_once)
        truth = targets.boxes[:, some].float()
        common = _common(boxes, truth)  # (B, N, m)
        union = area + _area(truth)[:, None] - common
        iou = torch.maximum(iou, (common / union.clamp_(min=1e-9)).mul_(found[:, None, some]).amax(-1))
        share = torch.maximum(share, (common / area.clamp(min=1e-9)).mul_(ignored[:, None, some]).amax(-1))
    return iou, share


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU (B, N, m) of boxes (B, N, 4) and others (B, m, 4), either B may be 1; NaN for two without area."""
    common = _common(boxes, others)
    return common / (_area(boxes)[..., None] + _area(others)[:, None] - common)


def _area(boxes: Tensor) -> Tensor:
    x0, y0, x1, y1 = boxes.unbind(-1)
    return (x1 - x0) * (y1 - y0)


def _common(boxes: Tensor, truth: Tensor) -> Tensor:
    """Shared area of (B, N, 4) and (B, m, 4) -> (B, N, m); axis by axis, as reducing over xy is 8 times slower."""
    x0, y0, x1, y1 = (edge[..., None] for edge in boxes.unbind(-1))  # (B, N, 1)
    u0, v0, u1, v1 = (edge[:, None] for edge in truth.unbind(-1))  # (B, 1, m)
    width = torch.minimum(x1, u1).sub_(torch.maximum(x0, u0)).clamp_(min=0)
    height = torch.minimum(y1, v1).sub_(torch.maximum(y0, v0)).clamp_(min=0)
    return width.mul_(height)
