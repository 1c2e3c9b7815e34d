"""Paints a batch's images with a few tensor operations, if a graphics card has the pixels, in cv2's own arithmetic.

n = images that are painted, K = most pieces of one, S = side of the kept images, C = images of a chunk. A piece is
only moved along the axes, so the source of a pixel is a row and a column of tables; cv2.resize's integer arithmetic is
repeated bit for bit, and so is RGB to HSV. The conversion from HSV rounds 2 of a million colours the other way, by one
level; so may MixUp. (OpenCV built without IPP has another circle of hues there, and differs by up to 7 levels.)

Nothing here waits for the device: the processor knows all shapes and sends its tables in one copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.core.resize import PADDING
from workbench.detectors.parts.detector import Targets
from workbench.training.batches import colour_jitter
from workbench.training.batches.augment import Batch, BatchLayout

AT_ONCE = 2_000_000  # pixels of a chunk: each takes about 130 bytes while it is painted
UNIT = 2048  # the unit of cv2's bilinear weights
STEP, PLACE = 12, 13  # bits of a table's entry: the weight below STEP, then whether there is a next one, then the place
ALIGN = 16  # bytes
CIRCLE = 255  # levels of hue in IPP's conversion from HSV to RGB

# of RGB to HSV, in 4096ths: 255 by value, and a sixth of 256 by range
BY_VALUE = np.rint(
    np.divide(255 << 12, colour_jitter.LEVELS, where=colour_jitter.LEVELS > 0, out=np.zeros(256))
).astype(np.int32)
BY_RANGE = np.rint(
    np.divide(256 << 12, 6 * colour_jitter.LEVELS, where=colour_jitter.LEVELS > 0, out=np.zeros(256))
).astype(np.int32)


def _missing() -> NDArray[np.uint8]:
    """(3, 256): how much of the saturation is subtracted from red, green and blue at each hue of CIRCLE."""
    sector, rest = np.divmod(6 * colour_jitter.LEVELS, CIRCLE)
    none, all_, up, down = np.zeros_like(rest), np.full_like(rest, CIRCLE), CIRCLE - rest, rest
    red = np.choose(sector % 6, [none, down, all_, all_, up, none])
    green = np.choose(sector % 6, [up, none, none, down, all_, all_])
    blue = np.choose(sector % 6, [all_, all_, up, none, none, down])
    return np.stack([red, green, blue]).astype(np.uint8)


MISSING = _missing()


@dataclass(frozen=True, eq=False)
class DeviceBatch:
    """augment.Batch on the device."""

    images: Tensor  # (B, side, side, 3) uint8 RGB
    targets: Targets
    of: int

    @property
    def whole(self) -> int:
        return self.of


AnyBatch = Batch | DeviceBatch


@dataclass(frozen=True, eq=False)
class PixelTable:
    """Where the pieces' pixels are: row y of piece p's image is row `base[p] + y` of `pixels`."""

    pixels: Tensor  # (rows * S, 3) uint8 on the device
    side: int  # S
    base: NDArray[np.int64]  # (P,) of the drawing's pieces that are needed


def needed_pieces(layout: BatchLayout) -> NDArray[np.int64]:
    """The pieces of the images to paint."""
    return np.flatnonzero(np.isin(layout.pieces.place, layout.needed))


def paint(layout: BatchLayout, source: PixelTable, at_once: int = AT_ONCE) -> DeviceBatch:
    """The batch. torch.OutOfMemoryError if the device has no room for it."""
    side, needed, device = layout.side, layout.needed, source.pixels.device
    pieces, jitters = _piece_table(layout, source), [layout.jitters[int(i)] for i in needed]
    mine, other = (np.searchsorted(needed, one) for one in _blended_places(layout))
    own = layout.own[layout.here].astype(np.float32), (1 - layout.own[layout.here]).astype(np.float32)
    pictures = np.zeros(0, np.int64) if layout.pictures is None else layout.pictures
    given = [pieces, *_jitter_tables(jitters), mine, other, *own, layout.boxes, layout.labels, layout.ignore, pictures]
    pieces_there, *light_there, mine_there, other_there, own_there, rest_there, boxes, labels, ignore, shown = upload(
        given, device
    )
    windows, across, down = _tables(pieces_there, side)
    images = torch.empty((len(needed), side, side, 3), dtype=torch.uint8, device=device)
    for some in _chunks(len(needed), side, at_once):
        made = _sampled(source, windows[some], across[some], down[some])
        images[some] = _recoloured(made, jitters[some], [table[some] for table in light_there[:2]], light_there[2:])
    if len(layout.blended):
        mixed = torch.empty((len(mine), side, side, 3), dtype=torch.uint8, device=device)
        for some in _chunks(len(mine), side, at_once):
            first = images.index_select(0, mine_there[some]) * own_there[some, None, None, None]
            second = images.index_select(0, other_there[some]) * rest_there[some, None, None, None]
            mixed[some] = (first + second).round().to(torch.uint8)
        images = mixed
    targets = Targets(boxes, labels, ignore, None if layout.pictures is None else shown)
    return DeviceBatch(images, targets, layout.count)


def upload(arrays: Sequence[NDArray[Any]], device: torch.device) -> list[Tensor]:
    """The arrays on the device, in one copy without waiting."""
    sizes = [-(-array.nbytes // ALIGN) * ALIGN for array in arrays]
    starts = np.cumsum([0, *sizes]).tolist()
    block = np.empty(starts[-1], np.uint8)
    for array, start in zip(arrays, starts, strict=False):
        block[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    cuda = device.type == "cuda"  # which copies without waiting only from pinned memory
    here = torch.from_numpy(block).pin_memory() if cuda else torch.from_numpy(block)
    there = here.to(device, non_blocking=cuda)
    return [
        there[start : start + array.nbytes].view(torch.from_numpy(np.empty(0, array.dtype)).dtype).view(array.shape)
        for array, start in zip(arrays, starts, strict=False)
    ]


def _chunks(images: int, side: int, at_once: int) -> list[slice]:
    length = max(at_once // side**2, 1)
    return [slice(start, start + length) for start in range(0, images, length)]


def _blended_places(layout: BatchLayout) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The place in the batch of each image made here, and of the image blended into it."""
    here = layout.here
    return here, np.where(layout.own[here] < 1, (here + 1) % layout.count, here)


