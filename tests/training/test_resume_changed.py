"""A run that goes on where something has changed since: the device, the images, the network."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from tests.training.run_results import STEPS, MakeRequest, logged, only
from tests.training.test_run_resume import stop_after_one_step
from tests.training.toys import make_snapshot
from workbench.errors import WorkbenchError
from workbench.training import run, validate
from workbench.training.checkpoints import checkpoint
from workbench.training.events import Control, Event, Finished, Message, Progress, Started
from workbench.training.hardware import machine
from workbench.training.hardware.machine import Precision
from workbench.training.records import runs
from workbench.training.run import RunRequest, resume, train
from workbench.training.settings import FEW_JUDGES


def stopped_after(request: RunRequest, step: int) -> Finished:
    control = Control()
    for event in train(request, control):
        if isinstance(event, Progress) and event.step >= step:
            control.stop.set()
    assert isinstance(event, Finished)
    assert (event.step, event.stopped) == (step, True)
    return event


def sentences(events: list[Event]) -> list[str]:
    return [event.sentence for event in only(events, Message)]


# --- the device ---


def test_a_run_goes_on_in_its_precision_and_on_another_kind_of_device_in_the_best_one_there(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun on a card, it went on in bf16 on a processor that has none, "as the recipe says", ten times as slowly."""
    real, asked = machine.choose_precision, list[str]()
    monkeypatch.setattr(machine, "choose_precision", lambda name, device: asked.append(name) or real("fp32", device))
    request = request_of(precision="auto")
    stop_after_one_step(train, request)
    stop_after_one_step(lambda request, control: resume(request.folder, control), request)
    assert asked == ["auto", "fp32"]
    assert "The network is computed in fp32, as it was when the run was saved." in sentences(logged(request))
    file = request.folder / checkpoint.STATE
    state = checkpoint.load_state(file)
    checkpoint.save_state(file, dataclasses.replace(state, precision="bf16", device_rng=state.rng))  # as of a card
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS
    assert asked[2:] == ["bf16", "auto"]


