"""Whole trainings whose steps are read later: told, saved, stopped and resumed as those that are read at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.generators import close
from tests.training.run_results import MakeRequest, logged, only, same, weights
from tests.training.slow_device import SlowRuntime
from tests.training.toys import Toy
from workbench.detectors.parts.detector import Raw, Targets
from workbench.training.checkpoints import checkpoint, save_schedule
from workbench.training.events import Control, Evaluated, Event, Failed, Finished, Message, Paused, Progress, Saved
from workbench.training.hardware import machine
from workbench.training.hardware.runtime import Runtime
from workbench.training.run import resume, train
from workbench.training.step import Stepper


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Networks as small as these are slowed down by threads that wait for each other."""
    with machine.one_thread_each():
        yield


def story(events: list[Any]) -> list[Any]:
    """What does not depend on the clock."""
    told = [event for event in events if not isinstance(event, Progress)]
    return [(type(event), getattr(event, "step", None), getattr(event, "ap", None)) for event in told]


@pytest.mark.parametrize("lag", [1, 1000])
def test_a_training_that_is_read_later_is_the_one_that_is_read_at_once(request_of: MakeRequest, lag: int) -> None:
    now, later = request_of("now", ema=0.0), request_of("later", ema=0.0)
    first, second = list(train(now)), list(train(later, runtime=SlowRuntime(lag)))
    assert story(first) == story(second)
    assert [event.step for event in only(second, Progress)][-1] == 6
    assert same(weights(now.folder), weights(later.folder))
    assert second == logged(later)


@pytest.mark.parametrize("save_every", [0.0, 60.0])
def test_each_step_is_told_once_and_in_order_before_what_comes_behind_it(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, save_every: float
) -> None:
    monkeypatch.setattr("workbench.training.monitoring.meter.REPORT_EVERY", 0.0)  # each step is reported
    monkeypatch.setattr(save_schedule, "EVERY", save_every)
    events = list(train(request_of(evaluate_every=2), runtime=SlowRuntime(1000)))
    told = [(type(event), event.step) for event in events if isinstance(event, Progress | Evaluated | Saved)]
    assert [step for kind, step in told if kind is Progress] == [1, 2, 3, 4, 5, 6]
    assert [step for _, step in told] == sorted(step for _, step in told)


@pytest.mark.parametrize("lag", [1])
def test_a_late_training_that_is_stopped_and_resumed_is_the_straight_one(request_of: MakeRequest, lag: int) -> None:
    straight, broken = request_of("straight"), request_of("broken")
    list(train(straight, runtime=SlowRuntime(lag)))
    control = Control()
    for event in train(broken, control, SlowRuntime(lag)):
        if isinstance(event, Evaluated):
            control.stop.set()
    list(resume(broken.folder, runtime=SlowRuntime(lag)))
    assert same(weights(straight.folder), weights(broken.folder))


