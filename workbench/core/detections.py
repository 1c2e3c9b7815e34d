"""A network's candidates in one image, and what remains of them at a confidence and an overlap: the two sliders.

Candidates are kept from before NMS, so that moving a slider never runs the network. Moving the confidence does not
run NMS either: a box can only be removed by one with a higher score, so what is kept above a confidence is the
beginning of all that is kept. Moving the overlap walks the pairs of overlapping boxes, found once for each kind of
NMS; core.evaluation.sliders reads one bit per box instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import nms
from workbench.core.evaluation import nms_table
from workbench.core.nms import KINDS, NmsKind, Overlaps, Rows

__all__ = ["FLOOR", "KINDS", "LIMIT", "MOST", "OVERLAP", "Candidates", "Detections", "NmsKind", "best_pairs"]

MOST = 3_000
"""Candidates kept per image. An object has one to forty before NMS, so 1,000 would lose objects in a crowd: 58 of the
90 that a perfect RetinaNet of 608 px sees. 3,000 find as many as its own 1,000 per level do."""
TAIL, SURE = 1_000, 0.05
"""Beyond the best TAIL only those of at least SURE: the many that an untrained network makes are useless."""
FLOOR = 0.001  # the lowest score worth keeping; darknet's `valid` uses the same
OVERLAP = 0.6  # of NMS, for numbers comparable with those of others: that of darknet's `valid`
LIMIT = 300  # detections per image, or per view of it


def best_pairs(boxes: NDArray[Any], scores: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """The best MOST (box, label) pairs of boxes (n, 4) and scores (n, C), highest first: boxes, scores and labels."""
    row, label = np.divmod(np.argsort(-scores, axis=None, kind="stable")[:MOST], scores.shape[1])
    return boxes[row], scores[row, label], label


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What is left of one image's candidates after confidence and NMS, highest score first."""

    boxes: NDArray[np.float32]  # (n, 4) xyxy pixels of the upright original
    scores: NDArray[np.float32]  # (n,)
    labels: NDArray[np.int32]  # (n,) indices of labels

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """(box, label) pairs of one image by descending score, before NMS. Build with `of_arrays` if not yet sorted."""

    boxes: NDArray[np.float32]  # (n, 4) xyxy pixels of the upright original
    scores: NDArray[np.float32]  # (n,)
    labels: NDArray[np.int32]  # (n,) indices of labels
    views: int = 1  # of the image that were looked at; more than one: it and its tiles, see tiling.py
    _pairs: dict[NmsKind, Overlaps] = field(default_factory=dict, init=False, repr=False)
    _kept: dict[NmsKind, tuple[float, Rows, NDArray[np.float32]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes.shape != (count, 4) or self.labels.shape != (count,):
            raise ValueError(f"shapes do not fit: {self.boxes.shape}, {self.scores.shape}, {self.labels.shape}")
        if np.any(self.scores[1:] > self.scores[:-1]):
            raise ValueError("scores must descend; use Candidates.of_arrays")

    @staticmethod
    def of_arrays(
        boxes: NDArray[Any], scores: NDArray[Any], labels: NDArray[Any], *, most: int | None = None, floor: float = 0.0
    ) -> Candidates:
        """Sorted (ties keep their order), without those below `floor` or not finite, and cut to the `most` highest.

        `most` None: cut to MOST, and those below SURE to TAIL.
        """
        boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
        scores, labels = np.asarray(scores, np.float32).reshape(-1), np.asarray(labels, np.int32).reshape(-1)
        usable = np.flatnonzero((scores >= floor) & np.isfinite(scores) & np.isfinite(boxes).all(axis=1))
        sure = np.count_nonzero(scores[usable] >= SURE)
        rows = usable[np.argsort(-scores[usable], kind="stable")][
            : min(MOST, max(TAIL, sure)) if most is None else most
        ]
        return Candidates(boxes[rows], scores[rows], labels[rows])

    @staticmethod
    def none() -> Candidates:
        return Candidates(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, score: float, iou: float, kind: NmsKind = "per label", limit: int = LIMIT) -> Rows:
        """Rows that remain, highest first: scores of at least `score`, NMS at `iou`, at most `limit` of each view.

        The rows are those of torchvision.ops.batched_nms ("per label") on the candidates above `score`. With "soft",
        which lowers scores instead of removing boxes, the lowered scores count.
        """
        return self._selected(score, iou, kind, limit)[0]

    def detections(self, score: float, iou: float, kind: NmsKind = "per label", limit: int = LIMIT) -> Detections:
        """`select`, as arrays; with "soft" the scores are the lowered ones."""
        rows, scores = self._selected(score, iou, kind, limit)
        return Detections(self.boxes[rows], scores, self.labels[rows])

    def _selected(self, score: float, iou: float, kind: NmsKind, limit: int) -> tuple[Rows, NDArray[np.float32]]:
        kept, scores = self._survivors(iou, kind)
        above = int(np.searchsorted(-scores.astype(np.float64), -score, side="right"))
        most = min(above, limit * self.views)
        return kept[:most], scores[:most]

    def _survivors(self, iou: float, kind: NmsKind) -> tuple[Rows, NDArray[np.float32]]:
        """Rows that NMS at `iou` keeps of all candidates, and their descending scores.

        The last result of each kind is cached.
        """
        remembered = self._kept.get(kind)
        if remembered is not None and remembered[0] == iou:
            return remembered[1:]
        if kind == "soft":
            scores = nms.soft_nms(self._overlaps(iou, kind), self.scores, iou)
            kept = np.argsort(-scores, kind="stable")
        else:
            scores, kept = self.scores, np.flatnonzero(nms.greedy_nms(self._overlaps(iou, kind), len(self), iou))
        self._kept[kind] = (iou, kept, scores[kept])
        return kept, scores[kept]

    def _overlaps(self, iou: float, kind: NmsKind) -> Overlaps:
        pairs = self._pairs.get(kind)
        if pairs is None or pairs.floor > iou:
            pairs = nms.overlaps(self.boxes, self.labels, kind, floor=min(nms_table.FLOOR, iou))
            self._pairs[kind] = pairs
        return pairs
