"""What is drawn for an image keeps to its rule: SSD's crops overlap a box, colours change within their bounds."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.core.resize import Fit
from workbench.training.batches import colour_jitter, placement
from workbench.training.batches.augment import augmented
from workbench.training.batches.data import Dataset
from workbench.training.settings import TrainingSettings

Doubles = NDArray[np.float64]
WHOLE = np.array([0.0, 0.0, 1.0, 1.0])
STILL = TrainingSettings(
    flip=0.0, flip_vertical=0.0, scale=0.0, aspect=0.0, translate=0.0, hue=0.0, saturation=1.0, exposure=1.0
)
SMALL = np.array([[0.40, 0.40, 0.65, 0.60], [0.05, 0.70, 0.35, 0.95]])  # of which no crop can be mostly filled
LARGE = np.array([[0.1, 0.15, 0.9, 0.8]])


def crop(seed: int, least: float, boxes: Doubles, seen: Doubles = WHOLE) -> Doubles:
    """One crop of placing's, by the overlap that it asks for; the part itself where there is none."""
    found = placement._overlapping(np.random.default_rng(seed), seen, boxes, least)
    return seen if found is None else found


def best_iou(part: Doubles, boxes: Doubles) -> float:
    """By hand, box by box."""
    found = [0.0]
    for box in boxes:
        width = min(part[2], box[2]) - max(part[0], box[0])
        height = min(part[3], box[3]) - max(part[1], box[1])
        common = max(width, 0) * max(height, 0)
        area = (part[2] - part[0]) * (part[3] - part[1]) + (box[2] - box[0]) * (box[3] - box[1])
        found.append(common / (area - common))
    return max(found)


def test_the_overlaps_that_may_be_drawn_are_ssds() -> None:
    """Section 2.2 of the paper: 0.1, 0.3, 0.5, 0.7, 0.9, or any; the whole image is what is not cropped."""
    assert sorted(placement.LEAST_OVERLAPS) == [0.0, 0.1, 0.3, 0.5, 0.7, 0.9]
    assert (placement.SMALLEST_CROP, placement.ASPECTS, placement.TRIALS) == (0.3, (0.5, 2.0), 50)


