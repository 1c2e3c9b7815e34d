"""The Log tab of the Train page follows the run also behind another tab, unless a person reads further up."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QTabWidget, QWidget
from pytestqt.qtbot import QtBot

from workbench.ui.train.runs.run_log import RunLog
from workbench.ui.train.runs.runs_table import RunsTable


def test_it_follows_behind_another_tab_and_stays_where_it_is_read(qtbot: QtBot) -> None:
    tabs, log = QTabWidget(), RunLog()
    tabs.addTab(QWidget(), "Runs")
    tabs.addTab(log, "Log")
    tabs.resize(300, 200)
    qtbot.addWidget(tabs)
    tabs.show()
    bar = log.verticalScrollBar()
    log.appendPlainText("\n".join(f"Epoch {n}" for n in range(100)))
    tabs.setCurrentIndex(1)
    assert bar.value() == bar.maximum() > 0
    tabs.setCurrentIndex(0)
    log.appendPlainText("\n".join(f"Epoch {n}" for n in range(100, 150)))
    tabs.setCurrentIndex(1)
    assert bar.value() == bar.maximum()
    bar.setValue(10)
    tabs.setCurrentIndex(0)
    log.appendPlainText("Epoch 150")
    tabs.setCurrentIndex(1)
    assert bar.value() == 10
    tabs.setCurrentIndex(0)
    log.clear()  # another run
    log.appendPlainText("\n".join(f"Epoch {n}" for n in range(100)))
    tabs.setCurrentIndex(1)
    assert bar.value() == bar.maximum()


def test_it_stays_at_its_end_while_its_tab_becomes_lower(qtbot: QtBot) -> None:
    log = RunLog()
    qtbot.addWidget(log)
    log.resize(300, 400)
    log.show()
    bar = log.verticalScrollBar()
    log.appendPlainText("\n".join(f"Epoch {n}" for n in range(100)))
    assert bar.value() == bar.maximum() > 0
    log.resize(300, 100)
    assert bar.value() == bar.maximum()
    bar.setValue(10)
    log.resize(300, 200)
    assert bar.value() == 10


def test_while_the_first_run_begins_its_name_stands_where_it_will_be_listed(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.ui.train.runs import runs_table

    table, painted = RunsTable(), []
    qtbot.addWidget(table)
    monkeypatch.setattr(runs_table, "paint_hint", lambda _, words: painted.append(words))
    table.set_known(True)
    table.resize(400, 200)
    table.show()
    for name, words in (("", "No run yet"), ("tiny-1", "tiny-1 is listed here when it has begun"), ("", "No run yet")):
        table.set_beginning(name)
        table.grab()
        assert painted[-1].startswith(words)
