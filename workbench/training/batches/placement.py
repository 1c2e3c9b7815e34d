"""Where the pieces of a batch's images go: how large, how far moved, mirrored or not, and which part is seen.

P = pieces. A piece is placed by x' = a * x + b, per axis; there is no rotation, because boxes can't follow one exactly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.training.settings import TrainingSettings

Doubles = NDArray[np.float64]
WHOLE = (0.0, 0.0, 1.0, 1.0)
LARGEST_CANVAS = 4.0  # SSD's: an image is placed on grey up to four times as wide
LEAST_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9)  # SSD's samplers: some box must reach the drawn one
SMALLEST_CROP = 0.3  # of the side
ASPECTS = (0.5, 2.0)
TRIALS = 50


def draw_visible_parts(
    random: np.random.Generator, settings: TrainingSettings, count: int, boxes_of: Callable[[int], Doubles],
    picture_of: Callable[[int], tuple[float, float, float, float]] = lambda _: WHOLE,
) -> Doubles:  # fmt: skip
    """(P, 4) xyxy: the part of each piece's image that is seen, as shares of its sides; outside 0..1 is grey.

    `boxes_of(piece)`: the boxes of its image (m, 4), in shares of its sides. `picture_of(piece)`: where the picture
    lies in its image, without the grey of a letterbox. The order is that of SSD: first zoom out, then crop.
    """
    seen = np.tile(WHOLE, (count, 1))
    pictures = (
        np.array([picture_of(piece) for piece in range(count)]) if settings.jitter or settings.whole_jitter else seen
    )
    if settings.whole_jitter:
        seen = _whole(random, settings.whole_jitter, pictures)
    if settings.jitter:
        sides = np.tile(pictures[:, 2:] - pictures[:, :2], 2)
        seen += random.uniform(-settings.jitter, settings.jitter, (count, 4)) * sides
    if settings.zoom_out:
        out = np.flatnonzero(random.random(count) < settings.zoom_out)
        side = random.uniform(1, LARGEST_CANVAS, (len(out), 1))
        low = -random.random((len(out), 2)) * (side - 1)
        seen[out] = np.concatenate([low, low + side], axis=1)
    if settings.overlap_crop:
        for piece in range(count):
            seen[piece] = _cropped(random, seen[piece], boxes_of(piece), settings.overlap_crop)
    return seen


def _whole(random: np.random.Generator, share: float, pictures: Doubles) -> Doubles:
    """pjreddie's load_data_detection: changed proportions, as large as fits, anywhere; for `pictures` (P, 4)."""
    sides = pictures[:, 2:] - pictures[:, :2]
    wanted = sides * random.uniform(1 - share, 1 + share, sides.shape)
    shown = wanted / wanted.max(axis=1, keepdims=True)  # of the network's input
    scale = sides / shown
    low = pictures[:, :2] - random.random(sides.shape) * (1 - shown) * scale
    return np.concatenate([low, low + scale], axis=1)


def _cropped(random: np.random.Generator, seen: Doubles, boxes: Doubles, share: float) -> Doubles:
    """In this `share` of cases a crop of the part that some box overlaps by a drawn IoU; else the part itself.

    After 50 failed trials one of the remaining IoUs is drawn, like the authors' Caffe, which takes one of the samplers
    that found something (GenerateBatchSamples). With small boxes most overlaps can't be reached.
    """
    whole = len(LEAST_OVERLAPS) * (1 / share - 1)  # how often it is drawn for each time that one overlap is
    left = list(LEAST_OVERLAPS)
    while left and random.random() >= whole / (whole + len(left)):
        crop = _overlapping(random, seen, boxes, left.pop(random.integers(len(left))))
        if crop is not None:
            return crop
    return seen


