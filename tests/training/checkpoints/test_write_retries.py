"""What a training can't write it tries again, twice and with a pause, before it ends."""

from __future__ import annotations

import errno
import math
import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.generators import close
from tests.training.run_results import STEPS, MakeRequest, logged, only
from workbench.errors import WorkbenchError
from workbench.training.checkpoints import checkpoint, write_retries
from workbench.training.checkpoints.checkpoint import NotFinite
from workbench.training.checkpoints.write_retries import WriteRetries
from workbench.training.events import Control, Event, Failed, Finished, Message, Saved, Started
from workbench.training.records import runs
from workbench.training.records.record import EventLog
from workbench.training.run import train

FULL = WorkbenchError("The disk is full.", "ENOSPC")


class Waits(threading.Event):
    """A request to stop that notes how long was waited for it, and does not come unless `comes` is set."""

    def __init__(self, comes: bool = False) -> None:
        super().__init__()
        self.seconds: list[float | None] = []
        self.comes = comes

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        if self.comes:
            self.set()
        return self.is_set()


def failing(times: float, error: WorkbenchError = FULL) -> tuple[Callable[[], str], list[int]]:
    """A write that fails so often and returns "written" then; and a list that is as long as it was called often."""
    calls: list[int] = []

    def write() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "written"

    return write, calls


def outcome(tries: Generator[Message, None, str]) -> tuple[list[str], str]:
    """The warnings, and what was returned or the sentence that was raised."""
    said = []
    while True:
        try:
            said.append(next(tries).sentence)
        except StopIteration as end:
            return said, end.value
        except WorkbenchError as error:
            return said, error.sentence


AGAIN = "The disk is full. It is tried again."
LAST = "The disk is full. It was tried 3 times. Earlier checkpoints are kept."


@pytest.mark.parametrize(
    ("times", "waited", "said"),
    [(0, [], []), (1, [2.0], [AGAIN]), (2, [2.0, 10.0], [AGAIN, AGAIN]), (3, [2.0, 10.0], [AGAIN, AGAIN])],
)
def test_it_is_tried_three_times_with_a_pause_between(times: int, waited: list[float], said: list[str]) -> None:
    control, (write, calls) = Control(stop=Waits()), failing(times)
    warned, end = outcome(WriteRetries(control).tries(write))
    assert (warned, control.stop.seconds, len(calls)) == (said, waited, min(times + 1, 3))
    assert end == ("written" if times < 3 else LAST)


def test_a_stop_that_is_asked_for_meanwhile_ends_the_pause_and_no_other_follows() -> None:
    control, (write, calls) = Control(stop=Waits(comes=True)), failing(9)
    retries = WriteRetries(control)
    warned, end = outcome(retries.tries(write))
    assert (len(warned), len(calls), control.stop.seconds) == (1, 2, [2.0])
    assert end.startswith("The disk is full. It was tried 2 times.")
    assert outcome(retries.tries(write)) == ([], LAST)


def test_after_one_that_failed_for_good_others_are_tried_once_until_one_succeeds() -> None:
    retries = WriteRetries(Control(stop=Waits()))
    outcome(retries.tries(failing(9)[0]))
    assert outcome(retries.tries(failing(9)[0])) == ([], LAST.replace("3", "4"))
    assert outcome(retries.tries(failing(0)[0])) == ([], "written")
    assert outcome(retries.tries(failing(1)[0])) == ([AGAIN], "written")


def test_weights_that_are_no_numbers_become_none_by_waiting() -> None:
    write, calls = failing(9, NotFinite("a.safetensors: not finite."))
    assert outcome(WriteRetries(Control(stop=Waits())).tries(write)) == ([], "a.safetensors: not finite.")
    assert len(calls) == 1


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_retries, "WAITS", (0.0, 0.0))


def break_first(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, times: float) -> list[int]:
    """Let a function that writes find a full disk so many times; returns a list as long as it was called often."""
    before, calls = getattr(place, name), []

    def write(*args: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise OSError(errno.ENOSPC, "No space left on device") if place is os else FULL
        return before(*args, **more)

    monkeypatch.setattr(place, name, write)
    return calls


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("name", ["save_state", "save_detector"])
def test_a_training_outlives_two_failures_of_a_save_and_tells_them(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """save_detector is the best weights' first. Each such failure ended the run."""
    request = request_of()
    break_first(monkeypatch, checkpoint, name, 2)
    events = list(train(request))
    assert isinstance(events[-1], Finished)
    assert [event.sentence for event in only(events, Message) if "again" in event.sentence] == [AGAIN, AGAIN]
    assert logged(request) == events
    assert {event.kind for event in only(events, Saved)} == {"last", "best"}
    assert checkpoint.load_state(request.folder / "last.state.pt").step == STEPS


@pytest.mark.usefixtures("hurried")
def test_the_third_failure_of_a_save_ends_the_training_and_keeps_the_checkpoint(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    calls = break_first(monkeypatch, checkpoint, "save_detector", math.inf)
    end = list(train(request))[-1]
    assert isinstance(end, Failed)
    assert end.sentence == LAST.replace("3", "4"), "the save in the end, which is tried once more"
    assert len(calls) == 3 + 2, "of the best weights, then of the last, which are saved without a state, too"
    assert runs.info(request.folder).resumable


def test_closing_a_training_waits_for_no_further_try(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control(stop=Waits())
    events = train(request_of(), control)
    next(events)
    calls = break_first(monkeypatch, checkpoint, "save_state", math.inf)
    with pytest.raises(WorkbenchError, match=r"^The disk is full\.$"):
        close(events)
    assert (len(calls), control.stop.seconds) == (1, [])


STARTED = Started("a", "a", "toy", "cpu", "fp32", 6, 2, 3, 6, 100)


def test_an_event_is_written_through_a_new_handle_once_the_share_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control(stop=Waits())
    log = EventLog(tmp_path, WriteRetries(control))
    log.add(STARTED)
    real, stale = os.write, log._handle

    def write(handle: int, line: bytes) -> int:
        if handle == stale and not control.stop.seconds:
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(handle, line)

    monkeypatch.setattr(os, "write", write)
    log.add(Message("info", "It goes on."))
    log.close()
    assert [type(event) for event in runs.read_events(tmp_path)] == [Started, Message]
    assert control.stop.seconds == [2.0]


@pytest.mark.usefixtures("hurried")
def test_a_training_outlives_two_failures_of_its_record(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    going = train(request)
    seen: list[Event] = [next(going)]
    break_first(monkeypatch, os, "write", 2)
    seen += going
    assert isinstance(seen[-1], Finished)
    assert logged(request) == seen


@pytest.mark.usefixtures("hurried")
def test_a_record_that_can_not_be_written_ends_the_training_with_its_state_saved(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    with monkeypatch.context() as patch:
        going = train(request)
        next(going)
        patch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(WorkbenchError, match=r"events\.jsonl could not be written: Input/output error\. Make room"):
            list(going)
    assert (request.folder / "last.state.pt").exists()
    assert runs.info(request.folder).resumable


def test_an_event_begins_a_line_where_the_one_before_was_cut_and_could_not_be_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was glued to it, and with it the reason why the training had ended was lost."""
    log = EventLog(tmp_path)
    log.close()
    log.file.write_bytes(b'{"event": "Mess')
    with monkeypatch.context() as patch:
        break_first(patch, os, "write", 1)
        with pytest.raises(WorkbenchError, match="No space left on device"):
            log.add(STARTED)
        log.add(Failed("The disk is full."))
    log.close()
    assert [type(event) for event in runs.read_events(tmp_path)] == [Failed]
