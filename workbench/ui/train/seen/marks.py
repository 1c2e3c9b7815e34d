"""What is drawn of a look wherever it is looked at from: found once for each choice of levels. No Qt here.

A tenth of a second with the 120,000 anchors of a large RetinaNet, and each notch of the wheel paints. N = priors.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from workbench.ui.train.seen.wishes import Flags, Floats, Look, Whole


@dataclass(frozen=True, eq=False, slots=True)
class Marks:
    """Of the priors on levels that are shown. Cells are xyxy in pixels of the input, each there once."""

    look: Look
    hidden: frozenset[int]  # levels
    visible: Flags  # (N,)
    hatched: Floats  # (n, 4) cells with something that is ignored and the middle of nothing that learns
    crossed: Floats  # (m, 4) cells with a chosen negative; none where all negatives are
    shared: Whole  # (s,) priors that learn several boxes

    def are_of(self, look: Look, hidden: frozenset[int]) -> bool:
        return self.look is look and self.hidden == hidden


def marks(look: Look, hidden: Collection[int]) -> Marks:
    visible = ~np.isin(look.level, list(hidden))
    return Marks(
        look, frozenset(hidden), visible, hatched(look, visible), _crossed(look, visible), look.shared
    )  # fmt: skip


def hatched(look: Look, visible: Flags) -> Floats:
    """(n, 4) as of Marks: a cell in whose middle something of another level learns is not hatched either."""
    if look.ignored is None:
        return np.zeros((0, 4))
    cells = np.unique(look.cells[look.ignored & visible], axis=0)
    learning = np.unique(look.cells[look.prior[visible[look.prior]]], axis=0)
    middles = (learning[:, :2] + learning[:, 2:]) / 2
    inside = (cells[:, None, :2] <= middles) & (middles < cells[:, None, 2:])  # (cells, middles, 2)
    has = np.any(np.all(inside, axis=2), axis=1)
    return np.asarray(cells[~has])


def _crossed(look: Look, visible: Flags) -> Floats:
    if look.negative is None or not look.passed_over:
        return np.zeros((0, 4))
    return np.unique(look.cells[look.negative & visible], axis=0)
