"""From which places the window opens, and that it follows what is set on the Train page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import FakeWorker, labelled, settle, weights_of
from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.training import recipes
from workbench.training.records import record, runs
from workbench.training.request import RunRequest
from workbench.ui.commands import BY_NAME
from workbench.ui.train.form.start_from import StartFrom
from workbench.ui.train.trainer_view import window as window_module
from workbench.ui.train.trainer_view.picture import AssignmentPicture
from workbench.ui.train.trainer_view.requests import FRESH, StartWeights
from workbench.ui.train.trainer_view.window import TrainerViewWindow
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> FakeWorker:
    """Those of each window that is opened; they offer all presets."""
    made = FakeWorker()
    made.recipes = (recipes.preset("quick-cpu"),)
    monkeypatch.setattr(window_module, "TrainerViewWorker", lambda: made)
    return made


def opened(main: MainWindow) -> list[TrainerViewWindow]:
    return [one for one in main.findChildren(TrainerViewWindow) if one.isVisible()]


def test_it_opens_from_every_page_by_key_and_by_name(
    qtbot: QtBot, open_window: Open, labelled: Path, worker: FakeWorker
) -> None:
    assert BY_NAME["seen"].where == "Window"
    main = open_window(labelled, "data")
    QTest.keyClick(main, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    assert len(opened(main)) == 1
    settle(qtbot, opened(main)[0], worker, 1)
    assert worker.requests[-1].image == main.session.image_id
    opened(main)[0].close()
    main.activateWindow()
    main.show_finder()
    finder = QApplication.activePopupWidget()
    assert finder is not None
    QTest.keyClicks(find(finder, QLineEdit, "finder-field"), "trainer")
    assert find(finder, QListView, "finder-list").model().rowCount() == 1
    QTest.keyClick(find(finder, QLineEdit, "finder-field"), Qt.Key.Key_Return)
    assert len(opened(main)) == 1
    main.close_project()
    assert not find(main, QAction, "action-seen").isEnabled()


@pytest.mark.parametrize(("page", "place"), [("data", "gallery"), ("label", "canvas")])
def test_it_is_in_the_menus_of_images(
    qtbot: QtBot, open_window: Open, labelled: Path, worker: FakeWorker, page: str, place: str
) -> None:
    main = open_window(labelled, page)
    where, owner = find(main, QWidget, place), find(main, QWidget, f"page-{page}")
    if page == "data":
        assert isinstance(where, QAbstractItemView)
        where.selectAll()
    keys: list[str] = []

    def choose() -> None:
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        action = next(one for one in menu.actions() if one.objectName() == "action-seen")
        keys.append(action.shortcut().toString())
        menu.close()
        action.trigger()

    QTimer.singleShot(50, choose)
    at = where.mapTo(owner, where.rect().center())
    owner.contextMenuEvent(QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, owner.mapToGlobal(at)))
    qtbot.waitUntil(lambda: len(opened(main)) == 1)
    assert keys == ["Ctrl+T"]


def test_before_the_train_page_was_shown_it_has_all_settings_of_the_newest_run(
    qtbot: QtBot, open_window: Open, labelled: Path, worker: FakeWorker
) -> None:
    """As the Train page will have them; it had the plain recipe of that name."""
    folder, start = labelled / "runs" / "first", labelled / "mine.safetensors"
    folder.mkdir(parents=True)
    start.write_bytes(b"weights")
    own = recipes.preset("quick-cpu").with_detector("yolov3").changed({"input_px": 96, "epochs": 7})
    with Document.open(labelled) as document:
        record.write_request(RunRequest(folder, document.snapshot(), own, start=start))
    worker.runs = (runs.info(folder),)
    main = open_window(labelled, "data")
    QTest.keyClick(main, Qt.Key.Key_T, Qt.KeyboardModifier.ControlModifier)
    settle(qtbot, opened(main)[0], worker, 1)
    asked = worker.requests[-1]
    assert (asked.detector, asked.recipe.training.epochs) == ("yolov3", 7)
    assert asked.recipe.detector_settings.input_px == 96
    assert weights_of(worker) == StartWeights(start)


@pytest.mark.slow
def test_it_follows_the_form_of_the_train_page(
    qtbot: QtBot, open_window: Open, labelled: Path, worker: FakeWorker, tmp_path: Path
) -> None:
    """Its values, its detector, what the training starts from, and its words where a value is not valid."""
    main = open_window(labelled, "train")
    detector = find(main, QComboBox, "train-detector")
    qtbot.waitUntil(detector.isEnabled, timeout=60_000)
    QTest.mouseClick(find(main, QPushButton, "train-seen"), Qt.MouseButton.LeftButton)
    (window,) = opened(main)
    settle(qtbot, window, worker, 1)
    epochs = find(main, QLineEdit, "train-form-epochs")
    epochs.setText("7")
    epochs.textEdited.emit("7")
    settle(qtbot, window, worker, 2)
    assert worker.requests[-1].recipe.training.epochs == 7
    assert find(window, QSpinBox, "seen-epoch").maximum() == 7
    assert find(window, QLabel, "seen-recipe").text().endswith("2 changed")  # and with it the least number of steps
    epochs.setText("abc")
    epochs.textEdited.emit("abc")
    shown = find(window, AssignmentPicture, "seen-picture")
    qtbot.waitUntil(lambda: "Epochs must be" in shown.sentence and window.scheduler.is_idle)
    assert len(worker.requests) == 2
    epochs.setText("7")
    epochs.textEdited.emit("7")
    settle(qtbot, window, worker, 3)
    assert shown.sentence == ""
    detector.setCurrentIndex(detector.findData("yolov3"))
    detector.activated.emit(detector.currentIndex())
    settle(qtbot, window, worker, 4)
    assert worker.requests[-1].detector == "yolov3"
    start = find(main, StartFrom, "train-start-from")
    start.begin_from(tmp_path / "mine.safetensors")
    settle(qtbot, window, worker, 5)
    assert weights_of(worker) == StartWeights(tmp_path / "mine.safetensors")
    start.setCurrentIndex(0)
    settle(qtbot, window, worker, 6)
    assert weights_of(worker) == FRESH
    window._show_missed("yolov3", (main.session.image_id,), "images with boxes that it does not learn")
    settle(qtbot, window, worker, 7)
    assert window.controls.among.isVisible()
    window.close()
    QTest.mouseClick(find(main, QPushButton, "train-seen"), Qt.MouseButton.LeftButton)
    assert not window.controls.among.isVisible(), "who opens it anew steps through all images"


def test_its_modules_come_without_pytorch() -> None:
    """Which takes seconds, in which the window would not be there."""

    def loaded(first: str) -> str:
        program = (
            f"{first}from workbench.ui.train.trainer_view import launcher, window;"
            " import sys; print('torch' in sys.modules)"
        )
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert loaded("") == "False"
    assert loaded("import torch; ") == "True"
