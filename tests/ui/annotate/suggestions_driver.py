"""The Label page with two runs that suggest boxes; the network is a fake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.detections import Candidates
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.suggesting.suggest import SuggestionRequest, SuggestionResult
from workbench.ui.annotate import suggest_bar
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.window.main_window import MainWindow

BOXES = np.array([(10, 10, 50, 50), (60, 10, 90, 40), (20, 60, 40, 80), (70, 60, 95, 90)], float)
SCORES = np.array([0.9, 0.6, 0.4, 0.2])
TRAINED: tuple[Label, ...] = ()  # the run's labels with their ids


def fake(ask: SuggestionRequest) -> SuggestionResult:
    """Three cells, and one of a label that the project doesn't have; nothing in c.png."""
    if ask.file.name == "c.png":
        return SuggestionResult(ask, Candidates.none(), ("cell", "moon"), 0.5, "per label")
    if not ask.checkpoint.read_bytes():
        raise WorkbenchError("This checkpoint is empty.")
    return SuggestionResult(
        ask, Candidates.of_arrays(BOXES, SCORES, np.array([0, 0, 1, 0])), ("cell", "moon"), 0.5, "per label", TRAINED
    )


@pytest.fixture
def window(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> MainWindow:  # fmt: skip
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        for name in ("one", "two"):
            folder = document.runs_folder / name
            folder.mkdir(parents=True)
            (folder / "best.safetensors").write_bytes(b"weights" if name == "one" else b"")
            (folder / "events.jsonl").write_text("", "utf-8")
    monkeypatch.setattr(suggest_bar, "SuggestionWorker", lambda: fake)
    return open_window(project, "label")


class Hand:
    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window
        self.page = find(window, AnnotatePage, "page-label")
        self.canvas = self.page.canvas
        self.canvas.setFocus()
        self.key(Qt.Key.Key_G)
        run = find(window, QComboBox, "suggest-run")
        qtbot.waitUntil(lambda: run.count() == 3)  # and "A file…"
        run.setCurrentIndex(run.findText("one"))
        run.activated.emit(run.currentIndex())
        self.wait(2)

    def key(self, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.canvas, key, held)

    def wait(self, number: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.canvas.suggestions) == number)

    @property
    def words(self) -> str:
        return str(find(self.window, ElidedLabel, "suggest-words").text())

    @property
    def boxes(self) -> list[tuple[float, ...]]:
        session = self.window.session
        assert session.document is not None
        return [box.xyxy for box in session.document.boxes(session.image_id)]


@pytest.fixture
def hand(qtbot: QtBot, window: MainWindow) -> Hand:
    return Hand(qtbot, window)
