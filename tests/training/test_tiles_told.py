"""What is said, kept and extended of trainings in tiles counts photographs and boxes, not their parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.run_results import MakeRequest, only, same, weights
from tests.training.tiled import TILES, recipe, wide_photographs
from tests.training.toys import Toy
from workbench.core.project import Snapshot, Split
from workbench.core.snapshot_views import cut_into_views
from workbench.core.tiling import Tiling
from workbench.training import run
from workbench.training.batches.data import with_pictures
from workbench.training.checkpoints import checkpoint
from workbench.training.checks.preflight import preflight
from workbench.training.events import Evaluated, Event, Finished, Message, Started
from workbench.training.monitoring import monitor
from workbench.training.records import extension, runs


@pytest.fixture
def wide(tmp_path: Path) -> Snapshot:
    """Two photographs to learn from and one to validate on, in eight views each."""
    return wide_photographs(tmp_path / "wide")


def sentences(events: list[Event]) -> list[str]:
    return [event.sentence for event in only(events, Message)]


def test_the_run_is_judged_by_photographs(request_of: MakeRequest, wide: Snapshot) -> None:
    request = request_of(snapshot=wide, **TILES)
    told = sentences(list(run.train(request)))
    assert any(sentence.startswith("AP is measured on 1 image only") for sentence in told)
    assert not any("same picture" in sentence for sentence in told), "dark tiles are alike"
    assert runs.info(request.folder).judged_by == wide.only(splits=(Split.VALIDATION,)).digest


def test_the_length_that_is_told_before_is_that_of_the_views(wide: Snapshot, toy: type[Toy]) -> None:
    found = {one.kind: one for one in preflight(wide, recipe(least_steps=50, **TILES), None)}
    assert found["length"].sentence.startswith("16 images and tiles would make 16 steps")


def test_a_box_too_small_to_learn_is_counted_once(request_of: MakeRequest, wide: Snapshot) -> None:
    """It lies in two tiles and in the whole, too small in each."""
    boxes = wide.boxes.copy()
    boxes[0] = (40, 10, 40.5, 10.5)
    told = sentences(list(run.train(request_of(snapshot=replace(wide, boxes=boxes), **TILES))))
    assert any(sentence.startswith("1 box is smaller than") for sentence in told)


def test_where_no_held_out_photograph_can_be_read_it_is_judged_by_those_it_learns_from(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    held_out = wide_photographs(tmp_path / "wide", 6, 0)
    held_out = replace(held_out, images=tuple(replace(one, split=Split.NONE) for one in held_out.images))
    request = request_of(snapshot=held_out, hold_out=0.2, **TILES)
    judges = only(list(run.train(replace(request, folder=tmp_path / "first"))), Started)[0].validation_images
    assert 0 < judges < 6
    for image, file in zip(held_out.images, held_out.files, strict=True):
        if image.id in judged_ids(tmp_path / "first"):
            file.write_bytes(b"no image")
    events = list(run.train(request))
    started = only(events, Started)[0]
    assert (started.images, started.validation_images) == (6 - judges, 6 - judges)
    assert only(events, Evaluated)[-1].images == 6 - judges


def judged_ids(folder: Path) -> set[int]:
    """Of the photographs that the run in `folder` was judged by."""
    from workbench.training import prepare
    from workbench.training.records import record

    request = record.read_request(folder)
    return {image.id for image in prepare.select_images(request.snapshot, request.recipe.training)[1].images}


def test_a_photograph_that_the_weights_have_learnt_is_counted_once(request_of: MakeRequest, wide: Snapshot) -> None:
    learnt = replace(wide, images=tuple(replace(one, split=Split.TRAIN) for one in wide.images))
    first = request_of("first", learnt, hold_out=0.0)
    list(run.train(first))
    second = replace(request_of("second", wide, **TILES), start=first.folder / checkpoint.LAST)
    told = sentences(list(run.train(second)))
    assert any(sentence.startswith("Of the 1 image to validate on, 1 was learnt by") for sentence in told)


def test_a_run_in_tiles_is_extended_as_if_it_had_been_longer(request_of: MakeRequest, wide: Snapshot) -> None:
    request = request_of(snapshot=wide, epochs=2, schedule="constant", **TILES)
    started = only(list(run.train(request)), Started)[0]
    assert (started.images, started.an_epoch, started.steps) == (2, 16, 8)
    basis = extension.read_finished_run(request.folder)
    assert (basis.epoch, basis.step, basis.steps) == (2, 8, 8)
    longer = extension.extend(request.folder, 1)
    assert only(list(runs.read_events(longer)), Started)[0].steps == 12, "also before it goes on"
    events = list(run.resume(longer))
    assert (only(events, Started)[0].steps, only(events, Finished)[0].step) == (12, 12)
    assert not same(weights(request.folder), weights(longer))


def test_one_changed_photograph_does_not_drive_those_to_validate_on_out_of_the_cache(
    request_of: MakeRequest, tmp_path: Path, reads: list[str]
) -> None:
    few = wide_photographs(tmp_path / "wide", 1, 8)  # 64 views to validate on
    for number, file in enumerate(few.files):
        write_grey(file, number)
    for name in ("first", "second"):
        request = request_of(name, few, keep_images="disk", epochs=1, **TILES)
        reads.clear()
        list(run.train(replace(request, folder=tmp_path / "p" / "runs" / name)))
        write_grey(few.files[0], 99)
    assert reads == ["wide-0.png"]


def write_grey(file: Path, level: int) -> None:
    file.write_bytes(cv2.imencode(".png", np.full((64, 256, 3), level, np.uint8))[1].tobytes())


def test_the_loss_of_a_photograph_is_that_of_its_worst_view() -> None:
    ids, losses = np.array([7, 7, 3, 7, 3]), np.array([0.1, 0.9, np.nan, 0.5, 0.2], np.float32)
    images, worst = monitor._worst_views(ids, losses)
    assert (images.tolist(), worst.tolist()) == ([3, 7], pytest.approx([0.2, 0.9]))


def test_pictures_without_boxes_beside_views_are_whole(wide: Snapshot, tmp_path: Path) -> None:
    cut = with_pictures(cut_into_views(wide, Tiling(64, 0.5), 0.25), [tmp_path / "a.png", tmp_path / "b.png"])
    assert len(cut.places) == len(cut) == 3 * 8 + 2
    assert (cut.place(23), cut.place(24), cut.place(25)) == ((192, 0, 256, 64), None, None)
