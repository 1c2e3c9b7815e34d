"""How YOLO's four numbers per prior become a box, and a box becomes the four numbers (YOLOv3 section 2.1).

t = (t_x, t_y, t_w, t_h): the centre lies sigmoid(t) into the prior's cell, the sides are the anchor's times exp(t).
With scale_x_y = s > 1 (YOLOv4) the centre may reach s - 1 cells, half on each side, beyond the cell's edges, because
a sigmoid never quite gets to 0 or 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.detectors.parts.priors import Priors

LARGEST_LOG_SIDE = 20.0  # exp(20) anchors is beyond any image; keeps a diverging run's areas finite


def decode(logits: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor, scales: Tensor) -> Tensor:
    """logits (..., 4) and the priors they belong to (..., 2 or 1) -> boxes (..., 4) xyxy in network pixels."""
    offsets = scales * logits[..., :2].sigmoid() - (scales - 1) / 2
    centres = (offsets + cells) * strides
    halves = logits[..., 2:4].clamp(max=LARGEST_LOG_SIDE).exp() * anchors / 2
    return torch.cat([centres - halves, centres + halves], dim=-1)


def decode_all(logits: Tensor, priors: Priors) -> Tensor:
    """logits (B, N, 4) -> (B, N, 4) xyxy."""
    return decode(logits, priors.cells, priors.strides, priors.anchors, priors.scales)


def encode(boxes: Tensor, cells: Tensor, strides: Tensor, anchors: Tensor) -> Tensor:
    """boxes (..., 4) xyxy -> (..., 4): the centre's place in the cell (0..1 inside it) and the log of side / anchor."""
    centres, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    return torch.cat([centres / strides - cells, (sides / anchors).log()], dim=-1)


def logits_of(encoded: Tensor, scales: Tensor) -> Tensor:
    """The logits that decode() turns into exactly the encoded box; offsets at a cell's edge are kept finite."""
    inside = ((encoded[..., :2] + (scales - 1) / 2) / scales).clamp(1e-6, 1 - 1e-6)
    return torch.cat([inside.logit(), encoded[..., 2:]], dim=-1)
