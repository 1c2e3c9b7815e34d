"""What the window says in its corner: on top of the page, and no longer than it is true."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QTabWidget, QWidget

from tests.ui.annotate.label_page_project import labelled
from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.ui import app

__all__ = ["labelled"]  # a fixture


def test_an_error_that_nobody_caught_is_told_quietly_and_the_window_goes_on(open_window: Open) -> None:
    window = open_window()
    try:
        raise KeyError("x")
    except KeyError as error:
        app._ExceptHook(window)(KeyError, error, error.__traceback__)
    assert "Something went wrong" in find(window, QLabel, "message-text").text()
    assert find(window, QPushButton, "start-new").isEnabled()


def test_a_message_lies_above_the_page_that_is_shown_after_it(open_window: Open, project: Path) -> None:
    window = open_window()
    window.session.message.emit("warning", "This project is open for reading only.")
    assert window.open(project)
    for page in ("data", "label", "data"):
        window.show_page(page)
        QApplication.processEvents()
        text = find(window, QLabel, "message-text")
        assert text.isVisible()
        assert window.childAt(text.mapTo(window, text.rect().center())) is text


def test_a_message_covers_no_run_in_the_table_of_the_train_page(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "train")
    table, message = find(window, QTabWidget, "train-tabs"), find(window, QWidget, "messages")
    assert table.isVisible()
    window.session.inform("'tiny' waits in the queue.")
    ends, top = [message.geometry().bottom()], table.mapTo(message.parentWidget(), QPoint()).y()
    window.show_page("label")
    ends.append(message.geometry().bottom())
    assert ends[0] < top < ends[1]


def test_a_message_stays_as_long_as_it_takes_to_read_it(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    (timer,) = find(window, QWidget, "messages").findChildren(QTimer, options=Qt.FindChildOption.FindDirectChildrenOnly)
    long = "'red cell' and its 4,155 boxes in 364 images were deleted. Undo brings them back, so does Edit > History."
    stays = []
    for sentence in ("Copied.", long):
        window.session.inform(sentence)
        stays.append(timer.interval())
    assert stays[0] == 4000
    assert stays[1] >= 6000  # twenty words


def test_a_message_goes_with_the_project_that_was_open(open_window: Open, project: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Document.create(other, tmp_path / "photographs").close()
    window = open_window(project, "data")
    corner = find(window, QWidget, "messages")
    for leave in (window.close_project, lambda: window.open(other)):
        window.open(project)
        window.session.message.emit("error", "The disk is full.")
        assert corner.isVisible()
        leave()
        assert not corner.isVisible()


def test_a_message_of_an_opening_stays(open_window: Open, project: Path, tmp_path: Path) -> None:
    window = open_window(project, "data")
    corner, text = find(window, QWidget, "messages"), find(window, QLabel, "message-text")
    assert not window.open(tmp_path / "none")  # the project that is open stays
    assert corner.isVisible()
    window.close_project()
    assert not corner.isVisible()
    assert not window.open(tmp_path / "none")
    assert window.open(project)
    assert corner.isVisible()
    assert "There is no project in" in text.text()


def test_what_fails_while_a_project_is_closed_is_said(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    corner, text = find(window, QWidget, "messages"), find(window, QLabel, "message-text")
    window.session.message.emit("info", "3 images added.")
    window.session.closing.connect(lambda: window.session.report_error(WorkbenchError("The note could not be kept.")))
    window.close_project()
    assert corner.isVisible()
    assert text.text() == "The note could not be kept."


def test_a_message_is_announced_and_its_button_has_a_key(
    open_window: Open, project: Path, announced: list[tuple[str, bool]]
) -> None:
    window, pressed = open_window(project, "data"), []
    assert not find(window, QAction, "action-message").isEnabled()
    announced.clear()
    window.session.message.emit("warning", "The disk is full.")
    window.session.inform("40 boxes were imported.")
    window.session.offered.emit("Undo", lambda: pressed.append("Undo"))
    assert announced == [("The disk is full.", True), ("40 boxes were imported.", False), ("Undo: F8", False)]
    assert find(window, QPushButton, "message-button").toolTip() == "Press the button of the message  (F8)"
    for _ in range(2):
        QTest.keyClick(window, Qt.Key.Key_F8)
    assert pressed == ["Undo"]
    assert not find(window, QWidget, "messages").isVisible()
    assert not find(window, QAction, "action-message").isEnabled()
    window.session.offered.emit("Undo", print)
    window.session.inform("Saved.")
    assert not find(window, QAction, "action-message").isEnabled()
