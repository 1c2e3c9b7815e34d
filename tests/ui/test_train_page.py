"""The Train page with made-up events (start, pause, stop, curves, past runs, resume), and once with a real training."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.training import board, events
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Paused, Progress, Saved, Started
from workbench.training.request import RunRequest
from workbench.ui import preferences
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.widgets.plot import Plot


def progress(step: int, steps: int = 40) -> Progress:
    terms = {"box": 2.0 / step, "objectness": 1.0 / step}
    return Progress(step, steps, 1 + step // 10, 4, terms, 3.0 / step, 0.001 * step, 50.0, 12.0)


class FakeTraining:
    """A training that goes one step when told to, and writes what a real one leaves behind."""

    def __init__(self) -> None:
        self.requests: list[RunRequest | Path] = []
        self.fails_with = ""

    def __call__(self, request: RunRequest | Path, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        folder = request if isinstance(request, Path) else request.folder
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "events.jsonl", "a", encoding="utf-8") as file:
            for event in self._events(folder, control):
                file.write(events.to_json(event) + "\n")
                file.flush()
                yield event

    def _events(self, folder: Path, control: Control) -> Iterator[Event]:
        yield Started(folder.name, str(folder), "yolov4-tiny", "cpu", "fp32", 8, 2, 4, 40, 1234)
        if self.fails_with:
            yield Failed(self.fails_with)
            return
        step = 0
        while not control.stop.wait(0.005):
            if control.pause.is_set():
                yield Paused(True, step)
                while control.pause.is_set() and not control.stop.wait(0.01):
                    pass
                yield Paused(False, step)
            step += 1
            yield progress(step, 100_000)
            if step % 10 == 0:
                yield Evaluated(step // 10, step, 0.3, 0.5 + step / 1000, 0.2, {}, 2, 0.1, True)
        (folder / "last.state.pt").write_bytes(b"state")
        yield Saved("last", str(folder / "last.safetensors"), step)
        yield Finished(step, step // 10, True, 0.5, 1.0, str(folder))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        PIL.Image.new("RGB", (64, 64), (40 * number, 90, 160)).save(photographs / f"{number}.png")
    session = Session()
    session.open(Document.create(tmp_path / "project", photographs))
    yield session
    session.close()


def label_all(session: Session, state: State = State.DONE) -> None:
    assert session.document is not None
    session.do(edits.AddLabels((Label(0, "cell"),)))
    label = session.document.labels()[0].id
    ids = tuple(image.id for image in session.document.images())
    session.do(edits.AddBoxes(tuple(Box(0, image, label, (8, 8, 40, 48)) for image in ids)))
    session.do(edits.SetState(ids, state))


@pytest.fixture
def training() -> FakeTraining:
    return FakeTraining()


@pytest.fixture
def page(qtbot: QtBot, session: Session, training: FakeTraining) -> Iterator[TrainPage]:
    yield from shown_page(qtbot, TrainPage(session, train=training), session)


@pytest.fixture
def real_page(qtbot: QtBot, session: Session) -> Iterator[TrainPage]:
    yield from shown_page(qtbot, TrainPage(session), session)


def shown_page(qtbot: QtBot, page: TrainPage, session: Session) -> Iterator[TrainPage]:
    window = QMainWindow()
    window.setCentralWidget(page)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    yield page
    assert session.end_jobs()
    page.closing()


def button(page: QWidget, name: str) -> QPushButton:
    found = page.findChild(QPushButton, name)
    assert isinstance(found, QPushButton), name
    return found


def press(qtbot: QtBot, page: QWidget, name: str) -> None:
    qtbot.waitUntil(button(page, name).isEnabled)
    qtbot.mouseClick(button(page, name), Qt.MouseButton.LeftButton)


def text(page: QWidget, name: str) -> str:
    found = page.findChild(QLabel, name)
    assert isinstance(found, QLabel), name
    return found.text()


def log(page: QWidget) -> str:
    found = page.findChild(QPlainTextEdit, "train-log")
    assert isinstance(found, QPlainTextEdit)
    return found.toPlainText()


def points(page: QWidget, plot: str, curve: str) -> int:
    found = page.findChild(Plot, f"train-plot-{plot}")
    assert isinstance(found, Plot)
    return len(found.data(curve)[0]) if curve in found.names() else 0


def run_rows(page: QWidget) -> list[tuple[str, str]]:
    table = page.findChild(QTableWidget, "train-runs")
    assert isinstance(table, QTableWidget)
    return [(table.item(row, 0).text(), table.item(row, 2).text()) for row in range(table.rowCount())]


def ready(qtbot: QtBot, page: TrainPage) -> None:
    page.shown()
    combo = page.findChild(QComboBox, "train-detector")
    assert isinstance(combo, QComboBox)
    qtbot.waitUntil(combo.isEnabled, timeout=60_000)


def started(qtbot: QtBot, page: TrainPage, steps: int = 12) -> None:
    ready(qtbot, page)
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: points(page, "loss", "box") >= steps)


def test_without_boxes_the_page_offers_to_draw_some(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    page.shown()
    assert "learns from labelled boxes" in text(page, "train-empty-sentence")
    with qtbot.waitSignal(session.page_asked) as asked:
        press(qtbot, page, "train-empty-button")
    assert asked.args == ["label"]


def test_images_that_are_not_done_are_not_trained_on_and_the_page_says_so(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session, State.IN_WORK)
    ready(qtbot, page)
    assert "No image to train on" in text(page, "train-data")
    assert not button(page, "train-start").isEnabled()
    states = page.findChild(QComboBox, "train-form-states")
    assert isinstance(states, QComboBox)
    states.setCurrentText("in work")
    assert text(page, "train-data").startswith("3 images to train on")
    assert button(page, "train-start").isEnabled()


def test_every_detector_and_preset_can_be_chosen(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    from workbench import detectors
    from workbench.training import recipes

    label_all(session)
    ready(qtbot, page)
    for name, expected in (("train-detector", detectors.load_all().names()), ("train-preset", recipes.names())):
        combo = page.findChild(QComboBox, name)
        assert isinstance(combo, QComboBox)
        assert sorted(combo.itemData(i) for i in range(combo.count())) == sorted(expected)


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


def test_a_value_that_is_not_valid_is_explained_and_nothing_starts(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session)
    ready(qtbot, page)
    epochs = page.findChild(QLineEdit, "train-form-epochs")
    assert isinstance(epochs, QLineEdit)
    epochs.setText("many")
    assert text(page, "train-form-epochs-problem") == "'epochs' must be a whole number from 1 to 100000, not 'many'."
    assert not button(page, "train-start").isEnabled()
    epochs.setText("7")
    assert button(page, "train-start").isEnabled()


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
    assert not button(page, "train-start").isEnabled()
    press(qtbot, page, "train-stop")
    qtbot.waitUntil(lambda: not session.jobs)
    assert "Stopped in epoch" in log(page)
    assert text(page, "train-title").endswith("stopped")
    qtbot.waitUntil(lambda: [state for _, state in run_rows(page)] == ["stopped"])
    assert button(page, "train-start").isEnabled()
    table = page.findChild(QTableWidget, "train-runs")
    assert isinstance(table, QTableWidget)
    assert [index.row() for index in table.selectionModel().selectedRows()] == [0]  # Resume is meant for it


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
    assert text(page, "train-title").endswith("stopped")
    assert [words for words in messages if "was stopped in epoch" in words]


def test_pause_holds_the_training_and_continue_lets_it_go_on(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    started(qtbot, page)
    press(qtbot, page, "train-pause")
    qtbot.waitUntil(lambda: button(page, "train-pause").text() == "Continue")
    assert text(page, "train-title").endswith("paused")
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
    assert session.document is not None
    folder = session.document.runs_folder / "earlier"
    folder.mkdir(parents=True)
    story = [
        Started("earlier", str(folder), "yolov4-tiny", "cpu", "fp32", 8, 2, 4, 40, 1234, time=1.0),
        *(progress(step) for step in range(1, 6)),
        Evaluated(1, 5, 0.25, 0.5, 0.2, {}, 2, 0.1, True),
        Finished(5, 1, True, 0.5, 9.0, str(folder)),
    ]
    (folder / "events.jsonl").write_text("".join(events.to_json(event) + "\n" for event in story), "utf-8")
    (folder / "last.state.pt").write_bytes(b"state")
    ready(qtbot, page)
    qtbot.waitUntil(lambda: run_rows(page) == [("earlier", "stopped")])
    qtbot.waitUntil(lambda: points(page, "loss", "box") == 5)
    table = page.findChild(QTableWidget, "train-runs")
    assert isinstance(table, QTableWidget)
    table.selectRow(0)
    press(qtbot, page, "train-resume")
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
    wait(qtbot, lambda: button(page, "train-pause").text() == "Continue")
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

    monkeypatch.setattr(board, "is_there", lambda: True)
    monkeypatch.setattr(board, "mirrored", mirrored)
    preferences.put("train/tensorboard", True)
    label_all(session)
    started(qtbot, page, 2)
    assert session.document is not None
    assert [folder.parent for folder in seen] == [session.document.runs_folder]
