"""The table of the runs in a comparison."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from tests.ui.train.compare.test_compare import FIRST, known, left
from workbench.ui.train.compare.tables import SUMMARY, Table, show_runs


def test_only_an_ap_that_is_known_is_said_to_be_largely_chance(qtbot: QtBot, tmp_path: Path) -> None:
    table = Table("runs", "Runs")
    qtbot.addWidget(table)
    show_runs(table, [known(left(tmp_path / name, events)) for name, events in (("a", FIRST), ("b", FIRST[:2]))])
    tips = [table.item(row, SUMMARY.index("Best AP50")).toolTip() for row in (0, 1)]
    assert "largely chance" in tips[0]
    assert tips[1] == "–"
