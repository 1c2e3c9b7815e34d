"""The review queue: an item for every disagreement of labels and a run's detections, the most telling first.

Misses, false alarms, wrong labels and poor boxes come from the matching at a confidence; likely label errors from
core.evaluation.label_errors, which also uses lower scores. What the user can do about an item is in review_decisions.

M = labelled boxes, K = detections.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.evaluation import evaluation_data, label_errors
from workbench.core.evaluation.confusion import confusion
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.greedy_matching import Rows
from workbench.core.evaluation.label_errors import REASONS, TOUCH
from workbench.core.evaluation.matching import Matching
from workbench.core.project import XYXY, Snapshot

IOU = 0.5  # least IoU of a match


class ReviewKind(StrEnum):
    """What is wrong, in the singular; plurals are in `PLURAL`."""

    MISS = "miss"
    FALSE_ALARM = "false alarm"
    WRONG_LABEL = "wrong label"
    POOR_BOX = "poor box"
    LABEL_ERROR = "likely label error"


PLURAL = {
    ReviewKind.MISS: "misses",
    ReviewKind.FALSE_ALARM: "false alarms",
    ReviewKind.WRONG_LABEL: "wrong labels",
    ReviewKind.POOR_BOX: "poor boxes",
    ReviewKind.LABEL_ERROR: "likely label errors",
}


class ReviewOrder(StrEnum):
    DOUBT = "likely errors first"
    CONFIDENCE = "most confident first"
    IOU = "least overlap first"
    LOSS = "highest loss first"


@dataclass(frozen=True, slots=True)
class Prediction:
    xyxy: XYXY
    label: int  # id
    score: float


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One disagreement: a labelled box (`box`, `label`, `xyxy`), a prediction, or both.

    `doubt` (0 to 1): how likely the label is wrong, 0 if label_errors doesn't list it. `reason` says why.
    """

    kind: ReviewKind
    image: int  # id
    box: int = 0  # id, 0 for none
    label: int = 0  # id
    xyxy: XYXY | None = None
    prediction: Prediction | None = None
    iou: float = math.nan  # of the two
    doubt: float = 0.0
    reason: str = ""
    loss: float = math.nan  # of the image, NaN if not known

    @property
    def key(self) -> tuple[Any, ...]:
        """A key that stays the same when other things are labelled."""
        return self.kind, self.image, self.box, self.prediction and (self.prediction.label, self.prediction.xyxy)

    @property
    def labels(self) -> frozenset[int]:
        """Ids of the label and of the predicted one."""
        return frozenset(filter(None, (self.label, self.prediction.label if self.prediction else 0)))

    @property
    def labels_differ(self) -> bool:
        return len(self.labels) == 2

    @property
    def apart(self) -> bool:
        """Whether box and prediction seem to mean two objects: neither has its centre in the other."""
        if self.xyxy is None or self.prediction is None:
            return False
        return not (_centre_in(self.xyxy, self.prediction.xyxy) or _centre_in(self.prediction.xyxy, self.xyxy))

    @property
    def around(self) -> XYXY:
        """The smallest rectangle around box and prediction."""
        both = [xyxy for xyxy in (self.xyxy, self.prediction and self.prediction.xyxy) if xyxy]
        x0, y0, x1, y1 = zip(*both, strict=True)
        return min(x0), min(y0), max(x1), max(y1)