def _overlapping(random: np.random.Generator, seen: Doubles, boxes: Doubles, least: float) -> Doubles | None:
    """A crop of the part that some box overlaps by at least this IoU; None after 50 failed trials.

    Both sides are drawn evenly, as in torchvision's RandomIoUCrop. SSD's authors draw the root of the area and the
    proportions, and do not crop images without boxes (SampleBBox and SatisfySampleConstraint in their sampler.cpp).
    """
    size = seen[2:] - seen[:2]
    side = random.uniform(SMALLEST_CROP, 1, (TRIALS, 2))
    low = random.random((TRIALS, 2)) * (1 - side)
    crops = np.concatenate([seen[:2] + low * size, seen[:2] + (low + side) * size], axis=1)
    aspect = side[:, 0] / side[:, 1]
    fits = (aspect >= ASPECTS[0]) & (aspect <= ASPECTS[1])
    if len(boxes) and least:
        fits &= geometry.iou(crops, boxes).max(axis=1) >= least
    found: Doubles | None = crops[fits.argmax()] if fits.any() else None
    return found


def draw_scale_and_shift(
    random: np.random.Generator, settings: TrainingSettings, seen: Doubles, window: NDArray[np.int64],
    split: NDArray[np.bool_], from_side: int, to_side: int,
) -> tuple[Doubles, Doubles]:  # fmt: skip
    """Scale and shift, (P, 2) each, of every piece. `split`: pieces that fill a quarter of a
    mosaic, `window` (P, 4).
    """
    count = len(window)
    zoom = (1 + settings.scale) ** random.uniform(-1, 1, (count, 1))
    aspect = (1 + settings.aspect) ** random.uniform(-0.5, 0.5, (count, 1))
    stretch = zoom * np.concatenate([aspect, 1 / aspect], axis=1)
    a = stretch * to_side / from_side / (seen[:, 2:] - seen[:, :2])
    sides = a * from_side  # (P, 2) of the scaled image
    moved = random.uniform(-1, 1, (count, 2)) * settings.translate * to_side
    middle = (to_side - stretch * to_side) / 2 - seen[:, :2] * sides + moved
    somewhere = window[:, :2] + random.random((count, 2)) * (window[:, 2:] - window[:, :2] - sides)
    b = np.where(split[:, None], somewhere, middle)
    mirrored = random.random((count, 2)) < [settings.flip, settings.flip_vertical]
    whole = split | (seen == WHOLE).all(axis=1)  # mirrored in place; a part changes sides with the whole image
    return np.where(mirrored, -a, a), np.where(mirrored, np.where(whole[:, None], b + sides, to_side - b), b)


def snap_to_pixels(
    a: Doubles, b: Doubles, window: NDArray[np.int64], side: int
) -> tuple[Doubles, Doubles, NDArray[np.int64], NDArray[np.int64]]:
    """Scale and shift, (P, 2) each, moved so that whole pixels of an image of `side` pixels fill whole pixels of its
    window.

    Also the pixels of the image that are seen, and where they lie in the window: (P, 4) xyxy each, without area where
    none are. Moving whole pixels takes a third of the time of interpolating between them, and shifts a piece by half a
    pixel at most.
    """
    ends = np.sort(np.stack([b, a * side + b]), axis=0)
    low = np.rint(np.maximum(ends[0], window[:, :2]))
    high = np.rint(np.minimum(ends[1], window[:, 2:]))
    first, last = np.sort(np.stack([(low - b) / a, (high - b) / a]), axis=0)
    first = np.rint(first).clip(0, side - 1)
    last = np.rint(last).clip(first + 1, side)
    there = ((high > low).all(axis=1))[:, None]
    scale = np.sign(a) * (high - low) / (last - first)
    shift = np.where(a > 0, low - scale * first, high - scale * first)
    seen, target = np.concatenate([first, last], axis=1), np.concatenate([low, high], axis=1)
    target[~there[:, 0]] = 0
    return np.where(there, scale, a), np.where(there, shift, b), seen.astype(np.int64), target.astype(np.int64)
