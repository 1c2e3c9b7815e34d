"""The network from picture to detections as one graph of fixed shapes, and the check that a file computes the same.

S = side of the network input, N = priors, C = labels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core import boxes as geometry
from workbench.core.detections import MOST, Kind
from workbench.core.nms import DIOU_POWERS
from workbench.detectors.parts.detector import Detector
from workbench.inference.events import Agreement
from workbench.inference.exporters import Arrays

ROUNDS = 32  # of NMS by DIoU, where torchvision has no operation
LIMIT = 300  # detections that leave the graph at most
SAME_IOU, SAME_SCORE = 0.98, 0.01
TINY = 0.05  # pixels that a box may lie apart in any case: the IoU of boxes cut down to a sliver says nothing
COMPARED = 20  # detections compared of each image at least, however low their scores


class EndToEnd(nn.Module):
    """(1, 3, S, S) float RGB 0..1 -> boxes (n, 4) in network pixels, scores (n,), labels (n,) int64, highest first.

    The best pairs are taken before NMS so that all shapes but the last are known (torch.export can't guard on
    others); labels are kept apart by moving each to its own place, boxes being cut to the input first. No score
    is cut off: whoever uses the file chooses.
    """

    def __init__(self, detector: Detector, px: int, iou: float, kind: Kind = "per label") -> None:
        super().__init__()
        self.detector, self.px, self.iou, self.kind = detector, px, iou, kind

    def pool(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best (box, label) pairs before NMS, highest first."""
        boxes, scores, labels = self.detector.candidates(self.detector(images)).best(MOST)
        boxes = boxes[0].clamp(0, self.px)
        there = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)  # others are never shown, see predict
        return boxes, torch.where(there, scores[0], 0.0), labels[0]

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        boxes, scores, label = self.pool(images)
        if self.kind in DIOU_POWERS:
            scores, order = scores.topk(scores.shape[0])  # those out of the picture go to the end
            boxes, label = boxes[order], label[order]
            keep = diou_nms(boxes, label, self.iou, DIOU_POWERS[self.kind])[:LIMIT]
        else:
            apart = boxes + (label * (self.px + 1)).to(boxes.dtype)[:, None]
            keep = torchvision.ops.nms(apart, scores, self.iou)[:LIMIT]
        return boxes[keep], scores[keep], label[keep]


def diou_nms(boxes: Tensor, labels: Tensor, iou: float, power: float) -> Tensor:
    """(n,) rows that core.nms.walk keeps by DIoU per label, of boxes (k, 4) and labels (k,), highest score first.

    No format has an operation for it. In rounds over a matrix, as Cluster-NMS (Zheng et al. 2020, arXiv 2005.03572,
    section 3.3): after r rounds all is decided but for boxes at the end of a chain longer than r, each the first lower
    one that the one before removes or spares.
    """
    a, b = boxes[:, None], boxes[None]
    shared = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = (a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) / 2
    distance = (apart**2).sum(-1) / (hull**2).sum(-1).clamp(min=1e-9)
    value = shared / (area[:, None] + area[None] - shared).clamp(min=1e-9) - distance**power
    rank = torch.arange(len(boxes), device=boxes.device)
    removes = (value > iou) & (labels[:, None] == labels[None]) & (rank[:, None] < rank[None])  # (k, k) row the column
    removes = removes.to(boxes.dtype)
    kept = torch.ones_like(area)
    for _ in range(ROUNDS):
        kept = (kept @ removes == 0).to(boxes.dtype)
    return kept.nonzero()[:, 0]


