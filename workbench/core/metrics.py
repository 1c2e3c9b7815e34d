"""How good the detections are: average precision and recall exactly as COCO defines them, and the curves behind.

Equal to pycocotools (tests compare to 1e-12 per label), with two differences of form: a number that does not exist,
because no labelled box counts, is NaN instead of -1, and the area of a labelled box is that of the box.

T = 10 IoU thresholds, R = 101 recall points, C = labels, K = detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.matching import ANY_AREA, Boxes, Difficult, Found, Matching, Truth, match, pairs
from workbench.core.project import Snapshot

Doubles = NDArray[np.float64]
THRESHOLDS: Doubles = np.linspace(0.5, 0.95, 10)
RECALLS: Doubles = np.linspace(0.0, 1.0, 101)
AREAS = {"all": ANY_AREA, "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
MOST = (1, 10, 100)  # detections looked at, per image and label


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision against recall of one label at IoU 0.5: a point for each detection, by descending score."""

    label: int
    boxes: int  # labelled boxes that count
    scores: Doubles  # (n,)
    recall: Doubles  # (n,)
    precision: Doubles  # (n,)
    envelope: Doubles  # (R,) interpolated precision at RECALLS, as AP averages it


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The result of comparing detections with labelled boxes. Numbers are 0..1, or NaN where nothing counts."""

    labels: tuple[str, ...]
    images: int
    boxes: int  # labelled boxes that count
    ap: float  # mean over the ten thresholds and all labels
    ap50: float
    ap75: float
    ap_small: float
    ap_medium: float
    ap_large: float
    ar1: float
    ar10: float
    ar100: float
    ar_small: float
    ar_medium: float
    ar_large: float
    per_label_ap: Doubles  # (C,)
    per_label_ap50: Doubles  # (C,)
    precision: Doubles  # (T, R, C) interpolated, all areas, 100 detections
    curves: tuple[Curve, ...]  # one per label
    matching: Matching  # all areas; .counts(confidence, iou) for the sliders

    def numbers(self) -> dict[str, float]:
        """The twelve COCO numbers by name, in COCO's order."""
        return {name: getattr(self, name) for name in NUMBERS}


NUMBERS = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)


def evaluate(truth: Snapshot, detections: Sequence[Boxes], *, difficult: Difficult = "count") -> Evaluation:
    """Compare `detections`, one entry per image of `truth`, with its boxes.

    Labels of detections are indices into truth.labels. Scores may come in any order.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(truth)} images but detections of {len(detections)}")
    names = tuple(label.name for label in truth.labels)
    return evaluate_arrays(Truth.of(truth, difficult), Found.of(detections, most=MOST[-1]), names)


def evaluate_arrays(truth: Truth, found: Found, names: tuple[str, ...]) -> Evaluation:
    """The same for flat arrays, where `truth` may carry areas of its own (of masks, for example)."""
    near = pairs(truth, found, float(THRESHOLDS[0]))
    by_area = {name: match(truth, found, THRESHOLDS.tolist(), area, near) for name, area in AREAS.items()}
    tables = {name: accumulate(matching) for name, matching in by_area.items()}
    precision, recall = tables["all"]
    matching = by_area["all"]
    return Evaluation(
        labels=names,
        images=truth.image_count,
        boxes=int(matching.counted.sum()),
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        **{f"ap_{size}": _mean(tables[size][0]) for size in ("small", "medium", "large")},
        ar1=_mean(accumulate(matching, MOST[0])[1]),
        ar10=_mean(accumulate(matching, MOST[1])[1]),
        ar100=_mean(recall),
        **{f"ar_{size}": _mean(tables[size][1]) for size in ("small", "medium", "large")},
        per_label_ap=np.array([_mean(precision[:, :, c]) for c in range(truth.label_count)]),
        per_label_ap50=np.array([_mean(precision[0, :, c]) for c in range(truth.label_count)]),
        precision=precision,
        curves=curves(matching, precision[0]),
        matching=matching,
    )


def average_precision(matching: Matching, confidence: float = 0.0) -> Doubles:
    """(T, C) AP of the detections with at least this score, without matching anew: for a slider. NaN: no boxes."""
    return np.asarray(accumulate(matching, confidence=confidence)[0].mean(axis=1))


def accumulate(matching: Matching, most: int = MOST[-1], confidence: float = 0.0) -> tuple[Doubles, Doubles]:
    """Interpolated precision (T, R, C) and reached recall (T, C); NaN for a label without a box that counts."""
    thresholds, label_count = len(matching.thresholds), matching.truth.label_count
    precision = np.full((thresholds, len(RECALLS), label_count), np.nan)
    recall = np.full((thresholds, label_count), np.nan)
    boxes = _boxes_per_label(matching)
    for label, rows in enumerate(_rows_per_label(matching, most, confidence)):
        if boxes[label]:
            best, reached = _envelope(matching, rows)
            recall[:, label] = reached / boxes[label]
            # the right detections that it takes to reach each recall; beyond the reached one precision is 0
            wanted = np.searchsorted(np.arange(boxes[label] + 1) / boxes[label], RECALLS, side="left")
            precision[:, :, label] = best[:, np.clip(wanted, 1, best.shape[1]) - 1]
    return precision, recall


def curves(matching: Matching, envelopes: Doubles) -> tuple[Curve, ...]:
    """The curve of each label at the lowest threshold; `envelopes` (R, C) is accumulate()'s precision there."""
    boxes = _boxes_per_label(matching)
    result = []
    for label, rows in enumerate(_rows_per_label(matching, MOST[-1], 0.0)):
        right, wrong = (running[0] for running in _running(matching, rows))
        judged = ~matching.ignored[0, rows]
        recall = right / max(int(boxes[label]), 1)
        precision = right / np.maximum(right + wrong, 1)
        scores = matching.found.scores[rows]
        result.append(
            Curve(label, int(boxes[label]), scores[judged], recall[judged], precision[judged], envelopes[:, label])
        )
    return tuple(result)


