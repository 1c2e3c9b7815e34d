"""Detection metrics: average precision and recall exactly as COCO defines them.

Equal to pycocotools (tests compare to 1e-12 per label), with two differences: a number that is undefined because no
labelled box counts is NaN instead of -1, and the area of a labelled box is that of the box, not of a mask.

T = 10 IoU thresholds, R = 101 recall points, C = labels, K = detections.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import MOST, Doubles, accumulate, boxes_per_label
from workbench.core.evaluation.evaluation_data import DetectionArrays, DetectionSet, GroundTruth, pairs
from workbench.core.evaluation.greedy_matching import Rows
from workbench.core.evaluation.matching import ANY_AREA, Matching, match
from workbench.core.project import Snapshot

THRESHOLDS: Doubles = np.linspace(0.5, 0.95, 10)
SIZES = ("small", "medium", "large")
AREAS = {"all": ANY_AREA, "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}


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
    per_label_boxes: Rows  # (C,) labelled boxes that count
    matching: Matching  # all areas; .counts(confidence, iou) for the sliders

    def numbers(self) -> dict[str, float]:
        """The twelve COCO numbers by name, in COCO's order."""
        return {name: getattr(self, name) for name in NUMBERS}


NUMBERS = (
    *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)


def evaluate(truth: Snapshot, detections: Sequence[DetectionArrays]) -> Evaluation:
    """Compare `detections`, one entry per image of `truth`, with its boxes.

    Labels of detections are indices into truth.labels. Scores may come in any order. All are matched, as for the
    sliders; AP takes the first MOST[-1] of each image and label.
    """
    if len(detections) != len(truth):
        raise ValueError(f"{len(truth)} images but detections of {len(detections)}")
    names = tuple(label.name for label in truth.labels)
    most = max((len(one.scores) for one in detections), default=0)
    return evaluate_arrays(GroundTruth.of(truth), DetectionSet.of(detections, most), names)


def evaluate_arrays(truth: GroundTruth, found: DetectionSet, names: tuple[str, ...]) -> Evaluation:
    """The same for flat arrays, where `truth` may have other areas (of masks, for example)."""
    near = pairs(truth, found, float(THRESHOLDS[0]))
    by_area = {name: match(truth, found, THRESHOLDS.tolist(), area, near) for name, area in AREAS.items()}
    return evaluation_of(names, by_area)


def evaluation_of(names: tuple[str, ...], by_area: Mapping[str, Matching]) -> Evaluation:
    """The numbers of matchings at THRESHOLDS, one for each of AREAS."""
    tables = {name: accumulate(matching) for name, matching in by_area.items()}
    precision, recall = tables["all"]
    matching = by_area["all"]
    truth = matching.truth
    return Evaluation(
        labels=names,
        images=truth.image_count,
        boxes=int(matching.counted.sum()),
        ap=_mean(precision),
        ap50=_mean(precision[0]),
        ap75=_mean(precision[5]),
        **{f"ap_{size}": _mean(tables[size][0]) for size in SIZES},
        ar1=_mean(accumulate(matching, MOST[0])[1]),
        ar10=_mean(accumulate(matching, MOST[1])[1]),
        ar100=_mean(recall),
        **{f"ar_{size}": _mean(tables[size][1]) for size in SIZES},
        per_label_ap=np.array([_mean(precision[:, :, c]) for c in range(truth.label_count)]),
        per_label_ap50=np.array([_mean(precision[0, :, c]) for c in range(truth.label_count)]),
        precision=precision,
        per_label_boxes=boxes_per_label(matching),
        matching=matching,
    )


def _mean(values: NDArray[Any]) -> float:
    """Mean without NaN; NaN if all are."""
    real = values[~np.isnan(values)]
    return float(real.mean()) if len(real) else float("nan")
