"""Boxes go to the network's square and back without moving, and pixels go where the boxes say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.resize import FIT_MODES, Fit, FitMode, fit, letterbox_size, scales_and_offsets

SIDES = st.integers(1, 300)
ALL = st.sampled_from(FIT_MODES)


def grey(width: int, height: int, level: int = 0) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_stretch_fills_the_square() -> None:
    square, way = fit(grey(200, 50, 9), 100, "stretch")
    assert square.shape == (100, 100, 3)
    assert (square == 9).all()
    assert way == Fit(0.5, 2.0, 0.0, 0.0)
    assert way.forward(np.array([[0, 0, 200, 50], [10, 10, 20, 20]])).tolist() == [[0, 0, 100, 100], [5, 20, 10, 40]]


def test_letterbox_keeps_proportions_and_pads_with_grey_of_128() -> None:
    square, way = fit(grey(200, 50), 100, "letterbox")
    assert way == Fit(0.5, 0.5, 0.0, 37.0)  # 25 rows in 100: 37 above, 38 below
    assert (square[37:62] == 0).all()
    assert (square[:37] == 128).all()
    assert (square[62:] == 128).all()
    assert way.forward(np.array([[0.0, 0, 200, 50]])).tolist() == [[0, 37, 100, 62]]


def test_letterbox_enlarges_a_small_image() -> None:
    square, way = fit(grey(10, 20, 200), 40, "letterbox")
    assert way == Fit(2.0, 2.0, 10.0, 0.0)
    assert (square[:, 10:30] == 200).all()
    assert (square[:, :10] == 128).all()


def test_whole_pixels_decide_the_scale() -> None:
    assert letterbox_size(30, 20, 100) == (100, 66)
    _, way = fit(grey(30, 20), 100, "letterbox")
    assert way.scale_y == 66 / 20
    assert way.pad_y == 17.0


def test_a_line_stays_a_pixel_wide() -> None:
    assert letterbox_size(1000, 1, 100) == (100, 1)
    assert letterbox_size(1, 1000, 100) == (1, 100)


def test_an_image_of_the_right_size_is_copied_unchanged() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for how in FIT_MODES:
        square, way = fit(image, 32, how)
        assert np.array_equal(square, image)
        assert not np.shares_memory(square, image)
        assert way == Fit(1.0, 1.0)


def test_no_boxes_stay_no_boxes_and_float32_stays_float32() -> None:
    way = Fit(0.5, 2.0, 3.0, 4.0)
    assert way.forward(np.zeros((0, 4))).shape == (0, 4)
    assert way.back(np.array([])).shape == (0, 4)
    assert way.back(np.ones((1, 4), np.float32)).dtype == np.float32
    assert way.forward(np.ones((1, 4), np.int64)).dtype == np.float64


def test_another_way_of_fitting_is_an_error() -> None:
    with pytest.raises(ValueError, match="letterbox"):
        fit(grey(4, 4), 8, "crop")  # type: ignore[arg-type]


@given(width=SIDES, height=SIDES, px=st.sampled_from([1, 32, 416]), how=ALL, seed=st.integers(0, 99))
def test_back_undoes_forward(width: int, height: int, px: int, how: FitMode, seed: int) -> None:
    boxes = np.random.default_rng(seed).uniform(-10, 310, (5, 4))
    square, way = fit(grey(width, height), px, how)
    assert square.shape == (px, px, 3)
    assert np.allclose(way.back(way.forward(boxes)), boxes, rtol=0, atol=1e-9)


@given(width=SIDES, height=SIDES, px=st.sampled_from([32, 416]), how=ALL)
def test_the_whole_image_goes_to_exactly_the_pixels_that_are_not_padding(
    width: int, height: int, px: int, how: FitMode
) -> None:
    square, way = fit(grey(width, height), px, how)
    rows, columns = np.nonzero(square[..., 0] == 0)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.allclose(way.forward(np.array([[0, 0, width, height]])), [found], rtol=0, atol=1e-9)


def test_darknet_keeps_the_corner_pixels_where_they_are() -> None:
    """Two pixels on four: 0, 1/3, 2/3, 1. OpenCV's: 0, 1/4, 3/4, 1, cut to whole numbers."""
    image = np.array([[[0], [90]]], np.uint8).repeat(3, axis=2)
    square, way = fit(np.concatenate([image, image]), 4, "darknet stretch")
    assert np.allclose(square[0, :, 0], [0, 30, 60, 90])
    assert way == Fit(2.0, 2.0)
    plain, _ = fit(np.concatenate([image, image]), 4, "stretch")
    assert plain[0, :, 0].tolist() == [0, 22, 67, 90]


def test_darknet_interpolates_as_torch_with_aligned_corners() -> None:
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    square, _ = fit(image, 64, "darknet stretch")
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(tensor, (64, 64), mode="bilinear", align_corners=True)
    assert np.abs(square.transpose(2, 0, 1) - expected[0].numpy()).max() < 1e-3


@pytest.mark.parametrize("how", FIT_MODES)
def test_many_images_are_scaled_as_each_is(how: FitMode) -> None:
    sizes = [(640, 480), (33, 100), (7, 5000), (416, 416), *np.random.default_rng(1).integers(1, 300, (20, 2)).tolist()]
    scales, offsets = scales_and_offsets(np.array([*sizes, (0, 0)]), 416, how)
    for (width, height), scale, offset in zip(sizes, scales, offsets, strict=False):
        way = fit(np.zeros((height, width, 3), np.uint8), 416, how)[1]
        assert (*scale, *offset) == (way.scale_x, way.scale_y, way.pad_x, way.pad_y)
    assert scales[-1].tolist() == [0, 0], "of an image whose size is not known nothing is"
