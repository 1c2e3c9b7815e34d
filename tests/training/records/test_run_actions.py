"""Runs are renamed, noted, deleted and taken back, and nothing of them is lost; one that is trained is left alone."""

from __future__ import annotations

import ntpath
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from tests.generators import close
from tests.training.records.test_runs import STARTED, leave
from workbench.core.detections import Candidates
from workbench.core.project import AnchorSet
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import candidate_cache
from workbench.training.checkpoints.header import read_header
from workbench.training.events import Finished, Progress
from workbench.training.records import record, run_actions, runs
from workbench.training.records.record import read_request, write_request
from workbench.training.run import RunRequest, resume, train

MakeRequest = Callable[..., RunRequest]
ENDED = Finished(6, 4, False, 0.5, 1.0, "/x")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return leave(tmp_path / "runs" / "first", STARTED, ENDED)


def names(folder: Path) -> list[str]:
    return sorted(run.name for run in runs.runs(folder.parent))


def test_a_run_gets_another_name(folder: Path) -> None:
    moved = run_actions.rename(folder, "  tiny, 3 scales ü ")
    assert moved == folder.parent / "tiny, 3 scales ü"
    assert names(folder) == ["tiny, 3 scales ü"]
    assert run_actions.rename(moved, moved.name) == moved


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("", "A run needs a name. Type one."),
        ("a/b", "'a/b' is not a valid folder name on every system. 'a-b' is."),
        ("..", "'..' is not a valid folder name on every system. 'untitled' is."),
        (".trash", "'.trash' is not a valid folder name on every system. 'trash' is."),
        ("nul", "'nul' is not a valid folder name on every system. 'nul-' is."),
        ("Second", "There is a run called 'Second' already. Choose another name."),
        ("scratch", "There is a run called 'scratch' already. Choose another name."),
    ],
)
def test_names_that_are_taken_or_not_portable_are_refused(folder: Path, wanted: str, sentence: str) -> None:
    leave(folder.parent / "second", STARTED)
    (folder.parent / "scratch").mkdir()
    with pytest.raises(WorkbenchError) as refused:
        run_actions.rename(folder, wanted)
    assert refused.value.sentence == sentence
    assert names(folder) == ["first", "second"]


def test_a_new_run_does_not_get_the_number_of_a_deleted_one(tmp_path: Path) -> None:
    """Which may be restored, and be named in notes."""
    for number in (1, 2):
        leave(tmp_path / f"toy-{number}", STARTED)
    deleted = run_actions.delete(tmp_path / "toy-2")
    assert runs.new_folder(tmp_path, "toy").name == "toy-3"
    assert run_actions.restore(deleted).name == "toy-2"


def test_a_run_does_not_get_a_name_by_which_others_know_theirs(folder: Path) -> None:
    """Runs that began from the one of before would be taken to have begun from it, with its images learnt."""
    moved = run_actions.rename(folder, "older")
    second = leave(folder.parent / "second", STARTED)
    with pytest.raises(WorkbenchError, match="Runs began from another one that was called 'First'"):
        run_actions.rename(second, "First")
    assert names(second) == ["older", "second"]
    assert run_actions.rename(moved, "first").name == "first", "its own"