class Decoded(nn.Module):
    """(1, 3, S, S) -> boxes (N, 4) in network pixels and scores (N, C) of all priors, for NMS outside.

    Where each label has a box of its own, there is a row for each, with a score for that label alone.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.fixed_rows = not detector.later_multiply_adds  # proposals come in the order of their scores

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = self.detector.candidates(self.detector(images))
        boxes, scores = found.boxes[0], found.scores[0]
        if boxes.ndim == 3:
            own = torch.eye(scores.shape[1], dtype=scores.dtype, device=scores.device)
            return boxes.flatten(0, 1), (scores[:, :, None] * own).flatten(0, 1)
        return boxes, scores


def compare(graph: nn.Module, image: Tensor, theirs: Arrays, score: float) -> Agreement:
    """Compare what a file answers to `image` (1, 3, S, S) with what `graph`, EndToEnd or Decoded, answers."""
    with torch.no_grad():
        ours = tuple(tensor.numpy() for tensor in graph(image))
        if isinstance(graph, EndToEnd):
            return agreement(ours, tuple(tensor.numpy() for tensor in graph.pool(image)), theirs, score)
    if graph.fixed_rows:
        return _row_by_row(ours, theirs)
    pool, others = _pairs(ours), _pairs(theirs)
    return agreement(tuple(array[:LIMIT] for array in pool), pool, tuple(array[:LIMIT] for array in others), score)


def _pairs(decoded: Arrays) -> Arrays:
    """Decoded's answer as the best (box, label) pairs, highest first."""
    boxes, scores = decoded
    row, label = np.divmod(np.argsort(-scores, axis=None, kind="stable")[:MOST], scores.shape[1])
    return boxes[row], scores[row, label], label


def agreement(ours: Arrays, pool: Arrays, theirs: Arrays, score: float) -> Agreement:
    """Compare detections: `ours` and `theirs` after NMS, `pool` ours before.

    They are paired by label and place and not by row: equal scores may come in any order. And of two nearly equal
    candidates, NMS may keep either: hence the pool. Detections of at least `score` are compared, and COMPARED of them
    in any case, so that a poor network is checked too.
    """
    floor = min(score, *np.sort(ours[1])[::-1][COMPARED - 1 : COMPARED].tolist(), 1.0)
    result, back = _found_in(ours, theirs, floor), _found_in(theirs, pool, floor + SAME_SCORE)
    return replace(result, foreign=back.compared - back.matched)


def _found_in(some: Arrays, others: Arrays, floor: float) -> Agreement:
    boxes, scores, labels = (array[some[1] >= floor] for array in some)
    if not len(boxes) or not len(others[0]):
        return Agreement(len(boxes), 0)
    iou = geometry.iou(np.asarray(boxes, np.float64), np.asarray(others[0], np.float64))  # (n, m)
    gap = np.abs(scores[:, None].astype(np.float64) - others[1][None])
    same = (labels[:, None] == others[2][None]) & (gap <= SAME_SCORE)
    near = np.abs(boxes[:, None] - others[0][None]).max(axis=2) < TINY
    iou = np.where(same, np.where(near, np.maximum(iou, SAME_IOU), iou), -1.0)
    best, rows = iou.argmax(axis=1), np.arange(len(boxes))
    value = iou[rows, best]
    good = value >= SAME_IOU
    if not good.any():
        return Agreement(len(boxes), 0)
    worst = float(value[good].min()), float(gap[rows, best][good].max())
    return Agreement(len(boxes), int(good.sum()), 0, *worst)


def _row_by_row(ours: Arrays, theirs: Arrays) -> Agreement:
    iou = geometry.iou_of_pairs(np.asarray(ours[0], np.float64), np.asarray(theirs[0], np.float64))
    gap = np.abs(ours[1].astype(np.float64) - theirs[1]).max(axis=1)
    near = (iou >= SAME_IOU) | _tiny_difference(ours[0], theirs[0])
    good = near & (gap <= SAME_SCORE)
    worst = float(iou[near].min(initial=1.0)), float(gap.max(initial=0.0))
    return Agreement(len(iou), int(good.sum()), int((~good).sum()), *worst)


def _tiny_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n,) of pairs of rows."""
    return np.asarray(np.abs(a - b).max(axis=1) < TINY)