@pytest.mark.parametrize("least", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_crop_overlaps_some_box_by_what_was_drawn_or_is_none(least: float) -> None:
    made = 0
    for seed in range(200):
        part = crop(seed, least, LARGE)
        if not np.array_equal(part, WHOLE):
            made += 1
            assert best_iou(part, LARGE) >= least - 1e-12
    assert made > {0.1: 190, 0.3: 190, 0.5: 190, 0.7: 150, 0.9: 4}[least]


@pytest.mark.parametrize("least", [0.1, 0.3])
def test_crops_of_small_boxes_overlap_one_of_them_by_what_was_drawn(least: float) -> None:
    """The smallest crop has a side of 0.3, the larger box 0.3 x 0.25: up to 0.83 can be reached, and seldom is."""
    reached = [
        best_iou(part, SMALL) for part in (crop(seed, least, SMALL) for seed in range(150)) if part[2] - part[0] < 1
    ]
    assert len(reached) > 20
    assert min(reached) >= least
    assert min(reached) < least + 0.1  # not held to more than was drawn


def test_where_no_crop_can_overlap_enough_there_is_none() -> None:
    """At most 0.2 x 0.25 of a crop of 0.3 x 0.3 is filled: an overlap of 0.9 is never found in 50 trials."""
    for seed in range(50):
        assert np.array_equal(crop(seed, 0.9, np.array([[0.4, 0.4, 0.6, 0.65]])), WHOLE)


@pytest.mark.parametrize(("share", "cropped"), [(6 / 7, 1 / 2), (1 / 2, 1 / 7), (1.0, 1.0)])
def test_what_no_crop_can_overlap_enough_does_not_keep_images_whole(share: float, cropped: float) -> None:
    """Of a dot, any part will do and no other of the six overlaps is ever reached.

    As published the whole image is drawn as often as each of the six, and of seven samplers of SSD's authors two find
    something here. At a share of 1/2 the whole image is drawn six times as often.
    """
    dot = np.array([[0.5, 0.5, 0.51, 0.51]])
    seen = placement.draw_visible_parts(
        np.random.default_rng(3), replace(STILL, overlap_crop=share), 600, lambda _: dot
    )
    assert (seen != WHOLE).any(axis=1).mean() == pytest.approx(cropped, abs=0.06)


def test_crops_have_sides_of_three_tenths_or_more_are_no_thinner_than_one_to_two_and_lie_inside() -> None:
    sides, corners = [], []
    for seed in range(400):
        part = crop(seed, 0.0, SMALL)
        sides.append(part[2:] - part[:2])
        corners.append(part)
    side, corner = np.array(sides), np.array(corners)
    aspect = side[:, 0] / side[:, 1]
    assert corner.min() >= 0
    assert corner.max() <= 1 + 1e-12
    assert 0.3 <= side.min() < 0.35
    assert 0.95 < side.max() <= 1
    assert 0.5 <= aspect.min() < 0.6
    assert 1.7 < aspect.max() <= 2


def test_a_crop_is_one_of_the_part_that_is_seen_already() -> None:
    """Zoomed out to -1..2, the crop lies in there, and the box that it overlaps is where the image is."""
    seen, made = np.array([-1.0, -1.0, 2.0, 2.0]), 0
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    for seed in range(100):
        part = crop(seed, 0.3, box, seen)
        if not np.array_equal(part, seen):
            made += 1
            assert (part >= -1).all()
            assert (part <= 2).all()
            assert (part[2:] - part[:2]).min() >= 0.9 - 1e-12  # 0.3 of 3
            assert best_iou(part, box) >= 0.3
    assert made > 90


def test_without_boxes_a_crop_is_made_all_the_same() -> None:
    assert all(not np.array_equal(crop(seed, 0.9, np.zeros((0, 4))), WHOLE) for seed in range(20))


def test_parts_crop_the_share_that_was_asked_for_each_by_its_own_boxes() -> None:
    """Two kinds of pieces, a box in the left and one in the right half: crops keep to their own."""
    left, right = np.array([[0.0, 0.1, 0.45, 0.9]]), np.array([[0.55, 0.1, 1.0, 0.9]])
    shares = []
    for share in (0.0, 0.5, 1.0):
        seen = placement.draw_visible_parts(
            np.random.default_rng(3),
            replace(STILL, overlap_crop=share),
            400,
            lambda piece: right if piece % 2 else left,
        )
        cropped = (seen != placement.WHOLE).any(axis=1)
        shares.append(cropped.mean())
    assert shares[0] == 0
    assert shares[2] == 1
    assert 0.3 < shares[1] < 0.5  # the whole image comes instead of what no crop overlaps enough
    middle = (seen[:, 0] + seen[:, 2]) / 2
    assert middle[cropped & (np.arange(400) % 2 == 0)].mean() < 0.45
    assert middle[cropped & (np.arange(400) % 2 == 1)].mean() > 0.55


@pytest.mark.parametrize("across", [0.0, 0.125, 0.3])
def test_pjreddies_jitter_shows_the_whole_picture_in_other_proportions_anywhere(across: float) -> None:
    """His load_data_detection, word for word, of pictures that a letterbox left so much grey on both sides of."""
    share, count, size = 0.3, 4000, np.array([1 - 2 * across, 1.0])
    seen = placement.draw_visible_parts(
        np.random.default_rng(3), replace(STILL, whole_jitter=share), count, lambda _: np.zeros((0, 4)),
        lambda _: (across, 0.0, 1 - across, 1.0),
    )  # fmt: skip
    low = (np.array([across, 0.0]) - seen[:, :2]) / (seen[:, 2:] - seen[:, :2])  # of the picture, in the input
    shown = size / (seen[:, 2:] - seen[:, :2])
    assert low.min() >= -1e-9
    assert (low + shown).max() <= 1 + 1e-9
    assert np.allclose(shown.max(axis=1), 1)

    random = np.random.default_rng(4)
    theirs, places = np.empty((count, 2)), np.empty((count, 2))
    for row in range(count):
        change = random.uniform(-share, share, 2) * size
        aspect = (size[0] + change[0]) / (size[1] + change[1])
        theirs[row] = (aspect, 1) if aspect < 1 else (1, 1 / aspect)
        places[row] = random.random(2) * (1 - theirs[row])
    for ours, expected in ((shown, theirs), (low, places)):
        for axis in range(2):
            found = np.quantile(ours[:, axis], [0.1, 0.3, 0.5, 0.7, 0.9])
            assert found == pytest.approx(np.quantile(expected[:, axis], [0.1, 0.3, 0.5, 0.7, 0.9]), abs=0.02)


def test_darknets_jitter_moves_borders_by_shares_of_the_picture_not_of_its_grey() -> None:
    """AlexeyAB's load_data_detection: dw and dh are shares of the image's own sides, also with letter_box=1."""
    seen = placement.draw_visible_parts(
        np.random.default_rng(3), replace(STILL, jitter=0.2), 1000, lambda _: np.zeros((0, 4)),
        lambda _: (0.0, 0.125, 1.0, 0.875),
    )  # fmt: skip
    assert np.abs(seen - WHOLE).max(axis=0) == pytest.approx([0.2, 0.15, 0.2, 0.15], abs=0.002)


# --- colours ---


def coloured(colour: tuple[int, int, int], settings: TrainingSettings, steps: int = 40) -> NDArray[np.uint8]:
    """(8 * steps, 3) what becomes of images of one colour."""
    count = 8
    data = Dataset(
        snapshot=None,  # not looked at
        pixels=np.full((count, 32, 32, 3), colour, np.uint8),
        rows=np.arange(count),
        fits=(Fit(1, 1),) * count,
        boxes=np.zeros((0, 4), np.float32),
        labels=np.zeros(0, np.int64),
        ignore=np.zeros(0, bool),
        offsets=np.zeros(count + 1, np.int64),
    )
    made = [augmented(data, np.arange(count), settings, step, 32, calm=False).images for step in range(steps)]
    images = np.concatenate(made)
    assert (images == images[:, :1, :1]).all()  # one colour stays one colour
    return images[:, 0, 0]


def hsv(colours: NDArray[np.uint8]) -> Doubles:
    """(n, 3) each in 0..1, by the standard library."""
    return np.array([colorsys.rgb_to_hsv(*(float(part) / 255 for part in colour)) for colour in colours])


def bounded(found: Doubles, centre: float, factor: float, slack: float) -> None:
    """Within [1/factor, factor] of the centre, near both ends, as often up as down."""
    assert found.min() >= centre / factor - slack
    assert found.max() <= centre * factor + slack
    assert found.min() < centre / factor**0.9
    assert found.max() > centre * factor**0.9
    assert 0.4 < (found > centre).mean() < 0.6


@pytest.mark.parametrize("factor", [1.2, 1.5, 2.0])
def test_saturation_changes_within_its_bounds_and_nothing_else_does(factor: float) -> None:
    """HSV (20 / 360, 0.4, 200 / 255)."""
    found = hsv(coloured((200, 147, 120), replace(STILL, saturation=factor)))
    bounded(found[:, 1], 0.4, factor, slack=0.01)
    assert found[:, 2] == pytest.approx(200 / 255, abs=0.005)
    assert np.abs(found[:, 0] - 20 / 360).max() < 0.015


@pytest.mark.parametrize("factor", [1.2, 1.5, 2.0])
def test_exposure_changes_within_its_bounds_and_nothing_else_does(factor: float) -> None:
    """HSV (20 / 360, 0.4, 100 / 255)."""
    found = hsv(coloured((100, 73, 60), replace(STILL, exposure=factor)))
    bounded(found[:, 2], 100 / 255, factor, slack=0.006)
    assert np.abs(found[:, 1] - 0.4).max() < 0.02
    assert np.abs(found[:, 0] - 20 / 360).max() < 0.02


def test_light_beyond_white_is_white() -> None:
    found = coloured((220, 220, 220), replace(STILL, exposure=2.0))
    assert found.max() == 255
    assert (found.max(axis=1) == 255).mean() > 0.3


@pytest.mark.parametrize("share", [0.05, 0.1, 0.4])
def test_hue_turns_by_up_to_its_share_of_the_circle_either_way(share: float) -> None:
    """From pure red, whose hue is 0: the turn may pass the end of the circle."""
    found = hsv(coloured((240, 40, 40), replace(STILL, hue=share)))
    turn = (found[:, 0] + 0.5) % 1 - 0.5
    assert np.abs(turn).max() <= share + 0.004  # a level of 256
    assert turn.min() < -0.85 * share
    assert turn.max() > 0.85 * share
    assert abs(turn.mean()) < 0.15 * share
    assert np.abs(found[:, 1] - 200 / 240).max() < 0.01
    assert np.abs(found[:, 2] - 240 / 255).max() < 0.005


@pytest.mark.parametrize("grey", [0, 60, 128, 255])
def test_grey_stays_grey_whatever_hue_and_saturation_do(grey: int) -> None:
    found = coloured((grey,) * 3, replace(STILL, hue=0.5, saturation=10.0), steps=5)
    assert (found == grey).all()


def test_grey_stays_grey_in_another_light() -> None:
    found = coloured((100,) * 3, replace(STILL, hue=0.1, saturation=1.5, exposure=1.5, contrast=1.5, brightness=0.125))
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0].tolist())) > 50


