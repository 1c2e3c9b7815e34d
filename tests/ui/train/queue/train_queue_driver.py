"""The queue of the Train page as a person uses it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLineEdit, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.train_page_driver import (
    FakeTraining,
    label_all,
    press,
    started,
)
from tests.ui.window_driver import find
from workbench.core.project import AnchorSet
from workbench.training.records import queue_file
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.queue.queue_list import NAME

ANCHORS = AnchorSet(((8.0, 8.0), (32.0, 32.0)), 320)


def typed(page: QWidget, name: str, words: str) -> None:
    find(page, QLineEdit, f"train-{name}").setText(words)


def put(qtbot: QtBot, page: TrainPage, name: str, epochs: str = "") -> None:
    """Fill in the form and press Train next."""
    typed(page, "run-name", name)
    if epochs:
        typed(page, "form-epochs", epochs)
    before = len(rows(page))
    press(qtbot, page, "train-next")
    qtbot.waitUntil(lambda: len(rows(page)) == before + 1)


def table(page: QWidget) -> QTableWidget:
    return find(page, QTableWidget, "train-queue")


def rows(page: QWidget, column: int = NAME) -> list[str]:
    shown = table(page)
    return [shown.item(row, column).text() for row in range(shown.rowCount())]


def on_disk(session: Session) -> list[str]:
    assert session.document is not None
    return [one.name for one in queue_file.read(session.document.folder / queue_file.FILE)]


def trained(training: FakeTraining) -> list[str]:
    return [one.name for one in training.requests]


def is_training(session: Session, name: str) -> bool:
    return [job.title for job in session.jobs if job.is_training] == [f"Training {name}"]


def heard(session: Session) -> list[str]:
    found: list[str] = []
    session.message.connect(lambda _level, words: found.append(words))
    return found


@pytest.fixture
def two_wait(qtbot: QtBot, page: TrainPage, session: Session) -> TrainPage:
    """While one is trained, first and second wait."""
    label_all(session)
    typed(page, "run-name", "running")
    started(qtbot, page, 2)
    put(qtbot, page, "first", "7")
    put(qtbot, page, "second", "8")
    return page


def end_with_evaluation(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    """By "Stop after the next evaluation": the queue goes on."""
    name = next(job.title for job in session.jobs if job.is_training)
    page._progress.after.trigger()
    qtbot.waitUntil(lambda: not [job for job in session.jobs if job.title == name])
