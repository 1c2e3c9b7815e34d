"""Which images a run was trained on is known by its own record, however they are dealt out since."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core.project import Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.training import prepare
from workbench.training.checks import data_leakage
from workbench.training.checks.preflight import preflight
from workbench.training.events import Message
from workbench.training.records import record, run_actions
from workbench.training.records.record import write_request
from workbench.training.records.runs import EVENTS, began_from, new_folder
from workbench.training.request import RunRequest
from workbench.training.run import train

MakeRequest = Callable[..., RunRequest]


def recorded(request: RunRequest) -> Path:
    request.folder.mkdir(parents=True)
    write_request(request)
    return request.folder


def all_in(snapshot: Snapshot, split: Split) -> Snapshot:
    return replace(snapshot, images=tuple(replace(image, split=split) for image in snapshot.images))


def test_images_that_were_put_into_another_split_since_are_known(request_of: MakeRequest) -> None:
    request = request_of()
    folder = recorded(request)
    assert data_leakage.count_learnt_images(folder, all_in(request.snapshot, Split.TEST)) == 6
    assert data_leakage.count_learnt_images(folder, request.snapshot.only(splits=[Split.VALIDATION])) == 0


def test_what_the_run_itself_held_out_it_has_not_learnt_from(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=10, validation=0)
    request = request_of(snapshot=snapshot, hold_out=0.2)
    learnt, judges, _ = prepare.select_images(snapshot, request.recipe.training)
    assert len(learnt) + len(judges) == 10
    assert data_leakage.count_learnt_images(recorded(request), snapshot) == len(learnt)


def test_what_a_run_held_out_can_be_looked_at_alone_also_when_images_have_come_since(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=10, validation=0)
    then = snapshot.take(list(range(8)))
    request = request_of(snapshot=then, hold_out=0.25)
    judges = prepare.select_images(then, request.recipe.training)[1]
    seen = data_leakage.held_out(recorded(request), snapshot)
    assert [image.path for image in seen.only(splits=[Split.VALIDATION]).images] == [one.path for one in judges.images]
    assert len(judges) == 2
    assert data_leakage.count_learnt_images(request.folder, seen.only(splits=[Split.VALIDATION])) == 0


def test_where_no_image_was_held_out_or_nobody_knows_that_is_said(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=4, validation=0)
    with pytest.raises(WorkbenchError, match="No image was held out from run: they are too few. Choose other images."):
        data_leakage.held_out(recorded(request_of("none", snapshot=snapshot, hold_out=0.0)), snapshot)
    with pytest.raises(WorkbenchError, match="no record of the images that imported held out"):
        data_leakage.held_out(tmp_path / "imported", snapshot)
    folder = recorded(request_of("some", snapshot=snapshot, hold_out=0.5))
    with pytest.raises(WorkbenchError, match="they are no longer among these"):
        data_leakage.held_out(folder, make_snapshot(tmp_path / "others", train=4, validation=0))


def test_the_images_of_the_run_that_it_began_from_count_too(request_of: MakeRequest) -> None:
    first = request_of("first")
    turned = {Split.TRAIN: Split.TEST, Split.VALIDATION: Split.TRAIN}
    images = tuple(replace(image, split=turned[image.split]) for image in first.snapshot.images)
    then = replace(first.snapshot, images=images)
    weights = recorded(first) / "best.safetensors"
    second = recorded(replace(request_of("second"), snapshot=then, start=weights))
    assert data_leakage.count_learnt_images(second, then) == 8


@pytest.mark.parametrize("take", [shutil.move, shutil.copytree])
def test_they_count_also_where_the_project_was_moved_or_copied(
    request_of: MakeRequest, tmp_path: Path, take: Callable[[Path, Path], object]
) -> None:
    """Their path was that of the former place alone: the next training then began with fresh weights, unasked."""
    first = replace(request_of(), folder=tmp_path / "runs" / "first")
    turned = {Split.TRAIN: Split.TEST, Split.VALIDATION: Split.TRAIN}
    images = tuple(replace(image, split=turned[image.split]) for image in first.snapshot.images)
    then = replace(first.snapshot, images=images)
    weights = recorded(first) / "best.safetensors"
    weights.write_bytes(b"weights")
    recorded(replace(first, folder=tmp_path / "runs" / "second", snapshot=then, start=weights))
    take(tmp_path / "runs", tmp_path / "elsewhere" / "runs")
    there = tmp_path / "elsewhere" / "runs"
    assert data_leakage.count_learnt_images(there / "second", then) == 8
    start = there / "first" / "best.safetensors"
    assert began_from(there / "second") == record.read_request(there / "second").start == start


def test_they_count_also_where_that_run_has_another_name_now(request_of: MakeRequest, tmp_path: Path) -> None:
    """They were lost with the name; and the next run got the name, and was taken for the one that was renamed."""
    request = replace(request_of(), folder=new_folder(tmp_path / "runs", "toy"))
    turned = {Split.TRAIN: Split.TEST, Split.VALIDATION: Split.TRAIN}
    images = tuple(replace(image, split=turned[image.split]) for image in request.snapshot.images)
    then = replace(request.snapshot, images=images)
    write_request(request)
    (request.folder / EVENTS).write_text("")
    (request.folder / "best.safetensors").write_bytes(b"weights")
    second = new_folder(tmp_path / "runs", "toy")
    write_request(replace(request, folder=second, snapshot=then, start=request.folder / "best.safetensors"))
    renamed = run_actions.rename(run_actions.rename(request.folder, "cells"), "blood")
    assert data_leakage.count_learnt_images(second, then) == 8
    assert began_from(second) == renamed / "best.safetensors"
    assert new_folder(tmp_path / "runs", "toy").name == "toy-3", "not toy-1, which it was"


def test_weights_from_elsewhere_stay_those(request_of: MakeRequest, tmp_path: Path) -> None:
    """A project copied beside another one, whose run has the same name, does not take that run for its own."""
    weights = tmp_path / "one" / "runs" / "first" / "best.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    recorded(replace(request_of(), folder=tmp_path / "two/runs/second", start=weights))
    (tmp_path / "two/runs/first").mkdir()
    (tmp_path / "two/runs/first/best.safetensors").write_bytes(b"others")
    assert began_from(tmp_path / "two/runs/second") == weights
    shutil.move(tmp_path / "two", tmp_path / "three")
    assert began_from(tmp_path / "three/runs/second") == weights
    assert began_from(recorded(request_of("fresh"))) is None


def test_a_run_that_is_judged_by_what_it_began_with_has_learnt_says_so(request_of: MakeRequest, tmp_path: Path) -> None:
    """Another seed holds out other images."""
    all_of_them = make_snapshot(tmp_path / "images", train=10, validation=0)
    few = all_of_them.take(list(range(5)))
    first = request_of("first", snapshot=few, hold_out=0.2)
    list(train(first))
    start = first.folder / "last.safetensors"
    second = replace(request_of("second", snapshot=all_of_them, hold_out=0.7, seed=1), start=start)
    said = [event.sentence for event in train(second) if isinstance(event, Message)]
    judges = prepare.select_images(all_of_them, second.recipe.training)[1]
    number = data_leakage.count_learnt_images(first.folder, judges)
    assert number is not None
    assert number > 1
    told = f"Of the {len(judges)} images to validate on, {number} were learnt by the run {first.name}, whose weights"
    assert [sentence.startswith(told) for sentence in said].count(True) == 1
    found = [one for one in preflight(all_of_them, second.recipe, None, start) if one.kind == "learnt"]
    assert [one.text for one in found] == [sentence for sentence in said if sentence.startswith(told)]
    same = replace(request_of("same", snapshot=few, hold_out=0.2), start=start)
    none = replace(request_of("none", snapshot=few, hold_out=0.0), start=start)
    for request in (same, none):
        assert not [one for one in preflight(few, request.recipe, None, start) if one.kind == "learnt"]
        assert not [one for one in train(request) if isinstance(one, Message) and "were learnt by" in one.sentence]


def test_images_are_known_where_their_folder_has_moved_and_not_by_their_number_alone(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    request = request_of()
    dated = tuple(replace(image, date=float(image.id)) for image in request.snapshot.images)
    folder = recorded(replace(request, snapshot=replace(request.snapshot, images=dated)))
    elsewhere = tuple(tmp_path / "elsewhere" / file.name for file in request.snapshot.files)
    assert data_leakage.count_learnt_images(folder, replace(request.snapshot, images=dated, files=elsewhere)) == 6
    assert data_leakage.count_learnt_images(folder, replace(request.snapshot, files=elsewhere)) == 0
    linked = tmp_path / "link"
    linked.symlink_to(request.snapshot.files[0].parent)
    through = tuple(linked / file.name for file in request.snapshot.files)
    assert data_leakage.count_learnt_images(folder, replace(request.snapshot, files=through)) == 6


def test_without_a_record_nobody_knows(request_of: MakeRequest, tmp_path: Path) -> None:
    request = request_of()
    assert data_leakage.count_learnt_images(tmp_path, request.snapshot) is None
    assert data_leakage.run_warning("a", None, 8) == data_leakage.run_warning("a", 0, 8) == ""
    (recorded(request) / "data.npz").write_bytes(b"torn")
    assert data_leakage.count_learnt_images(request.folder, request.snapshot) is None


def test_two_runs_that_have_learnt_from_the_images_are_told_in_one_sentence() -> None:
    both = data_leakage.two_runs_warning(("new", "old"), (17, 9), (18, 18))
    assert both.startswith("new was trained on 17 of 18 images here, old on 9 of 18, so their numbers are too good.")
    assert both.count("choose a split that neither has learnt from") == 1
    for known, told in (((17, None), "new was trained on 17"), ((0, 9), "old was trained on 9")):
        one = data_leakage.two_runs_warning(("new", "old"), known, (18, 18))
        assert one.startswith(told)
        assert "a split that it has not learnt from" in one
    assert data_leakage.two_runs_warning(("new", "old"), (0, None), (18, 18)) == ""


def test_runs_of_earlier_versions_keep_the_images_that_were_held_out_then(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=10, validation=0)
    request = request_of(snapshot=snapshot, hold_out=0.3)
    monkeypatch.setattr(record, "BY_IDS", 1)
    recorded(request)
    monkeypatch.undo()
    training = request.recipe.training
    order = np.random.default_rng((training.seed, 3)).permutation(10)
    then = {snapshot.images[i].id for i in order[:3]}
    assert then != {image.id for image in prepare.select_images(snapshot, training)[1].images}
    read = record.read_request(request.folder)
    assert {image.id for image in prepare.select_images(read.snapshot, training)[1].images} == then