def test_a_run_that_can_not_keep_its_former_name_stays_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full: it had the new name, and an error said that it had not."""

    def full(file: Path, _data: str) -> None:
        raise WorkbenchError(f"{file} could not be written: the disk is full.")

    monkeypatch.setattr(run_actions, "atomic_write", full)
    with pytest.raises(WorkbenchError, match="disk is full"):
        run_actions.rename(folder, "older")
    assert names(folder) == ["first"]


def test_a_rename_that_is_killed_has_kept_the_former_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(_from: Path, _to: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_actions, "_move", killed)
    with pytest.raises(KeyboardInterrupt):
        run_actions.rename(folder, "older")
    assert runs.former_names(folder) == ["first"]
    monkeypatch.undo()
    assert runs.former_names(run_actions.rename(folder, "older")) == ["first"]


def test_the_case_of_letters_may_change(folder: Path) -> None:
    assert run_actions.rename(folder, "First").name == "First"
    assert names(folder) == ["First"]


@pytest.mark.parametrize("action", [lambda run: run_actions.rename(run, "other"), run_actions.delete])
def test_a_run_that_is_trained_is_left_alone(folder: Path, action: Callable[[Path], object]) -> None:
    lock = Lock(folder)
    with pytest.raises(WorkbenchError, match="The run 'first' is in use by process .* Close or stop it there first."):
        action(folder)
    lock.release()
    assert names(folder) == ["first"]
    assert not list((folder.parent / ".trash").glob("*"))
    action(folder)
    assert "first" not in names(folder)


def test_several_runs_are_deleted_within_a_step_of_windows_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(folder.parent / "second", STARTED)
    monkeypatch.setattr(time, "time_ns", lambda: 1_795_951_337_687_500_000)
    both = [run_actions.delete(run) for run in (folder, folder.parent / "second")]
    assert names(folder) == []
    assert {one.name for one in run_actions.deleted_runs(folder.parent)} == {"first", "second"}
    assert [run_actions.restore(one).name for one in both] == ["first", "second"]


def test_a_run_of_windows_names_its_images_so_that_it_goes_on_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "Path", PureWindowsPath)
    monkeypatch.setattr(os, "path", ntpath)
    run = PureWindowsPath("C:\\work\\cells\\runs\\tiny")
    near = record._relative(PureWindowsPath("C:\\work\\photographs\\day 1\\a.jpg"), run)  # type: ignore[arg-type]
    assert near == "../../../photographs/day 1/a.jpg"
    assert record._relative(PureWindowsPath("D:\\a.jpg"), run) == ""  # type: ignore[arg-type]


def test_what_is_in_a_renamed_run_still_reads_and_it_goes_on(request_of: MakeRequest) -> None:
    request = request_of(epochs=2)
    happening = train(request)
    step = next(event.step for event in happening if isinstance(event, Progress))
    assert step < 3
    close(happening)
    known = {"digest": (Candidates.of_arrays(np.ones((1, 4)), np.ones(1), np.ones(1)), (4, 3))}
    candidate_cache.save(candidate_cache.cache_file(request.folder, request.folder / "last.safetensors"), known)
    moved = run_actions.rename(request.folder, "other")
    assert candidate_cache.load(candidate_cache.cache_file(moved, moved / "last.safetensors")).keys() == known.keys()
    assert read_request(moved).snapshot.files == request.snapshot.files
    assert read_header(moved / "last.safetensors").step == step
    list(resume(moved))
    after = runs.info(moved)
    assert (after.name, after.state, after.step) == ("other", "finished", 3)
    assert read_header(moved / "last.safetensors").provenance["run"] == "other"


def test_a_note_is_kept_and_taken_away(folder: Path) -> None:
    run_actions.write_note(folder, "  worse on platelets ü\nsee also tiny-3 ")
    assert runs.info(folder).note == "worse on platelets ü\nsee also tiny-3"
    run_actions.write_note(folder, " ")
    assert runs.info(folder).note == ""
    assert not (folder / "note.txt").exists()
    run_actions.write_note(folder, "")
    with pytest.raises(WorkbenchError, match="The run 'second' no longer exists"):
        run_actions.write_note(folder.parent / "second", "a")


def test_a_deleted_run_is_in_the_trash_and_comes_back(folder: Path) -> None:
    deleted = run_actions.delete(folder)
    assert names(folder) == []
    assert runs.runs(deleted.folder.parent.parent) == ()  # the trash is no folder of runs either
    assert run_actions.deleted_runs(folder.parent) == (deleted,)
    assert run_actions.size_of(deleted) == sum(file.stat().st_size for file in deleted.folder.iterdir()) > 100
    assert run_actions.restore(deleted) == folder
    assert names(folder) == ["first"]
    assert run_actions.deleted_runs(folder.parent) == ()
    with pytest.raises(WorkbenchError, match="The run 'first' no longer exists"):
        run_actions.restore(deleted)


def test_a_run_whose_name_was_taken_meanwhile_comes_back_with_a_number(folder: Path) -> None:
    once, twice = run_actions.delete(folder), run_actions.delete(leave(folder, STARTED))
    assert [one.folder for one in run_actions.deleted_runs(folder.parent)] == [twice.folder, once.folder]
    leave(folder, STARTED)
    assert [run_actions.restore(one).name for one in (once, twice)] == ["first-2", "first-3"]
    assert names(folder) == ["first", "first-2", "first-3"]


def test_the_trash_is_emptied_after_thirty_days_or_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    day = 86_400 * 10**9
    for name, age in (("old", 31), ("young", 29)):
        monkeypatch.setattr(time, "time_ns", lambda age=age: now - age * day)
        run_actions.delete(leave(folder.parent / name, STARTED))
    foreign = folder.parent / ".trash" / "mine"
    foreign.mkdir()
    run_actions.empty_trash(folder.parent)
    assert [one.name for one in run_actions.deleted_runs(folder.parent)] == ["young"]
    run_actions.empty_trash(folder.parent, 0)
    assert run_actions.deleted_runs(folder.parent) == ()
    assert os.listdir(folder.parent / ".trash") == ["mine"]  # not ours
    foreign.rmdir()
    run_actions.empty_trash(folder.parent, 0)
    assert not (folder.parent / ".trash").exists()
    assert names(folder) == ["first"]
    run_actions.empty_trash(folder.parent / "absent")


def test_a_run_of_which_a_part_is_gone_is_not_taken_back(folder: Path) -> None:
    deleted = run_actions.delete(folder)
    (deleted.folder / "events.jsonl").unlink()
    assert run_actions.deleted_runs(folder.parent) == ()
    run_actions.empty_trash(folder.parent, 0)
    assert not deleted.folder.exists()


def test_a_fork_has_the_recipe_the_anchors_and_the_start_of_its_run(request_of: MakeRequest, tmp_path: Path) -> None:
    anchors, start = AnchorSet(((10.0, 12.0), (30.0, 20.0)), 64), tmp_path / "best.safetensors"
    request = replace(request_of(learning_rate=0.02), anchors=anchors, start=start)
    write_request(replace(request, folder=leave(request.folder, STARTED)))
    made = run_actions.fork(request.folder)
    assert (made.recipe, made.anchors, made.start, made.recorded) == (request.recipe, anchors, start, True)
    (request.folder / "data.npz").unlink()  # as of imported weights
    made = run_actions.fork(request.folder)
    assert (made.recipe, made.anchors, made.start, made.recorded) == (request.recipe, None, None, False)
