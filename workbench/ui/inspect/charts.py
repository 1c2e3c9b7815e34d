"""The curves of the Inspect page as numbers, computed in a thread, and the images behind each of their points.

C = labels, R = recall points, T = IoU thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation.average_precision import RECALLS, accumulate, average_precision
from workbench.core.evaluation.calibration import FLOOR, calibration
from workbench.core.evaluation.confidence import Tally, confidence_curves
from workbench.core.evaluation.greedy_matching import Rows
from workbench.core.evaluation.size_ranges import SIDES, ap_by_size, mean_of_known
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.state import OVERLAP, InspectState

Doubles = NDArray[np.float64]
CURVES = 6  # labels that get their own curve
HERE = "at this confidence"
SelectionAt = Callable[[int], BoxSelection]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """`colour`: a theme colour's name, or a label's own colour. `opens(i)`: what is behind point i; None: nothing."""

    name: str
    x: Doubles
    y: Doubles
    colour: int | str
    points: bool = False
    opens: SelectionAt | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ChartDrawing:
    """The lines, a sentence about them, and the confidence that "Use" sets (NaN: none)."""

    lines: tuple[Line, ...]
    words: str
    best: float = math.nan


@dataclass(frozen=True, slots=True)
class Chart:
    """`draw(state, label)`; label -1 means all."""

    name: str
    title: str
    x: str
    y: str
    draw: Callable[[InspectState, int], ChartDrawing]


def _has_boxes(state: InspectState) -> NDArray[np.int64]:
    matching = state.matching
    labels = matching.truth.labels[matching.counted]
    return np.flatnonzero(np.bincount(labels, minlength=matching.truth.label_count))


def _now(state: InspectState, label: int) -> Tally:
    """The counts of a label, or of all labels, at the sliders' confidences."""
    all_ = state.tally
    if label < 0:
        return all_.overall
    return Tally(all_.right[label], all_.wrong[label], all_.missed[label])


def _named(state: InspectState, label: int) -> str:
    return "all labels" if label < 0 else state.evaluation.names[label]


# --- precision and recall ---


def precision_recall(state: InspectState, label: int) -> ChartDrawing:
    precision = accumulate(state.matching)[0][state.matching.at(OVERLAP)]  # (R, C)
    known = _has_boxes(state)
    lines = []
    if label < 0 and len(known):
        mean = precision[:, known].mean(axis=1)
        lines.append(Line("all labels", RECALLS, mean, "text", opens=_wrong_above(state, known)))
    some = known if 1 < len(known) <= CURVES else known[:0]
    for one in [label] if label >= 0 else some.tolist():
        name, values, colour = state.evaluation.names[one], precision[:, one], state.evaluation.truth.labels[one].colour
        if not np.isnan(values).all():
            lines.append(Line(name, RECALLS, values, colour, opens=_wrong_above(state, np.array([one]))))
    now = _now(state, label)
    at = float(now.recall), float(now.precision)
    if not any(map(math.isnan, at)):
        lines.append(Line(HERE, np.array(at[:1]), np.array(at[1:]), "accent", points=True))
    words = "Click a point to see the false alarms before its recall." if lines else NO_BOXES
    if label < 0 and len(known) > 1:  # the dot may then be far off the line
        words += (
            " The line of all labels is their mean; the dot counts all labels together, so the frequent ones dominate "
            "it."
        )
    return ChartDrawing(tuple(lines), words)


def _wrong_above(state: InspectState, labels: Rows) -> SelectionAt:
    """The wrong detections of these labels that score at least as high as the one that reaches the recall."""

    def opens(point: int) -> BoxSelection:
        matching = state.matching
        taken, ignored = matching.level(matching.at(OVERLAP))
        ranking = matching.found.by_label(matching.truth.label_count)
        parts = []
        for label in labels.tolist():
            rows = ranking.rows[ranking.ends[label] : ranking.ends[label + 1]]
            rows = rows[~ignored[rows]]
            right = taken[rows] >= 0
            boxes = int((matching.counted & (matching.truth.labels == label)).sum())
            wanted = max(math.ceil(RECALLS[point] * boxes - 1e-9), 1)
            reached = np.searchsorted(np.cumsum(right), wanted)
            parts.append(rows[:reached][~right[:reached]])
        who = state.evaluation.names[labels[0]] if len(labels) == 1 else "all labels"
        words = f"false alarms before recall {RECALLS[point]:.2f}, {who}"
        return BoxSelection.of(words, matching, np.concatenate(parts))

    return opens


# --- against confidence ---


def confidence(state: InspectState, label: int) -> ChartDrawing:
    curves = confidence_curves(state.matching)
    tally = curves.overall if label < 0 else Tally(
        curves.labels.right[:, label], curves.labels.wrong[:, label], curves.labels.missed[:, label]
    )  # fmt: skip
    best = curves.best_overall if label < 0 else float(curves.best[label])
    opens = _between(state, label, curves.confidences)
    x = curves.confidences
    lines = [
        Line(name, x, y, number, opens=opens)
        for number, (name, y) in enumerate((("F1", tally.f1), ("precision", tally.precision), ("recall", tally.recall)))
        if not np.isnan(y).all()
    ]
    if not len(_has_boxes(state)):
        return ChartDrawing((), NO_BOXES)
    at = int(np.argmin(np.abs(x - best)))
    top = float(tally.f1[at])
    if math.isnan(top) or top <= 0:
        return ChartDrawing(tuple(lines), f"Nothing of {_named(state, label)} is found right.")
    lines.append(Line("best F1", x[at : at + 1], tally.f1[at : at + 1], 3, points=True, opens=lambda _: opens(at)))
    here = state.confidence if label < 0 else float(state.confidences[label])
    now = float(_now(state, label).f1)
    if not math.isnan(now):
        lines.append(Line(HERE, np.array([here]), np.array([now]), "text", points=True))
    return ChartDrawing(
        tuple(lines), f"F1 is highest, {top:.3f}, at {best:.2f}. Click a point to see what scores just that.", best
    )


