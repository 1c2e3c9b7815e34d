"""Project > Rename and Older copies in the real window: another name, what copies hold, and the way back to one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QInputDialog, QLabel, QPushButton, QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.core.storage import backups
from workbench.errors import WorkbenchError
from workbench.ui.project import project_opener, recent
from workbench.ui.project.older_copies import ABOUT, CHOOSE, OlderCopiesWindow, restore_copy
from workbench.ui.window.main_window import MainWindow

THEN, LATER = datetime(2026, 11, 20, 12), datetime(2026, 11, 21, 12)


@pytest.fixture
def copied(project: Path) -> Path:
    """A copy with a box on a.png, which is done, and a newer one with two; now there is none, but another label."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        document.draw((Box(0, 1, 1, (0, 0, 10, 10)),))
        document.do(edits.SetState((1,), State.DONE))
        backups.back_up(project, THEN)
        document.draw((Box(0, 1, 1, (20, 0, 30, 10)),))
        backups.back_up(project, LATER)
        document.do(edits.RemoveBoxes((1, 2)))
        document.do(edits.AddLabels((Label(0, "plate"),)))
    return project


def command(window: MainWindow, name: str) -> QAction:
    return find(window, QAction, f"action-{name}")


def said(window: MainWindow) -> str:
    return str(find(window, QLabel, "message-text").text())


def opened(qtbot: QtBot, window: MainWindow, rows: int) -> OlderCopiesWindow:
    command(window, "older-copies").trigger()
    copies: OlderCopiesWindow = find(window, OlderCopiesWindow, "copies-window")
    qtbot.waitUntil(lambda: len(cells(copies)) == rows and all(row[5] != "…" for row in cells(copies)))
    return copies


def cells(copies: OlderCopiesWindow) -> list[list[str]]:
    table = find(copies, QTableWidget, "copies-table")
    return [[table.item(row, column).text() for column in range(6)] for row in range(table.rowCount())]


def go_back(copies: OlderCopiesWindow, row: int) -> None:
    find(copies, QTableWidget, "copies-table").selectRow(row)
    QTest.mouseClick(find(copies, QPushButton, "copies-go"), Qt.MouseButton.LeftButton)


def test_a_project_gets_another_name_everywhere_and_undo_takes_it_back(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter([("Bees", False), ("  ", True), (" Bees 2026 ", True)])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: next(names))
    window = open_window(project)
    for _ in range(2):
        command(window, "rename-project").trigger()
        assert window.windowTitle() == "project — Workbench"
    command(window, "rename-project").trigger()
    assert window.windowTitle() == "Bees 2026 — Workbench"
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "Bees 2026")
    assert [one.name for one in recent.projects()] == ["Bees 2026"]
    assert project.is_dir(), "its folder stays"
    with Document.open(project, read_only=True) as document:
        assert document.title == "Bees 2026"
    window.session.undo_last()
    assert window.windowTitle() == "project — Workbench"
    assert [one.name for one in recent.projects()] == ["project"]
    assert said(window) == "Taken back: Rename the project to 'Bees 2026'."


def test_a_copy_of_a_project_that_is_renamed_no_longer_needs_its_folder_in_the_title(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(project.rename(project.parent / "copy"))
    assert window.windowTitle() == "project (copy) — Workbench"
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("wasps", True))
    command(window, "rename-project").trigger()
    assert window.windowTitle() == "wasps — Workbench"