def _boxes_per_label(matching: Matching) -> NDArray[np.int64]:
    counted = matching.truth.labels[matching.counted]
    return np.bincount(counted, minlength=matching.truth.label_count).astype(np.int64)


def _rows_per_label(matching: Matching, most: int, confidence: float) -> list[NDArray[np.int64]]:
    """Rows of each label's detections by descending score; ties by image, then in the order given."""
    if not matching.truth.label_count:
        return []
    found = matching.found
    inside = (found.labels >= 0) & (found.labels < matching.truth.label_count)
    use = np.flatnonzero((found.rank < most) & (found.scores >= confidence) & inside)
    use = use[np.argsort(-found.scores[use], kind="stable")]
    # small numbers are sorted in a tenth of the time
    labels = found.labels[use].astype(np.min_scalar_type(matching.truth.label_count))
    use = use[np.argsort(labels, kind="stable")]
    return np.split(use, np.searchsorted(found.labels[use], np.arange(1, matching.truth.label_count)))


def _running(matching: Matching, rows: NDArray[np.int64]) -> tuple[Doubles, Doubles]:
    """(T, n) right and wrong detections so far."""
    judged = ~matching.ignored[:, rows]
    right = np.cumsum((matching.taken[:, rows] >= 0) & judged, axis=1, dtype=np.float64)
    return right, np.cumsum(judged, axis=1, dtype=np.float64) - right


def _envelope(matching: Matching, rows: NDArray[np.int64]) -> tuple[Doubles, NDArray[np.int64]]:
    """(T, n) the highest precision from the first, second, ... right detection on, 0 where there is none; (T,) counts.

    Precision falls with each wrong detection, so right ones are where it is highest; n is one more than there are.
    """
    judged = ~matching.ignored[:, rows]
    right = (matching.taken[:, rows] >= 0) & judged
    reached = np.count_nonzero(right, axis=1)
    level, at = np.nonzero(right)
    nth = np.arange(len(at)) - np.repeat(np.cumsum(reached) - reached, reached)
    seen = np.cumsum(judged, axis=1, dtype=np.int32)[level, at]
    best = np.zeros((len(right), int(reached.max(initial=0)) + 1))
    best[level, nth] = (nth + 1) / (seen + np.spacing(1))  # spacing: as pycocotools adds it
    return np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1], reached


def _mean(values: NDArray[Any]) -> float:
    """Mean of what exists, NaN if nothing does."""
    real = values[~np.isnan(values)]
    return float(real.mean()) if len(real) else float("nan")
