"""Makes a step's batch from the kept images: mirrored, scaled, moved, recoloured, four in one; the boxes go along.

B = images of the batch, P = pieces (an image of the batch is one piece, or four in a mosaic), M = most boxes.
Every number is drawn from (seed, step) for the whole batch at once: the same step always gives the same batch.
A piece is placed by x' = a * x + b, per axis; there is no rotation, because boxes can't follow one exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.resize import PADDING
from workbench.training.data import Dataset
from workbench.training.settings import TrainingSettings

LEAST_VISIBLE = 0.25  # of a box's area: with less left it is neither object nor background
LEAST_SIDE = 2.0  # network pixels of a box's visible part
CENTRE = (0.3, 0.7)  # where the four parts of a mosaic meet, as shares of the side
ROOM = 16  # M is a multiple of it, so that few different shapes occur

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step is computed on. Rows of boxes with label -1 are padding."""

    images: NDArray[np.uint8]  # (B, side, side, 3) RGB
    boxes: Floats  # (B, M, 4) xyxy pixels of these images
    labels: NDArray[np.int64]  # (B, M)
    ignore: NDArray[np.bool_]  # (B, M)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Which image goes where: rows sorted by `place`."""

    place: NDArray[np.int64]  # (P,) image of the batch
    source: NDArray[np.int64]  # (P,) image of the dataset
    window: NDArray[np.int64]  # (P, 4) xyxy pixels of the batch's image that the piece fills
    a: NDArray[np.float64]  # (P, 2) scale by axis, negative where mirrored
    b: NDArray[np.float64]  # (P, 2) shift by axis


def plain(data: Dataset, indices: NDArray[np.int64]) -> Batch:
    """The images at `indices` as they are: for evaluation."""
    count, side = len(indices), data.side
    window = np.tile([0, 0, side, side], (count, 1))
    pieces = Pieces(np.arange(count), indices, window, np.ones((count, 2)), np.zeros((count, 2)))
    return Batch(data.pixels[data.rows[indices]], *_boxes(data, pieces, count))


def augmented(
    data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings, step: int, side: int, *, calm: bool
) -> Batch:
    """The images at `indices`, augmented, as squares of `side` pixels. `calm`: no mosaic."""
    random = np.random.default_rng((settings.seed, 2, step))
    pieces = _pieces(random, data, indices, settings, side, calm)
    gains = _gains(random, settings, len(indices))
    images = np.empty((len(indices), side, side, 3), np.uint8)
    for piece in range(len(pieces.place)):
        _warp(data, pieces, piece, images)
    if (settings.hue, settings.saturation, settings.exposure) != (0, 1, 1):
        for image, gain in zip(images, gains, strict=True):
            _recolour(image, gain)
    return Batch(images, *_boxes(data, pieces, len(indices)))


def _pieces(
    random: np.random.Generator, data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings, side: int,
    calm: bool,
) -> Pieces:  # fmt: skip
    count = len(indices)
    mosaic = (random.random(count) < settings.mosaic) & (not calm)
    others = random.integers(len(data), size=(count, 3))
    centres = np.rint(random.uniform(*CENTRE, (count, 2)) * side).astype(np.int64)
    place = np.repeat(np.arange(count), np.where(mosaic, 4, 1))
    corner = np.concatenate([np.arange(4 if m else 1) for m in mosaic])  # 0 is the image itself
    source = np.where(corner == 0, indices[place], others[place, corner - 1])
    split = mosaic[place]
    corner = (corner + random.integers(4, size=count)[place]) % 4  # the image itself may lie in any of the four
    window = np.where(split[:, None], _quarter(corner, centres[place], side), [0, 0, side, side])
    a, b = _placed(random, settings, window, split, data.side, side)
    return Pieces(place, source, window, a, b)


