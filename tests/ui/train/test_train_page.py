"""The Train page with made-up events (start, pause, stop, curves, past runs, resume), and once with a real training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    log,
    page,
    past_run,
    points,
    press,
    ready,
    real_page,
    run_rows,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import Box, State
from workbench.errors import WorkbenchError
from workbench.training.events import Event
from workbench.training.monitoring import tensorboard_log
from workbench.training.request import RunRequest
from workbench.ui import preferences
from workbench.ui.session import Session
from workbench.ui.train import refusals, work
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.runs_table import EPOCHS
from workbench.ui.widgets.two_line_delegate import REMARK_ROLE, SENTENCE_ROLE

__all__ = ["page", "real_page", "session", "training"]  # fixtures


def test_without_boxes_the_page_offers_to_draw_some(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    page.shown()
    assert "learns from labelled boxes" in text(page, "train-empty-sentence")
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "train-empty-button")
    assert asked.args == ["label"]


def test_without_images_the_page_offers_to_add_some(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    """It offered to draw boxes, on a page where there was nothing to draw on."""
    assert session.document is not None
    session.document.do(edits.RemoveImages(tuple(image.id for image in session.document.images())))
    page.shown()
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "train-empty-button")
    assert asked.args == ["data"]
    assert not button(page, "train-empty-other").isVisible()


def test_images_that_are_not_done_are_not_trained_on_and_the_page_says_so(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session, State.IN_WORK)
    ready(qtbot, page)
    assert "No image to train on" in text(page, "train-data")
    assert not button(page, "train-start").isEnabled()
    assert button(page, "train-start").toolTip().splitlines()[0] == text(page, "train-data")
    states = page.findChild(QComboBox, "train-form-states")
    assert isinstance(states, QComboBox)
    states.setCurrentText("in work")
    assert text(page, "train-data").startswith("3 images to train on")
    assert button(page, "train-start").isEnabled()


def test_where_pytorch_cannot_be_loaded_start_says_so_until_it_can(
    qtbot: QtBot, page: TrainPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """'Still being loaded' stood there for ever."""

    class Fails:
        """Stands for the loading."""

        def __iter__(self) -> Iterator[Event]:
            raise WorkbenchError("PyTorch lacks a library.")

    with monkeypatch.context() as broken:
        broken.setattr(work, "load", Fails)
        label_all(session)  # the page, which is empty until then, loads it
        qtbot.waitUntil(lambda: button(page, "train-start").toolTip().splitlines()[0] == "PyTorch lacks a library.")
        qtbot.waitUntil(lambda: not session.jobs)
    page.shown()
    assert text(page, "train-loading") == "Loading PyTorch …"
    qtbot.waitUntil(button(page, "train-start").isEnabled, timeout=60_000)


def test_the_key_that_started_a_training_does_not_stop_it(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    ready(qtbot, page)
    start = button(page, "train-start")
    qtbot.waitUntil(start.isEnabled)
    start.setFocus()
    QTest.keyClick(start, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: points(page, "loss", "box") >= 12)
    window = page.window()
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Space)
    assert not button(page, "train-stop").hasFocus()
    assert session.is_training
    assert "stopping" not in text(page, "train-title")


def test_every_detector_and_preset_can_be_chosen(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    from workbench import detectors
    from workbench.training import recipes

    label_all(session)
    ready(qtbot, page)
    for name, expected in (("train-detector", detectors.load_all().names()), ("train-preset", recipes.names())):
        combo = page.findChild(QComboBox, name)
        assert isinstance(combo, QComboBox)
        assert sorted(combo.itemData(i) for i in range(combo.count())) == sorted(expected)
    combo = page.findChild(QComboBox, "train-detector")
    assert isinstance(combo, QComboBox)
    assert all(combo.itemData(row, SENTENCE_ROLE) for row in range(combo.count())), "what each is good for"
    advised = [combo.itemData(row) for row in range(combo.count()) if combo.itemData(row, REMARK_ROLE)]
    assert advised == ["yolov4-tiny"], "as in the help"
    combo.showPopup()
    lines = combo.fontMetrics().height()
    assert combo.view().sizeHintForRow(0) > 1.5 * lines
    assert not combo.view().grab().isNull()
    combo.hidePopup()


@pytest.mark.parametrize(("detector", "said"), [("yolov3", True), ("yolov1-tiny", False), ("fcos", False)])
def test_anchors_are_spoken_of_where_there_are_some(
    qtbot: QtBot, page: TrainPage, session: Session, detector: str, said: bool
) -> None:
    label_all(session)
    ready(qtbot, page)
    combo = page.findChild(QComboBox, "train-detector")
    assert isinstance(combo, QComboBox)
    combo.setCurrentIndex(combo.findData(detector))
    combo.activated.emit(combo.currentIndex())
    assert ("Anchors: published." in text(page, "train-data")) == said
    assert bool(session.anchorless) != said, "the Anchors page says it, too"


def test_a_value_that_is_not_valid_is_explained_and_nothing_starts(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session)
    ready(qtbot, page)
    epochs = page.findChild(QLineEdit, "train-form-epochs")
    assert isinstance(epochs, QLineEdit)
    epochs.setText("many")
    assert text(page, "train-form-epochs-problem") == "Epochs must be a whole number from 1 to 100000, not 'many'."
    assert not button(page, "train-start").isEnabled()
    assert button(page, "train-start").toolTip().splitlines()[0] == text(page, "train-data")
    epochs.setText("7")
    assert button(page, "train-start").isEnabled()
    assert button(page, "train-start").toolTip() == "Start training  (Ctrl+Return)"


def test_settings_reach_the_training(qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining) -> None:
    label_all(session)
    ready(qtbot, page)
    for name, typed in (("train-form-epochs", "7"), ("train-form-input_px", "96"), ("train-run-name", "my run/1")):
        line = page.findChild(QLineEdit, name)
        assert isinstance(line, QLineEdit)
        line.setText(typed)
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: bool(training.requests))
    request = training.requests[0]
    assert isinstance(request, RunRequest)
    assert request.recipe.training.epochs == 7
    assert request.recipe.detector_settings.input_px == 96
    assert request.folder.name == "my run-1"
    assert len(request.snapshot) == 3


def test_curves_grow_while_it_trains_and_stop_ends_it(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    started(qtbot, page)
    qtbot.waitUntil(lambda: points(page, "ap", "AP50") >= 2)
    qtbot.waitUntil(lambda: points(page, "rate", "learning rate") >= 12)  # one plot is drawn after the other
    assert "images/s" in text(page, "train-numbers")
    assert "yolov4-tiny on cpu" in log(page)
    said: list[str] = []
    session.message.connect(lambda _kind, words: said.append(words))
    qtbot.keyClick(page, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert said == ["A training is running: Train next puts this one into the queue."]
    for name, why in (("train-start", said[0]), ("train-estimate", refusals.ANOTHER_TRAINS)):
        assert not button(page, name).isEnabled()
        assert button(page, name).toolTip().splitlines()[0] == why
    assert button(page, "train-next").isEnabled()
    press(qtbot, page, "train-stop")
    qtbot.waitUntil(lambda: not session.jobs)
    assert "Stopped in epoch" in log(page)
    assert text(page, "train-title").endswith("stopped; Resume goes on with it")
    qtbot.waitUntil(lambda: [state for _, state in run_rows(page)] == ["stopped"])
    assert button(page, "train-start").isEnabled()
    table = page.findChild(QTableWidget, "train-runs")
    assert isinstance(table, QTableWidget)
    assert [index.row() for index in table.selectionModel().selectedRows()] == [0]  # Resume is meant for it


def test_the_list_of_runs_tells_the_epoch_that_is_being_trained(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    """It told the one of the last evaluation, which may be hours ago."""
    training.evaluates = False
    label_all(session)
    started(qtbot, page, 2)
    table = find(page, QTableWidget, "train-runs")
    qtbot.waitUntil(lambda: table.rowCount() == 1)
    for least in (3, 6):
        qtbot.waitUntil(lambda least=least: int(table.item(0, EPOCHS).text().removesuffix(" / 4")) >= least)  # type: ignore[misc]
        table.sortItems(EPOCHS)


def test_stop_after_the_next_evaluation_ends_with_it_and_the_end_is_told(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session)
    messages: list[str] = []
    session.message.connect(lambda _, words: messages.append(words))
    started(qtbot, page)
    after = page.findChild(QAction, "train-stop-after")
    assert isinstance(after, QAction)
    after.trigger()
    assert text(page, "train-title").endswith("training, stops after the next evaluation")
    qtbot.waitUntil(lambda: not session.jobs)
    assert points(page, "loss", "box") % 10 == 0  # it evaluates after each tenth step
    assert text(page, "train-title").endswith("stopped; Resume goes on with it")
    assert [words for words in messages if "was stopped in epoch" in words]


def test_pause_holds_the_training_and_continue_lets_it_go_on(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    started(qtbot, page)
    press(qtbot, page, "train-pause")
    qtbot.waitUntil(lambda: text(page, "train-title").endswith("paused"))
    assert button(page, "train-pause").text() == "Continue"
    held = points(page, "loss", "box")
    press(qtbot, page, "train-pause")
    qtbot.waitUntil(lambda: points(page, "loss", "box") > held)
    assert button(page, "train-pause").text() == "Pause"


def test_a_failure_is_told_in_its_own_words(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    training.fails_with = "The disk is full. Make room and resume."
    label_all(session)
    ready(qtbot, page)
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: "The disk is full" in log(page))
    qtbot.waitUntil(lambda: text(page, "train-title").endswith("failed"))


def test_labelling_goes_on_during_a_training(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    started(qtbot, page)
    assert session.document is not None
    image, label = session.document.images()[0].id, session.document.labels()[0].id
    assert session.do(edits.AddBoxes((Box(0, image, label, (1, 1, 9, 9)),))) is not None
    before = points(page, "loss", "box")
    qtbot.waitUntil(lambda: points(page, "loss", "box") > before)


def test_a_past_run_shows_its_curves_again_and_can_be_resumed(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    label_all(session)
    folder = past_run(session)
    ready(qtbot, page)
    qtbot.waitUntil(lambda: run_rows(page) == [("earlier", "stopped")])
    qtbot.waitUntil(lambda: points(page, "loss", "box") == 5)
    assert text(page, "train-title") == "earlier: stopped; Resume goes on with it"
    press(qtbot, page, "train-resume")  # the run that is shown is the chosen one
    qtbot.waitUntil(lambda: training.requests == [folder])
    qtbot.waitUntil(lambda: points(page, "loss", "box") > 5)  # the old curve goes on


def test_a_name_that_is_taken_is_refused_with_a_sentence(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    assert session.document is not None
    (session.document.runs_folder / "first").mkdir(parents=True)
    ready(qtbot, page)
    name = page.findChild(QLineEdit, "train-run-name")
    assert isinstance(name, QLineEdit)
    name.setText("first")
    with qtbot.waitSignal(session.message) as message:
        press(qtbot, page, "train-start")
    assert "There is a run called 'first' already" in message.args[1]
    assert not session.jobs


def test_closing_the_window_during_a_training_ends_it_in_order(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    started(qtbot, page)
    assert session.document is not None
    folder = next(session.document.runs_folder.iterdir())
    assert session.end_jobs()
    assert (folder / "last.state.pt").exists()
    page.closing()


@pytest.mark.slow
def test_a_real_training_starts_pauses_goes_on_stops_and_leaves_a_checkpoint(
    qtbot: QtBot, real_page: TrainPage, session: Session, tmp_path: Path, test_data: Path
) -> None:
    photographs = tmp_path / "cells"
    photographs.mkdir()
    for file in sorted((test_data / "data" / "bccd" / "BCCD" / "JPEGImages").glob("*.jpg"))[:6]:
        shutil.copy(file, photographs)
    assert session.document is not None
    session.document.add_folder(photographs)
    label_all(session)
    page = real_page
    ready(qtbot, page)
    fill = {"epochs": "1000", "input_px": "96", "batch": "2", "width": "0.25", "threads": "1"}
    for name, typed in fill.items():
        line = page.findChild(QLineEdit, f"train-form-{name}")
        assert isinstance(line, QLineEdit)
        line.setText(typed)
    press(qtbot, page, "train-start")
    wait(qtbot, lambda: any_points(page) >= 3)
    press(qtbot, page, "train-pause")
    wait(qtbot, lambda: text(page, "train-title").endswith("paused"))
    held = any_points(page)
    press(qtbot, page, "train-pause")
    wait(qtbot, lambda: any_points(page) > held)
    press(qtbot, page, "train-stop")
    wait(qtbot, lambda: not session.jobs)
    folder = next(session.document.runs_folder.iterdir())
    assert (folder / "last.safetensors").stat().st_size > 1000
    wait(qtbot, lambda: [state for _, state in run_rows(page)] == ["stopped"])


def any_points(page: QWidget) -> int:
    return points(page, "rate", "learning rate")


def wait(qtbot: QtBot, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=120_000)


def test_a_training_is_told_to_tensorboard_too(
    qtbot: QtBot, page: TrainPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def mirrored(events: Iterator[Event], folder: Path) -> Iterator[Event]:
        seen.append(folder)
        yield from events

    monkeypatch.setattr(tensorboard_log, "is_installed", lambda: True)
    monkeypatch.setattr(tensorboard_log, "log_events", mirrored)
    preferences.put("train/tensorboard", True)
    label_all(session)
    started(qtbot, page, 2)
    assert session.document is not None
    assert [folder.parent for folder in seen] == [session.document.runs_folder]


def test_images_that_are_found_while_the_page_is_seen_change_what_it_offers(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    """It went on to say that there were none, while a large folder was read."""
    assert session.document is not None
    session.document.do(edits.RemoveImages(tuple(image.id for image in session.document.images())))
    page.shown()
    assert text(page, "train-empty-sentence").startswith("A detector learns from images")
    with QSignalBlocker(session):
        session.document.undo()
    session.images_found.emit(None)
    assert text(page, "train-empty-sentence").startswith("A detector learns from labelled boxes.")
