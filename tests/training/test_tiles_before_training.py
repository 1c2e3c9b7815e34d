"""What is seen, counted and told of tiles before a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.run_results import MakeRequest
from tests.training.tiled import TILES, recipe, wide, wide_photographs
from workbench.core.project import Image, Label, Snapshot, State
from workbench.errors import WorkbenchError
from workbench.training import run
from workbench.training.checks.cost_measurement import estimate
from workbench.training.checks.findings import STOPS
from workbench.training.checks.preflight import preflight
from workbench.training.recipes import UNTOUCHED
from workbench.training.trainer_view.box_coverage import Coverage, count_coverage
from workbench.training.trainer_view.network_input import make_input_sequence, unaugmented_input

__all__ = ["wide"]  # a fixture


@pytest.mark.usefixtures("toy")
def test_what_the_trainer_sees_of_a_large_image_is_the_tile_with_most_boxes(wide: Snapshot) -> None:
    sequence = make_input_sequence(wide, recipe(**UNTOUCHED, mosaic=0.0, flip=0.0, **TILES))
    assert len(sequence.data) == 16
    index = sequence.index(1)
    assert wide.place(0) is None
    assert sequence.snapshot.places[index] == (0, 0, 64, 64)
    seen = sequence.in_epoch(index, 0)
    assert (seen.pixels[:32, :32] > 200).all()
    assert (seen.pixels[32:] < 50).all()
    assert sequence.snapshot.box_ids[seen.rows].tolist() == [1]


@pytest.mark.usefixtures("toy")
def test_a_box_of_which_a_tile_shows_too_little_is_not_called_a_crowd_of_the_users(tmp_path: Path) -> None:
    """Its last 4 of 32 px lie in the second tile; the other box lies inside and is marked."""
    shown = Image(1, "a.png", 96, 64, State.DONE)
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.zeros((64, 96, 3), np.uint8))[1].tobytes())
    boxes = np.array([[4, 0, 36, 32], [40, 8, 60, 40], [70, 8, 90, 40]], np.float64)
    flags = np.zeros((3, 4), bool)
    flags[1, 3] = True
    snapshot = Snapshot(
        labels=(Label(1, "top"),), images=(shown,), files=(tmp_path / "a.png",), offsets=np.array([0, 3]), boxes=boxes,
        label_index=np.zeros(3, np.int64), flags=flags, box_ids=np.arange(3),
    )  # fmt: skip
    seen = unaugmented_input(snapshot, 1, recipe(tiles=64, tile_overlap=0.5), view=2)
    assert [one.reason.partition(":")[0] for one in seen.lost] == [
        "this tile shows less than 25 % of it, or it is marked as a crowd", "it is marked as a crowd",
    ]  # fmt: skip


@pytest.mark.usefixtures("toy")
def test_each_box_is_counted_once_before_a_training(wide: Snapshot) -> None:
    (counted,) = (one for one in count_coverage(wide, recipe(**TILES), None, ["toy"]) if isinstance(one, Coverage))
    assert counted.total.sum() == 4
    assert counted.missed.sum() == 0


@pytest.mark.usefixtures("toy")
def test_objects_that_get_lost_in_large_photographs_are_told_of_and_tiles_are_the_advice(wide: Snapshot) -> None:
    large = replace(wide, images=tuple(replace(one, width=2048, height=512) for one in wide.images))
    found = {one.kind: one for one in preflight(large, recipe(), None)}
    words = "4 of 4 boxes (100.0 %) are small in large photographs: typically 32 px in the photograph, 2 px of 64"
    assert words in found["tiles"].text
    assert "--tiles 64" in found["tiles"].advice
    assert "tiles" not in {one.kind for one in preflight(large, recipe(tiles=128), None)}
    assert "tiles" not in {one.kind for one in preflight(wide, recipe(), None)}


@pytest.mark.usefixtures("toy")
def test_an_estimate_counts_the_tiles(wide: Snapshot) -> None:
    plain, tiled = (estimate(wide, recipe(**more), None, budget=0.2) for more in ({}, TILES))
    assert (plain.steps, tiled.steps) == (2, 16)
    assert tiled.rows()["steps"].endswith("4 epochs of 2 images and 14 tiles, 4 at a time")
    assert tiled.rows()["evaluations"].endswith(" 1 image and 7 tiles")
    assert (tiled.images, tiled.views, tiled.validation_images, tiled.validation_views) == (2, 16, 1, 8)
    assert "steps of 4 images and tiles" in tiled.how
    assert plain.rows()["steps"].endswith("4 epochs of 2 images, 4 at a time")
    assert (plain.cache, tiled.cache) == (3 * 64 * 64 * 3, 24 * 64 * 64 * 3)


@pytest.mark.usefixtures("toy")
def test_tiles_do_not_make_images_enough_to_end_early_by(tmp_path: Path) -> None:
    few = wide_photographs(tmp_path, 2, 2)  # 16 views to validate on
    assert not estimate(few, recipe(patience=1, **TILES), None, budget=0.2).at_most
    assert estimate(wide_photographs(tmp_path, 2, 10), recipe(patience=1, **TILES), None, budget=0.2).at_most


def test_tiles_that_cannot_be_are_refused_in_a_sentence(request_of: MakeRequest, wide: Snapshot) -> None:
    with pytest.raises(WorkbenchError, match="at least 64 pixels, found 10. 0 means no tiles"):
        list(run.train(request_of(snapshot=wide, tiles=10)))
    (found,) = (one for one in preflight(wide, recipe(tiles=10), None) if one.level == STOPS)
    assert "at least 64 pixels, found 10. 0 means no tiles" in found.sentence, "the window waited for it in vain"
