"""Large images in tiles: small objects keep their pixels, and objects cut by a tile's border are not found twice.

A network sees images at its input size: in a photograph of 6,000 pixels an object of 30 is 2 pixels wide for it. In
tiles the image is seen once as a whole, for large objects, and in overlapping parts: its views. Two rules then merge
what was found in them:

1. *Halves are dropped.* A candidate that touches an inner border of its tile ("cut") is dropped if at least half of its
   area lies in a candidate of the same label in another view that is not cut, or is also cut but larger, and whose
   score is at least half of its own. The overlap is measured against the half's own area (IoS), as a half covers
   little of the whole.
2. *Duplicates are dropped*, by the NMS that follows, as if one network had seen it all.

No rule depends on a confidence, so that the sliders and AP treat images in tiles like any others. An object that is
larger than the overlap but too small in the view of the whole image can be found in two pieces: choose a larger
overlap.

N = candidates of all views of an image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.detections import MOST, SURE, TAIL, Candidates

SMALLEST = 64  # pixels of a tile's side
OVERLAP = 0.2  # share of a tile's side
HALF = 0.5  # share of a cut box's area inside the other
TRUSTED = 0.5  # times the cut box's score: a larger box below that says nothing about it
TOUCHES = 0.02  # share of a tile's side: networks end a box that crosses a border up to this far before it
_AT_ONCE = 4_000_000  # pairs of boxes compared at a time: some 200 MB

Place = tuple[int, int, int, int]
"""A part of an image: xyxy in whole pixels of the upright original."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Square tiles of `side` pixels that overlap by at least `overlap` of their side. ValueError if out of range."""

    side: int
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        if self.side < SMALLEST:
            raise ValueError(f"tiles: expected at least {SMALLEST} pixels, found {self.side}")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"overlap: expected a share from 0 to 0.9, found {self.overlap}")

    def places(self, width: int, height: int) -> list[Place]:
        """The tiles of an image, row by row; none if it fits in one."""
        if width <= self.side and height <= self.side:
            return []
        across, down = self.starts(width), self.starts(height)
        wide, tall = min(self.side, width), min(self.side, height)
        return [(x, y, x + wide, y + tall) for y in down for x in across]

    def starts(self, length: int) -> list[int]:
        """Where tiles start along a side of an image, in pixels: the fewest with this overlap, evenly spaced."""
        if length <= self.side:
            return [0]
        step = self.side * (1 - self.overlap)
        count = int(np.ceil((length - self.side) / step)) + 1
        return [round(float(start)) for start in np.linspace(0, length - self.side, count)]


def tiling(side: int, overlap: float = OVERLAP) -> Tiling | None:
    """The tiling for these tiles; None if `side` is 0. ValueError as of Tiling."""
    return Tiling(side, overlap) if side else None


def cut_out(image: NDArray[np.uint8], place: Place | None) -> NDArray[np.uint8]:
    """That part of an (H, W, 3) image, as a view of it; all of it for None, or if it ends before that place."""
    if place is None:
        return image
    x0, y0, x1, y1 = place
    part = image[y0:y1, x0:x1]
    return part if part.size else image


def candidates_in_tiles(
    candidates: Callable[[Sequence[NDArray[np.uint8]]], Sequence[Candidates]],
    images: Sequence[NDArray[np.uint8]],
    tiling: Tiling | None,
) -> list[Candidates]:
    """What `candidates` finds in each (H, W, 3) image; those larger than a tile are also seen in tiles, and merged."""
    places = [tiling.places(image.shape[1], image.shape[0]) if tiling else [] for image in images]
    views = [cut_out(image, place) for image, some in zip(images, places, strict=True) for place in (None, *some)]
    every = iter(candidates(views))
    found = []
    for image, some in zip(images, places, strict=True):
        whole = next(every)
        found.append(merge(whole, [next(every) for _ in some], some, image.shape[1], image.shape[0]) if some else whole)
    return found


def merge(
    whole: Candidates, tiles: Sequence[Candidates], places: Sequence[Place], width: int, height: int
) -> Candidates:
    """The candidates of all views of an image, in its pixels, without halves. `tiles[i]` are in pixels of places[i]."""
    everything = (whole, *tiles)
    moved = [one.boxes + np.array([place[:2] * 2], np.float32) for one, place in zip(tiles, places, strict=True)]
    boxes = np.concatenate([whole.boxes, *moved])
    scores = np.concatenate([one.scores for one in everything])
    labels = np.concatenate([one.labels for one in everything])
    view = np.repeat(np.arange(len(everything)), [len(one) for one in everything])
    parts = [_cut(some, place, width, height) for some, place in zip(moved, places, strict=True)]
    cut = np.concatenate([np.zeros(len(whole), bool), *parts])
    most = min(MOST * len(everything), max(TAIL, int(np.count_nonzero(scores >= SURE))))
    best = np.argsort(-scores, kind="stable")[:most]
    kept = best[~_halves(boxes[best].astype(np.float64), scores[best], labels[best], view[best], cut[best])]
    return Candidates(boxes[kept], scores[kept], labels[kept], views=len(everything))


def _halves(
    boxes: NDArray[np.float64], scores: NDArray[np.float32], labels: NDArray[Any], view: NDArray[Any],
    cut: NDArray[np.bool_],
) -> NDArray[np.bool_]:  # fmt: skip
    """(N,) which are halves of what another view sees better."""
    area, halves = geometry.areas(boxes), np.zeros(len(boxes), bool)
    for number in np.unique(view[cut]):
        own = np.flatnonzero(cut & (view == number))
        low, high = boxes[own, :2].min(axis=0), boxes[own, 2:].max(axis=0)
        others = (view != number) & (boxes[:, :2] < high).all(axis=1) & (boxes[:, 2:] > low).all(axis=1)
        near = np.flatnonzero(others)  # all that can overlap this view's: few of an image's many
        for some in np.array_split(own, max(1, -(-len(own) * len(near) // _AT_ONCE))):
            shared = geometry.intersections(boxes[some][:, None], boxes[near][None])  # (s, n)
            better = ~cut[near][None] | (area[near][None] > area[some][:, None])
            better &= scores[near][None] >= TRUSTED * scores[some][:, None]
            better &= labels[near][None] == labels[some][:, None]
            halves[some] = (better & (shared >= HALF * area[some][:, None])).any(axis=1)
    return halves


def _cut(boxes: NDArray[np.float32], place: Place, width: int, height: int) -> NDArray[np.bool_]:
    """(n,) whether a box ends at an inner border of the tile."""
    near = max(1.0, TOUCHES * max(place[2] - place[0], place[3] - place[1]))
    left, top = (boxes[:, side] <= place[side] + near if place[side] > 0 else False for side in (0, 1))
    right = boxes[:, 2] >= place[2] - near if place[2] < width else False
    low = boxes[:, 3] >= place[3] - near if place[3] < height else False
    return np.asarray(np.zeros(len(boxes), bool) | left | top | right | low)
