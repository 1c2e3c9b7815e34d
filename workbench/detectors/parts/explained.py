"""How a loss treats every prior: which are positive, ignored or negative, and why a box has no positive.

B = images, M = most boxes of an image, N = priors (anchors, cells or points of all levels), P = pairs of a positive and
a box. A detector's loss takes its masks from the same `Roles` as explained(), so what is shown is what is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Targets

Grids = tuple[tuple[int, int], ...]  # rows and columns per level
Pairs = tuple[Tensor, Tensor, Tensor]  # (P,) each: image, prior, box


@dataclass(frozen=True)
class Roles:
    """The masks of a loss. A prior in none of them is a negative that was not chosen or drawn."""

    positive: Tensor  # (B, N) bool: learns a box
    ignored: Tensor  # (B, N) bool: neither object nor background
    negative: Tensor  # (B, N) bool: learns that nothing is there

    @property
    def counted(self) -> Tensor:
        return self.positive | self.negative


@dataclass(frozen=True)
class Layout:
    """Where the N priors of an input lie, level by level from the first output on, there row by row."""

    kind: str  # "anchor", "cell" or "point"
    boxes: Tensor  # (N, 4) xyxy pixels: anchors centred in their cells, or the cells; for points their squares
    level: Tensor  # (N,) int64
    row: Tensor  # (N,)
    column: Tensor  # (N,)
    anchor: Tensor  # (N,) index within the cell
    grids: Grids

    def __len__(self) -> int:
        return len(self.level)


@dataclass(frozen=True)
class Explained:
    """The assignment of a batch. `ignored` and `negative` are None if they depend on outputs that were not given.

    A positive may answer for several boxes, if the loss adds them up: then it is in several pairs.
    """

    layout: Layout
    image: Tensor  # (P,) int64
    prior: Tensor  # (P,)
    box: Tensor  # (P,) index into the image's boxes
    positive: Tensor  # (B, N) bool
    ignored: Tensor | None  # (B, N) bool
    negative: Tensor | None  # (B, N) bool
    reasons: Mapping[tuple[int, int], str]  # (image, box) without a positive: why
    note: str = ""  # what depends on the network's outputs


def explain(
    layout: Layout, pairs: Pairs, roles: Roles | None, targets: Targets, real: Tensor, why: Callable[[int, int], str],
    note: str = "",
) -> Explained:  # fmt: skip
    """`real` (B, M): boxes to be found. `why(image, box)` says why one of them has no positive.

    Without `roles` only the positives are known, by `pairs`; `note` then says what the rest depends on.
    """
    image, prior, box = (one.cpu() for one in pairs)
    reasons = _reasons(targets, real, image, box, why)
    if roles is not None:
        masks = (roles.positive.cpu(), roles.ignored.cpu(), roles.negative.cpu())
        return Explained(layout, image, prior, box, *masks, reasons, note)
    positive = torch.zeros(len(real), len(layout), dtype=torch.bool)
    positive[image, prior] = True
    return Explained(layout, image, prior, box, positive, None, None, reasons, note)


def _reasons(
    targets: Targets, real: Tensor, image: Tensor, box: Tensor, why: Callable[[int, int], str]
) -> dict[tuple[int, int], str]:  # fmt: skip
    missing = (targets.labels >= 0).cpu()
    missing[image, box] = False
    found: dict[tuple[int, int], str] = {}
    for i, m in missing.nonzero().tolist():
        width, height = (targets.boxes[i, m, 2:] - targets.boxes[i, m, :2]).tolist()
        if min(width, height) < 1:  # training ignores it, so `real` is False
            found[i, m] = f"smaller than a pixel of the input: {width:.1f} × {height:.1f} px"
        elif not real[i, m]:
            found[i, m] = "it is an ignored box: neither object nor background"
        else:
            found[i, m] = why(i, m)
    return found


def laid(kind: str, boxes: Tensor, grids: Grids, per_cell: Sequence[int]) -> Layout:
    """The Layout of boxes (N, 4) that lie in the order (level, row, column, anchor). per_cell:
    anchors in a cell of each level.
    """
    parts = []
    for level, ((rows, columns), each) in enumerate(zip(grids, per_cell, strict=True)):
        place = torch.cartesian_prod(torch.arange(rows), torch.arange(columns), torch.arange(each)).view(-1, 3)
        parts.append(torch.cat([torch.full((len(place), 1), level), place], dim=1))
    level_, row, column, anchor = torch.cat(parts).unbind(1)
    return Layout(kind, boxes.cpu(), level_, row, column, anchor, grids)


def cells(
    grids: Grids, per_cell: Sequence[int], size: tuple[int, int], device: torch.device | None = None
) -> Tensor:  # fmt: skip
    """(N, 4) xyxy pixels of an input of `size` (H, W): the cell of each prior, made on `device`.

    Uses only operations that every exported format has and that work on "meta", so that __init__() and candidates()
    may call it.
    """
    parts = []
    for (rows, columns), each in zip(grids, per_cell, strict=True):
        high, wide = size[0] / rows, size[1] / columns
        left = (torch.arange(columns, device=device) * wide).repeat(rows)  # (rows * columns,)
        top = (torch.arange(rows, device=device) * high)[:, None].repeat(1, columns).flatten()
        cell = torch.stack([left, top, left + wide, top + high], dim=1)
        parts.append(cell[:, None].repeat(1, each, 1).flatten(0, 1))
    return torch.cat(parts)
