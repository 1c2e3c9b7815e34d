"""Numbers by step, as a run's curves need them: evenly spaced and few enough to draw, however long the training is."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_POINTS = 8_000  # more than pixels; an even number


class Series:
    """Float columns by step. Each row stands for one report; when all rows are full, they are merged in pairs.

    Later rows then stand for twice as many reports, so that the first hour keeps its share. Just dropping every second
    row left 4,000 rows to the newest seven minutes and one to the first. A row has the mean of its reports, or the
    largest value in the columns of `peaks`; the newest report is always in the last row.
    """

    def __init__(self, peaks: tuple[str, ...] = ()) -> None:
        self._peaks = frozenset(peaks)
        self._columns: dict[str, Floats] = {}
        self._step = np.zeros(MOST_POINTS)
        self._rows = 0
        self._each = 1  # reports in a full row
        self._held = 1  # reports in the last row

    def __len__(self) -> int:
        return self._rows

    def add(self, step: float, values: Mapping[str, float]) -> None:
        """Add a report. Values that are not finite and columns that are left out count as unknown."""
        if self._held == self._each:
            if self._rows == MOST_POINTS:
                self._halve()
            self._rows, self._held = self._rows + 1, 0
        row = self._rows - 1
        self._step[row] = step
        for name, value in values.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = np.full(MOST_POINTS, math.nan)
            if math.isfinite(value):
                column[row] = self._joined(name, float(column[row]), value) if self._held else value
        self._held += 1

    def cut(self, step: float) -> None:
        """Drop what came after `step`."""
        rows = int(np.searchsorted(self._step[: self._rows], step, side="right"))
        if rows < self._rows:
            self._rows, self._held = rows, self._each
            for column in self._columns.values():
                column[rows:] = math.nan

    def _joined(self, name: str, before: float, value: float) -> float:
        if before != before:
            return value
        return max(before, value) if name in self._peaks else before + (value - before) / (self._held + 1)

    def _halve(self) -> None:
        self._rows //= 2
        self._each *= 2
        self._held = self._each
        self._step[: self._rows] = self._step[1::2]
        for name, column in self._columns.items():
            one, other = column[0::2].copy(), column[1::2]
            both = np.fmax(one, other) if name in self._peaks else (one + other) / 2
            column[: self._rows] = np.where(np.isnan(both), np.fmax(one, other), both)
            column[self._rows :] = math.nan

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def step(self) -> Floats:
        """(n,) the step of each row, ascending."""
        return self._step[: self._rows].copy()

    def column(self, name: str) -> Floats:
        """(n,) NaN where unknown."""
        found = self._columns.get(name)
        return np.full(self._rows, math.nan) if found is None else found[: self._rows].copy()
