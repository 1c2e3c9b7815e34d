"""The list of the trainings that wait: they are moved, edited and removed, and kept while the project is closed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.test_accessible import nameless, unreachable
from tests.ui.test_held_keys import hold
from tests.ui.train.queue.train_queue_driver import (
    ANCHORS,
    heard,
    is_training,
    on_disk,
    put,
    rows,
    table,
    trained,
    two_wait,
)
from tests.ui.train.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    page,
    press,
    ready,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.training.records import queue_file
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage
from workbench.ui.train.queue.queue_list import EPOCHS, START, STATE

__all__ = ["page", "session", "training", "two_wait"]  # fixtures
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def in_list(qtbot: QtBot, two_wait: TrainPage) -> TrainPage:
    """The tab of the queue is shown, and has the keyboard."""
    put(qtbot, two_wait, "third")
    find(two_wait, QTabWidget, "train-tabs").setCurrentIndex(1)
    window = two_wait.window()
    with qtbot.waitActive(window):
        window.activateWindow()
    table(two_wait).selectRow(0)
    table(two_wait).setFocus()
    return two_wait


def key(page: TrainPage, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(table(page), key, held)


def test_waiting_trainings_are_moved_by_keys_and_buttons(qtbot: QtBot, in_list: TrainPage, session: Session) -> None:
    assert find(in_list, QTabWidget, "train-tabs").tabText(1) == "Queue (3)"
    assert text(in_list, "train-queue-note") == "Each learns from the project as it is when its turn comes."
    assert not button(in_list, "train-queue-earlier").isEnabled()
    key(in_list, Qt.Key.Key_Down, ALT)
    assert on_disk(session) == rows(in_list) == ["second", "first", "third"]
    press(qtbot, in_list, "train-queue-later")
    assert on_disk(session) == ["second", "third", "first"], "the moved one stays selected"
    assert not button(in_list, "train-queue-later").isEnabled()
    table(in_list).setFocus()
    key(in_list, Qt.Key.Key_Up, ALT)
    assert rows(in_list) == ["second", "first", "third"]
    assert rows(in_list, STATE) == ["next", "waiting", "waiting"]


def test_space_on_later_at_the_end_does_not_press_the_next_button(qtbot: QtBot, in_list: TrainPage) -> None:
    """Qt moves the focus from a button that can't be pressed any more."""
    later = button(in_list, "train-queue-later")
    later.setFocus()
    for _ in range(3):
        QTest.keyClick(in_list.window().focusWidget(), Qt.Key.Key_Space)
    assert rows(in_list) == ["second", "third", "first"]
    assert table(in_list).hasFocus()


def test_every_control_of_the_queue_has_a_name_and_is_reached_by_tab(in_list: TrainPage) -> None:
    assert nameless(in_list) == []
    assert unreachable(in_list) == []


def test_a_removed_one_comes_back_by_undo(qtbot: QtBot, in_list: TrainPage, session: Session) -> None:
    key(in_list, Qt.Key.Key_Down)
    key(in_list, Qt.Key.Key_Delete)
    assert on_disk(session) == ["first", "third"]
    assert session.undo_title == "Remove second from the queue"
    session.undo_last()
    assert on_disk(session) == rows(in_list) == ["first", "second", "third"]
    session.redo_last()
    assert on_disk(session) == ["first", "third"]


def test_a_held_key_removes_one(in_list: TrainPage, session: Session) -> None:
    hold(table(in_list), find(in_list, QAction, "action-queue-remove"))
    assert on_disk(session) == ["second", "third"]