def _between(state: InspectState, label: int, confidences: Doubles) -> SelectionAt:
    def opens(point: int) -> BoxSelection:
        low, found = confidences[point], state.matching.found
        here = ~state.matching.level(state.matching.at(OVERLAP))[1]
        here &= (found.scores >= low) & (found.scores < low + 0.01)
        here &= found.labels == label if label >= 0 else True
        words = f"detections that score {low:.2f} to {low + 0.01:.2f}, {_named(state, label)}"
        return BoxSelection.of(words, state.matching, np.flatnonzero(here))

    return opens


# --- over overlaps and sizes ---


def overlaps(state: InspectState, label: int) -> ChartDrawing:
    values = average_precision(state.matching)  # (T, C)
    y = mean_of_known(values) if label < 0 else values[:, label]
    if np.isnan(y).all():
        return ChartDrawing((), NO_BOXES)
    line = Line("AP", state.matching.thresholds, y, "accent", points=True, opens=_lost_at(state, label))
    words = "At any confidence. Click a point to see the boxes that are not found at its overlap, at this confidence."
    return ChartDrawing((line,), words)


def _lost_at(state: InspectState, label: int) -> SelectionAt:
    def opens(level: int) -> BoxSelection:
        matching = state.matching
        taken, ignored = matching.level(level)
        missed = matching.counted & (matching.truth.labels == label if label >= 0 else True)
        rows = np.flatnonzero(matching.above(state.confidences) & ~ignored & (taken >= 0))
        missed[taken[rows]] = False
        words = f"not found at overlap {matching.thresholds[level]:.2f}, {_named(state, label)}"
        return BoxSelection.of(words, matching, boxes=np.flatnonzero(missed))

    return opens


def sizes(state: InspectState, label: int) -> ChartDrawing:
    nms = state.nms
    by_size = ap_by_size(lambda area: nms.of(state.evaluation.sliders, area))
    ends = np.append(by_size.sides[1:], 2 * by_size.sides[-1])
    middles = (by_size.sides + ends) / 2
    ap, ap50 = (mean_of_known(one) if label < 0 else one[:, label] for one in (by_size.ap, by_size.ap50))
    some = np.flatnonzero(~np.isnan(ap))
    if not len(some):
        return ChartDrawing((), NO_BOXES)
    opens = _missed_of_size(state, label, some)
    lines = (
        Line("AP", middles[some], ap[some], 0, points=True, opens=opens),
        Line("AP50", middles[some], ap50[some], 1, points=True, opens=opens),
    )
    ranges = ", ".join(f"{side:.0f}" for side in SIDES)
    return ChartDrawing(
        lines,
        f"Ranges begin at {ranges} px: the side of a square of the box's area. At any confidence. Click a point to "
        f"see what is missed at this one.",
    )  # fmt: skip


def _missed_of_size(state: InspectState, label: int, ranges: Rows) -> SelectionAt:
    def opens(point: int) -> BoxSelection:
        which, matching = int(ranges[point]), state.matching
        low = SIDES[which]
        high = SIDES[which + 1] if which + 1 < len(SIDES) else math.inf
        missed = state.outcome_rows[2]
        sides = np.sqrt(matching.truth.areas[missed])
        here = (sides >= low) & (sides < high) & (matching.truth.labels[missed] == label if label >= 0 else True)
        upto = f"to {high:.0f}" if math.isfinite(high) else "and more"
        return BoxSelection.of(f"missed, {low:.0f} {upto} px, {_named(state, label)}", matching, boxes=missed[here])

    return opens


# --- calibration ---


def calibrated(state: InspectState, label: int) -> ChartDrawing:
    result = calibration(state.matching, label=None if label < 0 else label)
    some = np.flatnonzero(result.count)
    if not len(some):
        return ChartDrawing((), f"Nothing of {_named(state, label)} scores at least {FLOOR}.")

    def opens(point: int) -> BoxSelection:
        which = int(some[point])
        words = (
            f"detections that score {result.edges[which]:.1f} to {result.edges[which + 1]:.1f}, {_named(state, label)}"
        )
        return BoxSelection.of(words, state.matching, result.detections[result.bins == which])

    lines = (
        Line("as it should be", np.array([0.0, 1.0]), np.array([0.0, 1.0]), "muted"),
        Line("measured", result.score[some], result.precision[some], 0, points=True, opens=opens),
    )
    many = f"{result.count.sum():,} detections that score at least {FLOOR}"
    error = f"Expected calibration error {result.error:.3f}, of {many}."
    return ChartDrawing(lines, f"{error} Click a point to see the detections with that score.")


NO_BOXES = "There are no labelled boxes to compare with."
CHARTS = (
    Chart("precision", "Precision and recall", "recall", "precision", precision_recall),
    Chart("confidence", "F1 against confidence", "confidence", "share", confidence),
    Chart("overlaps", "AP over overlaps", "overlap (IoU)", "AP", overlaps),
    Chart("sizes", "AP over box sizes", "box side (px)", "AP", sizes),
    Chart("calibration", "Calibration", "score", "share that is right", calibrated),
)
