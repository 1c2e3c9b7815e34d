"""What kinds of mistakes cost how much average precision: TIDE (Bolya et al. 2020, arXiv 2008.08115, section 2).

Every wrong detection has one kind, by the box it overlaps most (the first that fits, in the order of the authors'
tidecv): *localisation*, a box of its label by .1 to .5; *classification*, a box of another label by .5 or more;
*duplicate*, a box of its label by .5 or more that a higher one has taken; *background*, no box by .1; *both*, the
rest: a box of another label by .1 to .5. *Missed* are the boxes that nothing takes and that no localisation or
classification mistake would take if it were corrected.

The cost of a kind is the AP at IoU .5 gained by correcting all its mistakes and nothing else: wrong places and labels
are corrected (the highest for a box that is still free stays, others are removed), other wrong detections are removed,
missed boxes need not be found. Costs don't add up to what AP lacks: mistakes hide each other.

K = detections, M = labelled boxes, C = labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from workbench.core.evaluation import evaluation_data
from workbench.core.evaluation.average_precision import MOST, boxes_per_label, of_flags
from workbench.core.evaluation.greedy_matching import Bools, Rows
from workbench.core.evaluation.matching import Matching

ErrorKind = Literal["classification", "localisation", "both", "duplicate", "background", "missed"]
ERROR_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
FOREGROUND, BACKGROUND = 0.5, 0.1  # the paper's t_f and t_b
NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class TideErrors:
    """The mistakes and what each kind costs."""

    ap50: float
    cost: dict[ErrorKind, float]  # AP gained by correcting the kind, 0 to 1
    kinds: NDArray[np.int64]  # (K,) index into ERROR_KINDS of each wrong detection, -1 for others
    boxes: Rows  # (K,) the labelled box that it should have taken, or a duplicate's; -1 for none
    missed: Rows  # rows of GroundTruth

    def detections(self, kind: ErrorKind) -> Rows:
        """Rows of DetectionSet behind a bar; none for "missed", whose boxes are `missed`."""
        return np.flatnonzero(self.kinds == ERROR_KINDS.index(kind))


def tide(matching: Matching) -> TideErrors:
    """The mistakes among the detections. The matching must include the IoU threshold .5."""
    truth, found = matching.truth, matching.found
    taken, ignored = matching.level(matching.at(FOREGROUND))
    allowed = matching.among(MOST[-1])
    judged = ~ignored & (found.labels >= 0) & (found.labels < truth.label_count)
    if allowed is not None:
        judged &= allowed
    right = judged & (taken >= 0)
    used = np.zeros(len(truth.labels), bool)
    used[taken[right]] = True
    kinds, boxes = _kinds(matching, np.flatnonzero(judged & ~right), used)
    mended = {kind: _mended(kinds, boxes, found.scores, kind, used) for kind in ("classification", "localisation")}
    # a box under any such mistake could be found, whether or not another detection is kept for it
    hopeful = np.isin(kinds, [ERROR_KINDS.index("classification"), ERROR_KINDS.index("localisation")])
    reachable = used.copy()
    reachable[boxes[hopeful]] = True
    missed = np.flatnonzero(matching.counted & ~reachable)
    count, labels = boxes_per_label(matching), found.labels
    ranked = found.by_label(truth.label_count).rows

    def ap(stay: Bools, good: Bools, left: Rows = count, names: Rows | None = None) -> float:
        rows = ranked[stay[ranked]]
        if names is not None:
            rows = rows[np.lexsort((-found.scores[rows], names[rows]))]
        return _mean_ap((labels if names is None else names)[rows], good[rows], left, count > 0)

    base, cost = ap(judged, right), dict.fromkeys(ERROR_KINDS, 0.0)
    for kind in ERROR_KINDS[:-1]:
        mistakes = kinds == ERROR_KINDS.index(kind)
        put_right = mended.get(kind, np.zeros(len(found), bool))
        names = labels.copy()
        names[put_right] = truth.labels[boxes[put_right]]
        anew = names if kind == "classification" else None
        cost[kind] = ap(judged & ~(mistakes & ~put_right), right | put_right, names=anew) - base
    fewer = np.bincount(truth.labels[missed], minlength=truth.label_count)
    cost["missed"] = ap(judged, right, left=count - fewer) - base
    return TideErrors(base, cost, kinds, boxes, missed)


def _kinds(matching: Matching, wrong: Rows, used: Bools) -> tuple[Rows, Rows]:
    """(K,) the kind of every wrong detection, and the box behind it."""
    truth, found = matching.truth, matching.found
    near = evaluation_data.pairs_across(truth, found, np.flatnonzero(matching.counted), wrong, BACKGROUND)
    same = truth.labels[near.truth] == found.labels[near.detection]
    own, own_box = _most(near, same, len(found))
    other, other_box = _most(near, ~same, len(found))
    _, taken_box = _most(near, same & used[near.truth], len(found))
    kinds, boxes = np.full(len(found), NONE), np.full(len(found), NONE)
    own, other = own[wrong], other[wrong]
    none = np.full(len(wrong), NONE)
    cases: list[tuple[ErrorKind, Bools, Rows]] = [
        ("localisation", (own >= BACKGROUND) & (own < FOREGROUND), own_box[wrong]),
        ("classification", other >= FOREGROUND, other_box[wrong]),
        ("duplicate", own >= FOREGROUND, taken_box[wrong]),
        ("background", np.maximum(own, other) < BACKGROUND, none),
    ]
    conditions = [case for _, case, _ in cases]
    kinds[wrong] = np.select(conditions, [ERROR_KINDS.index(kind) for kind, _, _ in cases], ERROR_KINDS.index("both"))
    boxes[wrong] = np.select(conditions, [box for _, _, box in cases], other_box[wrong])
    return kinds, boxes


def _most(near: evaluation_data.OverlapPairs, use: Bools, count: int) -> tuple[NDArray[np.float64], Rows]:
    """(K,) the largest overlap of each detection among the pairs in `use`, and its box; 0 and -1 without any."""
    rows = np.flatnonzero(use)
    rows = rows[np.argsort(near.iou[rows], kind="stable")]  # the last one written to a place stays
    overlap, box = np.zeros(count), np.full(count, NONE)
    overlap[near.detection[rows]], box[near.detection[rows]] = near.iou[rows], near.truth[rows]
    return overlap, box


def _mended(kinds: Rows, boxes: Rows, scores: NDArray[np.float64], kind: ErrorKind, used: Bools) -> Bools:
    """(K,) the mistakes that become right: the highest for each box that is still free."""
    rows = np.flatnonzero(kinds == ERROR_KINDS.index(kind))
    rows = rows[~used[boxes[rows]]]
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    chosen = np.zeros(len(kinds), bool)
    chosen[rows[np.unique(boxes[rows], return_index=True)[1]]] = True
    return chosen


def _mean_ap(labels: Rows, right: Bools, boxes: Rows, known: Bools) -> float:
    """Mean AP over the `known` labels (C,). A label without boxes to find has AP 1, or 0 if it has wrong detections."""
    ap = of_flags(labels, right, boxes)
    wrong = np.bincount(labels[~right], minlength=len(boxes)) > 0
    worth = np.where(boxes == 0, np.where(wrong, 0.0, 1.0), ap)[known]
    return float(worth.mean()) if len(worth) else float("nan")
