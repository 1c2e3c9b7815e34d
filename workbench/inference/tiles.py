"""Large images in tiles: small objects keep their pixels, and objects cut by a tile's border are not found twice.

A network sees images at its input size: in a photograph of 6,000 pixels an object of 30 is 2 pixels wide for it. Here
the image is seen once as a whole, for large objects, and in overlapping tiles. Two rules then merge the results:

1. *Halves are dropped.* A detection that touches an inner border of its tile ("cut") is dropped if at least half of its
   area lies in a detection of the same label in another view that is not cut, or is also cut but larger. The overlap is
   measured against the half's own area (IoS), as a half covers little of the whole.
2. *Duplicates are dropped.* The rest goes through the requested NMS, as if one network had seen it.

The confidence is applied first: a detection below it drops nothing. An object that is larger than the overlap but too
small in the view of the whole image can be found in two pieces: choose a larger overlap.

N = candidates of all views of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.detections import FLOOR, Candidates, Detections

if TYPE_CHECKING:
    from workbench.inference.operating_point import OperatingPoint
    from workbench.inference.predict import Predictor

SMALLEST = 64  # pixels of a tile's side
HALF = 0.5  # share of a cut box's area inside the other
_TOUCHES = 0.02  # share of a tile's side: networks end a box that crosses a border up to this far before it
_AT_ONCE = 2_000  # cut boxes compared with all others at a time: 100 MB for 10,000

Place = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Square tiles of `side` pixels that overlap by at least `overlap` of their side. ValueError if out of range."""

    side: int
    overlap: float = 0.2

    def __post_init__(self) -> None:
        if self.side < SMALLEST:
            raise ValueError(f"tiles: expected at least {SMALLEST} pixels, found {self.side}")
        if not 0 <= self.overlap <= 0.9:
            raise ValueError(f"overlap: expected a share from 0 to 0.9, found {self.overlap}")

    def places(self, width: int, height: int) -> list[Place]:
        """The tiles of an image as xyxy pixels, row by row; none if it fits in one."""
        if width <= self.side and height <= self.side:
            return []
        across, down = self._starts(width), self._starts(height)
        wide, tall = min(self.side, width), min(self.side, height)
        return [(x, y, x + wide, y + tall) for y in down for x in across]

    def _starts(self, length: int) -> list[int]:
        """The starts of the fewest tiles with this overlap, evenly spaced."""
        if length <= self.side:
            return [0]
        step = self.side * (1 - self.overlap)
        count = int(np.ceil((length - self.side) / step)) + 1
        return [round(float(start)) for start in np.linspace(0, length - self.side, count)]


@dataclass(frozen=True, slots=True, eq=False)
class TiledCandidates:
    """The candidates of all views of an image, in its pixels."""

    boxes: NDArray[np.float32]  # (N, 4) xyxy
    scores: NDArray[np.float32]  # (N,)
    labels: NDArray[np.int32]  # (N,)
    view: NDArray[np.int32]  # (N,) the tile; -1 is the whole image
    cut: NDArray[np.bool_]  # (N,) touches an inner border of its tile
    count: int  # of views

    @staticmethod
    def of(
        whole: Candidates, tiles: Sequence[Candidates], places: Sequence[Place], width: int, height: int
    ) -> TiledCandidates:
        """`tiles[i]` are in pixels of the tile at places[i]."""
        boxes, cut, view = [whole.boxes], [np.zeros(len(whole), bool)], [np.full(len(whole), -1, np.int32)]
        for number, (found, place) in enumerate(zip(tiles, places, strict=True)):
            moved = found.boxes + np.array([place[0], place[1]] * 2, np.float32)
            boxes.append(moved)
            cut.append(_cut(moved, place, width, height))
            view.append(np.full(len(found), number, np.int32))
        everything = (whole, *tiles)
        return TiledCandidates(
            np.concatenate(boxes),
            np.concatenate([one.scores for one in everything]),
            np.concatenate([one.labels for one in everything]),
            np.concatenate(view),
            np.concatenate(cut),
            len(everything),
        )

    def merged(self, point: OperatingPoint, names: Sequence[str]) -> Detections:
        """The detections at an operating point, the views merged. The point's limit applies to each view."""
        confidences = point.confidences(names)
        rows = np.flatnonzero(self.scores >= confidences[self.labels]) if len(confidences) else np.zeros(0, np.int64)
        rows = rows[~self._halves(rows)]
        found = Candidates.of_arrays(self.boxes[rows], self.scores[rows], self.labels[rows], most=len(rows))
        kept = found.detections(FLOOR, point.iou, point.kind, point.limit * self.count)
        enough = kept.scores >= confidences[kept.labels] if len(kept) else np.zeros(0, bool)
        return Detections(kept.boxes[enough], kept.scores[enough], kept.labels[enough])

    def _halves(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) which of `rows` are halves of what another view sees better."""
        boxes, labels = self.boxes[rows].astype(np.float64), self.labels[rows]
        view, cut, area = self.view[rows], self.cut[rows], geometry.areas(boxes)
        halves = np.zeros(len(rows), bool)
        for some in np.array_split(np.flatnonzero(cut), max(1, -(-int(cut.sum()) // _AT_ONCE))):
            shared = geometry.intersections(boxes[some][:, None], boxes[None])  # (s, n)
            better = ~cut[None] | (area[None] > area[some][:, None])
            other = (labels[None] == labels[some][:, None]) & (view[None] != view[some][:, None])
            halves[some] = (better & other & (shared >= HALF * area[some][:, None])).any(axis=1)
        return halves


def _cut(boxes: NDArray[np.float32], place: Place, width: int, height: int) -> NDArray[np.bool_]:
    """(n,) whether a box ends at an inner border of the tile."""
    near = max(1.0, _TOUCHES * max(place[2] - place[0], place[3] - place[1]))
    left, top = (boxes[:, side] <= place[side] + near if place[side] > 0 else False for side in (0, 1))
    right = boxes[:, 2] >= place[2] - near if place[2] < width else False
    low = boxes[:, 3] >= place[3] - near if place[3] < height else False
    return np.asarray(np.zeros(len(boxes), bool) | left | top | right | low)


def find_candidates(
    predictor: Predictor, images: Sequence[NDArray[np.uint8]], tiling: Tiling | None
) -> list[Candidates | TiledCandidates]:  # fmt: skip
    """What the network sees in each image; images larger than a tile are also seen in tiles."""
    if tiling is None:
        return list(predictor.candidates(images))
    places = [tiling.places(image.shape[1], image.shape[0]) for image in images]
    views: list[NDArray[np.uint8]] = []
    for image, some in zip(images, places, strict=True):
        views += [image, *(image[y0:y1, x0:x1] for x0, y0, x1, y1 in some)]
    every = iter(predictor.candidates(views))
    found: list[Candidates | TiledCandidates] = []
    for image, some in zip(images, places, strict=True):
        whole = next(every)
        tiles = [next(every) for _ in some]
        found.append(TiledCandidates.of(whole, tiles, some, image.shape[1], image.shape[0]) if some else whole)
    return found


def select_detections(found: Candidates | TiledCandidates, point: OperatingPoint, names: Sequence[str]) -> Detections:
    """The detections at an operating point."""
    return found.merged(point, names) if isinstance(found, TiledCandidates) else point.detections(found, names)


def tiling(side: int, overlap: float) -> Tiling | None:
    """The tiling for these tiles; None if `side` is 0. ValueError as of Tiling."""
    return Tiling(side, overlap) if side else None