def test_the_epochs_are_those_that_the_images_of_now_make_them(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    """It said 300, and 437 were trained."""
    label_all(session)
    started(qtbot, page, 2)
    page._setup.form.set_values({"epochs": 300, "batch": 8})
    page._setup.form.set_values({"least_steps": 1000, "hold_out": 0.0})
    put(qtbot, page, "few")
    assert session.document is not None
    images = [image.id for image in session.document.images()]
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    assert rows(page, EPOCHS) == ["1,334"], "of 3 images, in batches of 4"
    session.do(edits.SetState(tuple(images[1:]), State.IN_WORK))
    assert rows(page, EPOCHS) == ["4,000"]
    made = "4,000 epochs in batches of 4 (Least steps)"
    assert table(page).item(0, EPOCHS).toolTip() == f"With so few images {made}, instead of 300 in 8"


def test_an_edited_one_is_taken_back_into_the_form_with_everything(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    label_all(session)
    session.do(edits.ChangeSetting("anchors", ANCHORS.to_setting()))
    started(qtbot, page, 2)
    weights = tmp_path / "begun.safetensors"
    weights.touch()
    combo = find(page, QComboBox, "train-detector")
    combo.setCurrentIndex(combo.findData("yolov3"))
    combo.activated.emit(combo.currentIndex())
    page._setup.form.set_values({"tiles": 128})
    page._setup.start_from.begin_from(weights)
    page._setup.buttons.queue_requested.emit()  # the check refuses such weights
    assert rows(page, START) == ["begun.safetensors"]
    combo.setCurrentIndex(combo.findData("fcos"))
    combo.activated.emit(combo.currentIndex())
    session.do(edits.ChangeSetting("anchors", None))
    find(page, QTabWidget, "train-tabs").setCurrentIndex(1)
    table(page).selectRow(0)
    press(qtbot, page, "train-queue-edit")
    assert (rows(page), on_disk(session)) == ([], [])
    assert combo.currentData() == "yolov3"
    assert page._setup.form.text("tiles") == "128"
    assert page._setup.start_from.file == weights
    assert session.document is not None
    assert session.document.anchors() == ANCHORS


def test_what_waits_is_held_when_the_project_is_opened_again(
    qtbot: QtBot, two_wait: TrainPage, session: Session, training: FakeTraining
) -> None:
    assert session.document is not None
    folder = session.document.folder
    session.close()
    assert rows(two_wait) == []
    session.open(Document.open(folder))
    assert rows(two_wait) == ["first", "second"]
    assert text(two_wait, "train-queue-words") == "The queue is held because the project was closed: 2 trainings wait."
    press(qtbot, two_wait, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first"))
    qtbot.waitUntil(lambda: trained(training)[-1] == "first")
    assert text(two_wait, "train-title").startswith("first: training")


def test_one_that_starts_while_the_project_is_closed_does_not_wait_any_more(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    """The window hears of its start only once the training has ended: it would be trained twice."""
    label_all(session)
    ready(qtbot, page)
    put(qtbot, page, "a")
    assert session.document is not None
    folder = session.document.folder
    button(page, "train-queue-hold").click()
    events = folder / "runs" / "a" / "events.jsonl"
    end = time.monotonic() + 60
    while not events.is_file() or b"Started" not in events.read_bytes():  # without the window's loop
        assert time.monotonic() < end
        time.sleep(0.01)
    session.close()
    assert queue_file.read(folder / queue_file.FILE) == ()


def test_one_whose_plugin_has_gone_says_so_and_stays(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    assert session.document is not None
    folder, said = session.document.folder, heard(session)
    session.close()
    file = folder / queue_file.FILE
    file.write_text(file.read_text("utf-8").replace('"yolov4-tiny"', '"mine"'), "utf-8")
    session.open(Document.open(folder))
    table(two_wait).selectRow(0)
    button(two_wait, "train-queue-edit").click()
    assert "mine" in said[-1]
    press(qtbot, two_wait, "train-queue-hold")
    assert rows(two_wait) == on_disk(session) == ["first", "second"]
    assert "mine" in text(two_wait, "train-queue-note")
    assert not session.is_training


def test_a_project_that_is_open_for_reading_only_has_no_queue(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    assert session.document is not None
    folder = session.document.folder
    session.close()
    with Document.open(folder):
        session.open(Document.open(folder))
        ready(qtbot, two_wait)
        assert not button(two_wait, "train-next").isEnabled()
        assert "being edited by" in button(two_wait, "train-next").toolTip()
        assert button(two_wait, "train-start").isEnabled(), "as before"
        assert rows(two_wait) == []
        session.close()
    assert [one.name for one in queue_file.read(folder / queue_file.FILE)] == ["first", "second"]


def test_a_file_of_a_newer_version_is_told_and_kept(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    assert session.document is not None
    folder = session.document.folder
    (folder / queue_file.FILE).write_text('{"version": 9}')
    session.close()
    said = heard(session)
    session.open(Document.open(folder))
    assert "newer version" in said[-1]
    ready(qtbot, page)
    assert "newer version" in text(page, "train-queue-words")
    put(qtbot, page, "a")
    qtbot.waitUntil(lambda: said[-1].endswith("What could not be read is kept as training-queue-1.json."))
    assert (folder / "training-queue-1.json").read_text() == '{"version": 9}'
