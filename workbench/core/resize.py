"""Fits an image to the square input of a network, and converts boxes there and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

FitMode = Literal["stretch", "letterbox", "darknet stretch", "darknet letterbox"]
FIT_MODES: tuple[FitMode, ...] = get_args(FitMode)

PADDING = 128
"""The grey around a letterboxed image: the middle of the range, as darknet pads with 0.5."""


def base_mode(mode: str) -> FitMode:
    """ "letterbox" or "stretch": Darknet's variants give the same sizes and places, but other pixel values."""
    return "letterbox" if mode.endswith("letterbox") else "stretch"


@dataclass(frozen=True, slots=True)
class Fit:
    """How an image was fitted: network = original * scale + pad, per axis, in pixels."""

    scale_x: float
    scale_y: float
    pad_x: float = 0.0
    pad_y: float = 0.0

    def forward(self, boxes: np.ndarray) -> np.ndarray:
        """(n, 4) xyxy from original to network pixels; a new array, with the same float precision."""
        moved: np.ndarray = _floats(boxes) * self._scales(boxes) + self._pads(boxes)
        return moved

    def back(self, boxes: np.ndarray) -> np.ndarray:
        """(n, 4) xyxy from network to original pixels; not clipped to the image."""
        moved: np.ndarray = (_floats(boxes) - self._pads(boxes)) / self._scales(boxes)
        return moved

    def _scales(self, boxes: np.ndarray) -> np.ndarray:
        return np.array([self.scale_x, self.scale_y] * 2, _floats(boxes).dtype)

    def _pads(self, boxes: np.ndarray) -> np.ndarray:
        return np.array([self.pad_x, self.pad_y] * 2, _floats(boxes).dtype)


def as_array(fits: Iterable[Fit]) -> np.ndarray:
    """(n, 4) float64: both scales and both pads of each."""
    return np.array([(one.scale_x, one.scale_y, one.pad_x, one.pad_y) for one in fits], np.float64).reshape(-1, 4)


def fit(image: np.ndarray, px: int, mode: FitMode) -> tuple[np.ndarray, Fit]:
    """(H, W, 3) uint8 to (px, px, 3) uint8 and the Fit; float32 in 0..255 for Darknet's ways.

    "stretch" changes the proportions; "letterbox" keeps them and pads with grey. Bilinear (cv2.INTER_LINEAR), without
    smoothing first: published checkpoints were trained like this. The scales are those of the whole pixels the image
    actually got, so that boxes and pixels agree. With a "darknet" variant, pixels are interpolated as Darknet does
    without OpenCV: the centres of the corner pixels stay in place, although boxes are scaled as usual, and values keep
    their fractions. Rounding them was measured to change scores of a small network by up to 0.027.
    """
    assert image.shape[2:] == (3,), image.shape
    assert image.dtype == np.uint8, image.dtype
    if mode not in FIT_MODES:
        raise ValueError(f"an image is fitted by one of {FIT_MODES}, not by {mode!r}")
    height, width = image.shape[:2]
    resized = _by_corners if mode.startswith("darknet") else _resized
    if mode.endswith("stretch"):
        return resized(image, px, px), Fit(px / width, px / height)
    w, h = letterbox_size(width, height, px)
    left, top = (px - w) // 2, (px - h) // 2
    inside = resized(image, w, h)
    square = np.full((px, px, 3), PADDING, inside.dtype)
    square[top : top + h, left : left + w] = inside
    return square, Fit(w / width, h / height, float(left), float(top))


def scales_and_offsets(pictures: np.ndarray, px: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """For pictures' (n, 2) widths and heights what `fit` does: (n, 2) scales (0 for unknown sizes) and (n, 2) pads."""
    known = np.maximum(np.asarray(pictures, np.float64).reshape(-1, 2), 1)
    if mode.endswith("stretch"):
        fitted = np.full_like(known, px)
    else:
        fitted = np.maximum(known * px // known.max(axis=1, keepdims=True), 1)
    scales = np.where(np.asarray(pictures).reshape(-1, 2) > 0, fitted / known, 0.0)
    return scales, (px - fitted) // 2


def letterbox_size(width: int, height: int, px: int) -> tuple[int, int]:
    """The largest whole width and height of these proportions in a square of `px`, each at least 1."""
    longest = max(width, height)
    return max(1, width * px // longest), max(1, height * px // longest)


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image.copy()
    import cv2  # here, because settings import this module before the window is open

    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def _by_corners(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear with the first and last pixels of each side kept in place: Darknet's resize_image()."""
    floats = image.astype(np.float32)
    for axis, wanted in ((1, width), (0, height)):
        size = floats.shape[axis]
        place = np.arange(wanted, dtype=np.float32) * np.float32((size - 1) / max(wanted - 1, 1))
        low = np.minimum(place.astype(np.int64), size - 1)
        share = (place - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        near, far = np.take(floats, low, axis), np.take(floats, np.minimum(low + 1, size - 1), axis)
        floats = near + share * (far - near)
    return floats


def _floats(boxes: np.ndarray) -> np.ndarray:
    """Boxes as (n, 4) floats: float32 and float64 unchanged, anything else as float64."""
    array = np.asarray(boxes)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    return array.reshape(-1, 4)
