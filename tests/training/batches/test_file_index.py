"""With files that can't be read, or are of another size, what is seen still is what a training computes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.tiled import wide_photographs
from tests.training.toys import Toy
from tests.training.trainer_view.test_network_input import assert_equal, computed, photographs, recipe
from workbench.core import images
from workbench.core.project import Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.training.batches.file_index import FileIndex
from workbench.training.recipes import Recipe
from workbench.training.trainer_view.network_input import (
    FileChanged,
    InputSequence,
    NetworkInput,
    make_input_sequence,
    unaugmented_input,
)

DAMAGED, GONE, GROWN = 3, 8, 6  # ids of images


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Eleven images, of which one is damaged, one is gone and one is of another size than the project knows."""
    made = photographs(tmp_path / "images")
    made.files[DAMAGED - 1].write_bytes(made.files[DAMAGED - 1].read_bytes()[:-40])
    made.files[GONE - 1].unlink()
    image = np.random.default_rng(5).integers(0, 255, (90, 300, 3), np.uint8)
    made.files[GROWN - 1].write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return made


def all_looked_at(snapshot: Snapshot) -> FileIndex:
    files = FileIndex()
    for file in snapshot.files:
        files.read(file, snapshot.window)
    return files


@pytest.mark.parametrize("change", [{}, {"mixup": 0.6, "mosaic": 1.0}])
def test_what_is_seen_is_what_a_training_without_the_unreadable_files_computes(
    snapshot: Snapshot, toy: type[Toy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, float]
) -> None:
    wanted = recipe(**change)
    batches = computed(snapshot, wanted, tmp_path / "run", monkeypatch)
    plan = make_input_sequence(snapshot, wanted, all_looked_at(snapshot))
    assert len(plan.data) == 7
    assert set(plan.left_out) == {DAMAGED, GONE}
    assert "2.png" in plan.left_out[DAMAGED]
    for epoch in range(wanted.training.epochs):
        for index in range(len(plan.data)):
            seen = plan.in_epoch(index, epoch)
            assert_equal(seen, batches[seen.step])
    ignorant = make_input_sequence(snapshot, wanted)
    assert ignorant.position(1, 1) != plan.position(1, 1)  # an image that is believed in moves the others


def found_out(
    snapshot: Snapshot, wanted: Recipe, image: int, files: FileIndex
) -> tuple[InputSequence, NetworkInput, int]:
    """With nothing known beforehand: what a look finds out is known to the next. And how often it was begun anew."""
    for again in range(len(snapshot)):
        plan = make_input_sequence(snapshot, wanted, files)
        try:
            return plan, plan.in_epoch(plan.index(image), 0), again
        except FileChanged:
            pass
    raise AssertionError("it does not end")


def test_a_mosaic_with_a_damaged_file_refuses_no_good_image(snapshot: Snapshot, toy: type[Toy]) -> None:
    wanted, files = recipe(mosaic=1.0, cutmix=0.0), FileIndex()
    with pytest.raises(FileChanged):
        for index in range(9):
            make_input_sequence(snapshot, wanted).in_epoch(index, 0)
    again = 0
    for image in (1, 2, 4, 6, 7, 9, 11):
        _, seen, times = found_out(snapshot, wanted, image, files)
        assert not {DAMAGED, GONE} & {seen.snapshot.images[part].id for part in seen.parts}
        again += times
    assert again >= 2
    plan = make_input_sequence(snapshot, wanted, files)
    assert set(plan.left_out) == {DAMAGED, GONE}


def test_an_image_that_training_leaves_out_says_why(snapshot: Snapshot, toy: type[Toy]) -> None:
    split, state = Split, State
    odd = {2: {"split": split.TEST}, 4: {"state": state.IN_WORK}, 5: {"split": split.VALIDATION}}
    changed = [replace(image, **odd.get(image.id, {})) for image in snapshot.images]  # type: ignore[arg-type]
    snapshot = replace(snapshot, images=tuple(changed))
    plan = make_input_sequence(snapshot, recipe(), all_looked_at(snapshot))
    said = {image.id: plan.exclusion_reason(image) for image in snapshot.images}
    assert [id for id, why in said.items() if not why] == [1, 6, 7, 9, 11]
    assert said[2] == "it is in the test split"
    assert said[4] == "it is in work, and the recipe uses images that are done or verified"
    assert said[5] == "it is in the validation split"
    assert said[DAMAGED].startswith("its file can't be read: ")
    alone = replace(snapshot, images=tuple(replace(one, split=split.NONE) for one in changed))
    held_out = make_input_sequence(alone, recipe(hold_out=0.3), all_looked_at(snapshot))
    reasons = {held_out.exclusion_reason(image) for image in alone.images}
    assert {reason[:14] for reason in reasons} == {"", "it is in work,", "it is held out", "its file can't"}
    assert "it is held out to validate on, as no image is in the validation split" in reasons, "the end of a sentence"


def test_a_look_that_is_refused_has_the_sentence_of_the_file_alone(snapshot: Snapshot, toy: type[Toy]) -> None:
    with pytest.raises(WorkbenchError) as told:
        unaugmented_input(snapshot, DAMAGED, recipe())
    assert told.value.sentence.startswith(str(snapshot.files[DAMAGED - 1]))
    assert "left out" not in told.value.sentence


def test_a_file_is_read_once_until_it_is_another_one(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    files, file = FileIndex(), snapshot.files[0]
    read, plain = [], images.read
    monkeypatch.setattr(images, "read", lambda file, window=None: (read.append(file), plain(file, window))[1])
    assert files.known(file, None) is None
    about = files.read(file, None)
    assert (about.width, about.height) == (snapshot.images[0].width, snapshot.images[0].height)
    assert files.read(file, None) == files.known(file, None) == about
    assert len(read) == 1
    file.write_bytes(b"no picture")
    os.utime(file, ns=(1, 1))
    assert files.known(file, None) is None
    assert "0.png" in files.read(file, None).problem
    assert files.unknown(snapshot.files, None) == [one for one in snapshot.files if one.exists() and one != file]


def test_the_tiles_of_a_file_that_was_looked_at_are_of_their_own_size(toy: type[Toy], tmp_path: Path) -> None:
    wide = wide_photographs(tmp_path / "wide")
    known, unknown = (
        make_input_sequence(wide, recipe(tiles=64), files) for files in (all_looked_at(wide), FileIndex())
    )
    assert known.data.fits == unknown.data.fits
    assert len(set(known.data.fits)) == 2, "of the whole and of its tiles"
