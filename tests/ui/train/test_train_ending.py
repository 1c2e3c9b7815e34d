"""How a training ends: the ways to stop, what is told of it, and when it will be."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QProgressBar, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.generators import close
from tests.ui.window_driver import find
from workbench.training.events import (
    Control,
    Evaluated,
    Event,
    Failed,
    Finished,
    Message,
    Paused,
    Progress,
    Saved,
    Started,
)
from workbench.training.request import RunRequest
from workbench.training.settings import TrainingSettings
from workbench.ui.session import Session
from workbench.ui.train import progress, training_end, training_job
from workbench.ui.train.progress import ProgressPanel
from workbench.ui.train.runs.history import RunHistory, history_of
from workbench.ui.train.training_end import EndNotice


def evaluated(epoch: int, best: bool = True, images: int = 10) -> Evaluated:
    return Evaluated(epoch, 10 * epoch, epoch / 10, epoch / 5, 0.1, {}, images, 0.1, best)


def seen(seconds_left: float) -> Progress:
    return Progress(10, 400, 1, 40, {"box": 1.0}, 1.0, 0.1, 20.0, seconds_left, 1_500_000_000)


STARTED = Started("tiny-1", "runs/tiny-1", "fcos", "cpu", "fp32", 8, 2, 40, 400, 99)


# --- after the next evaluation ---


class Training:
    """Two steps an epoch, an evaluation after it, then its checkpoint; writes down what it has computed."""

    def __init__(self) -> None:
        self.computed: list[str] = []
        self.closed = False

    def events(self, control: Control) -> Iterator[Event]:
        try:
            for epoch in range(1, 4):
                for step in (1, 2):
                    if control.stop.is_set():
                        yield Finished(2 * epoch + step - 3, epoch, True, 0.2, 1.0, "runs/tiny-1")
                        return
                    self.computed.append(f"step {epoch}.{step}")
                    yield seen(60.0)
                self.computed.append(f"evaluation {epoch}")
                yield evaluated(epoch)
                yield Saved("best", "best.safetensors", 2 * epoch)
        finally:
            self.closed = True


def test_after_the_next_evaluation_not_one_step_is_computed() -> None:
    training, control, after = Training(), Control(), threading.Event()
    events = []
    for event in training_job.stop_after_evaluation(training.events(control), control, after):
        events.append(event)
        if training.computed == ["step 1.1"]:
            after.set()
    assert training.computed == ["step 1.1", "step 1.2", "evaluation 1"]
    assert [type(event).__name__ for event in events[-3:]] == ["Evaluated", "Saved", "Finished"]


def test_a_request_to_stop_that_was_taken_back_in_time_stops_nothing() -> None:
    training, control, after = Training(), Control(), threading.Event()
    after.set()
    for _ in training_job.stop_after_evaluation(training.events(control), control, after):
        after.clear()
    assert training.computed[-1] == "evaluation 3"
    assert not control.stop.is_set()


def test_a_training_whose_events_are_not_taken_any_more_is_closed_in_order() -> None:
    training, control = Training(), Control()
    own = training.events(control)  # held, so that it is not Python that closes it
    events = training_job.stop_after_evaluation(own, control, threading.Event())
    next(events)
    close(events)
    assert training.closed


@pytest.mark.parametrize(("every", "expected"), [(0, False), (1, True), (5, True)])
def test_a_run_that_evaluates_only_at_its_end_is_known(tmp_path: Path, every: int, expected: bool) -> None:
    recipe = SimpleNamespace(training=TrainingSettings(evaluate_every=every))  # without PyTorch
    assert training_job.evaluates(RunRequest(tmp_path, None, recipe)) == expected  # type: ignore[arg-type]
    (tmp_path / "settings.toml").write_text(f"[training]\nevaluate_every = {every}\n")
    assert training_job.evaluates(tmp_path) == expected


def test_a_run_without_settings_is_taken_to_evaluate(tmp_path: Path) -> None:
    assert training_job.evaluates(tmp_path)


@pytest.mark.parametrize(
    ("resumed", "since", "is_end"), [(0, [evaluated(0)], True), (10, [], False), (10, [seen(1.0), evaluated(2)], True)]
)
def test_a_resumed_training_that_was_stopped_before_its_first_step_did_not_stop_with_an_evaluation(
    resumed: int, since: list[Event], is_end: bool
) -> None:
    """The evaluation after which it had stopped the last time counted: though Stop was pressed, the queue went on."""
    before: list[Event] = [STARTED, seen(1.0), evaluated(1), Finished(10, 1, True, 0.2, 9.0, "")] if resumed else []
    at = since[-1].step if since and isinstance(since[-1], Evaluated) else resumed
    story = [*before, replace(STARTED, resumed_step=resumed), *since, Finished(at, 1, True, 0.2, 9.0, "")]
    assert training_end.is_end_of_evaluation(history_of(story)) == is_end


def test_a_resumed_training_that_was_stopped_while_it_read_its_images_did_not_stop_with_an_evaluation() -> None:
    """It ends without having begun; what the run did before counted."""
    ended = Finished(10, 1, True, 0.2, 9.0, "")
    history = history_of([STARTED, seen(1.0), evaluated(1), ended])
    history.await_start()
    history.add(ended)
    assert not training_end.is_end_of_evaluation(history)


# --- what is told ---


def test_what_ended_is_told_with_its_best_and_its_time() -> None:
    finished = Finished(400, 40, False, 0.6, 3_725.0, "runs/tiny-1")
    stopped = Finished(30, 3, True, 0.4, 190.0, "runs/tiny-1")
    failed = Failed("The disk is full. Make room and resume.", "ENOSPC")
    best: list[Event] = [STARTED, evaluated(2), evaluated(3, best=False)]
    stories: list[list[Event]] = [
        [*best, finished],
        [*best, stopped],
        [STARTED, stopped],
        [*best, failed],
        best,
        [STARTED, replace(evaluated(2), ap50=math.nan, best=False), finished],
        [STARTED, evaluated(2, images=1), finished],
        [STARTED, replace(evaluated(2), epoch=0, step=0), evaluated(3, best=False), finished],
        [STARTED, replace(evaluated(2, images=1), epoch=0, step=0, ap50=0.9), evaluated(2, images=1), finished],
    ]
    assert [training_end.end_sentence("tiny-1", history_of(events)) for events in stories] == [
        "The training of tiny-1 has finished after 1:02:05. Best: AP50 0.400, AP 0.200 in epoch 2.",
        "The training of tiny-1 was stopped in epoch 3 after 3:10. Best: AP50 0.400, AP 0.200 in epoch 2.",
        "The training of tiny-1 was stopped in epoch 3 after 3:10. It was not evaluated.",
        "The training of tiny-1 failed. The disk is full. Make room and resume.",
        "",
        "The training of tiny-1 has finished after 1:02:05. Its AP is not known: there was no box to judge it by.",
        "The training of tiny-1 has finished after 1:02:05. Newest: AP50 0.400, AP 0.200 in epoch 2, judged by 1 image"
        " only.",
        "The training of tiny-1 has finished after 1:02:05. It found nothing better than the weights it began"
        " with (AP50 0.400).",
        "The training of tiny-1 has finished after 1:02:05. Newest: AP50 0.400, AP 0.200 in epoch 2, judged by 1 image"
        " only. It began with AP50 0.900, AP 0.200.",
    ]  # fmt: skip


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


ENDED = history_of([STARTED, evaluated(2), Finished(400, 40, False, 0.6, 60.0, "runs/tiny-1")])


def heard(session: Session) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    session.message.connect(lambda level, words: found.append((level, words)))
    return found


def test_one_who_works_elsewhere_is_called_and_told_again_on_coming_back(
    qtbot: QtBot, owner: QWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[QWidget] = []
    monkeypatch.setattr(QApplication, "alert", called.append)
    session = Session()
    messages, notice = heard(session), EndNotice(session, owner)
    notice.tell("tiny-1", ENDED)
    assert called == [owner]
    assert [level for level, _ in messages] == ["hint"]
    for _ in range(2):
        QApplication.sendEvent(owner, QEvent(QEvent.Type.WindowActivate))
    assert len(messages) == 2
    assert messages[0] == messages[1]


def test_one_who_looks_on_is_told_once(qtbot: QtBot, owner: QWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QApplication, "alert", lambda _: pytest.fail("called"))
    owner.show()
    with qtbot.waitActive(owner):
        owner.activateWindow()
    session = Session()
    messages = heard(session)
    EndNotice(session, owner).tell("tiny-1", ENDED)
    QApplication.sendEvent(owner, QEvent(QEvent.Type.WindowActivate))
    assert len(messages) == 1


def test_a_failure_is_told_as_one_and_not_twice(owner: QWidget) -> None:
    session = Session()
    messages, notice = heard(session), EndNotice(session, owner)
    history = history_of([STARTED, Failed("The loss is not a number any more.")])
    notice.tell("tiny-1", history, already_shown=True)
    assert messages == []
    notice.tell("tiny-1", history)
    assert messages == [("error", "The training of tiny-1 failed. The loss is not a number any more.")]


# --- the panel ---


def test_the_best_weights_that_a_kill_left_are_told_as_the_best() -> None:
    """The evaluations behind the last save are learnt again: the best of those before it was told instead."""
    events: list[Event] = [STARTED, evaluated(1), evaluated(2, False), evaluated(3), replace(STARTED, resumed_step=15)]
    history = history_of([*events, evaluated(2, False), Finished(30, 2, True, 0.6, 60.0, "")])
    assert [event.epoch for event in history.evaluations] == [1, 2]
    assert training_end.end_sentence("tiny-1", history).endswith("Best: AP50 0.600, AP 0.300 in epoch 3.")
    history = history_of([STARTED, evaluated(1), replace(STARTED, resumed_step=5), Finished(6, 1, True, 0.2, 60.0, "")])
    assert training_end.end_sentence("tiny-1", history).endswith("Best: AP50 0.200, AP 0.100 in epoch 1.")


@pytest.fixture
def panel(qtbot: QtBot) -> ProgressPanel:
    made = ProgressPanel()
    qtbot.addWidget(made)
    made.show()
    return made


def title(panel: ProgressPanel) -> str:
    return str(find(panel, QLabel, "train-title").text())


def running(panel: ProgressPanel, *events: Event) -> str:
    panel.show_history("tiny-1", history_of([STARTED, *events]), True)
    return title(panel)


def test_the_time_of_the_clock_is_told_when_it_takes_long(
    panel: ProgressPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))
    monkeypatch.setattr(time, "time", lambda: noon)
    assert running(panel, seen(599.0)) == "tiny-1: training, 9:59 left"
    assert running(panel, seen(9_120.0)) == "tiny-1: training, 2:32:00 left, until 14:32"
    assert running(panel, seen(float("nan"))) == "tiny-1: training, ? left"
    assert running(panel, seen(9_120.0), Paused(True, 10)) == "tiny-1: paused"


def test_another_day_is_named() -> None:
    noon = time.mktime((2026, 3, 4, 12, 0, 0, 0, 0, -1))  # a Wednesday
    day = 86_400
    said = [progress.clock(noon + apart, noon) for apart in (3_600, day, 30 * day)]
    thursday, april = (time.strftime(part, time.localtime(noon + n * day)) for part, n in (("%a", 1), ("%b", 30)))
    assert said[0] == "13:00"
    assert said[1].startswith(f"{thursday} ")
    assert said[2].startswith(f"03 {april} ")


def test_memory_is_told_in_the_unit_of_the_status_bar(panel: ProgressPanel) -> None:
    running(panel, seen(60.0))
    assert find(panel, QLabel, "train-numbers").text().endswith("1.5 GB")


def test_before_the_first_step_it_is_told_how_many_images_are_read(panel: ProgressPanel) -> None:
    """With large photographs that takes minutes, in which a bar moved from side to side."""
    numbers, bar = find(panel, QLabel, "train-numbers"), find(panel, QProgressBar, "train-progress")
    told: list[Event] = [Message("info", "Seen in tiles."), Message("info", "Read 5 of 9 images.", done=5, total=9)]
    shown = []
    for events in (told[:1], told, [*told, STARTED], [*told, STARTED, seen(60.0)]):
        panel.show_history("tiny-1", history_of(events), True)
        shown.append((numbers.text().partition("  ")[0], bar.maximum(), bar.value()))
    assert shown[:2] == [("Reading the images …", 0, 0), ("Reading the images: 5 of 9", 9, 5)]
    assert shown[2][:2] == ("Computing the first step …", 0)
    assert shown[3][0].startswith("epoch ")
    panel.show_history("tiny-1", history_of(told), False)
    assert (numbers.text(), bar.isVisible()) == ("", False)


def test_an_ap_of_an_earlier_epoch_is_told_to_be_of_that(panel: ProgressPanel) -> None:
    """It stood beside a later one."""
    told = []
    for epoch in (1, 3):
        running(panel, evaluated(1), replace(seen(60.0), epoch=epoch))
        told.append(find(panel, QLabel, "train-numbers").text().split("  ·  ")[4])
    assert told == ["AP50 0.200", "AP50 0.200 after epoch 1"]


def test_of_a_run_that_goes_on_nothing_is_told_of_what_it_did_before(panel: ProgressPanel) -> None:
    numbers, bar = find(panel, QLabel, "train-numbers"), find(panel, QProgressBar, "train-progress")
    failure, pause = find(panel, QLabel, "train-failure"), find(panel, QPushButton, "train-pause")
    history = history_of([STARTED, seen(0.0), Paused(True, 10), Failed("The disk is full. Make room and resume.")])
    history.await_start()
    reading = Message("info", "Read 5 of 9 images.", done=5, total=9)
    shown = []
    for event in (Message("info", "Seen in tiles."), reading, replace(STARTED, resumed_step=10), seen(60.0)):
        history.add(event)
        panel.show_history("tiny-1", history, True)
        assert not failure.isVisible()
        shown.append((title(panel).removeprefix("tiny-1: "), numbers.text()[:19], bar.maximum(), pause.isEnabled()))
    assert shown == [
        ("training", "Reading the images ", 0, False),
        ("training", "Reading the images:", 9, False),
        ("training", "Computing the first", 0, True),
        ("training, 1:00 left", "epoch 1 of 40  ·  s", 400, True),
    ]


def test_a_failed_run_says_why_in_the_panel(panel: ProgressPanel) -> None:
    failure = find(panel, QLabel, "train-failure")
    panel.show_history(
        "tiny-1", history_of([STARTED, seen(60.0), Failed("The disk is full. Make room and resume.")]), False
    )
    assert (title(panel), failure.text()) == ("tiny-1: failed", "The disk is full. Make room and resume.")
    assert failure.isVisible()
    panel.show_history("tiny-2", RunHistory(), False)
    assert not failure.isVisible()


def test_a_run_that_another_program_trains_is_not_called_interrupted(panel: ProgressPanel) -> None:
    history = history_of([STARTED, seen(60.0)])
    panel.show_history("tiny-1", history, False)
    assert title(panel) == "tiny-1: interrupted; Resume goes on with it"
    history.trained_elsewhere = True
    panel.show_history("tiny-1", history, False)
    assert title(panel) == "tiny-1: training in another program, 1:00 left"
    assert find(panel, QProgressBar, "train-progress").isVisible()
    history.paused = True
    panel.show_history("tiny-1", history, False)
    assert title(panel) == "tiny-1: paused in another program"
    history.add(STARTED)  # gone on with here, after that was killed
    panel.show_history("tiny-1", history, False)
    assert title(panel).startswith("tiny-1: interrupted")


def test_the_ways_to_stop_are_there_while_it_trains_and_say_what_they_do(qtbot: QtBot, panel: ProgressPanel) -> None:
    ways = find(panel, QToolButton, "train-stop-ways")
    assert running(panel, seen(60.0)) == "tiny-1: training, 1:00 left"
    assert ways.isVisible()
    after, now = (find(panel, QAction, f"train-stop-{way}") for way in ("after", "now"))
    with qtbot.waitSignal(panel.stop_after_requested) as asked:
        after.trigger()
    assert asked.args == [True]
    assert running(panel, seen(60.0)) == "tiny-1: training, stops after the next evaluation"
    assert find(panel, QPushButton, "train-stop").isEnabled()
    with qtbot.waitSignal(panel.stop_after_requested) as asked:  # taken back
        after.trigger()
    assert asked.args == [False]
    with qtbot.waitSignal(panel.stop_requested):
        now.trigger()
    panel.show_history("tiny-1", history_of([STARTED, seen(60.0)]), True, stopping=True)
    assert title(panel) == "tiny-1: stopping …"
    assert not ways.isEnabled()
    panel.show_history("tiny-1", ENDED, False)
    assert not ways.isVisible()


def test_where_nothing_is_evaluated_before_the_end_there_is_nothing_to_wait_for(panel: ProgressPanel) -> None:
    after = find(panel, QAction, "train-stop-after")
    after.setChecked(True)
    panel.begin(False)
    assert not after.isEnabled()
    assert "only at its end" in after.toolTip()
    panel.begin(True)
    assert after.isEnabled()
    assert not after.isChecked()
