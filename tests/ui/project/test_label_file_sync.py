"""Label files beside the images follow each edit in the window; what other programs write is told and left alone."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QLabel, QLineEdit, QRadioButton
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import AUTOSYNC, Label
from workbench.errors import WorkbenchError
from workbench.exchange import autosync
from workbench.ui.data.label_files_window import LabelFilesWindow
from workbench.ui.data.page import DataPage
from workbench.ui.project import label_file_sync
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def labelled(project: Path) -> Path:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
    return project


def texts(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in sorted((folder.parent / "photographs").glob("*.txt"))}


def choose(window: MainWindow, format: str) -> LabelFilesWindow:
    window.findChild(DataPage).show_label_files()
    dialog: LabelFilesWindow = find(window, LabelFilesWindow, "beside-window")
    button = find(dialog, QRadioButton, f"beside-{format or 'off'}")
    button.click()
    return dialog


def state(dialog: LabelFilesWindow) -> str:
    return str(find(dialog, QLabel, "beside-state").text())


def test_a_box_that_is_drawn_is_in_the_file_beside_its_image(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(labelled, "data")
    dialog = choose(window, "yolo")
    qtbot.waitUntil(lambda: state(dialog) == "0 label files written beside the images.")
    dialog.close()
    window.show_page("label")
    hand = WindowDriver(qtbot, window)
    hand.drag((20, 10), (120, 60))
    qtbot.waitUntil(lambda: "a.txt" in texts(labelled))
    index, *numbers = texts(labelled)["a.txt"].split()
    assert index == "0"
    assert [round(float(number), 1) for number in numbers] == [0.3, 0.3, 0.5, 0.5]
    assert texts(labelled)["classes.txt"] == "cat\n"
    window.session.undo()
    qtbot.waitUntil(lambda: "a.txt" not in texts(labelled), timeout=10_000)


def test_the_window_shows_where_the_files_lie_and_how_they_stand(
    labelled: Path, open_window: Open, qtbot: QtBot
) -> None:
    with Document.open(labelled) as document:
        draw(document, 0)
    (labelled.parent / "photographs" / "a.txt").write_text("0 0.1 0.1 0.1 0.1\n")
    window = open_window(labelled, "data")
    dialog = choose(window, "yolo")
    assert find(dialog, QLabel, "beside-place").text() == "a.png  →  a.txt  in the same folder"
    qtbot.waitUntil(lambda: "1 changed by another program left alone.\na.txt." in state(dialog))
    assert texts(labelled)["a.txt"] == "0 0.1 0.1 0.1 0.1\n"
    assert "Import labels on the Data page" in find(window, QLabel, "message-text").text()
    find(window, QAction, "action-import-labels").trigger()
    proposed = find(window, QLineEdit, "import-path").text()
    assert proposed == str(labelled.parent / "photographs"), "nobody has to find them"
    find(dialog, QRadioButton, "beside-off").click()
    assert window.session.document.setting(AUTOSYNC) == ""
    assert state(dialog) == "The files that are there stay as they are."


def draw(document: Document, row: int) -> None:
    from workbench.core.project import Box

    document.do(edits.AddBoxes((Box(0, document.images()[row].id, document.labels()[0].id, (0, 0, 100, 50)),)))


def test_all_files_are_looked_at_when_the_project_is_opened(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    with Document.open(labelled) as document:
        autosync.choose_format(document, "voc")
        draw(document, 1)
    open_window(labelled)
    qtbot.waitUntil((labelled.parent / "photographs" / "b.xml").is_file)


def test_an_edit_just_before_closing_is_in_the_file(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    with Document.open(labelled) as document:
        autosync.choose_format(document, "yolo")
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    qtbot.waitUntil(lambda: worker._work.is_idle() and worker._outdated == frozenset())
    draw(window.session.document, 0)
    window.close_project()
    assert texts(labelled)["a.txt"] == "0 0.25 0.25 0.5 0.5\n"
    window.open(labelled)
    qtbot.waitUntil(lambda: worker._work.is_idle() and worker._outdated == frozenset())
    draw(window.session.document, 1)
    window.close()
    assert texts(labelled)["b.txt"] == "0 0.25 0.25 0.5 0.5\n"


def test_what_another_program_changes_is_told_when_one_comes_back(
    labelled: Path, open_window: Open, qtbot: QtBot
) -> None:
    with Document.open(labelled) as document:
        autosync.choose_format(document, "yolo")
        draw(document, 0)
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    qtbot.waitUntil(lambda: worker._work.is_idle() and "a.txt" in texts(labelled))
    told: list[str] = []
    window.session.message.connect(lambda level, sentence: told.append(f"{level}: {sentence}"))
    (labelled.parent / "photographs" / "a.txt").write_text("0 0.1 0.1 0.1 0.1\n")
    application = QGuiApplication.instance()
    assert isinstance(application, QGuiApplication)
    for _ in range(2):
        application.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
        qtbot.waitUntil(worker._work.is_idle)
    assert len(told) == 1, "once"
    assert told[0].startswith("warning: 1 label file beside the images was changed by another program")


def test_a_project_without_it_writes_nothing(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    hand = WindowDriver(qtbot, window)
    hand.drag((20, 10), (120, 60))
    worker.begin()
    assert worker._work.is_idle()
    window.close()
    assert texts(labelled) == {}


def test_edits_in_a_row_are_written_once(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    with Document.open(labelled) as document:
        autosync.choose_format(document, "yolo")
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    qtbot.waitUntil(lambda: worker._work.is_idle() and worker._outdated == frozenset())
    for row in range(3):
        draw(window.session.document, row)
        assert worker._clock.isActive()
        assert worker._clock.interval() == label_file_sync.AFTER
    assert len(worker._outdated) == 3
    qtbot.waitUntil(lambda: len(texts(labelled)) == 4)


@pytest.mark.parametrize("whole", [False, True], ids=["the project is closed", "the window is closed"])
def test_what_was_being_written_when_all_was_closed_is_known_to_be_ours(
    labelled: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Else each of these files would be another program's at the next opening, and never be written again."""
    with Document.open(labelled) as document:
        for place in range(3):
            draw(document, place)
    real, begun = autosync.update_files, threading.Event()

    def slow(*given: object) -> object:
        begun.set()
        time.sleep(0.3)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(autosync, "update_files", slow)
    window = open_window(labelled)
    window.session.autosync_requested.emit("yolo")
    qtbot.waitUntil(begun.is_set)
    if whole:
        window.close()
    else:
        window.close_project()
    assert len(texts(labelled)) == 4, "with the names of the labels"
    monkeypatch.undo()
    window = open_window(labelled)
    assert window.session.document is not None
    known = window.session.document.store.rows("SELECT count(*) AS n FROM written WHERE image > 0 AND ours = 1")
    assert int(known[0]["n"]) == 3


