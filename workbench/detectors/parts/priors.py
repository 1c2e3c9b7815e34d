"""Priors: the grid of anchors over an image to which YOLO's outputs are relative.

N = priors of all levels, in the order (level, row, column, anchor): the order in which Darknet lists detections.
K = pairs of (level, anchor) in the order of the masks; every cell of the level has one prior per pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workbench.errors import WorkbenchError

Anchors = tuple[tuple[float, float], ...]
Masks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Pairs:
    """The K pairs, and where each one's priors are among the N."""

    anchor: Tensor  # (K,) int64, index into all anchors
    stride: Tensor  # (K,) int64, pixels per cell
    rows: Tensor  # (K,) int64, rows of cells of the level
    columns: Tensor  # (K,) int64
    first: Tensor  # (K,) int64, index of the level's first prior
    per_cell: Tensor  # (K,) int64, anchors of the level
    place: Tensor  # (K,) int64, index of the anchor within its level
    level: Tensor  # (K,) int64


@dataclass(frozen=True)
class Priors:
    """Every prior of an input of `height` x `width` pixels."""

    cells: Tensor  # (N, 2) float, column and row
    strides: Tensor  # (N, 1) float, pixels per cell
    anchors: Tensor  # (N, 2) float, width and height in pixels
    scales: Tensor  # (N, 1) float, scale_x_y of the level
    levels: Tensor  # (N,) int64
    pairs: Pairs
    height: int
    width: int

    def __len__(self) -> int:
        return self.cells.shape[0]

    def at(self, slots: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Cells, strides, anchors and scales of the priors at `slots` (...), in the order that coding takes them."""
        return self.cells[slots], self.strides[slots], self.anchors[slots], self.scales[slots]


def spread(
    anchors: Tensor, strides: Sequence[int], masks: Masks, scales: Sequence[float], grids: Sequence[tuple[int, int]]
) -> Priors:
    """The priors of every cell. anchors (n, 2) pixels; grids: (rows, columns) per level.

    Built from fills and ranges on the anchors' device alone, so that nothing is copied from the host at each step.
    """
    device, parts, table, first = anchors.device, [], [], 0
    for level, (stride, mask, scale, (rows, columns)) in enumerate(zip(strides, masks, scales, grids, strict=True)):
        count = len(mask)
        row = torch.arange(rows, device=device).view(rows, 1, 1, 1).expand(rows, columns, count, 1)
        column = torch.arange(columns, device=device).view(1, columns, 1, 1).expand(rows, columns, count, 1)
        cells = torch.cat([column, row], dim=-1).reshape(-1, 2).float()
        sizes = torch.stack([anchors[a] for a in mask]).expand(rows, columns, count, 2).reshape(-1, 2)
        fixed = cells.new_full((cells.shape[0], 1), float(stride)), cells.new_full((cells.shape[0], 1), scale)
        parts.append((cells, fixed[0], sizes, fixed[1], torch.full((cells.shape[0],), level, device=device)))
        alike = [
            torch.full((count,), one, device=device, dtype=torch.int64)
            for one in (stride, rows, columns, first, count, level)
        ]
        table.append((_indices(mask, device), *alike[:-1], torch.arange(count, device=device), alike[-1]))
        first += rows * columns * count
    cells, stride_column, sizes, scale_column, levels = (torch.cat(column) for column in zip(*parts, strict=True))
    pairs = Pairs(*(torch.cat(column) for column in zip(*table, strict=True)))
    height, width = grids[0][0] * strides[0], grids[0][1] * strides[0]
    return Priors(cells, stride_column, sizes.float(), scale_column, levels, pairs, height, width)


def _indices(mask: Sequence[int], device: torch.device) -> Tensor:
    """(n,) int64, in one call to the device if the anchors are in order, as they mostly are."""
    first, count = mask[0], len(mask)
    if tuple(mask) == tuple(range(first, first + count)):
        return torch.arange(first, first + count, device=device)
    return torch.cat([torch.full((1,), anchor, device=device, dtype=torch.int64) for anchor in mask])


def by_level(values: Sequence[float], levels: Tensor) -> Tensor:
    """Each entry's value, by its level: one value per level and levels (n,) -> (n,) float."""
    table = torch.cat([torch.full((1,), float(value), device=levels.device) for value in values])
    return table[levels]


def even_masks(count: int, levels: int) -> Masks:
    """`count` anchors divided evenly among levels from coarse to fine, the largest to the coarsest.

    7 anchors over 2 levels: ((3, 4, 5, 6), (0, 1, 2)). WorkbenchError when a level would get none.
    """
    if count < levels:
        raise WorkbenchError(f"This detector needs at least {levels} anchors, one per output level, not {count}.")
    counts = [count // levels + (1 if level < count % levels else 0) for level in range(levels)]
    masks, end = [], count
    for size in counts:
        masks.append(tuple(range(end - size, end)))
        end -= size
    return tuple(masks)
