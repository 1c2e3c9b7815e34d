"""Boxes go where their pixels go, whatever is drawn; and the same step draws the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from workbench.core.resize import Fit
from workbench.training.batches.augment import Batch, augmented, draw_pieces, unaugmented
from workbench.training.batches.data import Dataset
from workbench.training.settings import TrainingSettings

SIDE = 64
STILL = TrainingSettings(
    flip=0.0, flip_vertical=0.0, scale=0.0, aspect=0.0, translate=0.0, hue=0.0, saturation=1.0, exposure=1.0
)
BOX = (20, 8, 36, 28)
PLACES = np.arange(8)


def squares(boxes: list[tuple[int, int, int, int]] | None = None, count: int = 8) -> Dataset:
    """Black images with a white rectangle at each box."""
    boxes = [BOX] * count if boxes is None else boxes
    pixels = np.zeros((len(boxes), SIDE, SIDE, 3), np.uint8)
    for image, (left, top, right, bottom) in zip(pixels, boxes, strict=True):
        image[top:bottom, left:right] = 255
    m = len(boxes)
    return Dataset(
        snapshot=None,  # not looked at
        pixels=pixels,
        rows=np.arange(m),
        fits=(Fit(1, 1),) * m,
        boxes=np.array(boxes, np.float32),
        labels=np.arange(m) % 3,
        ignore=np.zeros(m, bool),
        offsets=np.arange(m + 1),
    )


def white(image: Any) -> tuple[int, ...]:
    """The box of what is brighter than the grey around."""
    rows, columns = (np.flatnonzero((image[..., 0] > 150).any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def make(settings: TrainingSettings, step: int = 0, data: Dataset | None = None, **changes: Any) -> Batch:
    return augmented(data or squares(), PLACES, settings, step, changes.pop("side", SIDE), calm=False)


def test_nothing_drawn_changes_nothing() -> None:
    batch, original = make(STILL), unaugmented(squares(), PLACES)
    assert np.array_equal(batch.images, original.images)
    assert np.array_equal(batch.boxes, original.boxes)
    assert tuple(batch.boxes[0, 0]) == BOX
    assert batch.labels[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert (batch.labels[:, 1:] == -1).all()


def test_a_flip_mirrors_image_and_box() -> None:
    batch = make(replace(STILL, flip=1.0))
    assert tuple(batch.boxes[0, 0]) == (28, 8, 44, 28)
    assert np.array_equal(batch.images[0], squares().pixels[0][:, ::-1])


def test_a_vertical_flip_mirrors_image_and_box() -> None:
    batch = make(replace(STILL, flip_vertical=1.0))
    assert tuple(batch.boxes[0, 0]) == (20, 36, 36, 56)
    assert np.array_equal(batch.images[0], squares().pixels[0][::-1])


def test_another_side_scales_image_and_box() -> None:
    batch = make(STILL, side=128)
    assert batch.images.shape == (8, 128, 128, 3)
    assert tuple(batch.boxes[0, 0]) == (40, 16, 72, 56)


@pytest.mark.parametrize("step", range(20))
def test_boxes_enclose_their_pixels_under_every_change_at_once(step: int) -> None:
    settings = replace(STILL, flip=0.5, flip_vertical=0.5, scale=0.5, aspect=0.3, translate=0.3)
    batch = make(settings, step)
    looked = 0
    for image, box, label, ignore in zip(batch.images, batch.boxes, batch.labels, batch.ignore, strict=True):
        if label[0] >= 0 and not ignore[0]:
            assert np.abs(np.array(white(image)) - box[0]).max() <= 1  # half a pixel of rounding, half of blur
            looked += 1
    assert looked >= 4


@pytest.mark.parametrize("step", range(10))
def test_every_rectangle_of_a_mosaic_has_its_box_and_no_box_is_empty(step: int) -> None:
    batch = make(replace(STILL, mosaic=1.0, scale=0.3, flip=0.5), step)
    for image, boxes, labels, ignore in zip(batch.images, batch.boxes, batch.labels, batch.ignore, strict=True):
        covered = np.zeros((SIDE, SIDE), bool)
        for (left, top, right, bottom), sliver in zip(boxes[labels >= 0], ignore[labels >= 0], strict=True):
            patch = np.s_[int(np.floor(top)) : int(np.ceil(bottom)), int(np.floor(left)) : int(np.ceil(right))]
            covered[patch] = True
            assert sliver or image[patch].max() > 200
        assert not ((image[..., 0] > 200) & ~covered).any()


def test_a_mosaic_has_the_boxes_of_four_images() -> None:
    batch = make(replace(STILL, mosaic=1.0), data=squares([(0, 0, 64, 64)] * 8))
    assert ((batch.labels >= 0).sum(axis=1) == 4).all()
    assert (batch.images == 255).all()  # the pieces leave no gap


def test_a_calm_step_makes_no_mosaic() -> None:
    batch = augmented(squares(), PLACES, replace(STILL, mosaic=1.0), 0, SIDE, calm=True)
    assert np.array_equal(batch.images, squares().pixels)


def test_a_box_that_is_mostly_cut_off_is_ignored_not_background() -> None:
    seen = 0
    for step in range(20):
        batch = make(replace(STILL, translate=0.9), step)
        boxes, here = batch.boxes[:, 0], batch.labels[:, 0] >= 0
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        small = (width * height < 0.25 * 16 * 20) | (width < 2) | (height < 2)
        assert np.array_equal(batch.ignore[here, 0], small[here])
        seen += int((here & small).sum())
    assert seen > 3


def test_recolouring_moves_no_box_and_changes_the_light() -> None:
    batch = make(replace(STILL, exposure=1.5))
    light = batch.images.reshape(8, -1).max(axis=1)
    assert tuple(batch.boxes[0, 0]) == BOX
    assert light.min() < 250
    assert len(set(light.tolist())) > 3


def test_hue_turns_red_into_other_colours() -> None:
    data = squares()
    data.pixels[...] = (200, 30, 30)
    batch = augmented(data, PLACES, replace(STILL, hue=1.0), 0, SIDE, calm=False)
    assert (batch.images[:, 0, 0].argmax(axis=1) != 0).any()
    assert np.abs(batch.images[:, 0, 0].max(axis=1).astype(int) - 200).max() <= 3


def test_the_same_step_draws_the_same_and_another_differs() -> None:
    settings = TrainingSettings(mosaic=0.5)
    one, same, other = make(settings, 5), make(settings, 5), make(settings, 6)
    assert np.array_equal(one.images, same.images)
    assert np.array_equal(one.boxes, same.boxes)
    assert not np.array_equal(one.images, other.images)
    assert not np.array_equal(one.images, make(replace(settings, seed=2), 5).images)


def test_images_without_boxes_make_a_batch() -> None:
    data = replace(
        squares(), boxes=np.zeros((0, 4), np.float32), labels=np.zeros(0, np.int64), offsets=np.zeros(9, int)
    )
    batch = make(TrainingSettings(mosaic=0.5), data=data)
    assert (batch.labels == -1).all()
    assert batch.boxes.shape == (8, 16, 4)


@pytest.mark.parametrize("name", ["jitter", "whole_jitter", "zoom_out", "overlap_crop"])
@pytest.mark.parametrize("step", range(8))
def test_boxes_follow_their_pixels_into_the_part_that_is_seen(name: str, step: int) -> None:
    change: dict[str, Any] = {name: 0.4 if "jitter" in name else 1.0}
    batch = make(replace(STILL, **change, flip=0.5), step)
    looked = 0
    for image, box, label, ignore in zip(batch.images, batch.boxes, batch.labels, batch.ignore, strict=True):
        if label[0] >= 0 and not ignore[0]:
            assert np.abs(np.array(white(image)) - box[0]).max() <= 1 + 0.5 * max(1, (box[0, 2] - box[0, 0]) / 16)
            looked += 1
    assert looked >= 3


def test_jitter_moves_each_border_on_its_own() -> None:
    """A box that is all of the image shows where its borders went: in or out, all four differently."""
    low, high = [], []
    for step in range(40):
        batch = make(replace(STILL, jitter=0.3), step, squares([(0, 0, 64, 64)] * 8))
        low.append(batch.boxes[:, 0, :2])
        high.append(batch.boxes[:, 0, 2:])
    left, top = np.concatenate(low).T
    right, bottom = np.concatenate(high).T
    for side in (left, top, SIDE - right, SIDE - bottom):
        assert 0.4 < (side == 0).mean() < 0.6  # moved inwards: cropped; otherwise grey appears
        assert 10 < side.max() < 30
    assert abs(np.corrcoef(left, SIDE - right)[0, 1]) < 0.25  # they share a scale; else it is within 0.1


def test_zooming_out_sets_the_image_small_into_grey() -> None:
    batch = make(replace(STILL, zoom_out=1.0), data=squares([(0, 0, 64, 64)] * 8))
    side = batch.boxes[:, 0, 2] - batch.boxes[:, 0, 0]
    assert side.min() >= SIDE / 4
    assert len(set(side.round(2).tolist())) > 5
    for image, box in zip(batch.images, batch.boxes[:, 0], strict=True):
        assert (image == 128).any() == bool(box[2] - box[0] < SIDE - 1)


def test_what_is_cropped_loses_the_boxes_whose_centre_is_outside() -> None:
    count, settings = {True: 0, False: 0}, replace(STILL, overlap_crop=1.0)
    for step in range(30):
        data = squares([(4 * i, 6, 4 * i + 20, 40) for i in range(8)])
        batch = make(settings, step, data)
        pieces = draw_pieces(np.random.default_rng((settings.seed, 2, step)), data, PLACES, settings, SIDE, False)
        for i in range(8):
            centre = np.array([4 * pieces.source[i] + 10, 23]) * pieces.a[i] + pieces.b[i]
            if np.abs(centre * (centre - SIDE)).min() < 1e-6:  # on the border
                continue
            inside = bool(((centre >= 0) & (centre < SIDE)).all())
            assert bool((batch.labels[i] >= 0).any()) == inside
            count[inside] += 1
    assert min(count.values()) > 5


def test_what_is_to_be_ignored_stays_however_a_crop_cuts_it() -> None:
    """A crowd without its middle is a crowd still: were it left out, the crop would teach it as background."""
    data = replace(squares([(4 * i, 6, 4 * i + 20, 40) for i in range(8)]), ignore=np.ones(8, bool))
    without = 0
    for step in range(10):
        batch = make(replace(STILL, overlap_crop=1.0), step, data)
        shown = (batch.images > 150).any(axis=(1, 2, 3))
        assert ((batch.labels[:, 0] >= 0) >= shown).all()
        assert batch.ignore[batch.labels >= 0].all()
        corners = batch.boxes[:, 0]
        without += int((shown & ((corners == 0) | (corners == SIDE)).any(axis=1)).sum())
    assert without > 20  # cut by a border


def test_overlap_crops_keep_a_box_by_a_drawn_overlap() -> None:
    """Crops of SSD: at least 0.3 of the side, no thinner than 1 to 2, and some box mostly in sight."""
    shown = 0
    for step in range(20):
        batch = make(replace(STILL, overlap_crop=1.0), step, squares([(10, 10, 54, 54)] * 8))
        side = batch.boxes[:, 0, 2:] - batch.boxes[:, 0, :2]
        shown += int(((batch.labels[:, 0] >= 0) & ~batch.ignore[:, 0] & (side.max(axis=1) > 46)).sum())
    assert shown > 60


def test_contrast_and_brightness_change_the_light_and_no_box() -> None:
    data = squares()
    data.pixels[...] = 100
    light = augmented(data, PLACES, replace(STILL, contrast=1.5), 0, SIDE, calm=False).images[:, 0, 0, 0]
    assert light.min() >= 66
    assert light.max() <= 150
    assert len(set(light.tolist())) > 4
    light = augmented(data, PLACES, replace(STILL, brightness=0.125), 0, SIDE, calm=False).images[:, 0, 0, 0]
    assert light.min() >= 68
    assert light.max() <= 132
    assert len(set(light.tolist())) > 4


def test_mixup_blends_two_images_and_has_the_boxes_of_both() -> None:
    boxes = [(4 * i, 8, 4 * i + 16, 28) for i in range(8)]
    batch = make(replace(STILL, mixup=1.0), data=squares(boxes))
    assert ((batch.labels >= 0).sum(axis=1) == 2).all()
    for i, (image, rows) in enumerate(zip(batch.images, batch.boxes, strict=True)):
        assert {tuple(map(int, row)) for row in rows[:2]} == {boxes[i], boxes[(i + 1) % 8]}
        mine, other = int(image[10, 4 * i + 1, 0]), int(image[10, (4 * ((i + 1) % 8)) + 15, 0])
        assert 0 < mine < 255
        assert abs(mine + other - 255) <= 2
    calm = augmented(squares(boxes), PLACES, replace(STILL, mixup=1.0, cutmix=1.0), 0, SIDE, calm=True)
    assert np.array_equal(calm.images, squares(boxes).pixels)


@pytest.mark.parametrize("step", range(6))
def test_cutmix_pastes_a_rectangle_and_cuts_boxes_along(step: int) -> None:
    """White images with a box around all: the base's box stays, or is ignored when little of it is left."""
    data = squares([(0, 0, 64, 64)] * 8)
    data.pixels[4:] = 0
    batch = make(replace(STILL, cutmix=1.0), step, data)
    for labels, boxes, ignore in zip(batch.labels, batch.boxes, batch.ignore, strict=True):
        assert (labels >= 0).sum() in (1, 2)
        if labels[1] < 0:
            continue
        area = (boxes[:2, 2:] - boxes[:2, :2]).prod(axis=1)
        base, patch = int(area.argmax()), int(area.argmin())
        assert area[base] == 64 * 64
        assert ignore[base] == (64 * 64 - area[patch] < 0.25 * 64 * 64)
        assert ignore[patch] == (area[patch] < 0.25 * 64 * 64 or (boxes[patch, 2:] - boxes[patch, :2]).min() < 2)
