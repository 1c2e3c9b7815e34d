"""Makes a step's batch from the kept images and their boxes: mirrored, scaled, moved, recoloured, combined.

B = images of the batch, P = pieces (an image of the batch is one piece, or four in a mosaic, or two with CutMix), M =
most boxes. Every number is drawn from (seed, step) for the whole batch at once: the same step always gives the same
batch. Drawing takes a few numbers; the work is painting: here on the processor, in device_augment.py on a graphics
card.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.anchors.sizes import LEAST_SIDE, LEAST_VISIBLE
from workbench.core.boxes import areas
from workbench.core.resize import PADDING
from workbench.training.batches import colour_jitter, placement
from workbench.training.batches.colour_jitter import ColourJitter
from workbench.training.batches.data import Dataset
from workbench.training.settings import TrainingSettings

CENTRE = (0.2, 0.8)  # where the four parts of a mosaic meet, as shares of the side
BLEND = 1.5  # MixUp's shares are drawn from Beta(1.5, 1.5), as for detection (arXiv 1902.04103)
ROOM = 16  # M is a multiple of this, to keep the number of shapes small

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Batch:
    """The input of a step. Rows of boxes with label -1 are padding."""

    images: NDArray[np.uint8]  # (B, side, side, 3) RGB
    boxes: Floats  # (B, M, 4) xyxy pixels of these images
    labels: NDArray[np.int64]  # (B, M)
    ignore: NDArray[np.bool_]  # (B, M)
    pictures: NDArray[np.int64] | None = None  # (B,) see Dataset
    of: int = 0  # images of the whole batch, if this is one process's part of it; 0: this is all of it

    @property
    def whole(self) -> int:
        return self.of or len(self.images)


@dataclass(frozen=True, eq=False)
class Pieces:
    """Which image goes where: rows in painting order, grouped by `place`."""

    place: NDArray[np.int64]  # (P,) image of the batch
    source: NDArray[np.int64]  # (P,) image of the dataset
    window: NDArray[np.int64]  # (P, 4) xyxy pixels of the batch's image that the piece fills
    hole: NDArray[np.int64]  # (P, 4) xyxy pixels that a later piece covers; 0, 0, 0, 0 for none
    a: NDArray[np.float64]  # (P, 2) scale by axis, negative where mirrored
    b: NDArray[np.float64]  # (P, 2) shift by axis
    seen: NDArray[np.int64]  # (P, 4) xyxy pixels of the dataset's image that are seen
    target: NDArray[np.int64]  # (P, 4) xyxy pixels of the batch's image where they go; the rest is padding


@dataclass(frozen=True, eq=False)
class BatchLayout:
    """A batch before painting. Pieces, jitters and shares are those of all its images; boxes are those of `part`."""

    side: int
    pieces: Pieces
    jitters: list[ColourJitter]  # B of them
    own: NDArray[np.float64]  # (B,) an image's share where it is blended with the next one; 1: not blended
    part: slice  # of the batch that is made here
    boxes: Floats
    labels: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    pictures: NDArray[np.int64] | None

    @property
    def count(self) -> int:
        """B."""
        return len(self.own)

    @property
    def here(self) -> NDArray[np.int64]:
        """The images of the batch that are made here."""
        return np.arange(self.count)[self.part]

    @property
    def blended(self) -> NDArray[np.int64]:
        """Those made here that are blended with the next one."""
        return self.here[self.own[self.here] < 1]

    @property
    def needed(self) -> NDArray[np.int64]:
        """The images to paint, in order: those made here, and those blended into them."""
        return np.union1d(self.here, (self.blended + 1) % self.count)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Boxes of a batch before they are put into equal rows."""

    boxes: NDArray[np.float64]  # (n, 4)
    labels: NDArray[np.int64]  # (n,)
    ignore: NDArray[np.bool_]  # (n,)
    place: NDArray[np.int64]  # (n,) ascending


