"""What a two-stage detector draws and looks at in training, in shapes that do not depend on the data: torchvision's own
code (rpn.py, roi_heads.py and poolers.py), which works on lists of any length, asks a graphics card dozens of times per
image how long they are.

B = images, N = boxes of an image. Where torchvision has fewer boxes, masks say which rows are real.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor
from torchvision.ops import nms, roi_align

from workbench.detectors.parts import matching

BLOCK, ROUNDS = 256, 31  # of nms_in_rounds()
FINEST_LEVEL, CANONICAL_LEVEL, CANONICAL_PX = 2, 4, 224.0  # which map a box belongs to: Lin et al. 2017, equation 1
EPS = 1e-6  # torchvision's, added to the level before rounding down
AWAY = -1e4  # of a box that roi_align takes for outside of its map, so that it reads nothing and gives zeros
SAMPLING = 2  # points per axis of a pooled cell, as torchvision's Faster R-CNN has it


def exact_nms(boxes: Tensor, there: Tensor, most_iou: float) -> Tensor:
    """(B, N) bool: which boxes (B, N, 4), best first, are left by NMS of those that are `there`. Waits for the device,
    once per row.
    """
    order = torch.arange(boxes.shape[1], 0, -1, dtype=boxes.dtype, device=boxes.device)
    left = torch.zeros_like(there)
    for row, some, real in zip(left, boxes, there, strict=True):
        rows = real.nonzero()[:, 0]
        row[rows[nms(some[rows], order[rows], most_iou)]] = True
    return left


def nms_in_rounds(boxes: Tensor, there: Tensor, most_iou: float) -> Tensor:
    """The same without waiting, and slower on a processor.

    Greedy NMS, one BLOCK of boxes after the other; within a block as the limit of repeating "no better box that is left
    overlaps it by more". ROUNDS times are enough for chains of as many boxes, each of which would suppress the next.
    Behind a longer one the choice may differ, but no two boxes are left that overlap by more, as ROUNDS is odd.
    """
    left, rest = [], there.float()
    for start in range(0, boxes.shape[1], BLOCK):
        over = (matching.pairwise_iou(boxes[:, start : start + BLOCK], boxes[:, start:]) > most_iou).float()
        size = over.shape[1]
        within, real = over[..., :size].triu(diagonal=1), rest[:, None, :size]
        kept = real  # 1 or 0, as is what is real less the number of better boxes that are left, but not below 0
        for _ in range(ROUNDS):
            kept = torch.baddbmm(real, kept, within, alpha=-1).clamp_(min=0)
        left.append(kept)
        rest = torch.baddbmm(rest[:, None, size:], kept, over[..., size:], alpha=-1).clamp_(min=0)[:, 0]
    return torch.cat(left, dim=2)[:, 0] > 0


def draw(positive: Tensor, negative: Tensor, count: int, share: float) -> tuple[Tensor, Tensor]:
    """Which are drawn at random of each image: at most `share` of `count` positive, as many negative ones as are then
    missing.

    positive, negative: (B, N) bool, and so are those drawn.
    """
    few, whole = min(int(count * share), positive.shape[1]), min(count, positive.shape[1])
    order = torch.rand(positive.shape, device=positive.device)
    first = torch.where(positive, order, -1.0).topk(few, dim=1)
    then = torch.where(negative, order, -1.0).topk(whole, dim=1)
    drawn = first.values >= 0
    place = torch.arange(whole, device=positive.device)
    missing = (then.values >= 0) & (place < count - drawn.sum(1, keepdim=True))
    nothing = torch.zeros_like(positive)
    return nothing.scatter(1, first.indices, drawn), nothing.scatter(1, then.indices, missing)


def gathered(positive: Tensor, negative: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The rows (B, n) of the (B, N) that were drawn, n at most `count`, and which of these are positive and which
    negative, (B, n) bool each; rows that are neither only fill up.
    """
    rows = (positive | negative).float().topk(min(count, positive.shape[1]), dim=1).indices
    return rows, positive.gather(1, rows), negative.gather(1, rows)


def pool(maps: Sequence[Tensor], boxes: Tensor, finest_px: int, size: tuple[int, int]) -> Tensor:
    """The features (B n, C, *size) of boxes (B, n, 4), each from the map for its size; the first has `finest_px` pixels
    per cell, and each other one twice as many as the one before.

    Every map is asked for every box: for another map's it reads nothing and gives zeros, so the sum is exact.
    """
    count, number = boxes.shape[:2]
    image = torch.arange(count, device=boxes.device, dtype=boxes.dtype)[:, None, None].expand(-1, number, 1)
    rows = boxes.reshape(-1, 4)
    area = (rows[:, 2] - rows[:, 0]) * (rows[:, 3] - rows[:, 1])
    level = (CANONICAL_LEVEL + (area.sqrt() / CANONICAL_PX).log2() + EPS).floor() - FINEST_LEVEL
    level = level.clamp(0, len(maps) - 1)
    whole = torch.zeros((), device=boxes.device)
    for place, features in enumerate(maps):
        own = torch.where((level == place)[:, None], rows, AWAY)
        regions = torch.cat([image.reshape(-1, 1), own], dim=1)
        whole = whole + roi_align(features, regions, size, 1 / (finest_px << place), SAMPLING)
    return whole
