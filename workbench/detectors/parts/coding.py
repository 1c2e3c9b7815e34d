"""YOLO's box coding: from four numbers per prior to a box and back (YOLOv3 section 2.1).

t = (t_x, t_y, t_w, t_h): the centre lies at sigmoid(t) of the prior's cell, the sides are the anchor's times exp(t).
With scale_x_y = s > 1 (YOLOv4) the centre may reach (s - 1) / 2 cells beyond each edge of the cell, because a sigmoid
never quite reaches 0 or 1.

All four `activated` numbers (Scaled-YOLOv4, Darknet's new_coords) have already been through a sigmoid: the centre is
placed by the same formula, and the sides are the anchor's times (2 t)^2, so at most four times the anchor's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.detectors.parts.priors import Priors

LARGEST_LOG_SIDE = 20.0  # exp(20) times an anchor exceeds any image; keeps a diverging run's areas finite
LARGEST_ROOT_SIDE = 1e4  # the same for activated numbers, which are within 0..1 unless made up


def decode(
    numbers: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor, scales: Tensor, *, activated: bool = False
) -> Tensor:
    """numbers (..., 4) and the priors they belong to (..., 2 or 1) -> boxes (..., 4) xyxy in network pixels."""
    places = numbers[..., :2] if activated else numbers[..., :2].sigmoid()
    centres = (scales * places - (scales - 1) / 2 + cells) * strides
    halves = anchors / 2 * _factors(numbers[..., 2:4], activated)
    return torch.cat([centres - halves, centres + halves], dim=-1)


def _factors(numbers: Tensor, activated: bool) -> Tensor:
    if activated:
        return (2 * numbers.clamp(-LARGEST_ROOT_SIDE, LARGEST_ROOT_SIDE)).square()
    return numbers.clamp(max=LARGEST_LOG_SIDE).exp()


def decode_all(numbers: Tensor, priors: Priors, *, activated: bool = False) -> Tensor:
    """numbers (B, N, 4) -> (B, N, 4) xyxy."""
    return decode(numbers, priors.cells, priors.strides, priors.anchors, priors.scales, activated=activated)


def encode(
    boxes: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor, scales: Tensor, *, activated: bool = False
) -> Tensor:
    """boxes (..., 4) xyxy -> (..., 4) numbers; decode() restores the boxes once the first two are logits (`logits_of`).

    The first two are sigmoid values: 0..1 for a centre in the prior's cell. With `activated`, decode() takes all four
    as they are.
    """
    centres, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    places = (centres / strides - cells + (scales - 1) / 2) / scales
    ratios = sides / anchors
    return torch.cat([places, ratios.sqrt() / 2 if activated else ratios.log()], dim=-1)


def logits_of(encoded: Tensor) -> Tensor:
    """The logits that decode() turns into exactly the encoded box; finite also at the edge of the centre's reach."""
    return torch.cat([encoded[..., :2].clamp(1e-6, 1 - 1e-6).logit(), encoded[..., 2:]], dim=-1)
