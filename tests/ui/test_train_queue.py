"""The queue of the Train page: trainings that wait, begin by themselves, and are moved, edited and removed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFrame, QLineEdit, QTableWidget, QTabWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.test_accessible import nameless, unreachable
from tests.ui.train_page_driver import (
    FakeTraining,
    button,
    label_all,
    page,
    points,
    press,
    ready,
    run_rows,
    session,
    started,
    text,
    training,
)
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.core.project import AnchorSet, State
from workbench.training import queue_file
from workbench.training.findings import WARNING
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.checks import Checks
from workbench.ui.train.page import TrainPage
from workbench.ui.train.queue_list import NAME, START, STATE, TURN

__all__ = ["page", "session", "training"]  # fixtures
SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
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
    return [job.title for job in session.jobs if job.pauses] == [f"Training {name}"]


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
    name = next(job.title for job in session.jobs if job.pauses)
    page._progress.after.trigger()
    qtbot.waitUntil(lambda: not [job for job in session.jobs if job.title == name])


# --- one after the other ---


def test_trainings_begin_one_after_the_other_and_nothing_is_left(
    qtbot: QtBot, two_wait: TrainPage, session: Session, training: FakeTraining
) -> None:
    said = heard(session)
    assert rows(two_wait) == on_disk(session) == ["first", "second"]
    assert rows(two_wait, STATE) == ["next", "waiting"]
    assert rows(two_wait, TURN) == ["1", "2"]
    assert text(two_wait, "train-queue-words") == "2 trainings wait. Next: first."
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: is_training(session, "first") and rows(two_wait) == ["second"])
    assert text(two_wait, "train-title").startswith("first: training")
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: is_training(session, "second") and rows(two_wait) == [])
    assert on_disk(session) == []
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: said[-1].startswith("The queue has ended: running stopped, AP50"))
    assert trained(training) == ["running", "first", "second"]
    requests = [one for one in training.requests if isinstance(one, RunRequest)]
    assert [one.recipe.training.epochs for one in requests[1:]] == [7, 8]
    assert not find(two_wait, QFrame, "train-queue-bar").isVisible()
    assert not find(two_wait, QTabWidget, "train-tabs").isTabVisible(1)
    assert sum("was stopped in epoch" in words for words in said) == 3, "each end is told"


def test_the_form_can_be_filled_in_for_the_next_one_while_one_trains(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    assert not button(two_wait, "train-start").isEnabled()
    assert find(two_wait, QLineEdit, "train-run-name").text() == ""
    typed(two_wait, "form-epochs", "many")
    assert not button(two_wait, "train-next").isEnabled()
    typed(two_wait, "form-epochs", "9")
    QTest.keyClick(two_wait.window(), Qt.Key.Key_Return, CTRL | SHIFT)
    qtbot.waitUntil(lambda: len(rows(two_wait)) == 3)
    assert rows(two_wait)[-1] == "automatic"


def test_a_name_that_is_taken_by_a_run_or_in_the_queue_is_refused_at_once(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    said = heard(session)
    for number, name in enumerate(("running", "First"), start=1):
        typed(two_wait, "run-name", name)
        press(qtbot, two_wait, "train-next")
        qtbot.waitUntil(lambda number=number: len(said) == number)  # type: ignore[misc]
    assert said[0] == "There is a run called 'running' already. Choose another name."
    assert said[1] == "A training that waits is called 'First' already. Choose another name."
    assert len(rows(two_wait)) == 2


def test_what_could_not_be_learnt_is_told_when_it_is_queued(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    said = heard(session)
    typed(two_wait, "form-learning_rate", "0")
    press(qtbot, two_wait, "train-next")
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["The learning rate is 0, so nothing can be learnt. Choose another."]
    assert len(rows(two_wait)) == 2


def test_what_is_odd_about_a_training_is_told_when_it_is_queued_also_during_another(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    said = heard(session)
    put(qtbot, two_wait, "short", "1")  # the run has only a few steps
    number = sum(one.level == WARNING for one in find(two_wait, Checks, "train-checks").found)
    assert number
    assert said[-1].endswith(f"{count(number, 'warning')} about it: see above the button.")
    put(qtbot, two_wait, "long", "300")
    left = sum(one.level == WARNING for one in find(two_wait, Checks, "train-checks").found)
    assert left < number


def test_it_learns_from_the_project_as_it_is_when_its_turn_comes_with_the_anchors_of_before(
    qtbot: QtBot, page: TrainPage, session: Session, training: FakeTraining
) -> None:
    label_all(session)
    session.do(edits.ChangeSetting("anchors", ANCHORS.to_setting()))
    started(qtbot, page, 2)
    put(qtbot, page, "later")
    assert session.document is not None
    session.do(edits.ChangeSetting("anchors", None))
    session.do(edits.SetState((session.document.images()[0].id,), State.IN_WORK))
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "later") and len(training.requests) == 2)
    request = training.requests[1]
    assert isinstance(request, RunRequest)
    assert request.anchors == ANCHORS
    assert [image.state for image in request.snapshot.images].count(State.DONE) == 2


def test_one_that_can_not_begin_stays_with_the_reason_and_the_next_one_begins(
    qtbot: QtBot, two_wait: TrainPage, session: Session, training: FakeTraining
) -> None:
    assert session.document is not None
    (session.document.runs_folder / "first").mkdir()
    (session.document.runs_folder / "first" / "somebody's.txt").touch()
    said = heard(session)
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: is_training(session, "second") and len(rows(two_wait)) == 1)
    assert rows(two_wait, STATE)[0] == "could not begin"
    assert [words for words in said if words.startswith("'first' of the queue could not begin")]
    find(two_wait, QTabWidget, "train-tabs").setCurrentIndex(1)
    assert text(two_wait, "train-queue-note") == "first: There is a run called 'first' already. Choose another name."
    assert table(two_wait).item(0, STATE).toolTip() in text(two_wait, "train-queue-note")
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: said[-1].startswith("The queue has ended: "))
    assert "first could not begin" in said[-1]
    (session.document.runs_folder / "first" / "somebody's.txt").unlink()
    (session.document.runs_folder / "first").rmdir()
    assert button(two_wait, "train-queue-hold").text() == "Try again"
    press(qtbot, two_wait, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first") and rows(two_wait) == [])


def test_one_that_its_training_refuses_says_so_in_the_list(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    """No image is done any more when its turn comes: then the others can't begin either."""
    assert session.document is not None
    ids = tuple(image.id for image in session.document.images())
    session.do(edits.SetState(ids, State.IN_WORK))
    two_wait._train = work.train
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: not session.is_training and "could not begin" in text(two_wait, "train-queue-words"))
    assert rows(two_wait, STATE) == 2 * ["could not begin"]
    assert text(two_wait, "train-queue-note").startswith("first: None of the 3 images")
    table(two_wait).selectRow(1)
    assert text(two_wait, "train-queue-note").startswith("second: None of the 3 images")
    assert rows(two_wait, TURN) == ["–", "–"]