def unaugmented(data: Dataset, indices: NDArray[np.int64]) -> Batch:
    """The images at `indices` as they are: for evaluation."""
    count = len(indices)
    return Batch(
        data.pixels[data.rows[indices]],
        *_padded(_boxes(data, whole_images(data, indices)), count),
        _shown(data, indices),
    )


def whole_images(data: Dataset, indices: NDArray[np.int64]) -> Pieces:
    """One piece for each image: all of it, in place."""
    count = len(indices)
    window = np.tile([0, 0, data.side, data.side], (count, 1))
    as_it_is = np.ones((count, 2)), np.zeros((count, 2))
    return Pieces(np.arange(count), indices, window, np.zeros_like(window), *as_it_is, window, window)


def augmented(
    data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings, step: int, side: int, *, calm: bool,
    part: slice = slice(None),
) -> Batch:  # fmt: skip
    """The images at `indices`, augmented, as squares of `side` pixels. `calm`: no mosaic, MixUp or CutMix.

    `part`: the part of the batch to make here. All numbers are drawn for the whole batch, so the result does not depend
    on how it is divided. Pictures without boxes are not combined with others: the visible part might not contain what
    they show.
    """
    return paint_on_cpu(data, draw_layout(data, indices, settings, step, side, calm=calm, part=part))


def draw_layout(
    data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings, step: int, side: int, *, calm: bool,
    part: slice = slice(None),
) -> BatchLayout:  # fmt: skip
    """What augmented() paints."""
    random = np.random.default_rng((settings.seed, 2, step))
    pieces = draw_pieces(random, data, indices, settings, side, calm)
    jitters = colour_jitter.draw_jitters(random, settings, len(indices))
    rows, own = _boxes(data, pieces, by_centre=settings.overlap_crop > 0), np.ones(len(indices))
    if settings.mixup and not calm:
        own = _own_shares(random, settings.mixup, _boxed(data, indices))
        rows = _mixed(rows, own)
    shown = _shown(data, indices)
    boxes, labels, ignore = _padded(_shuffled(random, rows), len(indices))
    return BatchLayout(
        side,
        pieces,
        jitters,
        own,
        part,
        boxes[part],
        labels[part],
        ignore[part],
        None if shown is None else shown[part],
    )


def paint_on_cpu(data: Dataset, layout: BatchLayout) -> Batch:
    """The batch, painted by the processor."""
    count, side, needed = layout.count, layout.side, layout.needed
    images = np.empty((count, side, side, 3), np.uint8)  # pages that are not painted take no memory
    for piece in np.flatnonzero(np.isin(layout.pieces.place, needed)):
        _paint(data, layout.pieces, int(piece), images)
    for image in needed:
        colour_jitter.recolour(images[image], layout.jitters[image])
    _blend(images, layout)
    return Batch(images[layout.part], layout.boxes, layout.labels, layout.ignore, layout.pictures, of=count)


def _shuffled(random: np.random.Generator, rows: _Rows) -> _Rows:
    """Shuffle each image's boxes, so that of several in one place it is not always the same one that is learnt."""
    order = random.permutation(len(rows.place))
    order = order[np.argsort(rows.place[order], kind="stable")]
    return _Rows(rows.boxes[order], rows.labels[order], rows.ignore[order], rows.place[order])


def _shown(data: Dataset, indices: NDArray[np.int64]) -> NDArray[np.int64] | None:
    return None if data.pictures is None else data.pictures[indices]