def _centre_in(one: XYXY, other: XYXY) -> bool:
    x, y = (one[0] + one[2]) / 2, (one[1] + one[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Rows of GroundTruth and DetectionSet that belong together, -1 for none."""

    boxes: Rows
    detections: Rows


def find_items(
    truth: Snapshot,
    matching: Matching,
    confidence: Confidence,
    *,
    poor: float = IOU,
    losses: Mapping[int, float] | None = None,
) -> tuple[ReviewItem, ...]:
    """All disagreements, in no particular order. `matching` is that of `truth` with the detections after NMS.

    `poor`: a right detection that overlaps its box by less than this counts as a poor box. `losses`: by image id.
    """
    made = _Items(truth, matching, losses or {})
    missed, alarms, wrong = _mistakes(matching, confidence)
    near = _near(matching, missed, alarms)
    off = _off(matching, confidence, poor)
    missed, alarms = missed[~np.isin(missed, near.boxes)], alarms[~np.isin(alarms, near.detections)]
    none = np.full(max(len(missed), len(alarms)), -1, np.int64)
    return (
        *made.of(ReviewKind.MISS, missed, none[: len(missed)]),
        *made.of(ReviewKind.FALSE_ALARM, none[: len(alarms)], alarms),
        *made.of(ReviewKind.WRONG_LABEL, wrong.boxes, wrong.detections),
        *made.of(ReviewKind.POOR_BOX, near.boxes, near.detections),
        *made.of(ReviewKind.POOR_BOX, off.boxes, off.detections),
        *made.of(ReviewKind.LABEL_ERROR, made.suspects.boxes, made.suspects.detections),
    )


class _Items:
    """Makes items from rows."""

    def __init__(self, truth: Snapshot, matching: Matching, losses: Mapping[int, float]) -> None:
        self._truth, self._matching, self._losses = truth, matching, losses
        self._labels = [label.id for label in truth.labels]
        self.suspects = label_errors.find_label_errors(matching.truth, matching.found, matching.present)
        doubts = zip(self.suspects.reasons.tolist(), self.suspects.doubts.tolist(), strict=True)
        reasons = [(REASONS[reason], doubt) for reason, doubt in doubts]
        self._of_box = dict(zip(self.suspects.boxes.tolist(), reasons, strict=True))
        self._of_detection = dict(zip(self.suspects.detections.tolist(), reasons, strict=True))
        for known in (self._of_box, self._of_detection):
            known.pop(-1, None)  # those without

    def of(self, kind: ReviewKind, boxes: Rows, detections: Rows) -> Iterator[ReviewItem]:
        truth, found = self._truth, self._matching.found
        both = (boxes >= 0) & (detections >= 0)
        ious = np.full(len(boxes), np.nan)
        ious[both] = geometry.iou_of_pairs(
            self._matching.truth.boxes[boxes[both]], found.boxes[detections[both]].astype(np.float64)
        )
        owners = np.where(
            boxes >= 0, np.append(self._matching.truth.images, 0)[boxes], np.append(found.images, 0)[detections]
        )
        predictions = self._predictions(detections)
        mine = self._boxes(boxes)
        rows = zip(owners.tolist(), boxes.tolist(), detections.tolist(), ious.tolist(), mine, predictions, strict=True)
        for image, box, row, iou, (box_id, label, xyxy), prediction in rows:
            id = truth.images[image].id
            reason, doubt = self._of_box.get(box) or self._of_detection.get(row) or ("", 0.0)
            loss = self._losses.get(id, math.nan)
            yield ReviewItem(kind, id, box_id, label, xyxy, prediction, iou, doubt, reason, loss)

    def _boxes(self, rows: Rows) -> list[tuple[int, int, XYXY | None]]:
        """The id, label id and place of each."""
        truth, some = self._truth, rows[rows >= 0]
        ids, labels = truth.box_ids[some].tolist(), truth.label_index[some].tolist()
        found = zip(ids, labels, map(tuple, truth.boxes[some].tolist()), strict=True)
        return [(0, 0, None) if row < 0 else self._box(*next(found)) for row in rows.tolist()]

    def _box(self, id: int, label: int, xyxy: XYXY) -> tuple[int, int, XYXY]:
        return id, self._labels[label], xyxy

    def _predictions(self, rows: Rows) -> list[Prediction | None]:
        found, some = self._matching.found, rows[rows >= 0]
        boxes = map(tuple, found.boxes[some].tolist())
        listed = zip(boxes, found.labels[some].tolist(), found.scores[some].tolist(), strict=True)
        return [None if row < 0 else self._prediction(*next(listed)) for row in rows.tolist()]

    def _prediction(self, xyxy: XYXY, label: int, score: float) -> Prediction:
        return Prediction(xyxy, self._labels[label], score)


def _mistakes(matching: Matching, confidence: Confidence) -> tuple[Rows, Rows, _Pairs]:
    """Missed boxes, detections on nothing, and boxes found with another label."""
    matrix = confusion(matching, confidence, IOU)
    has_box, has_detection = matrix.boxes >= 0, matrix.detections >= 0
    other = has_box & has_detection & (matrix.cells[:, 0] != matrix.cells[:, 1])
    wrong = _Pairs(matrix.boxes[other], matrix.detections[other])
    return matrix.boxes[~has_detection], matrix.detections[~has_box], wrong


def _near(matching: Matching, missed: Rows, alarms: Rows) -> _Pairs:
    """The missed boxes with a misplaced detection of their label: each once, the closest first."""
    near = evaluation_data.pairs_across(matching.truth, matching.found, missed, alarms, TOUCH)
    same = matching.truth.labels[near.truth] == matching.found.labels[near.detection]
    order = np.flatnonzero(same)
    order = order[np.argsort(-near.iou[order], kind="stable")]
    boxes: dict[int, int] = {}
    used: set[int] = set()
    for box, detection in zip(near.truth[order].tolist(), near.detection[order].tolist(), strict=True):
        if box not in boxes and detection not in used:
            boxes[box] = detection
            used.add(detection)
    return _Pairs(np.array([*boxes], np.int64), np.array([*boxes.values()], np.int64))


def _off(matching: Matching, confidence: Confidence, poor: float) -> _Pairs:
    """Correct detections that overlap their box by less than `poor`."""
    taken, ignored = matching.level(matching.at(IOU))
    right = np.flatnonzero((taken >= 0) & ~ignored & matching.above(confidence))
    overlap = geometry.iou_of_pairs(matching.truth.boxes[taken[right]], matching.found.boxes[right].astype(np.float64))
    right = right[overlap < poor]
    return _Pairs(taken[right], right)


def sort_items(listed: Sequence[ReviewItem], order: ReviewOrder) -> list[ReviewItem]:
    """The items in this order: equal ones by image, then as they were; those that lack the quantity come last."""
    numbers = np.array([_number(item, order) for item in listed], np.float64).reshape(-1)
    return [listed[row] for row in _ranked(numbers)]


def _number(item: ReviewItem, order: ReviewOrder) -> float:
    """The sort key: lower comes first."""
    if order is ReviewOrder.DOUBT:
        return -item.doubt
    if order is ReviewOrder.CONFIDENCE:
        return -item.prediction.score if item.prediction else math.inf
    return item.iou if order is ReviewOrder.IOU else -item.loss


def _ranked(numbers: NDArray[np.float64]) -> list[int]:
    order: list[int] = np.argsort(numbers, kind="stable").tolist()  # NumPy puts NaN last
    return order
