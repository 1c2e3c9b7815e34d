"""A training that is stopped, paused, closed or broken off, and resumed bit for bit."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.generators import close
from tests.training.run_results import STEPS, MakeRequest, logged, only, same, weights
from tests.training.toys import Toy, make_snapshot
from workbench.core.document import Document
from workbench.core.folders import lost_folders
from workbench.detectors.parts.detector import Raw, Targets
from workbench.errors import WorkbenchError
from workbench.training import schedule, validate
from workbench.training.checkpoints import checkpoint, write_retries
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
from workbench.training.hardware import machine
from workbench.training.hardware.runtime import Runtime
from workbench.training.records import record, runs
from workbench.training.run import RunRequest, resume, train
from workbench.training.settings import FEW_JUDGES


def test_stop_and_resume_give_bit_for_bit_the_straight_run(request_of: MakeRequest) -> None:
    straight, broken = request_of("straight"), request_of("broken")
    list(train(straight))
    control = Control()
    for event in train(broken, control):
        if isinstance(event, Evaluated):
            control.stop.set()
    stopped = logged(broken)[-1]
    assert isinstance(stopped, Finished)
    assert stopped.stopped
    assert 0 < stopped.step < STEPS
    events = list(resume(broken.folder))
    assert only(events, Started)[0].resumed_step == stopped.step
    assert same(weights(straight.folder), weights(broken.folder))
    best = [[event.ap for event in logged(request) if isinstance(event, Evaluated)] for request in (straight, broken)]
    assert best[0] == best[1]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_resumed_after_every_step_is_still_the_straight_run(request_of: MakeRequest, optimizer: str) -> None:
    straight, broken = (request_of(name, optimizer=optimizer, evaluate_every=0) for name in ("straight", "broken"))
    list(train(straight))
    stop_after_one_step(train, broken)
    for _ in range(STEPS - 1):
        stop_after_one_step(lambda request, control: resume(request.folder, control), broken)
    assert checkpoint.load_state(broken.folder / "last.state.pt").step == STEPS
    assert same(weights(straight.folder), weights(broken.folder))


def stop_after_one_step(start: Callable[..., Any], request: RunRequest) -> None:
    """Run until one step is done, seen from the detector's own loss."""
    control = Control()
    before = Toy.loss

    def loss(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        control.stop.set()
        return before(self, raw, targets)

    Toy.loss = loss  # type: ignore[method-assign]
    try:
        list(start(request, control))
    finally:
        Toy.loss = before  # type: ignore[method-assign]


def test_without_the_seed_of_each_step_a_resumed_run_would_differ(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the comparison above can fail."""
    straight, broken = request_of("straight"), request_of("broken")
    list(train(straight))
    stop_after_one_step(train, broken)
    monkeypatch.setattr(Runtime, "seed", lambda *_: None)
    list(resume(broken.folder))
    assert not same(weights(straight.folder), weights(broken.folder))


def test_a_network_built_between_the_steps_changes_nothing(request_of: MakeRequest) -> None:
    """As the window does where a checkpoint is opened on another page."""
    undisturbed, disturbed = request_of("undisturbed"), request_of("disturbed")
    list(train(undisturbed))
    for _ in train(disturbed):
        Toy(disturbed.recipe.detector_settings, 2)
    assert same(weights(undisturbed.folder), weights(disturbed.folder))


def test_closing_the_generator_leaves_a_checkpoint_and_says_so_in_the_record(request_of: MakeRequest) -> None:
    request = request_of()
    events = train(request)
    for event in events:
        if isinstance(event, Evaluated):
            break
    close(events)
    end = logged(request)[-1]
    assert isinstance(end, Finished)
    assert end.stopped
    assert runs.info(request.folder).state == "stopped"
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS


@pytest.mark.parametrize("error", [KeyboardInterrupt(), torch.OutOfMemoryError("too many"), OSError("odd")])
def test_a_step_that_an_error_or_ctrl_c_ends_leaves_a_checkpoint_as_before_it(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Its norms had followed images of the step, and followed them again after a resume."""
    straight, request = (request_of(name, mini_batch=1) for name in ("straight", "broken"))
    list(train(straight))

    def broken_off(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        raise error

    events = train(request)
    for event in events:
        if isinstance(event, Evaluated):
            monkeypatch.setattr(Toy, "loss", broken_off)
            break
    with contextlib.suppress(KeyboardInterrupt, OSError):
        list(events)
    monkeypatch.undo()
    assert checkpoint.load_state(request.folder / "last.state.pt").step == 2
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS
    assert same(weights(straight.folder), weights(request.folder))


def test_a_full_disk_at_the_end_is_told_and_keeps_the_last_checkpoint(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    stop_after_one_step(train, request)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr(write_retries, "WAITS", (0.0, 0.0))
    end = list(resume(request.folder))[-1]
    assert isinstance(end, Failed)
    assert "disk is full" in end.sentence
    closed = resume(request.folder)
    next(closed)
    with pytest.raises(WorkbenchError, match="disk is full"):
        close(closed)
    monkeypatch.undo()
    assert only(list(resume(request.folder)), Started)[0].resumed_step == 1


def test_weights_are_kept_where_the_disk_has_no_room_for_the_state(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(evaluate_every=0)

    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full.")

    monkeypatch.setattr(checkpoint, "save_state", full)
    monkeypatch.setattr(write_retries, "WAITS", (0.0, 0.0))
    end = list(train(request))[-1]
    assert isinstance(end, Failed)
    assert "disk is full" in end.sentence
    assert checkpoint.read_header(request.folder / "last.safetensors").step == STEPS


def test_what_a_kill_cost_is_told_and_the_best_weights_stay(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved after epoch 1, best in epoch 3, killed after it; then stopped in epoch 2, and gone on with."""
    real, ap = validate.evaluate, {1: 0.1, 2: 0.2, 3: 0.4, 4: 0.3}
    epoch = 0

    def evaluate(*given: Any) -> Any:
        return dataclasses.replace(real(*given), ap=ap[epoch], ap50=ap[epoch] + 0.1)

    monkeypatch.setattr(validate, "evaluate", evaluate)
    request = request_of(snapshot=make_snapshot(tmp_path / "images", train=8, validation=FEW_JUDGES))
    folder = request.folder

    def until(
        last: int, go: Callable[[Control], Iterator[Event]] = lambda control: resume(folder, control)
    ) -> list[Event]:
        nonlocal epoch
        seen, control = [], Control()
        for event in go(control):
            seen.append(event)
            if isinstance(event, Progress):
                epoch = event.epoch
            if isinstance(event, Evaluated) and event.epoch == last:
                control.stop.set()
        return seen

    until(1, lambda control: train(request, control))
    saved = (folder / "last.state.pt").read_bytes()
    until(3)
    (folder / "last.state.pt").write_bytes(saved)  # as if it had been killed, with nothing saved since
    told = [event.sentence for event in only(until(2), Message)]
    assert any(
        "last saved after step 2: 4 steps after it had not been saved, and are trained again" in one for one in told
    )
    assert any("The best weights are those of epoch 3" in one for one in told)
    assert checkpoint.load_detector(folder / checkpoint.BEST)[1].epoch == 3
    assert (runs.info(folder).best_ap, only(logged(request), Finished)[-1].best_ap50) == (0.4, 0.5)
    events = until(0)
    assert [(one.epoch, one.best) for one in only(events, Evaluated)] == [(3, True), (4, False)]
    assert not [one for one in only(events, Message) if "learnt again" in one.sentence]


def test_images_that_went_missing_before_a_resume_are_told(request_of: MakeRequest) -> None:
    request = request_of()
    stop_after_one_step(train, request)
    request.snapshot.files[0].unlink()
    messages = [event.sentence for event in only(list(resume(request.folder)), Message)]
    assert any("5 images can be read now, 6 when" in sentence for sentence in messages)


@pytest.mark.parametrize("begins", [train, lambda request: resume(request.folder)])
def test_what_was_edited_while_images_were_read_or_before_a_run_began_again_is_not_learnt(
    request_of: MakeRequest, begins: Callable[[RunRequest], Iterator[Event]]
) -> None:
    """The second run was killed before it had saved anything."""
    request = dataclasses.replace(request_of(), data_time=1_700_000_000.0)
    request.folder.mkdir(parents=True)
    record.write_request(request)
    list(begins(request))
    assert runs.info(request.folder).data_time == request.data_time


def test_pause_waits_and_goes_on(request_of: MakeRequest) -> None:
    control = Control()
    control.pause.set()
    seen: list[Event] = []
    for event in train(request_of(), control):
        seen.append(event)
        if isinstance(event, Paused) and event.paused:
            control.pause.clear()
    assert [(event.paused, event.step) for event in only(seen, Paused)] == [(True, 0), (False, 0)]
    assert only(seen, Finished)[0].step == STEPS


def test_what_was_learnt_is_saved_when_a_training_is_paused(request_of: MakeRequest) -> None:
    """A pause of a night in which the battery ran out cost up to five minutes of training."""
    control, request, saved = Control(), request_of(), list[int]()
    for event in train(request, control):
        if isinstance(event, Progress) and event.step == 3:
            control.pause.set()
        if isinstance(event, Saved) and event.kind == "last":
            saved.append(checkpoint.load_state(request.folder / checkpoint.STATE).step)
            control.pause.clear()
    assert saved == [3, STEPS]


def test_a_training_that_is_paused_to_make_room_on_a_full_disk_goes_on(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full.")

    control, seen, real = Control(), list[Event](), checkpoint.save_state
    for event in train(request_of(), control):
        seen.append(event)
        if isinstance(event, Progress) and event.step == 3:
            control.pause.set()
            monkeypatch.setattr(checkpoint, "save_state", full)
        if isinstance(event, Message) and event.sentence == "The disk is full.":
            monkeypatch.setattr(checkpoint, "save_state", real)
            control.pause.clear()
    assert [event.paused for event in only(seen, Paused)] == [True, False]
    assert only(seen, Finished)[0].step == STEPS


def test_a_pause_is_no_time_of_training(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a night's pause a training of an hour "has finished after 10 h", and was the slowest in Compare."""
    control, real, slept = Control(), time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: real() + slept[0])

    def wait(_: float) -> bool:
        slept[0] += 36_000.0
        control.pause.clear()
        return False

    control.pause.set()
    monkeypatch.setattr(control.stop, "wait", wait)
    ended = only(list(train(request_of(), control)), Finished)[0]
    assert slept == [36_000.0]
    assert ended.seconds < 3_600


def test_a_machine_that_was_asleep_did_not_train(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monotonic, counter, slept = time.monotonic, time.perf_counter, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + slept[0])
    monkeypatch.setattr(time, "perf_counter", lambda: counter() + slept[0])
    for event in train(request_of(evaluate_every=0)):
        if isinstance(event, Progress):
            slept[0] = 36_000.0
    assert isinstance(event, Finished)
    assert event.seconds < 3_600


def test_stop_ends_a_pause(request_of: MakeRequest) -> None:
    control = Control()
    control.pause.set()
    for event in train(request_of(), control):
        if isinstance(event, Paused):
            control.stop.set()
    assert isinstance(event, Finished)
    assert event.stopped


def test_a_stop_before_the_first_step_ends_in_order(request_of: MakeRequest) -> None:
    control = Control()
    control.stop.set()
    events = list(train(request_of(), control))
    assert [type(event) for event in events] == [Finished]


def test_a_lengthened_run_goes_on_as_it_was_in_another_number_of_processes(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, control, real = request_of(epochs=2, batch=8, least_steps=5), Control(), schedule.lengthen
    monkeypatch.setattr(schedule, "lengthen", lambda settings, images, _=1: real(settings, images, 2))
    for event in train(request, control):
        if isinstance(event, Progress) and event.step >= 2:
            control.stop.set()
    monkeypatch.undo()  # alone now: batches would be smaller
    events = list(resume(request.folder))
    started = only(events, Started)[0]
    assert (started.steps, started.epochs) == (6, 7)
    assert not any("too few to learn much" in event.sentence for event in only(events, Message))
    assert only(events, Finished)[-1].step == 6


def test_a_run_goes_on_on_a_machine_without_the_device_that_was_chosen(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be resumed there, nor told another device."""
    request, control, asked = request_of(), Control(), list[str]()
    for event in train(request, control):
        if isinstance(event, Progress):
            control.stop.set()
    recipe = request.folder / runs.RECIPE
    elsewhere = recipe.read_text("utf-8").replace('device = "cpu"', 'device = "cuda:77"')
    elsewhere = elsewhere.replace('precision = "fp32"', 'precision = "auto"')
    recipe.write_text(elsewhere, "utf-8")
    exact = machine.Precision("fp32", "")
    monkeypatch.setattr(machine, "choose_precision", lambda name, _: asked.append(name) or exact)
    events = list(resume(request.folder))
    here = only(events, Started)[0].device
    told = [event.sentence for event in only(events, Message)]
    assert f"There is no device 'cuda:77' on this machine: the run goes on on {here}." in told
    assert only(events, Finished)[-1].step == STEPS
    assert recipe.read_text("utf-8") == elsewhere, "it is that run's record"
    assert asked == ["auto"], "what was chosen for another device need not suit this one"


def test_a_run_goes_on_with_photographs_that_were_found_elsewhere(request_of: MakeRequest, tmp_path: Path) -> None:
    """It said that none could be read and to use find-images, which said that all were in place."""
    make_snapshot(tmp_path / "old")
    with Document.create(tmp_path / "project", tmp_path / "old") as document:
        request = dataclasses.replace(request_of(snapshot=document.snapshot()), folder=document.folder / "runs" / "a")
        record.write_request(request)
        (tmp_path / "old").rename(tmp_path / "new")
        (tmp_path / "new" / "3.png").unlink()
        assert record.read_request(request.folder).snapshot.files == request.snapshot.files, "nobody said where"
        lost_folders.move(document, lost_folders.find_lost_folders(document)[0], tmp_path / "new")
    found = record.read_request(request.folder).snapshot
    places = ["old" if image.path == "3.png" else "new" for image in found.images]
    assert found.files == tuple(
        tmp_path / place / image.path for place, image in zip(places, found.images, strict=True)
    )
    assert found.digest == request.snapshot.digest
    (document.folder / "project.sqlite").unlink()
    assert record.read_request(request.folder).snapshot.files == request.snapshot.files