def _boxed(data: Dataset, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the images are not pictures without boxes."""
    return np.ones(len(indices), bool) if data.pictures is None else data.pictures[indices] < 0


def draw_pieces(
    random: np.random.Generator, data: Dataset, indices: NDArray[np.int64], settings: TrainingSettings, side: int,
    calm: bool,
) -> Pieces:  # fmt: skip
    count = len(indices)
    boxed = _boxed(data, indices)
    most = len(data) if data.pictures is None else int((data.pictures < 0).sum())  # pictures come last
    mosaic = (random.random(count) < settings.mosaic) & (not calm) & boxed
    others = random.integers(most, size=(count, 3))
    centres = np.rint(random.uniform(*CENTRE, (count, 2)) * side).astype(np.int64)
    place = np.repeat(np.arange(count), np.where(mosaic, 4, 1))
    corner = np.concatenate([np.arange(4 if m else 1) for m in mosaic])  # 0 is the image itself
    source = np.where(corner == 0, indices[place], others[place, corner - 1])
    split = mosaic[place]
    corner = (corner + random.integers(4, size=count)[place]) % 4  # the image itself may lie in any of the four
    window = np.where(split[:, None], _quarter(corner, centres[place], side), [0, 0, side, side])
    hole = np.zeros_like(window)
    if settings.cutmix and not calm:
        place, source, window, hole, split = _cut_in(
            random, settings.cutmix, most, side, place, source, window, split, boxed[place]
        )
    seen = placement.draw_visible_parts(
        random, settings, len(place),
        lambda piece: _shares(data, int(source[piece])), lambda piece: _picture(data, int(source[piece])),
    )  # fmt: skip
    a, b = placement.draw_scale_and_shift(random, settings, seen, window, split, data.side, side)
    return Pieces(place, source, window, hole, *placement.snap_to_pixels(a, b, window, data.side))


def _cut_in(
    random: np.random.Generator, share: float, images: int, side: int, place: NDArray[np.int64],
    source: NDArray[np.int64], window: NDArray[np.int64], split: NDArray[np.bool_], boxed: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:  # fmt: skip
    """Add to some of the images that are not in a mosaic a second piece: a rectangle of any size, anywhere."""
    chosen = np.flatnonzero(~split & boxed & (random.random(len(place)) < share))
    half = np.sqrt(random.random((len(chosen), 1))) / 2
    centre = random.random((len(chosen), 2))
    patch = np.rint(np.concatenate([centre - half, centre + half], axis=1).clip(0, 1) * side).astype(np.int64)
    full = (patch[:, 2:] > patch[:, :2]).all(axis=1)
    chosen, patch = chosen[full], patch[full]
    hole = np.zeros_like(window)
    hole[chosen] = patch
    other = random.integers(images, size=len(chosen))
    at = chosen + 1
    return (
        np.insert(place, at, place[chosen]), np.insert(source, at, other), np.insert(window, at, patch, axis=0),
        np.insert(hole, at, 0, axis=0), np.insert(split, at, False),
    )  # fmt: skip


def _shares(data: Dataset, image: int) -> NDArray[np.float64]:
    """The boxes of an image as shares of its sides."""
    return data.boxes[data.offsets[image] : data.offsets[image + 1]].astype(np.float64) / data.side


def _picture(data: Dataset, image: int) -> tuple[float, float, float, float]:
    """Where the picture lies in its square, as shares of the side."""
    across, down = data.fits[image].pad_x / data.side, data.fits[image].pad_y / data.side
    return across, down, 1 - across, 1 - down


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


def _paint(data: Dataset, pieces: Pieces, piece: int, images: NDArray[np.uint8]) -> None:
    image = images[pieces.place[piece]]
    window, target = pieces.window[piece], pieces.target[piece]
    left, top, right, bottom = target.tolist()
    if (target != window).any():
        image[window[1] : window[3], window[0] : window[2]] = PADDING
    if right <= left:
        return
    x, y, end_x, end_y = pieces.seen[piece].tolist()
    source = data.pixels[data.rows[pieces.source[piece]]][y:end_y, x:end_x]
    made = cv2.resize(source, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    mirrored, upside_down = (pieces.a[piece] < 0).tolist()
    if mirrored or upside_down:
        made = cv2.flip(made, -1 if mirrored and upside_down else int(mirrored))
    image[top:bottom, left:right] = made


def _own_shares(random: np.random.Generator, share: float, boxed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(B,) each image's share where it is blended with the next one in the batch, as some are; else 1."""
    count = len(boxed)
    chosen, weight = random.random(count) < share, random.beta(BLEND, BLEND, count)
    return np.where(chosen & boxed & np.roll(boxed, -1), weight, 1)


def _blend(images: NDArray[np.uint8], layout: BatchLayout) -> None:
    """Blend some images with their neighbours in the batch before blending."""
    blended, own = layout.blended, layout.own
    other = (np.arange(len(images)) + 1) % len(images)
    before = {int(i): images[i].copy() for i in np.union1d(blended, other[blended])}
    for i in map(int, blended):
        images[i] = cv2.addWeighted(before[i], own[i], before[int(other[i])], 1 - own[i], 0)


def _mixed(rows: _Rows, own: NDArray[np.float64]) -> _Rows:
    """Images that are blended have the boxes of both."""
    chosen, count = np.flatnonzero(own < 1), len(own)
    extra = [np.flatnonzero(rows.place == (i + 1) % count) for i in chosen]
    taken = np.concatenate([np.arange(len(rows.place)), *extra]).astype(np.int64)
    place = np.concatenate([rows.place, np.repeat(chosen, [len(some) for some in extra])])
    order = np.argsort(place, kind="stable")
    taken, place = taken[order], place[order]
    return _Rows(rows.boxes[taken], rows.labels[taken], rows.ignore[taken], place)


def _boxes(data: Dataset, pieces: Pieces, *, by_centre: bool = False) -> _Rows:
    """The boxes of all pieces where they came to lie, cut to their windows. by_centre: without those whose centre is
    not seen, as SSD has it (section 2.2); what is to be ignored stays, or what is seen of it would be background.
    """
    counts = data.offsets[pieces.source + 1] - data.offsets[pieces.source]
    piece = np.repeat(np.arange(len(counts)), counts)  # the piece of each box
    rows = np.arange(len(piece)) + np.repeat(data.offsets[pieces.source] - np.cumsum(counts) + counts, counts)
    whole = data.boxes[rows].reshape(-1, 2, 2) * pieces.a[piece, None] + pieces.b[piece, None]
    whole = np.concatenate([whole.min(axis=1), whole.max(axis=1)], axis=1)  # mirrored: left and right are swapped
    cut = common(whole, pieces.window[piece])
    covered = areas(common(cut, pieces.hole[piece]))
    sides = cut[:, 2:] - cut[:, :2]
    visible = areas(cut) - covered
    seen = (sides > 0).all(axis=1) & (visible > 0)
    if by_centre:
        seen &= centred(whole, pieces.window[piece]) | data.ignore[rows]
    area = np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-9)
    sliver = (visible < LEAST_VISIBLE * area) | (sides < LEAST_SIDE).any(axis=1)
    return _Rows(cut[seen], data.labels[rows][seen], (data.ignore[rows] | sliver)[seen], pieces.place[piece][seen])


def centred(boxes: NDArray[np.float64], windows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(n,) whether the centre of each box lies in its window."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(((centres >= windows[:, :2]) & (centres < windows[:, 2:])).all(axis=1))


def common(boxes: NDArray[np.float64], windows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 4) the intersection of each box with its window; without area where they do not overlap."""
    low, high = np.maximum(boxes[:, :2], windows[:, :2]), np.minimum(boxes[:, 2:], windows[:, 2:])
    return np.concatenate([low, high], axis=1)


def _padded(rows: _Rows, count: int) -> tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]:
    """A batch's boxes padded to equal rows: (B, M, 4), labels (B, M), ignore (B, M)."""
    counts = np.bincount(rows.place, minlength=count)
    room = max(ROOM, -(-int(counts.max(initial=0)) // ROOM) * ROOM)
    column = np.arange(len(rows.place)) - np.repeat(np.cumsum(counts) - counts, counts)
    padded = np.zeros((count, room, 4), np.float32), np.full((count, room), -1), np.zeros((count, room), bool)
    for table, values in zip(padded, (rows.boxes, rows.labels, rows.ignore), strict=True):
        table[rows.place, column] = values
    return padded
