"""The line that says which files came, went or were renamed: it looks by itself, at most once a minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import labelled
from tests.ui.data.data_page_driver import listed, press
from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.ui.images import thumbnails
from workbench.ui.window import file_changes_bar
from workbench.ui.window.file_changes_bar import FileChangesBar
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture
ACTIVE = Qt.ApplicationState.ApplicationActive


@pytest.fixture
def photographs(labelled: Path) -> Path:
    with Document.open(labelled, read_only=True) as document:
        return document.file(document.images()[0]).parent


@pytest.fixture
def active(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Callable[[MainWindow], FileChangesBar]:
    """The window is active again, a minute later, and has looked."""
    monkeypatch.setattr(file_changes_bar, "EVERY", 0.0)

    def again(window: MainWindow) -> FileChangesBar:
        bar = find(window, FileChangesBar, "file-changes")
        bar._state_changed(ACTIVE)
        qtbot.waitUntil(bar._background.is_idle)
        return bar

    return again


Active = Callable[[MainWindow], FileChangesBar]


def words(bar: FileChangesBar) -> str:
    return str(find(bar, QLabel, "file-changes-words").text()) if bar.isVisible() else ""


def test_new_files_are_told_when_the_window_is_active_again_and_added_by_one_click(
    qtbot: QtBot, open_window: Open, labelled: Path, photographs: Path, active: Active
) -> None:
    window = open_window(labelled, "data")
    assert words(active(window)) == ""
    write_photographs(photographs, ["x.png", "y.png"])
    bar = active(window)
    assert words(bar) == f"2 new photographs in '{photographs.name}'."
    press(bar, "file-changes-add")
    qtbot.waitUntil(lambda: listed(window) == ["a.png", "b.png", "c.png", "x.png", "y.png"])
    assert words(active(window)) == ""


def test_it_looks_by_itself_once_a_minute_at_most(
    open_window: Open, labelled: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(labelled, "data")
    bar = find(window, FileChangesBar, "file-changes")
    asked: list[object] = []
    monkeypatch.setattr(bar._background, "ask", asked.extend)
    now = time.monotonic()
    for seconds, wanted in ((30, 0), (61, 1), (90, 1), (122, 2)):
        monkeypatch.setattr(time, "monotonic", lambda at=now + seconds: at)
        bar._state_changed(ACTIVE)
        assert len(asked) == wanted, f"after {seconds} s"


def test_what_was_declined_or_taken_out_is_not_offered_again(
    open_window: Open, labelled: Path, photographs: Path, active: Active
) -> None:
    window = open_window(labelled, "data")
    write_photographs(photographs, ["x.png"])
    bar = active(window)
    press(bar, "file-changes-later")
    assert words(active(window)) == ""
    document = window.session.document
    assert document is not None
    window.session.do(edits.RemoveImages((document.images()[2].id,)))
    assert words(active(window)) == ""
    write_photographs(photographs, ["y.png"])
    assert words(active(window)).startswith("1 new photograph ")


def test_a_renamed_file_is_shown_again_with_its_boxes(
    qtbot: QtBot, open_window: Open, labelled: Path, photographs: Path, active: Active
) -> None:
    window = open_window(labelled, "label")
    hand = WindowDriver(qtbot, window)
    small = thumbnails.of(window.session)
    qtbot.waitUntil(lambda: len(small._kept) == 3)  # they know when the files were changed
    before = boxes_on_disk(labelled)["a.png"]
    (photographs / "a.png").rename(photographs / "z.png")
    write_photographs(photographs, ["x.png"])
    bar = active(window)
    assert words(bar) == f"a.png is called z.png now. 1 new photograph in '{photographs.name}'."
    press(bar, "file-changes-renamed")
    qtbot.waitUntil(lambda: find(window, QLabel, "image-name").text() == "z.png")
    hand.settle()
    assert hand.canvas.picture is not None
    assert boxes_on_disk(labelled)["z.png"] == before
    qtbot.waitUntil(bar._background.is_idle)
    assert words(bar) == f"1 new photograph in '{photographs.name}'."  # is offered still
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert boxes_on_disk(labelled)["a.png"] == before


def test_gone_files_are_told_once_and_shown(
    open_window: Open, labelled: Path, photographs: Path, active: Active
) -> None:
    window = open_window(labelled, "data")
    (photographs / "b.png").unlink()
    bar = active(window)
    assert words(bar) == "1 image has no file any more."
    press(bar, "file-changes-gone")
    assert listed(window) == ["b.png"]
    assert words(active(window)) == ""


def test_a_project_that_can_only_be_read_tells_and_offers_nothing(
    qtbot: QtBot, open_window: Open, labelled: Path, photographs: Path
) -> None:
    write_photographs(photographs, ["x.png"])
    with Document.open(labelled):
        window = open_window(labelled, "data")
        bar = find(window, FileChangesBar, "file-changes")
        window.session.file_check_requested.emit()
        qtbot.waitUntil(lambda: words(bar).startswith("1 new photograph"))
        assert find(bar, QPushButton, "file-changes-add").isHidden()
