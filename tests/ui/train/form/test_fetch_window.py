"""The window that fetches published weights: all its words can be read, and a failure is said once, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.train.form.fetch_window import FetchWindow
from workbench.ui.train.work import PublishedWeights

URL = "https://download.pytorch.org/models/ssdlite320_mobilenet_v3_large_coco-a79551df.pth"


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    yield session
    assert session.end_jobs()


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def window(qtbot: QtBot, session: Session, owner: QWidget, tmp_path: Path) -> FetchWindow:
    licence = "BSD 3-Clause, as torchvision; trained on COCO, whose annotations are CC BY 4.0"
    file = tmp_path / "weights" / "ssdlite320.pth"
    weights = PublishedWeights("ssdlite", URL, 13.0, "torchvision, SSDLite320_MobileNet_V3_Large", licence, file)

    def refused(_: PublishedWeights) -> Iterator[JobProgress]:
        yield from ()
        raise WorkbenchError(
            f"{URL} could not be fetched: Connection refused. Without a network, copy the file from"
            f" another machine to {file}, which is a long way to go for a file of thirteen megabytes and some more."
        )

    window = FetchWindow(session, weights, owner, fetch=refused)
    window.show()
    qtbot.waitExposed(window)
    return window


def fail(qtbot: QtBot, window: FetchWindow) -> str:
    find(window, QPushButton, "fetch-go").click()
    qtbot.waitUntil(find(window, QPushButton, "fetch-go").isEnabled)
    return str(find(window, QLabel, "fetch-words").text())


def cut_labels(window: FetchWindow) -> list[str]:
    """The words that have less height than they need at their width."""
    labels = [label for label in window.findChildren(QLabel) if label.wordWrap()]
    return [label.text() for label in labels if label.heightForWidth(label.width()) > label.height()]


@pytest.mark.parametrize("width", [560, 400])
def test_no_words_are_cut_before_or_after_a_failure(qtbot: QtBot, window: FetchWindow, width: int) -> None:
    window.resize(width, 100)
    qtbot.waitUntil(lambda: cut_labels(window) == [])
    fail(qtbot, window)
    qtbot.waitUntil(lambda: cut_labels(window) == [])
    window.reject()


def test_a_failure_is_said_in_place_only_and_without_the_systems_number(
    qtbot: QtBot, session: Session, window: FetchWindow
) -> None:
    with qtbot.assertNotEmitted(session.message):
        said = fail(qtbot, window)
    assert f"{URL} could not be fetched: Connection refused. Without a network" in said
    assert window.isVisible()
    window.reject()
