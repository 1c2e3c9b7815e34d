"""Which anchor answers for which box, decided by overlap: for SSD, RetinaNet and the first stage of Faster R-CNN.

M = most boxes of an image, N = anchors. Functions take one image, and every shape is fixed. The rules are torchvision's
(Matcher and SSDMatcher in its detection/_utils.py), which works on lists of boxes of any length.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

from workbench.detectors.parts import matching
from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.explained import Roles

BACKGROUND, BETWEEN = -1, -2


def overlaps(boxes: Tensor, real: Tensor, anchors: Tensor) -> Tensor:
    """IoU (M, N) of boxes and anchors; -1 for boxes that are not to be found (`real` (M,) False)."""
    return torch.where(real[:, None], box_iou(boxes.float(), anchors), -1.0)


def all_overlaps(targets: Targets, anchors: Tensor) -> list[Tensor]:
    """overlaps() for every image."""
    real = matching.real(targets)
    return [overlaps(boxes, one, anchors) for boxes, one in zip(targets.boxes, real, strict=True)]


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
    """(N,) the box of each anchor: the one it overlaps most if by more than `high`, BACKGROUND if by less than `low`,
    else BETWEEN.

    keep_best: the anchors that overlap some box most of all answer too, however small the overlap, for the box that
    *they* overlap most.
    """
    if not iou.shape[0]:
        return torch.full((iou.shape[1],), BACKGROUND, dtype=torch.int64, device=iou.device)
    value, best = iou.max(dim=0)
    found = torch.where(value < low, BACKGROUND, torch.where(value < high, BETWEEN, best))
    if not keep_best:
        return found
    most = iou.max(dim=1, keepdim=True).values
    return torch.where(((iou == most) & (most > 0)).any(dim=0), best, found)


def match_defaults(iou: Tensor, threshold: float) -> Tensor:
    """SSD's rule: match() at one threshold, and each box also gets the anchor that overlaps it
    most. If two boxes want the same one, the last wins.
    """
    found = match(iou, threshold, threshold, keep_best=False)
    boxes, anchors = iou.shape
    if not boxes:
        return found
    value, best = iou.max(dim=1)
    slots = torch.where(value > 0, best, anchors)
    order = torch.arange(boxes, device=iou.device, dtype=matching.ORDER)
    forced = order.new_full((anchors + 1,), -1).scatter_reduce_(0, slots, order, "amax")[:-1]
    return torch.where(forced >= 0, forced.long(), found)


def why_none(targets: Targets, anchors: Tensor, image: int, box: int, noun: str = "anchor") -> str:
    """Why a box to be found has no positive."""
    most = float(box_iou(targets.boxes[image, box : box + 1].float(), anchors).max())
    if most <= 0:
        return f"it overlaps no {noun}"
    return f"the {noun} that overlaps it most, by {most:.2f}, answers for another box"
