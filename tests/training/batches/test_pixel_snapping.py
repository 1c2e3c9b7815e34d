"""Whole pixels go to whole pixels: what is drawn is what OpenCV's own affine transform gives with the same numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from workbench.core.resize import PADDING, Fit
from workbench.training.batches import augment, placement
from workbench.training.batches.data import Dataset
from workbench.training.settings import TrainingSettings

SIDE = 96
WILD = TrainingSettings(
    flip=0.5, flip_vertical=0.5, scale=0.9, aspect=0.5, translate=0.4, jitter=0.3, zoom_out=0.3, mosaic=0.4,
    cutmix=0.4, hue=0.0, saturation=1.0, exposure=1.0, seed=0,
)  # fmt: skip


def smooth(count: int = 6) -> Dataset:
    """Pictures without edges: half a pixel more or less is a few levels."""
    random = np.random.default_rng(5)
    coarse = random.integers(0, 255, (count, 7, 7, 3)).astype(np.uint8)
    return Dataset(
        snapshot=None,  # not looked at
        pixels=np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in coarse]),
        rows=np.arange(count), fits=(Fit(1, 1),) * count,
        boxes=np.tile(np.array([20, 30, 70, 80], np.float32), (count, 1)),
        labels=np.zeros(count, np.int64), ignore=np.zeros(count, bool), offsets=np.arange(count + 1),
    )  # fmt: skip


@pytest.mark.parametrize("side", [64, 96, 160])
def test_a_picture_is_what_an_affine_transform_makes_of_it(side: int) -> None:
    data, wide = smooth(), 0
    for step in range(40):
        indices = np.arange(len(data))
        pieces = augment.draw_pieces(np.random.default_rng((0, 2, step)), data, indices, WILD, side, False)
        made = augment.augmented(data, indices, WILD, step, side, calm=False).images
        for place in indices:
            expected = np.full((side, side, 3), PADDING, np.uint8)
            inside = np.zeros((side, side), bool)  # where no edge of a piece is near
            for piece in np.flatnonzero(pieces.place == place):
                left, top, right, bottom = pieces.window[piece].tolist()
                a, b = pieces.a[piece], pieces.b[piece] - (left, top)
                move = a * 0.5 + b - 0.5
                expected[top:bottom, left:right] = cv2.warpAffine(
                    data.pixels[pieces.source[piece]], np.array([[a[0], 0, move[0]], [0, a[1], move[1]]]),
                    (right - left, bottom - top), borderMode=cv2.BORDER_REPLICATE,
                )  # fmt: skip
                inside[top:bottom, left:right] = False
                left, top, right, bottom = pieces.target[piece].tolist()
                edge = int(np.abs(a).max()) + 1  # there a part that was cut out has no neighbours
                inside[top + edge : max(bottom - edge, 0), left + edge : max(right - edge, 0)] = True
            wide += int(inside.sum())
            apart = np.abs(made[place].astype(int) - expected)[inside]
            assert apart.max(initial=0) <= 3, (step, place)
    assert wide > 40 * len(data) * side * side / 3


def test_what_is_not_covered_is_grey() -> None:
    data = smooth()
    for step in range(20):
        pieces = augment.draw_pieces(np.random.default_rng((0, 2, step)), data, np.arange(6), WILD, SIDE, False)
        made = augment.augmented(data, np.arange(6), WILD, step, SIDE, calm=False).images
        for place in range(6):
            bare = np.ones((SIDE, SIDE), bool)
            for left, top, right, bottom in pieces.target[pieces.place == place].tolist():
                bare[top:bottom, left:right] = False
            for piece in np.flatnonzero(pieces.place == place)[1:]:  # a rectangle that was put in covers with its grey
                left, top, right, bottom = pieces.window[piece].tolist()
                bare[top:bottom, left:right] = False
            assert (made[place][bare] == PADDING).all()


def test_a_side_moves_by_half_a_pixel_at_the_most() -> None:
    """In pixels of the batch's image; where it is enlarged, in pixels of the image that are seen."""
    random = np.random.default_rng(0)
    a, b = random.uniform(0.3, 2.5, (500, 2)) * random.choice([-1, 1], (500, 2)), random.uniform(-60, 90, (500, 2))
    window = np.sort(random.integers(0, 97, (500, 2, 2)), axis=1).reshape(500, 4)
    new_a, new_b, seen, target = placement.snap_to_pixels(a, b, window, SIDE)
    there = (target[:, 2:] > target[:, :2]).all(axis=1)
    assert 100 < there.sum() < 500
    assert (np.sign(new_a) == np.sign(a)).all()
    assert (seen >= 0).all()
    assert (seen <= SIDE).all()
    assert (target[there, :2] >= window[there, :2]).all()
    assert (target[there, 2:] <= window[there, 2:]).all()
    corners = seen[there].reshape(-1, 2, 2).astype(float)
    now = corners * new_a[there, None] + new_b[there, None]
    before = corners * a[there, None] + b[there, None]
    assert np.sort(now, axis=1).reshape(-1, 4) == pytest.approx(target[there])
    tight = (target[there, 2:] - target[there, :2] > 2)[:, None] & (seen[there, 2:] - seen[there, :2] > 2)[:, None]
    allowed = np.where(tight, 0.5 + np.abs(a[there, None]) / 2, np.inf)
    assert (np.abs(now - before) <= allowed + 1e-9).all()


def test_an_image_that_lies_as_it_is_stays_bit_for_bit() -> None:
    whole = np.array([[0, 0, SIDE, SIDE]])
    a, b, seen, target = placement.snap_to_pixels(np.ones((1, 2)), np.zeros((1, 2)), whole, SIDE)
    assert a.tolist() == [[1, 1]]
    assert b.tolist() == [[0, 0]]
    assert seen.tolist() == target.tolist() == whole.tolist()
    a, b, seen, target = placement.snap_to_pixels(-np.ones((1, 2)), np.full((1, 2), float(SIDE)), whole, SIDE)
    assert a.tolist() == [[-1, -1]]
    assert b.tolist() == [[SIDE, SIDE]]
    assert seen.tolist() == target.tolist() == whole.tolist()