@pytest.mark.parametrize("device", ["cpu", "cuda:77"])
def test_a_run_whose_numbers_half_precision_could_not_hold_goes_on_in_fp32_everywhere(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """On a processor that is faster in bf16 it was computed so again, and failed, as a processor can't go over."""
    request, tried = request_of(precision="auto"), list[str]()
    stop_after_one_step(train, request)
    file, recipe = request.folder / checkpoint.STATE, request.folder / runs.RECIPE
    state = dataclasses.replace(checkpoint.load_state(file), precision="fp32", fp32_needed=True)
    checkpoint.save_state(file, dataclasses.replace(state, device_rng=state.rng))  # as of a card
    recipe.write_text(recipe.read_text("utf-8").replace('device = "cpu"', f'device = "{device}"'), "utf-8")
    monkeypatch.setattr(
        machine, "choose_precision", lambda name, _: tried.append(name) or Precision(name.replace("auto", "bf16"), "")
    )
    events = list(resume(request.folder))
    assert only(events, Finished)[0].step == STEPS
    assert (tried, only(events, Started)[0].precision) == (["fp32"], "fp32")
    assert "The network is computed in fp32: half precision could not hold this run's numbers." in sentences(events)
    assert checkpoint.load_state(file).fp32_needed


def test_a_run_that_could_not_be_resumed_is_what_it_was(request_of: MakeRequest, tmp_path: Path) -> None:
    """It had failed, with a Failed before its Started, and why it had ended was lost."""
    request = request_of()
    end = stopped_after(request, 2)
    (tmp_path / "images").rename(tmp_path / "away")
    with pytest.raises(WorkbenchError, match="left out because their folder is not there"):
        list(resume(request.folder))
    found = runs.info(request.folder)
    assert (found.state, found.step, found.resumable) == ("stopped", end.step, True)
    told = logged(request)[-1]
    assert isinstance(told, Message)
    assert told.sentence.startswith("The run could not be resumed. 8 images (2 of them to validate on) are left out")
    (tmp_path / "away").rename(tmp_path / "images")
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS


def test_a_run_of_several_cards_goes_on_with_those_that_are_here(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the help says; it was refused: "There are 1 graphics cards for 8 processes on this machine"."""
    asked = request_of("asked", device="auto", processes=8)
    for cards, fresh, resumed in ((0, 8, 8), (1, 8, 1), (3, 8, 3), (9, 8, 8)):
        with monkeypatch.context() as patch:
            patch.setattr(torch.cuda, "is_available", lambda cards=cards: cards > 0)
            patch.setattr(torch.cuda, "device_count", lambda cards=cards: cards)
            assert run._processes(asked) == fresh
            assert run._processes(dataclasses.replace(asked, resume=True)) == resumed
    request = request_of()
    stop_after_one_step(train, request)
    recipe = request.folder / runs.RECIPE
    recipe.write_text(recipe.read_text("utf-8").replace("processes = 1", "processes = 8"), "utf-8")
    monkeypatch.setattr(run, "_processes", lambda _: 1)
    events = list(resume(request.folder))
    assert "The run goes on in one process, not in 8." in sentences(events)
    assert only(events, Finished)[0].step == STEPS


# --- the images ---


def test_a_run_of_which_few_images_are_left_does_not_end_at_once_for_good(request_of: MakeRequest) -> None:
    """With a disk that was not connected it was over: "finished", so that it could not be resumed with it either."""
    request = request_of(evaluate_every=0)
    stopped_after(request, 5)
    away = [file.rename(file.with_suffix(".away")) for file in request.snapshot.files[:4]]
    with pytest.raises(WorkbenchError, match="Only 2 of the 6 images .* after step 2, and it has made 5"):
        list(resume(request.folder))
    assert runs.info(request.folder).resumable
    for file in away:
        file.rename(file.with_suffix(".png"))
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS


def test_a_stop_while_a_run_that_goes_on_reads_its_images_changes_nothing_of_it(request_of: MakeRequest) -> None:
    """A run of ten hours had taken five seconds then, in Compare, and ended in epoch 0."""
    request, control = request_of(evaluate_every=0), Control()
    before = stopped_after(request, 3)
    control.stop.set()
    now = only(list(resume(request.folder, control)), Finished)[0]
    assert (now.step, now.epoch, now.stopped) == (before.step, before.epoch, True) == (3, 2, True)
    assert now.seconds > before.seconds
    assert math.isnan(now.best_ap50), "it was never measured"


# --- the network ---


def test_a_state_of_another_network_is_refused_in_a_sentence(request_of: MakeRequest) -> None:
    """Of a plugin that was changed since."""
    request = request_of()
    stop_after_one_step(train, request)
    file = request.folder / checkpoint.STATE
    state = checkpoint.load_state(file)
    checkpoint.save_state(file, dataclasses.replace(state, detector={**state.detector, "out.bias": torch.zeros(3)}))
    with pytest.raises(WorkbenchError, match=r"do not fit the network .*at 'out\.bias'.*plugin as it was"):
        list(resume(request.folder))


# --- the end ---


def test_a_run_that_was_killed_as_it_ended_early_has_ended(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = validate.evaluate
    monkeypatch.setattr(validate, "evaluate", lambda *given: dataclasses.replace(real(*given), ap=0.5))
    request = request_of(snapshot=make_snapshot(tmp_path / "images", validation=FEW_JUDGES), patience=1)
    ended = list(train(request))[-1]
    assert isinstance(ended, Finished)
    assert (ended.epoch, ended.stopped) == (2, False)
    record = request.folder / runs.EVENTS
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-1]))  # before it could say so
    events = list(resume(request.folder))
    assert only(events, Progress) == []
    assert only(events, Finished)[0].step == ended.step
