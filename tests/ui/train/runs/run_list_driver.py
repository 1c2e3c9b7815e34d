"""The list of runs and what carries out its actions, on a project with three runs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMainWindow, QWidget
from pytestqt.qtbot import QtBot

from tests.training.records.test_runs import PROGRESS, STARTED, leave
from tests.ui.window_driver import find
from workbench.training.events import Evaluated, Finished
from workbench.training.records import runs
from workbench.ui.session import Session
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.runs.run_actions import RunActions
from workbench.ui.train.runs.run_list import RunList
from workbench.ui.train.runs.runs_table import AP50, NAME

ENDED = Finished(6, 4, False, 0.5, 1.0, "/x")


def evaluated(ap50: float) -> Evaluated:
    return Evaluated(1, 2, ap50 / 2, ap50, 0.0, {}, 2, 0.1, best=True)


@dataclasses.dataclass
class Bench:
    """The list and what carries out its actions, on a project with the runs tiny-2, tiny-10 and other (the newest)."""

    qtbot: QtBot
    session: Session
    runs: RunList
    run_actions: RunActions
    window: QMainWindow
    folder: Path
    told: list[str]

    @property
    def table(self) -> QWidget:
        return self.runs.table

    def listed(self) -> list[str]:
        return [self.runs.table.item(row, NAME).text() for row in range(self.runs.table.rowCount())]

    def row(self, name: str) -> int:
        return self.listed().index(name)

    def cell(self, name: str, column: int) -> str:
        return self.runs.table.item(self.row(name), column).text()

    def tip(self, name: str, column: int) -> str:
        return self.runs.table.item(self.row(name), column).toolTip()

    def click(self, name: str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        at = self.runs.table.visualItemRect(self.runs.table.item(self.row(name), AP50)).center()
        self.qtbot.mouseClick(self.runs.table.viewport(), Qt.MouseButton.LeftButton, modifier, at)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.runs.table, key, modifier)

    @property
    def editor(self) -> QLineEdit:
        (editor,) = (one for one in self.runs.table.findChildren(QLineEdit) if one.isVisible())
        return editor

    def type(self, words: str) -> None:
        editor = self.editor
        editor.selectAll()
        editor.insert(words)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)

    def wait_for(self, *names: str) -> None:
        self.qtbot.waitUntil(lambda: sorted(self.listed()) == sorted(names))

    def is_on(self, name: str) -> bool:
        return bool(find(self.runs, QAction, f"action-{name}").isEnabled())

    def on_disk(self) -> list[str]:
        return sorted(run.name for run in runs.runs(self.folder))


@pytest.fixture
def bench(qtbot: QtBot, session: Session) -> Iterator[Bench]:
    assert session.document is not None
    folder = session.document.runs_folder
    for seconds, (name, ap50) in enumerate((("tiny-2", 0.5), ("tiny-10", math.nan), ("other", 0.25))):
        started = dataclasses.replace(STARTED, run=name)
        scored = [] if math.isnan(ap50) else [evaluated(ap50)]
        file = leave(folder / name, started, PROGRESS, *scored, ENDED) / "events.jsonl"
        lines = [json.loads(line) | {"time": 1e9 + 60 * seconds} for line in file.read_text("utf-8").splitlines()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    window, list_, setup = QMainWindow(), RunList(), SetupPanel()
    run_actions = RunActions(session, list_, setup)
    both = QWidget()
    row = QHBoxLayout(both)
    row.addWidget(setup)
    row.addWidget(list_, 1)
    window.setCentralWidget(both)
    qtbot.addWidget(window)
    window.resize(1200, 600)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    made = Bench(qtbot, session, list_, run_actions, window, folder, told)
    run_actions.list_runs()
    made.wait_for("tiny-2", "tiny-10", "other")
    yield made
    run_actions.close()
    setup.network_size.close_down()