def _quarter(corner: NDArray[np.int64], centre: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """Window of each corner (0..3: left or right, then top or bottom) around `centre` (P, 2): (P, 4)."""
    right, bottom = corner % 2 == 1, corner >= 2
    return np.stack(
        [
            np.where(right, centre[:, 0], 0),
            np.where(bottom, centre[:, 1], 0),
            np.where(right, side, centre[:, 0]),
            np.where(bottom, side, centre[:, 1]),
        ],
        axis=1,
    )


def _placed(
    random: np.random.Generator, settings: TrainingSettings, window: NDArray[np.int64], split: NDArray[np.bool_],
    from_side: int, to_side: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Scale and shift (P, 2) of every piece."""
    count = len(window)
    zoom = (1 + settings.scale) ** random.uniform(-1, 1, (count, 1))
    aspect = (1 + settings.aspect) ** random.uniform(-0.5, 0.5, (count, 1))
    a = zoom * np.concatenate([aspect, 1 / aspect], axis=1) * to_side / from_side
    sides = a * from_side  # (P, 2) of the scaled image
    middle = (to_side - sides) / 2 + random.uniform(-1, 1, (count, 2)) * settings.translate * to_side
    somewhere = window[:, :2] + random.random((count, 2)) * (window[:, 2:] - window[:, :2] - sides)
    b = np.where(split[:, None], somewhere, middle)
    mirrored = random.random((count, 2)) < [settings.flip, settings.flip_vertical]
    return np.where(mirrored, -a, a), np.where(mirrored, b + sides, b)


def _warp(data: Dataset, pieces: Pieces, piece: int, images: NDArray[np.uint8]) -> None:
    left, top, right, bottom = (int(edge) for edge in pieces.window[piece])
    source = data.pixels[data.rows[pieces.source[piece]]]
    a, b = pieces.a[piece], pieces.b[piece] - (left, top)
    shift = a * 0.5 + b - 0.5  # OpenCV counts from the middle of the first pixel, boxes from its edge
    matrix = np.array([[a[0], 0, shift[0]], [0, a[1], shift[1]]])
    images[pieces.place[piece], top:bottom, left:right] = cv2.warpAffine(
        source, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3
    )


def _gains(random: np.random.Generator, settings: TrainingSettings, count: int) -> NDArray[np.float64]:
    """(B, 3): shift of the hue as a share of the circle, factors of saturation and exposure (Darknet's ranges)."""
    hue = random.uniform(-settings.hue / 2, settings.hue / 2, count)
    factors = np.array([settings.saturation, settings.exposure]) ** random.uniform(-1, 1, (count, 2))
    return np.column_stack([hue, factors])


def _recolour(image: NDArray[np.uint8], gain: NDArray[np.float64]) -> None:
    """Change (H, W, 3) RGB in place through hue, saturation and value."""
    levels = np.arange(256)
    hue = (levels + round(gain[0] * 256)) % 256
    tables = np.stack([hue, levels * gain[1], levels * gain[2]], axis=1).clip(0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    image[:] = cv2.cvtColor(cv2.LUT(hsv, tables[:, None]), cv2.COLOR_HSV2RGB_FULL)


def _boxes(data: Dataset, pieces: Pieces, count: int) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """The boxes of all pieces where they came to lie, cut to their windows: (B, M, 4), labels (B, M), ignore (B, M)."""
    counts = data.offsets[pieces.source + 1] - data.offsets[pieces.source]
    piece = np.repeat(np.arange(len(counts)), counts)  # of each box
    rows = np.arange(len(piece)) + np.repeat(data.offsets[pieces.source] - np.cumsum(counts) + counts, counts)
    whole = data.boxes[rows].reshape(-1, 2, 2) * pieces.a[piece, None] + pieces.b[piece, None]
    whole = np.concatenate([whole.min(axis=1), whole.max(axis=1)], axis=1)  # mirrored: left and right change places
    window = pieces.window[piece]
    cut = np.concatenate([np.maximum(whole[:, :2], window[:, :2]), np.minimum(whole[:, 2:], window[:, 2:])], axis=1)
    sides = cut[:, 2:] - cut[:, :2]
    seen = (sides > 0).all(axis=1)
    area = np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-9)
    sliver = (sides.clip(0).prod(axis=1) < LEAST_VISIBLE * area) | (sides < LEAST_SIDE).any(axis=1)
    return _padded(
        cut[seen], data.labels[rows][seen], (data.ignore[rows] | sliver)[seen], pieces.place[piece][seen], count
    )


def _padded(
    boxes: NDArray[np.float64], labels: NDArray[np.int64], ignore: NDArray[np.bool_], place: NDArray[np.int64],
    count: int,
) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """Boxes of a batch, sorted by `place`, into rows of equal length."""
    counts = np.bincount(place, minlength=count)
    room = max(ROOM, -(-int(counts.max(initial=0)) // ROOM) * ROOM)
    column = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    padded = np.zeros((count, room, 4), np.float32), np.full((count, room), -1), np.zeros((count, room), bool)
    for table, values in zip(padded, (boxes, labels, ignore), strict=True):
        table[place, column] = values
    return padded
