"""A window that reads a project which another program edits: it offers to open it again if that makes a difference."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.ui.project import training_question
from workbench.ui.project.read_only_notice import CHANGED, FREE
from workbench.ui.window.main_window import MainWindow


def come_back(window: MainWindow, qapp: QApplication) -> str:
    """The window becomes active; the message that it then shows, with its button."""
    find(window, QLabel, "message-text").setText("")
    qapp.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
    return find(window, QLabel, "message-text").text()


def test_a_project_that_was_changed_elsewhere_is_opened_again_at_the_same_place(
    qtbot: QtBot, qapp: QApplication, open_window: Open, project: Path
) -> None:
    """It went on to show labels, images and counts of before."""
    with Document.open(project) as other:
        window = open_window(project, "label")
        assert "being edited by" in find(window, QLabel, "message-text").text()
        window.session.select_image(2)
        assert come_back(window, qapp) == "", "nothing has changed"
        other.do(edits.AddLabels((Label(0, "fox"),)))
        other.draw((Box(0, 2, 1, (0, 0, 30, 30)),))
        assert come_back(window, qapp) == CHANGED
        assert come_back(window, qapp) == "", "said once"
        find(window, QPushButton, "message-button").click()
        document = window.session.document
        assert document is not None
        assert [label.name for label in document.labels()] == ["fox"]
        assert (window.session.image_id, window.session.page) == (2, "label")
        assert document.read_only
        assert "being edited by" in find(window, QLabel, "message-text").text()
    assert come_back(window, qapp) == FREE
    find(window, QPushButton, "message-button").click()
    assert window.session.document is not None
    assert not window.session.document.read_only
    assert window.session.image_id == 2
    assert come_back(window, qapp) == ""


def test_a_training_is_asked_about_before_the_project_is_opened_again(
    qapp: QApplication, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(project):
        window = open_window(project)
        before = window.session.document
    monkeypatch.setattr(training_question, "may_stop", lambda _: False)
    assert come_back(window, qapp) == FREE
    find(window, QPushButton, "message-button").click()
    assert window.session.document is before
    monkeypatch.undo()


def test_a_project_that_can_not_be_written_is_not_offered_for_editing(
    qapp: QApplication, open_window: Open, project: Path
) -> None:
    with Document.open(project) as document, document.store.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")  # of a newer program
    window = open_window(project)
    assert window.session.document is not None
    assert window.session.document.read_only
    assert come_back(window, qapp) == ""


def test_a_project_whose_disk_is_away_when_the_window_comes_back_is_no_crash(
    qapp: QApplication, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Document) -> int:
        raise WorkbenchError("The project can't be read: its disk is away.")

    with Document.open(project):
        window = open_window(project)
        monkeypatch.setattr(Document, "others_edits", away)
        assert come_back(window, qapp) == ""