@pytest.mark.parametrize("at_once", [0, project_opener.AT_ONCE], ids=["opened in a job", "opened at once"])
def test_copies_are_listed_beside_what_there_is_now_and_going_back_can_be_taken_back(
    qtbot: QtBot, open_window: Open, copied: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    window = open_window(copied, "data")
    window.session.select_image(3)
    copies = opened(qtbot, window, 3)
    assert cells(copies)[0] == ["now", "3", "1", "0", "2", "Add label 'plate'"]
    assert [row[1:] for row in cells(copies)[1:]] == [
        ["3", "1", "2 (+2)", "1 (−1)", "Add box"],
        ["3", "1", "1 (+1)", "1 (−1)", "Mark image done"],
    ]
    go = find(copies, QPushButton, "copies-go")
    assert (go.isEnabled(), go.toolTip()) == (False, CHOOSE)
    window.session.do(edits.SetState((1,), State.IN_WORK))
    assert cells(copies)[1][2] == "1 (+1)", "beside what there is now"
    monkeypatch.setattr(project_opener, "AT_ONCE", at_once)
    go_back(copies, 2)
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.jobs)
    assert [len(boxes) for boxes in boxes_on_disk(copied).values()] == [1, 0, 0]
    document = window.session.document
    assert document is not None
    assert not document.read_only
    assert (window.session.image_id, window.session.page) == (3, "data"), "where the person was"
    assert said(window).startswith("This is the project as it was on ")
    qtbot.waitUntil(lambda: window.findChild(OlderCopiesWindow) is None)
    copies = opened(qtbot, window, 4)
    assert sum(row[0].startswith("replaced on ") for row in cells(copies)) == 1
    copies.close()
    QTest.mouseClick(find(window, QPushButton, "message-button"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.jobs)
    assert [len(boxes) for boxes in boxes_on_disk(copied).values()] == [0, 0, 0]
    assert window.session.document is not None
    assert [label.name for label in window.session.document.labels()] == ["cell", "plate"]
    assert window.session.undo_title == "Mark image in work", "with its history"


@pytest.mark.parametrize("other", ["other", "."])
def test_a_copy_of_another_project_takes_the_place_of_none(
    open_window: Open, copied: Path, tmp_path: Path, other: str
) -> None:
    """The offer to take a step back was still there when another project was open, also one around it."""
    Document.create(tmp_path / other, tmp_path / "photographs").close()
    window = open_window(tmp_path / other)
    document = window.session.document
    restore_copy(window.session, backups.backups(copied)[0])
    assert window.session.document is document
    assert not backups.replaced(tmp_path / other)


def test_a_damaged_copy_says_so_and_leaves_the_project_as_it_is(qtbot: QtBot, open_window: Open, copied: Path) -> None:
    backups.backups(copied)[1].file.write_bytes(b"no database")
    window = open_window(copied, "data")
    copies = opened(qtbot, window, 3)
    assert "can't be read" in " ".join(cells(copies)[1] + cells(copies)[2])
    row = next(row for row, texts in enumerate(cells(copies)) if "can't be read" in texts[5])
    go_back(copies, row)
    assert "damaged" in said(window) or "not a Workbench project" in said(window)
    assert window.session.document is not None
    assert window.session.undo_title == "Add label 'plate'"
    assert not backups.replaced(copied)


def test_a_window_that_may_only_read_neither_renames_nor_goes_back(
    qtbot: QtBot, open_window: Open, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: pytest.fail("it asks for nothing"))
    with Document.open(copied):
        window = open_window(copied, "data")
        copies = opened(qtbot, window, 3)
        find(copies, QTableWidget, "copies-table").selectRow(1)
        go = find(copies, QPushButton, "copies-go")
        assert not go.isEnabled()
        assert "being edited by" in go.toolTip()
        find(window, QLabel, "message-text").setText("")
        command(window, "rename-project").trigger()
        assert "being edited by" in said(window)


def test_without_copies_or_a_project_nothing_is_promised(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    copies = opened(qtbot, window, 1)
    words = find(copies, QLabel, "copies-words")
    qtbot.waitUntil(lambda: words.text() == f"{ABOUT} There is none yet.")
    window.close_project()
    assert not command(window, "older-copies").isEnabled()
    assert not command(window, "rename-project").isEnabled()


def test_what_is_in_a_copy_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="no project in"):
        backups.contents_of(tmp_path / "gone.sqlite")


def test_the_key_of_saving_says_that_everything_is_saved(qtbot: QtBot, open_window: Open, copied: Path) -> None:
    window = open_window(copied)
    assert said(window) == ""
    QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert said(window).startswith("Nothing is left to save")
    reader = open_window(copied)
    command(reader, "save").trigger()
    assert "reading only" in said(reader)
