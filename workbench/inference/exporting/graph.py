"""The network from picture to detections as one graph, and the check that an exported file computes the same.

B = images at a time, H and W = sides of the network input, N = priors, C = labels, k = pairs before NMS.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn

from workbench.core import boxes as geometry
from workbench.core.detections import MOST, NmsKind, best_pairs
from workbench.core.nms import DIOU_POWERS
from workbench.detectors.parts.detector import Detector, Raw
from workbench.inference.events import Agreement
from workbench.inference.exporters import DECODED, RAW, Arrays, Card

ROUNDS = 32  # of NMS by DIoU, where torchvision has no operation
ROUNDED = 1_000  # pairs in these rounds: 15 ms on two cores, 3,000 took 340; with the operation 6
LIMIT = 300  # the most detections that leave the graph
SAME_IOU, SAME_SCORE = 0.98, 0.01
TINY = 0.05  # pixels that a box may differ in any case: the IoU of boxes clipped to slivers says nothing
COMPARED = 20  # the least number of detections compared per image, however low their scores


def build_graph(detector: Detector, card: Card) -> nn.Module:
    """The graph with the outputs that `card` describes."""
    if card.output == RAW:
        return RawHeads(detector).eval()
    if card.output == DECODED:
        return DecodedOutputs(detector, flat=card.lone).eval()
    kind = EndToEnd if card.lone else BatchedEndToEnd
    least = [card.label_scores.get(name, card.score) for name in card.labels] if card.label_scores else []
    return kind(detector, card.iou, cast(NmsKind, card.nms_kind), card.limit, least).eval()


FAR = 1 << 16
"""Pixels up to which labels may be moved apart: up to there float32 resolves a 256th of a pixel."""


class EndToEnd(nn.Module):
    """(1, 3, H, W) float RGB 0..1 -> boxes (n, 4) in network pixels, scores (n,), labels (n,) int64, highest first.

    The best pairs are taken before NMS so that all shapes but the last are known (torch.export can't guard on
    others); labels are kept apart by moving each to its own place, after clipping boxes to the input. No score
    is cut off: the user of the file chooses. `least` (C,): across labels, pairs below their label's confidence
    remove none of the others, and come after them.
    """

    least: Tensor | None

    def __init__(
        self,
        detector: Detector,
        iou: float,
        kind: NmsKind = "per label",
        limit: int = LIMIT,
        least: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.detector, self.iou, self.kind, self.limit = detector, iou, kind, limit
        matter = kind == "across labels" and len(set(least)) > 1
        self.register_buffer("least", torch.tensor(list(least)) if matter else None, persistent=False)

    def _rank(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The keys by which NMS sorts: the scores, plus 1 for those that reach their label's confidence."""
        return scores if self.least is None else scores + (scores >= self.least[labels]).to(scores.dtype)

    @property
    def _in_rounds(self) -> bool:
        return self.kind in DIOU_POWERS or self._is_far

    @property
    def _columns(self) -> int:
        """Labels are moved apart on a square grid: in a single row, 80 of them would exceed FAR at 416 px."""
        return 1 if self.kind == "across labels" else math.isqrt(self.detector.label_count - 1) + 1

    @property
    def _is_far(self) -> bool:
        """Whether labels, moved apart, would exceed FAR."""
        return self.kind == "per label" and self._columns * 2 * self.detector.settings.input_px > FAR

    def pool(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best (box, label) pairs of each image before NMS, highest first: (B, k, 4), (B, k), (B, k)."""
        most = ROUNDED if self._in_rounds else MOST
        boxes, scores, labels = self.detector.candidates(self.detector(images)).best(most)
        across, down = boxes[..., 0::2].clamp(0, images.shape[3]), boxes[..., 1::2].clamp(0, images.shape[2])
        boxes = torch.stack((across, down), dim=-1).flatten(-2)
        there = (boxes[..., 2:] > boxes[..., :2]).all(dim=-1)  # others are never shown; see predict
        return boxes, torch.where(there, scores, 0.0), labels

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.after_nms(*self.pool(images), images.shape[2] + images.shape[3])

    def after_nms(self, boxes: Tensor, scores: Tensor, label: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """What NMS leaves of the pool; `size` is at least the input's larger side."""
        boxes, scores, label = boxes[0], scores[0], label[0]
        if self._in_rounds:
            scores, order = scores.topk(scores.shape[0])  # those outside the picture go to the end
            boxes, label = boxes[order], label[order]
            keep = labelled_nms(boxes, label, self.iou, DIOU_POWERS.get(self.kind))[: self.limit]
        else:
            # height plus width, not the larger one, which torch.export can't express
            row, column = torch.div(label, self._columns, rounding_mode="floor"), label % self._columns
            places = torch.stack((column, row, column, row), dim=1) * (0 if self._columns == 1 else size + 1)
            apart = boxes + places.to(boxes.dtype)
            keep = torchvision.ops.nms(apart, self._rank(scores, label), self.iou)[: self.limit]
        return boxes[keep], scores[keep], label[keep]


class BatchedEndToEnd(EndToEnd):
    """(B, 3, H, W) -> boxes (B, L, 4), scores (B, L), labels (B, L), highest first; L = `limit` or all there are.

    Rows without a detection have score 0 and label -1, so that all shapes are known. Computed in rounds over a matrix,
    as no format has a batched NMS by label without a limit on the number of labels.
    """

    _in_rounds = True

    def after_nms(self, boxes: Tensor, scores: Tensor, labels: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        rank, order = self._rank(scores, labels).topk(scores.shape[1], dim=1)
        boxes, labels = boxes.gather(1, order[..., None].expand(-1, -1, 4)), labels.gather(1, order)
        scores = scores.gather(1, order)
        groups = torch.zeros_like(labels) if self.kind == "across labels" else labels
        kept = nms_survivors(boxes, groups, self.iou, DIOU_POWERS.get(self.kind))
        value, order = torch.where(kept, rank, -1.0).topk(min(self.limit, scores.shape[1]), dim=1)
        there = value >= 0
        boxes, labels = boxes.gather(1, order[..., None].expand(-1, -1, 4)), labels.gather(1, order)
        return boxes * there[..., None], scores.gather(1, order) * there, torch.where(there, labels, -1)


def labelled_nms(boxes: Tensor, labels: Tensor, iou: float, power: float | None) -> Tensor:
    """(n,) the rows of boxes (k, 4) and labels (k,), highest score first, that core.nms.greedy_nms keeps per label,
    by DIoU with a `power`.

    No format has an operation for it.
    """
    return nms_survivors(boxes, labels, iou, power).nonzero()[:, 0]


def nms_survivors(boxes: Tensor, labels: Tensor, iou: float, power: float | None) -> Tensor:
    """(..., k) bool: which of boxes (..., k, 4), highest score first, NMS per label keeps; DIoU with a `power`.

    Computed in rounds over a matrix, as in Cluster-NMS (Zheng et al. 2020, arXiv 2005.03572, section 3.3): after r
    rounds all is decided except for boxes at the end of a chain longer than r, in which each box decides the next.
    """
    (ax, ay, ar, ab), (bx, by, br, bb) = boxes[..., :, None, :].unbind(-1), boxes[..., None, :, :].unbind(-1)
    shared = (torch.minimum(ar, br) - torch.maximum(ax, bx)).clamp(min=0)
    shared = shared * (torch.minimum(ab, bb) - torch.maximum(ay, by)).clamp(min=0)  # half the time of (..., k, k, 2)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    value = shared / (area[..., :, None] + area[..., None, :] - shared).clamp(min=1e-9)
    if power is not None:
        across, down = torch.maximum(ar, br) - torch.minimum(ax, bx), torch.maximum(ab, bb) - torch.minimum(ay, by)
        x, y = ((boxes[..., :2] + boxes[..., 2:]) / 2).unbind(-1)  # centres
        right, below = x[..., :, None] - x[..., None, :], y[..., :, None] - y[..., None, :]
        apart = right * right + below * below
        share = apart / (across * across + down * down).clamp(min=1e-9)
        value = value - (share if power == 1 else share**power)
    rank = torch.arange(boxes.shape[-2], device=boxes.device)
    same = labels[..., :, None] == labels[..., None, :]
    removes = (value > iou) & same & (rank[:, None] < rank[None])  # (..., k, k) the row removes the column
    removes = removes.to(boxes.dtype)
    kept = torch.ones_like(area)[..., None, :]
    for _ in range(ROUNDS):
        kept = (kept @ removes == 0).to(boxes.dtype)
    return kept[..., 0, :] > 0


class DecodedOutputs(nn.Module):
    """(B, 3, H, W) -> boxes (B, N, 4) in network pixels and scores (B, N, C) of all priors, for NMS outside.

    With `flat`, for one image: (N, 4) and (N, C). If each label has its own box, there is a row for each, with a score
    for that label only.
    """

    def __init__(self, detector: Detector, flat: bool = True) -> None:
        super().__init__()
        self.detector, self.flat = detector, flat
        self.fixed_rows = not detector.later_multiply_adds  # proposals come in the order of their scores

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.decoded(self.detector(images))

    def decoded(self, raw: Raw) -> tuple[Tensor, Tensor]:
        """Decode the raw heads."""
        found = self.detector.candidates(raw)
        boxes, scores = found.boxes, found.scores
        if boxes.ndim == 4:
            own = torch.eye(scores.shape[2], dtype=scores.dtype, device=scores.device)
            boxes, scores = boxes.flatten(1, 2), (scores[..., None] * own).flatten(1, 2)
        return (boxes[0], scores[0]) if self.flat else (boxes, scores)


class RawHeads(nn.Module):
    """(B, 3, H, W) -> the network's own outputs, before decoding."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Tensor) -> Raw:
        return self.detector(images)  # type: ignore[no-any-return]


def compare(graph: nn.Module, images: Tensor, theirs: Arrays, score: float, labelled: bool = True) -> Agreement:
    """Compare a file's outputs for `images` (B, 3, H, W) with those of `graph`, one of the four above.

    Without `labelled`, labels are ignored. Raises ShapeMismatch if the file's outputs have other shapes.
    """
    with torch.no_grad():
        if isinstance(graph, EndToEnd):
            pool = graph.pool(images)
            ours, before = _arrays(graph.after_nms(*pool, images.shape[2] + images.shape[3])), _arrays(pool)
            _check_shapes(ours, theirs, free=not isinstance(graph, BatchedEndToEnd))
            if not labelled:
                ours, before, theirs = (_unlabelled(arrays) for arrays in (ours, before, theirs))
            return _of_images(graph, ours, before, theirs, score)
        ours = _arrays(graph(images))
        _check_shapes(ours, theirs)
        decoder = graph if isinstance(graph, DecodedOutputs) else DecodedOutputs(graph.detector, flat=False)  # type: ignore[arg-type]
        if isinstance(graph, RawHeads):
            ours, theirs = (_arrays(decoder.decoded(_tensors(raw))) for raw in (ours, theirs))
    if decoder.flat:
        ours, theirs = ((boxes[None], scores[None]) for boxes, scores in (ours, theirs))
    if not labelled:
        ours, theirs = _unlabelled(ours), _unlabelled(theirs)
    found = (_decoded(decoder, *rows, score) for rows in zip(zip(*ours, strict=True), zip(*theirs, strict=True)))
    return sum(found, Agreement(0, 0))


def _unlabelled(arrays: Arrays) -> Arrays:
    """For boxes, scores, labels: one label for all but padded rows. For boxes, scores: each row's scores sorted."""
    if len(arrays) == 3:
        return arrays[0], arrays[1], np.minimum(arrays[2], 0)
    return arrays[0], np.sort(arrays[1], axis=-1)


class ShapeMismatch(Exception):
    """A file's outputs have other shapes than the network's; the text says which."""


def _arrays(tensors: Raw) -> Arrays:
    return tuple(tensor.numpy() for tensor in tensors)


def _tensors(arrays: Arrays) -> Raw:
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)


def _check_shapes(ours: Arrays, theirs: Arrays, free: bool = False) -> None:
    """`free`: the number of rows may differ."""
    start = 1 if free else 0
    if [array.shape[start:] for array in ours] != [array.shape[start:] for array in theirs]:
        shapes = [", ".join(" x ".join(map(str, array.shape)) or "1" for array in arrays) for arrays in (theirs, ours)]
        raise ShapeMismatch(f"it returns arrays of {shapes[0]} where the network's are of {shapes[1]}")


def _of_images(graph: EndToEnd, ours: Arrays, pool: Arrays, theirs: Arrays, score: float) -> Agreement:
    if not isinstance(graph, BatchedEndToEnd):
        return agreement(ours, tuple(array[0] for array in pool), theirs, score)
    result = Agreement(0, 0)
    for number in range(len(pool[0])):
        of_one = [tuple(array[number][arrays[2][number] >= 0] for array in arrays) for arrays in (ours, theirs)]
        result += agreement(of_one[0], tuple(array[number] for array in pool), of_one[1], score)
    return result


def _decoded(graph: DecodedOutputs, ours: Arrays, theirs: Arrays, score: float) -> Agreement:
    """For one image: boxes (N, 4) and scores (N, C)."""
    if graph.fixed_rows:
        return _row_by_row(ours, theirs)
    pool, others = best_pairs(*ours), best_pairs(*theirs)
    return agreement(tuple(array[:LIMIT] for array in pool), pool, tuple(array[:LIMIT] for array in others), score)


def agreement(ours: Arrays, pool: Arrays, theirs: Arrays, score: float) -> Agreement:
    """Compare detections: `ours` and `theirs` after NMS, `pool` ours before.

    They are paired by label and place, not by row, as equal scores may come in any order. Of two nearly equal
    candidates NMS may keep either, hence the pool. Detections of at least `score` are compared, and at least COMPARED
    of them, so that a poor network is checked too.
    """
    floor = min(score, *np.sort(ours[1])[::-1][COMPARED - 1 : COMPARED].tolist(), 1.0)
    result, back = _found_in(ours, theirs, floor), _found_in(theirs, pool, floor + SAME_SCORE)
    return replace(result, foreign=back.compared - back.matched)


def _gap(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """The largest difference of a coordinate: for pairs of rows, or of all with all."""
    return np.asarray(np.abs(some.astype(np.float64) - others).max(axis=-1, initial=0.0))


def _found_in(some: Arrays, others: Arrays, floor: float) -> Agreement:
    boxes, scores, labels = (array[some[1] >= floor] for array in some)
    if not len(boxes) or not len(others[0]):
        return Agreement(len(boxes), 0)
    iou = geometry.iou(np.asarray(boxes, np.float64), np.asarray(others[0], np.float64))  # (n, m)
    gap = np.abs(scores[:, None].astype(np.float64) - others[1][None])
    same = (labels[:, None] == others[2][None]) & (gap <= SAME_SCORE)
    apart = _gap(boxes[:, None], others[0][None])
    near = apart < TINY
    fits = np.where(same, np.where(near, np.maximum(iou, SAME_IOU), iou), -1.0)
    best, rows = fits.argmax(axis=1), np.arange(len(boxes))
    value = iou[rows, best]
    good = fits[rows, best] >= SAME_IOU
    if not good.any():
        return Agreement(len(boxes), 0)
    worst = _lowest(value[good]), float(gap[rows, best][good].max()), float(apart[rows, best][good].max())
    return Agreement(len(boxes), int(good.sum()), 0, *worst)


def _lowest(iou: NDArray[np.float64]) -> float:
    """Over boxes that are the same by IoU: that of a sliver, which is the same by its place, says nothing."""
    return float(iou[iou >= SAME_IOU].min(initial=1.0))


def _row_by_row(ours: Arrays, theirs: Arrays) -> Agreement:
    iou = geometry.iou_of_pairs(np.asarray(ours[0], np.float64), np.asarray(theirs[0], np.float64))
    gap = np.abs(ours[1].astype(np.float64) - theirs[1]).max(axis=1)
    apart = _gap(ours[0], theirs[0])
    near = (iou >= SAME_IOU) | (apart < TINY)
    good = near & (gap <= SAME_SCORE)
    worst = _lowest(iou[good]), float(gap[good].max(initial=0.0)), float(apart[good].max(initial=0.0))
    return Agreement(len(iou), int(good.sum()), int((~good).sum()), *worst)
