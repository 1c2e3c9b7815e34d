"""Converts what a decoder gives (16 bits, floats, transparency, a camera held sideways) to upright 8-bit RGB.

It also provides the memory for pictures that are kept for the screen.
"""

from __future__ import annotations

import contextlib
import mmap
import sys
from collections.abc import Iterable

import cv2
import numpy as np

from workbench.core.decoding.intensity_window import IntensityWindow

FULL_16_BIT = IntensityWindow(0, 65535)
_MAPPED = range(128 << 10, 32 << 20)
"""Picture sizes in bytes allocated directly from the system: below it is slower, above the C library does so anyway."""
_LARGE_PAGES = 4 << 20
"""Bytes from which large pages are requested, as in numpy."""


def pixel_buffer(height: int, width: int) -> np.ndarray:
    """(height, width, 4) uint8, to be filled: a picture that is kept for long, in a memory mapping of its own.

    Kept pictures among the memory that a training allocates and frees leave holes that nothing fits in. A window with
    400 MiB of them grew by 40 MiB in sixteen trainings; with mappings it stops growing after the fifth.
    """
    size = 4 * height * width
    if sys.platform == "linux" and size in _MAPPED:
        with contextlib.suppress(OSError):  # too little memory: numpy will report it
            memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if size >= _LARGE_PAGES:
                with contextlib.suppress(OSError):  # a system without large pages
                    memory.madvise(mmap.MADV_HUGEPAGE)
            return np.frombuffer(memory, np.uint8).reshape(height, width, 4)
    return np.empty((height, width, 4), np.uint8)


def in_pixel_buffer(picture: np.ndarray) -> np.ndarray:
    """A copy of a picture (H, W, 4) uint8 as in pixel_buffer(); the picture itself if that needs no mapping."""
    if picture.nbytes not in _MAPPED:
        return np.ascontiguousarray(picture)
    made = pixel_buffer(*picture.shape[:2])
    np.copyto(made, picture)
    return made


def to_8_bit(samples: np.ndarray, window: IntensityWindow | None) -> np.ndarray:
    """Samples of any shape scaled to 0..255, rounded; values below and above the window become 0 and 255.

    Without a window: 16 bits by their full range; floats and 32-bit integers by `own_window`. NaN becomes 0.
    """
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.uint16:
        table = _spread(np.arange(65536), window or FULL_16_BIT)
        return np.take(table, samples)
    return _spread(samples, window or own_window([samples]))


def own_window(parts: Iterable[np.ndarray]) -> IntensityWindow:
    """The range from the smallest to the largest value; 0 to 1 if all values lie in it, as floats are meant then."""
    low, high = np.inf, -np.inf
    for samples in parts:
        finite = samples[np.isfinite(samples)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:  # nothing but NaN and infinities
        return IntensityWindow(0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        return IntensityWindow(0.0, 1.0)
    return IntensityWindow(low, high) if low < high else IntensityWindow(low - 0.5, low + 0.5)


def _spread(samples: np.ndarray, window: IntensityWindow) -> np.ndarray:
    # In float64: the difference of two large float32 values is infinite.
    inside = np.clip(np.nan_to_num(samples.astype(np.float64), nan=window.low), window.low, window.high)
    levels = (inside - window.low) * 255 / (window.high - window.low)
    return np.floor(levels + 0.5).astype(np.uint8)


def to_rgb(samples: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) uint8, RGB order, to (H, W, 3); alpha is blended over white."""
    if samples.ndim == 2 or samples.shape[2] == 1:
        return cv2.cvtColor(samples, cv2.COLOR_GRAY2RGB)
    return samples if samples.shape[2] == 3 else over_white(samples)


def over_white(rgba: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8 to (H, W, 3), blended over white.

    Dropping alpha was rejected: the colours of transparent pixels are arbitrary, and nobody saw them while labelling.
    """
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """`image` turned by the EXIF orientation 1..8 (the name says where the stored top left corner belongs)."""
    match orientation:
        case 2:
            return cv2.flip(image, 1)
        case 3:
            return cv2.rotate(image, cv2.ROTATE_180)
        case 4:
            return cv2.flip(image, 0)
        case 5:
            return cv2.transpose(image)
        case 6:
            return cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            return cv2.flip(cv2.transpose(image), -1)
        case 8:
            return cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return image