def test_lights_are_drawn_between_a_factor_and_its_inverse() -> None:
    """Darknet's evenly from 1 to the factor, then as often turned over; contrast evenly in logarithm."""
    settings = replace(STILL, hue=0.1, saturation=1.5, exposure=2.0, contrast=1.5, brightness=0.125)
    drawn = colour_jitter.draw_jitters(np.random.default_rng(2), settings, 4000)
    for name, factor in (("saturation", 1.5), ("exposure", 2.0)):
        values = np.array([getattr(one, name) for one in drawn])
        expected = [1 / factor, 1 / (1 + (factor - 1) / 2), 1, 1 + (factor - 1) / 2, factor]
        assert np.quantile(values, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(expected, abs=0.02)
    power = np.log([one.contrast for one in drawn]) / np.log(1.5)
    assert np.quantile(power, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([-1, -0.5, 0, 0.5, 1], abs=0.06)
    for name, bound in (("hue", 0.1), ("brightness", 0.125)):
        part = np.array([getattr(one, name) for one in drawn]) / bound
        assert np.quantile(part, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([-1, -0.5, 0, 0.5, 1], abs=0.06)


def test_ssds_authors_change_each_of_four_in_half_of_the_images() -> None:
    """Brightness first; contrast next, or last: Caffe's rule, its factors of 0.5 to 1.5."""
    settings = replace(STILL, colour_rule="ssd", hue=0.1, saturation=1.5, contrast=1.5, brightness=0.125)
    drawn = colour_jitter.draw_jitters(np.random.default_rng(2), settings, 4000)
    for name, still, low, high in (("hue", 0, -0.1, 0.1), ("brightness", 0, -0.125, 0.125),
                                   ("saturation", 1, 0.5, 1.5), ("contrast", 1, 0.5, 1.5)):  # fmt: skip
        values = np.array([getattr(one, name) for one in drawn])
        assert (values == still).mean() == pytest.approx(0.5, abs=0.03)
        quarters = low + (high - low) * np.array([0, 0.25, 0.5, 0.75, 1])
        assert np.quantile(values[values != still], [0, 0.25, 0.5, 0.75, 1]) == pytest.approx(quarters, abs=0.02)
    assert np.mean([one.order == "first" for one in drawn]) == pytest.approx(0.5, abs=0.03)
    assert all(one.exposure == 1 for one in drawn)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("last", (255, 175, 175)), ("first", (255, 157, 157)), ("around", (255, 165, 165))],
)
def test_contrast_comes_before_or_after_the_tint(order: colour_jitter.Order, expected: tuple[int, int, int]) -> None:
    """1.5 times the contrast, 20 less of brightness, half the saturation; red is at its end sooner or later."""
    image = np.full((1, 1, 3), (200, 60, 60), np.uint8)
    colour_jitter.recolour(image, colour_jitter.ColourJitter(0, 0.5, 1, 1.5, -20 / 255, order))
    assert image.ravel().tolist() == pytest.approx(list(expected), abs=2)


def test_a_hue_turns_around_the_whole_circle_and_other_lights_stop_at_its_ends() -> None:
    jitters = [colour_jitter.ColourJitter(turn, 2.0, 0.5, 1.0, 0.0) for turn in (0.25, -0.25)]
    tables = colour_jitter.tables(jitters).tolist()
    assert [table[1][level] for table in tables for level in (0, 100, 192, 255)] == [64, 164, 0, 63, 192, 36, 128, 191]
    assert [tables[0][2][level] for level in (0, 100, 127, 200)] == [0, 200, 254, 255]
    assert [tables[0][3][level] for level in (0, 100, 255)] == [0, 50, 127]
    assert tables[0][0] == tables[0][4] == list(range(256))
