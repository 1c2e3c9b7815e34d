"""Labels that git brought into a project's text are told above every page, and taken over or left by one press."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.core.storage import mirror
from workbench.errors import WorkbenchError
from workbench.ui.project.auto_backup import AutoBackup
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.window.main_window import MainWindow
from workbench.ui.window.text_changes_bar import TextChangesBar


def pull(project: Path, *ids: int) -> None:
    """A colleague has marked these images done."""
    other = project.with_name("other")
    if not (project / "labels").exists():
        mirror.write(project)
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("thumbnails*"))  # a window may be writing these
    with Document.open(other) as document:
        document.do(edits.SetState(ids, State.DONE))
        mirror.write(other)
    for file in (other / "labels").iterdir():
        shutil.copyfile(file, project / "labels" / file.name)


def bar(window: MainWindow) -> TextChangesBar:
    return find(window, TextChangesBar, "text-changes")


def press(window: MainWindow, name: str) -> None:
    QTest.mouseClick(find(window, QPushButton, f"text-changes-{name}"), Qt.MouseButton.LeftButton)


def states(window: MainWindow) -> list[State]:
    assert window.session.document is not None
    return [image.state for image in window.session.document.images()]


def lines(project: Path) -> str:
    return (project / "labels" / "000.jsonl").read_text()


def test_labels_that_were_pulled_are_told_and_taken_over(qtbot: QtBot, open_window: Open, project: Path) -> None:
    pull(project, 1, 2)
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    assert "2 images are different there." in find(window, ElidedLabel, "text-changes-words").text()
    window.session.do(edits.SetState((3,), State.VERIFIED))
    backup = window.findChild(AutoBackup)
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    assert lines(project).count('"done"') == 2, "it is not written before someone decides"
    press(window, "take")
    qtbot.waitUntil(lambda: not bar(window).isVisible())
    assert states(window) == [State.DONE, State.DONE, State.VERIFIED]
    assert find(window, QLabel, "message-text").text() == "Taken over from the text: 2 images. Undo takes it back."
    assert '"verified"' in lines(project)
    window.session.undo()
    assert states(window) == [State.UNLABELLED, State.UNLABELLED, State.VERIFIED]
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    assert '"done"' not in lines(project), "from then on the text follows the project again"


def test_what_comes_while_the_project_is_open_is_seen_when_it_would_be_written(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    backup = window.findChild(AutoBackup)
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    qtbot.waitUntil(bar(window)._background.is_idle)
    pull(project, 1)
    window.session.do(edits.SetState((3,), State.VERIFIED))
    backup.check()
    qtbot.waitUntil(bar(window).isVisible)
    press(window, "keep")
    qtbot.waitUntil(lambda: not bar(window).isVisible())
    assert '"done"' not in lines(project)
    assert '"verified"' in lines(project)
    (aside,) = project.glob("labels.replaced *")
    assert aside.name in find(window, QLabel, "message-text").text()


def test_what_is_settled_in_git_itself_is_written_again(qtbot: QtBot, open_window: Open, project: Path) -> None:
    mirror.write(project)
    before = {file: file.read_bytes() for file in (project / "labels").iterdir()}
    pull(project, 1)
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    for file, data in before.items():
        file.write_bytes(data)
    window.session.do(edits.SetState((2,), State.VERIFIED))
    bar(window)._look()
    qtbot.waitUntil(lambda: not bar(window).isVisible())
    window.session.text_held.emit(True)  # as one that was about to write it, and saw it before
    backup = window.findChild(AutoBackup)
    qtbot.waitUntil(lambda: not backup._is_text_held)
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    assert '"verified"' in lines(project)


@pytest.mark.parametrize("answer", ["", "later"])
def test_without_an_answer_it_is_asked_again_at_the_next_opening(
    qtbot: QtBot, open_window: Open, project: Path, answer: str
) -> None:
    pull(project, 1)
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    if answer:
        press(window, answer)
        assert not bar(window).isVisible()
    window.session.do(edits.SetState((2,), State.VERIFIED))
    window.session.close()
    window.open(project)
    qtbot.waitUntil(bar(window).isVisible)
    assert '"done"' in lines(project)


def test_a_conflict_of_git_is_told_and_cannot_be_taken_over(qtbot: QtBot, open_window: Open, project: Path) -> None:
    mirror.write(project)
    ours = lines(project).splitlines(keepends=True)
    pull(project, 1)
    theirs = lines(project).splitlines(keepends=True)
    merged = ["<<<<<<< HEAD\n", ours[0], "=======\n", theirs[0], ">>>>>>> 0f3a\n", *theirs[1:]]
    (project / "labels" / "000.jsonl").write_text("".join(merged))
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    assert "labels/000.jsonl:1: git could not merge" in find(window, ElidedLabel, "text-changes-words").text()
    assert not find(window, QPushButton, "text-changes-take").isEnabled()
    pull(project, 1)
    bar(window)._look()
    qtbot.waitUntil(find(window, QPushButton, "text-changes-take").isEnabled)


def test_a_change_that_is_gone_again_does_not_keep_the_text_from_being_written(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    """git checkout of another branch and back: the text was left as it was until the next opening."""
    mirror.write(project)
    own = lines(project)
    window = open_window(project)
    backup = window.findChild(AutoBackup)
    qtbot.waitUntil(bar(window)._background.is_idle)
    window.session.do(edits.SetState((3,), State.VERIFIED))
    (project / "labels" / "000.jsonl").write_text(own)
    window.session.text_held.emit(True)
    qtbot.waitUntil(bar(window)._background.is_idle)
    backup.check()
    qtbot.waitUntil(backup._work.is_idle)
    assert '"verified"' in lines(project)


def test_a_button_acts_once_and_can_be_pressed_again_for_the_next_change(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    """Pressed once more meanwhile, it found the text changed, by itself, and said so."""
    pull(project, 1)
    window = open_window(project)
    buttons = [find(window, QPushButton, f"text-changes-{name}") for name in ("take", "keep")]
    qtbot.waitUntil(bar(window).isVisible)
    press(window, "keep")
    assert not any(button.isEnabled() for button in buttons)
    qtbot.waitUntil(lambda: not bar(window).isVisible())
    pull(project, 2)
    bar(window)._look()
    qtbot.waitUntil(bar(window).isVisible)
    assert all(button.isEnabled() for button in buttons)


def test_why_nothing_can_be_taken_over_now_is_said(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """Images that are shown but not on disk yet keep every edit from being made; the program told of an error in it."""

    def refuse() -> None:
        raise WorkbenchError("Images are still being written.")

    pull(project, 1)
    window = open_window(project)
    qtbot.waitUntil(bar(window).isVisible)
    assert window.session.document is not None
    window.session.document.store.before_writing = refuse
    press(window, "take")
    window.session.document.store.before_writing = None
    assert find(window, QLabel, "message-text").text() == "Images are still being written."
    assert bar(window).isVisible()
