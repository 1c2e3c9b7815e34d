"""A finished run goes on for more epochs as another run; the finished one stays as it is, to the byte."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.records.test_runs import STARTED, leave
from tests.training.toys import make_snapshot
from workbench.errors import WorkbenchError
from workbench.training import schedule
from workbench.training.events import Evaluated, Finished, Message, Progress, Started
from workbench.training.records import extension, run_actions, runs
from workbench.training.records.record import read_request
from workbench.training.run import RunRequest, resume, train
from workbench.training.settings import FEW_JUDGES

MakeRequest = Callable[..., RunRequest]


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "project.lock"}


def progress(folder: Path) -> list[Progress]:
    return [event for event in runs.read_events(folder) if isinstance(event, Progress)]


def test_a_finished_run_goes_on_where_it_ended_by_the_schedule_of_the_longer_run(request_of: MakeRequest) -> None:
    request = request_of(epochs=4)  # 6 images in batches of 4: 6 steps
    list(train(request))
    run_actions.write_note(request.folder, "a good one")
    before = files(request.folder)
    longer = extension.extend(request.folder, 8)
    assert longer.name == "run-to-12"
    made = runs.info(longer)
    assert (made.state, made.resumable, made.step, made.note) == ("interrupted", True, 6, "")
    assert (made.epoch, made.epochs) == (4, 12)
    assert made.digest == request.snapshot.digest
    assert made.started > runs.info(request.folder).started  # the newest
    assert read_request(longer).recipe.training.epochs == 12

    happening = list(resume(longer))
    steps = [event for event in happening if isinstance(event, Progress)]
    assert (steps[0].step in (7, 8), steps[-1].step, steps[0].steps) == (True, 18, 18)
    assert runs.info(longer).state == "finished"
    # a cosine from .05 to .0005 over 18 steps: in the eighth .05 * (.01 + .99 * (1 + cos(7 pi / 18)) / 2)
    rates = {event.step: event.learning_rate for event in steps}  # there is one for the end of each epoch
    assert rates[8] == pytest.approx(0.05 * (0.01 + 0.99 * (1 + 0.342020) / 2), rel=1e-5)
    assert [event.epoch for event in runs.read_events(longer) if isinstance(event, Evaluated)] == list(range(1, 13))
    assert files(request.folder) == before


def test_the_longer_run_is_what_a_run_of_that_length_with_a_constant_rate_is(request_of: MakeRequest) -> None:
    """Weights, average, momentum, random state and order of the images all go on: bit for bit."""
    calm = {"schedule": "constant", "calm_share": 0.0, "patience": 0}
    straight, short = request_of("a", epochs=6, **calm), request_of("b", epochs=3, **calm)
    list(train(straight))
    list(train(short))
    longer = extension.extend(short.folder, 3)
    list(resume(longer))
    assert progress(longer)[-1].terms == progress(straight.folder)[-1].terms
    weights = [(folder / "last.safetensors").read_bytes() for folder in (straight.folder, longer)]
    assert _tensors(weights[0]) == _tensors(weights[1])


def _tensors(file: bytes) -> bytes:
    length = int.from_bytes(file[:8], "little")
    return file[8 + length :]


def test_a_run_that_another_process_has_just_made_is_that_ones(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was removed, with all that was in it."""
    request = request_of()
    list(train(request))
    theirs = extension.extend(request.folder, 2)
    before = files(theirs)
    monkeypatch.setattr(extension, "free_folder", lambda *_: theirs)
    with pytest.raises(WorkbenchError, match="could not be made: File exists"):
        extension.extend(request.folder, 2)
    assert files(theirs) == before


def test_what_an_extension_means_is_told_before(request_of: MakeRequest) -> None:
    request = request_of(epochs=4)
    list(train(request))
    told = extension.read_finished_run(request.folder).extended(4)
    assert told.training.epochs == 8
    # 6 of 12 steps: the middle of the cosine; steps 5 of 6 and 11 of 12 come last
    assert told.ended_at == pytest.approx(0.05 * (0.01 + 0.99 * (1 - 0.866025) / 2), rel=1e-4)
    assert told.highest == told.first == pytest.approx(0.05 * (0.01 + 0.99 / 2))
    assert told.last == pytest.approx(0.05 * (0.01 + 0.99 * (1 - 0.965926) / 2), rel=1e-4)


