"""Which anchor answers for which box, decided by overlap: for SSD, RetinaNet and the first stage of Faster R-CNN.

B = images, M = most boxes of an image, N = anchors. Every shape is fixed. The rules are torchvision's (Matcher and
SSDMatcher in its detection/_utils.py), which works on lists of boxes of any length, one image after the other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor
from torchvision.ops import box_iou

from workbench.detectors.parts import matching
from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.explained import Roles

BACKGROUND, BETWEEN = -1, -2


def matches(boxes: Tensor, real: Tensor, anchors: Tensor, rule: Callable[[Tensor], Tensor]) -> Tensor:
    """(B, N) what `rule`, such as match(), makes of the overlaps of boxes (B, M, 4) and anchors (N, 4) or (B, N, 4).

    `real` (B, M): the boxes to be found.
    """
    anchors = anchors.expand(len(boxes), -1, 4)
    some = matching.number_at_once(boxes.shape[1] * anchors.shape[1])
    parts = zip(*(torch.split(one, some) for one in (boxes, real, anchors)), strict=True)
    return torch.cat([rule(overlaps(*part)) for part in parts])


def overlaps(boxes: Tensor, real: Tensor, anchors: Tensor) -> Tensor:
    """IoU (B, M, N) of boxes (B, M, 4) and anchors (B, N, 4); -1 for boxes that are not `real` (B, M)."""
    return torch.where(real[..., None], matching.pairwise_iou(boxes.float(), anchors), -1.0)


@torch.no_grad()
def roles(targets: Targets, matches: Tensor, anchors: Tensor) -> Roles:
    """What each anchor is to the loss, by its `matches` (B, N): a box, BACKGROUND or BETWEEN. In a
    crowd region none is background.
    """
    positive = matches >= 0
    _, share = matching.best_overlap(anchors.expand(len(matches), -1, 4), targets)
    background = (matches == BACKGROUND) & (share <= matching.CROWD_SHARE)
    return Roles(positive, ~positive & ~background, background)


def match(iou: Tensor, high: float, low: float, *, keep_best: bool) -> Tensor:
    """(B, N) the box of each anchor: the one it overlaps most if by more than `high`, BACKGROUND if by less than `low`,
    else BETWEEN. iou: (B, M, N).

    keep_best: the anchors that overlap some box most of all answer too, however small the overlap, for the box that
    *they* overlap most.
    """
    if not iou.shape[1]:
        return torch.full((len(iou), iou.shape[2]), BACKGROUND, dtype=torch.int64, device=iou.device)
    value, best = iou.max(dim=1)
    found = torch.where(value < low, BACKGROUND, torch.where(value < high, BETWEEN, best))
    if not keep_best:
        return found
    most = iou.max(dim=2, keepdim=True).values
    return torch.where(((iou == most) & (most > 0)).any(dim=1), best, found)


def match_defaults(iou: Tensor, threshold: float) -> Tensor:
    """SSD's rule: match() at one threshold, and each box also gets the anchor that overlaps it
    most. If two boxes want the same one, the last wins.
    """
    found = match(iou, threshold, threshold, keep_best=False)
    images, boxes, anchors = iou.shape
    if not boxes:
        return found
    value, best = iou.max(dim=2)
    slots = torch.where(value > 0, best, anchors)
    order = torch.arange(boxes, device=iou.device, dtype=matching.ORDER).expand(images, -1)
    forced = order.new_full((images, anchors + 1), -1).scatter_reduce_(1, slots, order, "amax")[:, :-1]
    return torch.where(forced >= 0, forced.long(), found)


def why_none(targets: Targets, anchors: Tensor, image: int, box: int, noun: str = "anchor") -> str:
    """Why a box to be found has no positive."""
    most = float(box_iou(targets.boxes[image, box : box + 1].float(), anchors).max())
    if most <= 0:
        return f"it overlaps no {noun}"
    return f"the {noun} that overlaps it most, by {most:.2f}, answers for another box"