# --- held ---


def test_stop_holds_the_queue_and_a_button_lets_it_go_on(
    qtbot: QtBot, two_wait: TrainPage, session: Session, training: FakeTraining
) -> None:
    offers: list[str] = []
    session.offered.connect(lambda word, _act: offers.append(word))
    press(qtbot, two_wait, "train-stop")
    qtbot.waitUntil(lambda: not session.is_training and offers == ["Go on"])
    held = "The queue is held because a training was stopped: 2 trainings wait."
    assert text(two_wait, "train-queue-words") == held
    press(qtbot, two_wait, "train-start")  # another one does not let it go on
    qtbot.waitUntil(lambda: session.is_training)
    assert text(two_wait, "train-queue-words") == held
    end_with_evaluation(qtbot, two_wait, session)
    assert not session.is_training
    said = heard(session)
    press(qtbot, two_wait, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first"))
    assert said[0] == "The queue goes on with 'first'.", "the corner said that it is held"
    assert button(two_wait, "train-queue-hold").text() == "Hold"


def test_pause_only_pauses(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    press(qtbot, two_wait, "train-pause")
    qtbot.waitUntil(lambda: button(two_wait, "train-pause").text() == "Continue")
    assert rows(two_wait) == ["first", "second"]
    assert is_training(session, "running")


def test_hold_lets_the_training_go_on_and_none_begin(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    press(qtbot, two_wait, "train-queue-hold")
    assert text(two_wait, "train-queue-words") == "The queue is held: 2 trainings wait."
    end_with_evaluation(qtbot, two_wait, session)
    assert not session.is_training
    press(qtbot, two_wait, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first"))


def test_what_is_queued_before_any_training_begins_by_a_button(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    label_all(session)
    ready(qtbot, page)
    put(qtbot, page, "evening")
    assert not session.is_training
    assert button(page, "train-queue-hold").text() == "Start the queue"
    press(qtbot, page, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "evening") and points(page, "loss", "box") > 1)


def test_a_queue_that_was_not_begun_follows_the_training_that_a_person_starts(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    label_all(session)
    ready(qtbot, page)
    put(qtbot, page, "second")
    typed(page, "run-name", "first")
    started(qtbot, page, 2)
    assert text(page, "train-queue-words") == "1 training waits. Next: second."
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "second"))


# --- order, editing, removing ---


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


# --- the project is closed and opened ---


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
    while not events.is_file() or b"Started" not in events.read_bytes():
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


# --- beside the queue ---


def test_the_status_bar_counts_the_runs(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    (job,) = (job for job in session.jobs if job.pauses)
    assert job.place == (1, 3)
    press(qtbot, two_wait, "train-queue-hold")
    assert job.place == (1, 1)
    press(qtbot, two_wait, "train-queue-hold")
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: [job.place for job in session.jobs if job.pauses] == [(2, 3)])


def test_curves_of_another_run_that_a_person_looks_at_stay(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: is_training(session, "first"))
    qtbot.waitUntil(lambda: "running" in [name for name, _ in run_rows(two_wait)])
    page_runs = find(two_wait, QTableWidget, "train-runs")
    page_runs.selectRow([name for name, _ in run_rows(two_wait)].index("running"))
    qtbot.waitUntil(lambda: text(two_wait, "train-title").startswith("running: stopped"))
    two_wait._stop_after.set()
    two_wait._progress.stop_after_requested.emit(True)
    qtbot.waitUntil(lambda: is_training(session, "second"))
    assert text(two_wait, "train-title").startswith("running: stopped")
