"""The list of exported files while it is empty."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from workbench.ui.export import results_table
from workbench.ui.export.results_table import ResultsTable


def test_while_files_are_written_the_empty_list_asks_for_no_press(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said to press Export while Export was running."""
    told: list[str] = []
    monkeypatch.setattr(results_table, "paint_hint", lambda _table, words: told.append(words))
    table = ResultsTable()
    qtbot.addWidget(table)
    for on, asks in ((False, True), (True, False), (False, True)):
        table.show_busy(on)
        table.grab()
        assert ("press Export" in told[-1]) == asks
