"""The queue of the Train page: trainings that wait, begin by themselves, and are moved, edited and removed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFrame, QLineEdit, QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.queue.train_queue_driver import (
    ANCHORS,
    end_with_evaluation,
    heard,
    is_training,
    on_disk,
    put,
    rows,
    table,
    trained,
    two_wait,
    typed,
)
from tests.ui.train.train_page_driver import (
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
from workbench.core.formatting import count
from workbench.core.project import State
from workbench.training.checks.findings import WARNING
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train import training_job
from workbench.ui.train.form.start_from import PUBLISHED
from workbench.ui.train.page import TrainPage
from workbench.ui.train.preflight.checks import Checks
from workbench.ui.train.queue.queue_list import STATE, TURN
from workbench.ui.train.work import PublishedWeights

__all__ = ["page", "session", "training", "two_wait"]  # fixtures
CTRL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


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
    press(qtbot, two_wait, "train-start")
    qtbot.waitUntil(lambda: session.is_training)
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: not two_wait._queue._next.isActive())
    assert sum(words.startswith("The queue has ended") for words in said) == 1


def test_the_form_can_be_filled_in_for_the_next_one_while_one_trains(
    qtbot: QtBot, two_wait: TrainPage, session: Session
) -> None:
    assert not button(two_wait, "train-start").isEnabled()
    assert find(two_wait, QLineEdit, "train-run-name").text() == ""
    typed(two_wait, "form-epochs", "many")
    assert not button(two_wait, "train-next").isEnabled()
    typed(two_wait, "form-epochs", "9")
    QTest.keyClick(two_wait.window(), Qt.Key.Key_Return, CTRL_SHIFT)
    qtbot.waitUntil(lambda: len(rows(two_wait)) == 3)
    assert rows(two_wait)[-1] == "yolov4-tiny", "as the line above the queue names it"


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


def test_weights_that_are_not_fetched_yet_are_told_when_one_is_queued(
    qtbot: QtBot, two_wait: TrainPage, session: Session, tmp_path: Path
) -> None:
    """While the window asks whether to fetch them, Train next can be pressed: that was an error in Workbench."""
    start = two_wait._setup.start_from
    start.offer(PublishedWeights("yolov4-tiny", "", 23.1, "", "", tmp_path / "yolov4-tiny.conv.29"), "yolov4-tiny")
    start.setCurrentIndex(start.findData(PUBLISHED))
    said = heard(session)
    press(qtbot, two_wait, "train-next")
    qtbot.waitUntil(lambda: said == ["The published weights are not on this machine. Fetch them, or choose others."])
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
    two_wait._train = training_job.train
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


def test_stop_holds_the_queue_also_if_the_training_was_to_stop_after_its_next_evaluation(
    qtbot: QtBot, two_wait: TrainPage, session: Session, training: FakeTraining
) -> None:
    training.evaluates = False
    two_wait._progress.after.trigger()
    press(qtbot, two_wait, "train-stop")
    qtbot.waitUntil(lambda: not session.is_training)
    assert text(two_wait, "train-queue-words").startswith("The queue is held because a training was stopped")


def test_what_is_told_of_the_queue_says_what_happens_next(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    label_all(session)
    ready(qtbot, page)
    said = heard(session)
    (weights := tmp_path / "begun.safetensors").touch()
    put(qtbot, page, "a")
    assert said[0].startswith("'a' waits in the queue. Start the queue, or a training, which it then follows.")
    assert page._setup.settled, "the form must not change by itself"
    page._setup.start_from.begin_from(weights)
    page._setup.buttons.queue_requested.emit()  # the check refuses such weights
    weights.unlink()
    page._setup.start_from.begin_from(None)
    started(qtbot, page, 2)
    press(qtbot, page, "train-queue-hold")
    put(qtbot, page, "b")
    assert said[-1].startswith("'b' waits in the queue. The queue is held until you press Go on.")
    press(qtbot, page, "train-queue-hold")
    assert said[-1] == "The queue goes on when this training has ended."
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "a"))
    end_with_evaluation(qtbot, page, session)
    qtbot.waitUntil(lambda: is_training(session, "b"))
    assert said[-1].endswith(f"{weights}: there is no such file. Choose other weights to start from.")


def test_pause_only_pauses(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    press(qtbot, two_wait, "train-pause")
    qtbot.waitUntil(lambda: text(two_wait, "train-title").endswith("paused"))
    assert rows(two_wait) == ["first", "second"]
    assert is_training(session, "running")


def test_hold_lets_the_training_go_on_and_none_begin(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    press(qtbot, two_wait, "train-queue-hold")
    assert text(two_wait, "train-queue-words") == "The queue is held: 2 trainings wait."
    end_with_evaluation(qtbot, two_wait, session)
    assert not session.is_training
    press(qtbot, two_wait, "train-queue-hold")
    qtbot.waitUntil(lambda: is_training(session, "first"))


def test_a_queue_that_is_held_is_not_told_to_have_ended(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    said = heard(session)
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: is_training(session, "first"))
    press(qtbot, two_wait, "train-queue-hold")
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: not two_wait._queue._next.isActive())
    assert rows(two_wait) == ["second"]
    assert not [words for words in said if words.startswith("The queue has ended")]


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


# --- beside the queue ---


def test_the_status_bar_counts_the_runs(qtbot: QtBot, two_wait: TrainPage, session: Session) -> None:
    (job,) = (job for job in session.jobs if job.is_training)
    assert job.place == (1, 3)
    press(qtbot, two_wait, "train-queue-hold")
    assert job.place == (1, 1)
    press(qtbot, two_wait, "train-queue-hold")
    end_with_evaluation(qtbot, two_wait, session)
    qtbot.waitUntil(lambda: [job.place for job in session.jobs if job.is_training] == [(2, 3)])


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
