"""The intervals of AP in Compare come from jobs; what is compared no longer is let go."""

from __future__ import annotations

import gc
import math
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from workbench.core.evaluation.bootstrap import MetricDifference
from workbench.ui.inspect.compare import comparer
from workbench.ui.inspect.compare.intervals import Intervals
from workbench.ui.session import Session


class Matched:
    """In place of a matching, which may hold a hundred megabytes."""


def test_matchings_are_let_go_when_others_are_compared(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each overlap at which the slider had rested stayed in memory until another run was chosen."""
    none = np.full(1, math.nan)
    known = MetricDifference(none, none, none, 0.0, -0.1, 0.1)
    monkeypatch.setattr(comparer, "intervals", lambda *_: iter([known]))
    session = Session()
    intervals = Intervals(session, session)
    intervals._later.setInterval(0)
    compared: list[weakref.ref[Matched]] = []

    def compare() -> None:
        states = [SimpleNamespace(matching=Matched()) for _ in range(2)]
        pair = SimpleNamespace(first=states[0], second=states[1])
        compared.append(weakref.ref(states[0].matching))
        qtbot.waitUntil(lambda: intervals.of(pair, "ap50") is known)  # type: ignore[arg-type]

    for _ in range(2 * comparer.KEPT):
        compare()
    qtbot.waitUntil(lambda: not session.jobs)
    gc.collect()
    assert sum(one() is not None for one in compared) == comparer.KEPT
