"""The Train page as a person uses it, a project to train on, and a training whose events are made up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QPlainTextEdit, QPushButton, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import shown_page
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.training import events
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Paused, Progress, Saved, Started
from workbench.training.request import RunRequest
from workbench.ui.plots.plot import Plot
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage


def progress(step: int, steps: int = 40) -> Progress:
    terms = {"box": 2.0 / step, "objectness": 1.0 / step}
    return Progress(step, steps, 1 + step // 10, 4, terms, 3.0 / step, 0.001 * step, 50.0, 12.0)


class FakeTraining:
    """A training that writes what a real one leaves behind. While it is `quiet` it reports nothing, nor its start."""

    def __init__(self) -> None:
        self.requests: list[RunRequest | Path] = []
        self.fails_with = ""
        self.evaluates = True
        self.quiet = threading.Event()

    def __call__(self, request: RunRequest | Path, control: Control) -> Iterator[Event]:
        self.requests.append(request)
        folder = request if isinstance(request, Path) else request.folder
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "events.jsonl", "a", encoding="utf-8") as file:
            for event in self._events(folder, control):
                file.write(events.to_json(event) + "\n")
                file.flush()
                yield event

    def _is_held(self, control: Control) -> bool:
        """Waits while it is quiet; whether it was then stopped."""
        while self.quiet.is_set():
            if control.stop.wait(0.005):
                return True
        return False

    def _events(self, folder: Path, control: Control) -> Iterator[Event]:
        if self._is_held(control):
            return
        yield Started(folder.name, str(folder), "yolov4-tiny", "cpu", "fp32", 8, 2, 4, 40, 1234)
        if self.fails_with:
            yield Failed(self.fails_with)
            return
        step = 0
        while not control.stop.wait(0.005) and not self._is_held(control):
            if control.pause.is_set():
                yield Paused(True, step)
                while control.pause.is_set() and not control.stop.wait(0.01):
                    pass
                yield Paused(False, step)
            step += 1
            yield progress(step, 100_000)
            if self.evaluates and step % 10 == 0:
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


def past_run(session: Session) -> Path:
    """A run that was stopped after its first evaluation."""
    assert session.document is not None
    folder = session.document.runs_folder / "earlier"
    folder.mkdir(parents=True)
    story: list[Event] = [
        Started("earlier", str(folder), "yolov4-tiny", "cpu", "fp32", 8, 2, 4, 40, 1234, time=1.0),
        *(progress(step) for step in range(1, 6)),
        Evaluated(1, 5, 0.25, 0.5, 0.2, {}, 2, 0.1, True),
        Finished(5, 1, True, 0.5, 9.0, str(folder)),
    ]
    (folder / "events.jsonl").write_text("".join(events.to_json(event) + "\n" for event in story), "utf-8")
    (folder / "last.state.pt").write_bytes(b"state")
    return folder


@pytest.fixture
def training() -> FakeTraining:
    return FakeTraining()


@pytest.fixture
def page(qtbot: QtBot, session: Session, training: FakeTraining) -> Iterator[TrainPage]:
    yield from shown_page(qtbot, TrainPage(session, train=training), session)


@pytest.fixture
def real_page(qtbot: QtBot, session: Session) -> Iterator[TrainPage]:
    yield from shown_page(qtbot, TrainPage(session), session)


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