# --- which pixel comes from where ---


def _piece_table(layout: BatchLayout, source: PixelTable) -> NDArray[np.int64]:
    """(n, K, 15): window, target and seen (xyxy each), base, mirrored (x, y); unused entries have an empty window."""
    pieces, some = layout.pieces, needed_pieces(layout)
    slot = np.searchsorted(layout.needed, pieces.place[some])  # ascending
    number = np.arange(len(slot)) - np.searchsorted(slot, slot)  # of the piece in its image
    table = np.zeros((len(layout.needed), int(number.max()) + 1, 15), np.int64)
    columns = pieces.window[some], pieces.target[some], pieces.seen[some], source.base[:, None], pieces.a[some] < 0
    table[slot, number] = np.concatenate(columns, axis=1)
    return table


def _tables(pieces: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """The pieces' windows (n, K, 4), and for each the source of the batch image's columns and rows (n, K, side): see
    _axis().
    """
    window, target, seen = pieces[..., :4], pieces[..., 4:8], pieces[..., 8:12]
    across = _axis(side, target[..., 0::2], seen[..., 0::2], pieces[..., 13], rows=False)
    down = _axis(side, target[..., 1::2], seen[..., 1::2] + pieces[..., 12:13], pieces[..., 14], rows=True)
    return window, across.to(torch.int32), down


def _axis(side: int, target: Tensor, seen: Tensor, mirrored: Tensor, *, rows: bool) -> Tensor:
    """(n, K, side): for each pixel of an axis, place << PLACE | step << STEP | weight in UNITs of the next place, which
    is place + step; -1 outside the target. As in OpenCV's resize(): columns beyond the last one have no next place,
    rows have the same one again, with its weight. target and seen: (n, K, 2), pixels from and to.
    """
    into = torch.arange(side, device=target.device) - target[..., :1]
    size, width = target[..., 1:] - target[..., :1], (seen[..., 1:] - seen[..., :1]).clamp(min=1)
    inside = (into >= 0) & (into < size)
    into = torch.where(mirrored[..., None] > 0, size - 1 - into, into)
    scale = 1.0 / (size.clamp(min=1).double() / width)
    at = ((into.double() + 0.5) * scale - 0.5).float()
    place = at.floor()
    part, place = at - place, place.long()
    low, last = place.clamp(min=0).minimum(width - 1), width - 1
    if rows:
        weight = (part * UNIT).round().long()
        step = (place + 1).clamp(min=0).minimum(last) - low
    else:
        weight = torch.where((place < 0) | (place >= last), 0, (part * UNIT).round().long())
        step = (weight > 0).long()
    entry = (seen[..., :1] + low) << PLACE | step << STEP | weight
    return torch.where(inside, entry, -1)


def _sampled(source: PixelTable, windows: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """(C, side, side, 3) uint8: each pixel from the last piece whose window contains it."""
    images, pieces, side = across.shape
    out = torch.arange(side, device=across.device)
    x = across.new_full((images, side, side), -1)
    y = down.new_full((images, side, side), -1)
    for piece in range(pieces):
        left, top, right, bottom = windows[:, piece, :, None].unbind(1)
        columns, rows = (out >= left) & (out < right), (out >= top) & (out < bottom)  # (C, side)
        inside = rows[:, :, None] & columns[:, None, :]
        x = torch.where(inside, across[:, piece, None, :], x)
        y = torch.where(inside, down[:, piece, :, None], y)
    seen = (x >= 0) & (y >= 0)
    made = _interpolated(source, x.clamp(min=0).view(-1), y.clamp(min=0).view(-1)).view(images, side, side, 3)
    return torch.where(seen[..., None], made, PADDING).to(torch.uint8)


def _interpolated(source: PixelTable, x: Tensor, y: Tensor) -> Tensor:
    """(N, 3) int32: the pixels at these entries of the tables."""
    at = (y >> PLACE) * source.side + (x >> PLACE)
    below = at + (y >> STEP & 1) * source.side
    right = x >> STEP & 1
    far_x, far_y = (x & UNIT * 2 - 1)[:, None], (y & UNIT * 2 - 1).to(torch.int32)[:, None]
    near_x, near_y = UNIT - far_x, UNIT - far_y

    def line(place: Tensor) -> Tensor:
        near, far = source.pixels.index_select(0, place), source.pixels.index_select(0, place + right)
        return (near * near_x).add_(far * far_x) >> 4

    upper = (line(at) * near_y) >> 16
    return upper.add_((line(below) * far_y) >> 16).add_(2) >> 2


# --- colours ---


def _jitter_tables(jitters: Sequence[colour_jitter.ColourJitter]) -> list[NDArray[Any]]:
    """(n, 7, 256) uint8: what each hue subtracts from red, green, blue; the new saturation and value; the last step
    and the first. (n,) which images are tinted at all; and the tables of RGB to HSV.
    """
    tables = colour_jitter.tables(jitters)
    missing = MISSING[:, tables[:, 1]].transpose(1, 0, 2)
    tinted = np.array([one.tints for one in jitters])
    return [np.concatenate([missing, tables[:, 2:], tables[:, :1]], axis=1), tinted, BY_VALUE, BY_RANGE]


def _recoloured(
    images: Tensor, jitters: Sequence[colour_jitter.ColourJitter], tables: Sequence[Tensor], by: Sequence[Tensor]
) -> Tensor:
    """(C, side, side, 3) uint8, see _jitter_tables()."""
    table, tinted = tables[0].to(torch.int32), tables[1]
    levels = [images[..., channel].reshape(len(images), -1).to(torch.int32) for channel in range(3)]
    if any(one.lifts_first for one in jitters):
        levels = [table[:, 6].gather(1, level.long()) for level in levels]
    tinting = sum(one.tints for one in jitters)
    if tinting:
        new = _tinted(levels, table, by)
        if tinting < len(jitters):
            new = [torch.where(tinted[:, None], one, old) for one, old in zip(new, levels, strict=True)]
        levels = new
    if any(one.lifts_last for one in jitters):
        levels = [table[:, 5].gather(1, level.long()) for level in levels]
    return torch.stack([level.to(torch.uint8) for level in levels], dim=-1).view(images.shape)


def _tinted(levels: Sequence[Tensor], table: Tensor, by: Sequence[Tensor]) -> list[Tensor]:
    """Red, green and blue, each (C, side * side) int32: to HSV, each channel through its table, and back."""
    hue, saturation, value = _hsv(*levels, *by)
    at = hue.long()
    less = table[:, 3].gather(1, saturation.long())
    most = table[:, 4].gather(1, value.long())
    whole = 255 * CIRCLE
    return [
        torch.div(
            (most * (whole - less * table[:, channel].gather(1, at))).mul_(2).add_(whole),
            2 * whole,
            rounding_mode="floor",
        )
        for channel in range(3)
    ]


def _hsv(red: Tensor, green: Tensor, blue: Tensor, by_value: Tensor, by_range: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """OpenCV's RGB2HSV_FULL of int32 levels."""
    value = red.maximum(green).maximum(blue)
    spread = value - red.minimum(green).minimum(blue)
    half = 1 << 11
    saturation = (spread * _looked_up(by_value, value)).add_(half) >> 12
    hue = torch.where(value == green, blue - red + 2 * spread, red - green + 4 * spread)
    hue = torch.where(value == red, green - blue, hue)
    hue = (hue * _looked_up(by_range, spread)).add_(half) >> 12
    return torch.where(hue < 0, hue + 256, hue).clamp_(max=255), saturation, value


def _looked_up(table: Tensor, at: Tensor) -> Tensor:
    return table.index_select(0, at.view(-1)).view(at.shape)
