"""Moving a label whose number is in exported folders: what would change is shown, and done as the user says."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QDialog, QLabel, QTableView, QTreeWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Snapshot
from workbench.errors import WorkbenchError
from workbench.exchange import ExportReport, PastExport, export_again, export_labels, remember, renumbered
from workbench.ui.data import numbers_window
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    """Where the labels cat and dog of the project were exported to as YOLO."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
        document.draw((Box(0, 1, 1, (0, 0, 50, 40)), Box(0, 1, 2, (0, 0, 30, 40))))
        snapshot = document.snapshot()
        remember(document, export_labels(snapshot, "yolo", tmp_path / "set"), snapshot.labels, copied=False)
    return tmp_path / "set"


def numbers(folder: Path) -> list[str]:
    return [line[0] for line in next(folder.rglob("a.txt")).read_text().splitlines()]


def asked_to_move(window: MainWindow, row: int = 0) -> QDialog:
    """The window that comes when the label in this row is moved down."""
    table = find(window, QTableView, "labels-table")
    where = table.visualRect(table.model().index(row, 2)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, where)
    find(window, QAbstractButton, "label-down").click()
    return find(window, QDialog, "numbers-window")


def names(window: MainWindow) -> list[str]:
    assert window.session.document is not None
    return [label.name for label in window.session.document.labels()]


def test_what_would_change_is_shown_and_cancel_changes_nothing(folder: Path, project: Path, open_window: Open) -> None:
    window = open_window(project, "data")
    asked = asked_to_move(window)
    assert "1 exported folder would number the labels differently" in find(asked, QLabel, "numbers-sentence").text()
    tree = find(asked, QTreeWidget, "numbers-tree")
    head = tree.topLevelItem(0)
    assert head.text(0) == str(folder)
    assert [[head.child(i).text(c) for c in range(3)] for i in range(2)] == [["cat", "0", "1"], ["dog", "1", "0"]]
    find(asked, QAbstractButton, "numbers-cancel").click()
    assert names(window) == ["cat", "dog"]


def test_only_the_project_may_change(folder: Path, project: Path, open_window: Open) -> None:
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-only").click()
    assert names(window) == ["dog", "cat"]
    assert numbers(folder) == ["0", "1"]


def test_the_folder_is_written_anew_with_it(folder: Path, project: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-both").click()
    assert names(window) == ["dog", "cat"]
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert numbers(folder) == ["1", "0"]
    assert numbers(folder.with_name("set (numbers before 1)")) == ["0", "1"]
    assert "numbers before 1" in find(window, QLabel, "message-text").text()
    find(window, QAbstractButton, "label-up").click()  # the row moved with the label: up again tells of the new numbers
    head = find(window, QTreeWidget, "numbers-tree").topLevelItem(0)
    assert [[head.child(i).text(c) for c in range(3)] for i in range(2)] == [["dog", "0", "1"], ["cat", "1", "0"]]
    find(window, QAbstractButton, "numbers-cancel").click()


def test_undoing_it_tells_that_the_folder_no_longer_fits(
    folder: Path, project: Path, open_window: Open, qtbot: QtBot
) -> None:
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-both").click()
    qtbot.waitUntil(lambda: not window.session.jobs)
    window.session.undo()
    assert names(window) == ["cat", "dog"]
    said = find(window, QLabel, "message-text").text()
    assert "other numbers than in 1 exported folder ('set')" in said


def test_it_says_so_if_the_project_cannot_note_that_a_folder_was_written_anew(
    folder: Path, project: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full. Free some space.")

    monkeypatch.setattr(numbers_window, "remember", full)
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-both").click()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert numbers(folder) == ["1", "0"]
    assert find(window, QLabel, "message-text").text() == "The disk is full. Free some space."


def test_a_folder_that_is_written_anew_as_its_project_is_closed_is_noted_in_it(
    folder: Path, project: Path, open_window: Open
) -> None:
    """The next change of the labels told of numbers that the folder no longer has."""
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-both").click()
    window.session.close()
    assert numbers(folder) == ["1", "0"]
    with Document.open(project, read_only=True) as document:
        assert renumbered(document, edits.Batch(())) == ()


def test_a_folder_that_is_being_written_is_not_written_by_a_second_change(
    folder: Path, project: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second moved aside what the first had written so far, and the first was not awaited on closing."""
    go_on = threading.Event()

    def slow(snapshot: Snapshot, exported: PastExport) -> tuple[ExportReport, Path]:
        go_on.wait(10)
        return export_again(snapshot, exported)

    monkeypatch.setattr(numbers_window, "export_again", slow)
    window = open_window(project, "data")
    find(asked_to_move(window), QAbstractButton, "numbers-both").click()
    assert names(window) == ["dog", "cat"]
    window.session.do(edits.AddLabels((Label(0, "owl"),)))
    find(asked_to_move(window, 1), QAbstractButton, "numbers-both").click()
    assert names(window) == ["dog", "cat", "owl"]
    assert find(window, QLabel, "message-text").text().endswith("Change the labels when that is done.")
    go_on.set()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert numbers(folder) == ["1", "0"]
    assert [one.name for one in folder.parent.iterdir() if "before" in one.name] == ["set (numbers before 1)"]