def spoil(monkeypatch: pytest.MonkeyPatch, call: int, then: Callable[[], None] = lambda: None) -> None:
    """Let the toy's loss be no number in its `call`-th step, counted from 1."""
    before, calls = Toy.loss, [0]

    def loss(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        calls[0] += self.training
        terms = before(self, raw, targets)
        if self.training and calls[0] == call:
            then()
            return {name: term * math.nan for name, term in terms.items()}
        return terms

    monkeypatch.setattr(Toy, "loss", loss)


@pytest.mark.parametrize(("lag", "every"), [(1, 1), (1000, 0)])
def test_a_loss_that_is_no_number_is_told_late_with_its_own_step_and_images(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, lag: int, every: int
) -> None:
    sentences = []
    for name, runtime in (("now", Runtime()), ("later", SlowRuntime(lag))):
        request = request_of(name, evaluate_every=every)
        with monkeypatch.context() as patched:
            spoil(patched, 4)
            events = list(train(request, runtime=runtime))
        assert isinstance(events[-1], Failed)
        assert only(events, Progress)[-1].step <= 3
        sentences.append(events[-1].sentence)
        assert checkpoint.load_state(request.folder / "last.state.pt").step == 3
    assert "It was at step 4, learning rate" in sentences[0]
    assert sentences[0] == sentences[1]
    now, later = (weights(one.folder) for one in (request_of("now"), request_of("later")))
    learnt = [name for name in now if name.startswith("now")]
    assert same({name: now[name] for name in learnt}, {name: later[name] for name in learnt})
    for name in now:
        if name.startswith("mean"):
            torch.testing.assert_close(now[name], later[name], rtol=1e-6, atol=1e-7)

    (*_, end) = resume(request.folder)
    assert isinstance(end, Finished)
    assert end.step == 6


@pytest.mark.parametrize("lag", [0, 1, 1000])
def test_numbers_that_half_precision_can_not_hold_are_computed_in_fp32_from_there(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, lag: int
) -> None:
    """It failed, and said that the learning rate was too high. A lag of 0: on a processor."""
    before, calls, half = Toy.forward, [0], machine.Precision("bf16", "")

    def forward(self: Toy, images: Tensor) -> Raw:
        calls[0] += self.training
        odd = self.training and calls[0] >= 4 and torch.is_autocast_enabled("cpu")
        return tuple(level * (math.inf if odd else 1.0) for level in before(self, images))

    monkeypatch.setattr(Toy, "forward", forward)
    monkeypatch.setattr(machine, "choose_precision", lambda *_: half)
    request = request_of()
    events = list(train(request, runtime=SlowRuntime(lag) if lag else Runtime()))
    assert isinstance(events[-1], Finished)
    assert events[-1].step == 6
    told = [event.sentence for event in only(events, Message) if "goes on in fp32" in event.sentence]
    assert told == [
        "The loss or its gradient is not a number any more in bf16: the training goes on in fp32 from step 4."
    ]
    assert [event.step for event in only(events, Evaluated)] == [2, 3, 5, 6]
    state = checkpoint.load_state(request.folder / checkpoint.STATE)
    assert (state.precision, state.fp32_needed) == ("fp32", True)
    assert all(tensor.isfinite().all() for tensor in state.detector.values())


def test_a_training_that_is_stopped_just_after_such_numbers_has_not_failed(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, control = Toy.forward, [0], Control()

    def forward(self: Toy, images: Tensor) -> Raw:
        calls[0] += self.training
        if calls[0] == 4:
            control.stop.set()
        odd = self.training and calls[0] == 4 and torch.is_autocast_enabled("cpu")
        return tuple(level * (math.inf if odd else 1.0) for level in before(self, images))

    monkeypatch.setattr(Toy, "forward", forward)
    monkeypatch.setattr(machine, "choose_precision", lambda *_: machine.Precision("bf16", ""))
    request = request_of(evaluate_every=0)
    (*_, end) = train(request, control, SlowRuntime(1000))
    assert isinstance(end, Finished)
    assert (end.step, end.stopped) == (3, True)
    assert checkpoint.load_state(request.folder / checkpoint.STATE).precision == "fp32"


def test_a_checkpoint_waits_for_what_is_unread(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save_schedule, "EVERY", 0.0)
    spoil(monkeypatch, 1)
    events = list(train(request_of(evaluate_every=0), runtime=SlowRuntime(1000)))
    assert [event.step for event in only(events, Saved)] == []  # the one at step 2 was not written
    end = events[-1]
    assert isinstance(end, Failed)
    assert "It was at step 1" in end.sentence


def test_a_pause_waits_for_what_is_unread(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    spoil(monkeypatch, 1, control.pause.set)
    events = []
    for event in train(request_of(), control, SlowRuntime(1000)):
        events.append(event)
        if isinstance(event, Paused):  # which it must not
            control.stop.set()
    assert isinstance(events[-1], Failed)
    assert only(events, Paused) == []


@pytest.mark.parametrize("close", [False, True])
def test_a_training_that_ends_before_it_was_read_says_so_in_its_record(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, close: bool
) -> None:
    """Stopped, or closed, in the very step that is no number."""
    control = Control()
    request = request_of(evaluate_every=0, mini_batch=4)
    first = [True]

    def leave() -> None:
        if not close:
            control.stop.set()

    spoil(monkeypatch, 2, leave)
    before = Stepper.queue

    def order(self: Stepper, *given: Any, **more: Any) -> None:
        before(self, *given, **more)
        if close and given[2] == 1 and first.pop():
            raise KeyboardInterrupt

    monkeypatch.setattr(Stepper, "queue", order)
    if close:
        with pytest.raises(KeyboardInterrupt):
            list(train(request, control, SlowRuntime(1000)))
    else:
        list(train(request, control, SlowRuntime(1000)))
    end = logged(request)[-1]
    assert isinstance(end, Failed)
    assert checkpoint.load_state(request.folder / "last.state.pt").step == 1


def test_a_closed_training_leaves_a_complete_record(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.training.monitoring.meter.REPORT_EVERY", 0.0)
    request = request_of(evaluate_every=0)
    events = train(request, runtime=SlowRuntime(2))
    for event in events:
        if isinstance(event, Progress):
            break
    close(events)
    record: list[Event] = [event for event in logged(request) if not isinstance(event, Message)]
    assert isinstance(record[-1], Finished)
    assert [event.step for event in only(record, Progress)] == list(range(1, record[-1].step + 1))
    assert record[-1].step == 3


def test_within_a_long_epoch_it_is_saved_too_and_goes_on_from_there(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After steps 1 and 4 no epoch ends."""
    straight = request_of("straight")
    list(train(straight))
    monkeypatch.setattr(save_schedule, "WITHIN", 0.0)
    killed = request_of("killed")
    events = []
    training = train(killed)
    for event in training:
        events.append(event)
        if isinstance(event, Saved) and event.step == 4:
            break
    assert [event.step for event in only(events, Saved) if event.kind == "last"] == [1, 4]
    kept = (killed.folder / "last.state.pt").read_bytes()
    close(training)
    (killed.folder / "last.state.pt").write_bytes(kept)  # as it was at the kill
    list(resume(killed.folder))
    assert same(weights(straight.folder), weights(killed.folder))


def test_of_several_processes_they_ask_one_another_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Two(Runtime):
        world = 2

        def agree(self, value: int) -> int:
            asked.append(value)
            return 1

    monkeypatch.setattr(save_schedule, "WITHIN", 0.0)
    times = save_schedule.SaveSchedule(Two())
    assert [step for step in range(1, 120) if times.within_epoch(step)] == [50, 100]
    assert len(asked) == 2
