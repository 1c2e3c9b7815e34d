"""Which labels' AP is drawn over the epochs: only a few curves can be told apart, so of many labels the worst."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workbench.core.folding import folded
from workbench.training.events import Evaluated
from workbench.ui.train.plots.series import Floats

ALL, AP50, AP = "all labels", "AP50 per label", "AP per label"
CHOICES = (ALL, AP50, AP)
MOST = 10  # more curves than this can't be followed


@dataclass(frozen=True, slots=True)
class LabelCurve:
    """`number`: the label's index in the run, for a stable colour; `values`: 0..1, NaN where there was no box."""

    name: str
    number: int
    values: Floats


def label_curves(evaluations: Sequence[Evaluated], what: str, find: str = "") -> tuple[tuple[LabelCurve, ...], str]:
    """The AP50 or AP curves, lowest current value first, and a sentence on what was left out ("" if nothing was).

    `find`: only labels with this in their name.
    """
    rows = [event.per_label_ap if what == AP else event.per_label for event in evaluations]
    names = sorted({name for row in rows for name in row})
    if not names:
        return (), f"{what} is not known of this run." if evaluations else ""
    found = [(number, name) for number, name in enumerate(names) if folded(find) in folded(name)]
    if not found:
        return (), f"No label has “{find}” in its name."
    curves = [LabelCurve(name, number, _values(rows, name)) for number, name in found]
    curves.sort(key=lambda curve: _last(curve.values))
    if len(curves) <= MOST:
        return tuple(curves), ""
    some = f" with “{find}”" if find else ""
    return tuple(curves[:MOST]), f"the {MOST} lowest of {len(curves):,} labels{some}"


def _values(rows: Sequence[dict[str, float]], name: str) -> Floats:
    return np.array([row.get(name, math.nan) for row in rows])


def _last(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else math.inf