def test_what_was_written_beside_a_long_undo_is_known_to_be_ours_when_all_is_closed(
    labelled: Path, open_window: Open, qtbot: QtBot
) -> None:
    with Document.open(labelled) as document:
        autosync.choose_format(document, "yolo")
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    qtbot.waitUntil(lambda: worker._work.is_idle() and worker._outdated == frozenset())
    document = window.session.document
    draw(document, 0)
    document.store.held = "Another step is still going on."
    qtbot.waitUntil(lambda: "a.txt" in texts(labelled) and worker._work.is_idle())
    document.store.held = ""
    window.close_project()
    assert autosync.foreign(labelled) == ()
    with Document.open(labelled, read_only=True) as closed:
        assert closed.store.rows("SELECT count(*) FROM written WHERE image = 1")[0][0] == 1


def test_results_that_wait_for_a_long_undo_are_looked_at_once_each_time(
    labelled: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two, each look made two more, five times a second: the window stood still until the undo was done."""
    looks, deliver = list[float](), label_file_sync.LabelFileSync._deliver

    def look(worker: label_file_sync.LabelFileSync) -> None:
        looks.append(time.monotonic())
        deliver(worker)

    monkeypatch.setattr(label_file_sync.LabelFileSync, "_deliver", look)
    with Document.open(labelled) as document:
        autosync.choose_format(document, "yolo")
    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    qtbot.waitUntil(lambda: worker._work.is_idle() and worker._outdated == frozenset())
    assert window.session.document is not None
    window.session.document.store.held = "Another step is still going on."
    looks.clear()
    for _ in range(2):  # the window was left and came back twice
        worker._done(label_file_sync.SyncRequest(labelled, "yolo", check_only=True), ())
    qtbot.waitUntil(lambda: len(looks) >= 3)
    window.session.document.store.held = ""
    assert min(later - sooner for sooner, later in pairwise(looks)) > label_file_sync.HELD_WAIT / 2000
    qtbot.waitUntil(lambda: not worker._late)


@pytest.mark.parametrize("is_closed", [False, True])
def test_what_was_being_written_when_another_choice_was_made_is_known_to_be_ours(
    labelled: Path, open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """Chosen again after an edit, the format was no longer written: its files counted as another program's."""
    with Document.open(labelled) as document:
        for place in range(3):
            draw(document, place)
    real, begun, go_on = autosync.update_files, threading.Event(), threading.Event()

    def slow(*given: object) -> object:
        begun.set()
        go_on.wait(10)
        return real(*given)  # type: ignore[arg-type]

    window = open_window(labelled)
    worker = window.findChild(label_file_sync.LabelFileSync)
    with monkeypatch.context() as patch:
        patch.setattr(autosync, "update_files", slow)
        window.session.autosync_requested.emit("yolo")
        qtbot.waitUntil(begun.is_set)
        window.session.autosync_requested.emit("")
        if is_closed:
            threading.Timer(0.2, go_on.set).start()
            window.close_project()
            window.open(labelled)
        else:
            go_on.set()
            qtbot.waitUntil(worker._work.is_idle)
    draw(window.session.document, 0)
    window.session.autosync_requested.emit("yolo")
    qtbot.waitUntil(lambda: texts(labelled)["a.txt"].count("\n") == 2)


def test_a_choice_that_can_not_be_kept_is_not_shown_as_made(
    labelled: Path, open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full. Free some space.")

    monkeypatch.setattr(autosync, "choose_format", full)
    dialog = choose(open_window(labelled, "data"), "yolo")
    assert state(dialog) == "The disk is full. Free some space."
    assert find(dialog, QRadioButton, "beside-off").isChecked()
    assert find(dialog, QLabel, "beside-place").text() == ""