def test_a_run_that_ended_early_gets_its_epochs_without_early_stopping(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", validation=FEW_JUDGES)
    request = request_of(snapshot=snapshot, epochs=40, patience=1, learning_rate=0.0)
    ended = [event for event in train(request) if isinstance(event, Finished)]
    assert (ended[0].epoch, ended[0].stopped) == (2, False)
    longer = extension.extend(request.folder, 3)
    assert longer.name == "run-to-5"
    list(resume(longer))
    assert (runs.info(longer).epoch, runs.info(longer).epochs) == (5, 5)
    said = [event.sentence for event in runs.read_events(longer) if isinstance(event, Message)]
    assert "Continues the run run: its 2 epochs become 5. It had ended early, so early stopping is" in " ".join(said)


def test_a_run_whose_patience_ended_with_its_last_epoch_is_extended(request_of: MakeRequest, tmp_path: Path) -> None:
    """The longer run was over before its first step, or after its first evaluation: it has a patience of its own."""
    snapshot = make_snapshot(tmp_path / "images", validation=FEW_JUDGES)
    request = request_of(snapshot=snapshot, epochs=3, patience=2, learning_rate=0.0, ema=0.0)
    list(train(request))
    longer = extension.extend(request.folder, 3)
    list(resume(longer))
    assert (runs.info(request.folder).epoch, runs.info(longer).epoch) == (3, 5)


def test_an_extended_run_can_be_extended_again(request_of: MakeRequest) -> None:
    request = request_of(epochs=2)
    list(train(request))
    once = extension.extend(request.folder, 1)
    list(resume(once))
    again = extension.extend(once, 1)
    assert again.name == "run-to-4"
    assert extension.extend(once, 1).name == "run-to-4-2"
    list(resume(again))
    assert runs.info(again).epoch == 4
    assert [type(e) for e in runs.read_events(again)].count(Finished) == 1
    started = [event for event in runs.read_events(again) if isinstance(event, Started)]
    assert [event.resumed_step for event in started] == [0, 3, 5]
    assert {(event.epochs, event.steps) for event in started} == {(4, progress(again)[-1].steps)}


def test_only_runs_that_were_trained_to_their_end_can_be_extended(tmp_path: Path) -> None:
    stopped = leave(tmp_path / "a", STARTED, Finished(3, 2, True, 0.5, 1.0, "/x"))
    with pytest.raises(WorkbenchError, match="The run 'a' is stopped, so it can't be extended: resume it"):
        extension.extend(stopped, 2)
    imported = leave(tmp_path / "b", STARTED, Finished(0, 0, False, 0.5, 1.0, "/x"))
    with pytest.raises(WorkbenchError, match="not trained here to its end"):
        extension.extend(imported, 2)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b"]


def test_what_can_not_be_written_leaves_nothing(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(epochs=1)
    list(train(request))
    there = sorted(entry.name for entry in request.folder.parent.iterdir())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(WorkbenchError, match="could not be written: No space left"):
        extension.extend(request.folder, 1)
    assert sorted(entry.name for entry in request.folder.parent.iterdir()) == there


def test_a_disk_without_hard_links_gets_copies(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of(epochs=1)
    list(train(request))

    def none(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    longer = extension.extend(request.folder, 1)
    list(resume(longer))
    assert runs.info(longer).epoch == 2
    assert json.loads((longer / "data.json").read_bytes()) == json.loads((request.folder / "data.json").read_bytes())


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_that_was_lengthened_is_extended_from_where_it_ended(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    request = request_of(epochs=2, batch=8, least_steps=5)
    if processes == 2:
        real = schedule.lengthen
        monkeypatch.setattr(schedule, "lengthen", lambda settings, images, _=1: real(settings, images, 2))
    list(train(request))
    monkeypatch.undo()
    before = extension.read_finished_run(request.folder)
    assert (before.steps, before.epoch) == ((6, 4) if processes == 1 else (6, 7))
    longer = extension.extend(request.folder, 2)
    assert longer.name == f"run-to-{before.epoch + 2}"
    list(resume(longer))
    after = extension.read_finished_run(longer)
    batch = 4 if processes == 1 else 8
    assert (after.epoch, after.step) == (before.epoch + 2, -(-6 * (before.epoch + 2) // batch))


def test_a_longer_run_has_learnt_nothing_later_than_the_one_before(request_of: MakeRequest) -> None:
    request = request_of(epochs=2)
    list(train(request))
    before = runs.info(request.folder)
    assert 0 < before.data_time <= before.started
    first = runs.info(extension.extend(request.folder, 2))
    assert first.started > before.started
    assert first.data_time == before.data_time
    about = json.loads((request.folder / "data.json").read_bytes())
    del about["time"]  # as runs of before have it
    (request.folder / "data.json").write_text(json.dumps(about), "utf-8")
    assert runs.info(extension.extend(request.folder, 2)).data_time == before.started
