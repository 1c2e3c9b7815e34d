"""What detectors require of anchors, and where those with their own default boxes or points learn a box.

All of it loads torch, so call it in a thread. G = inputs of the network at once, M = most boxes in one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core.resize import FitMode
from workbench.errors import WorkbenchError
from workbench.inference.suggesting.model_files import FROM_CFG
from workbench.ui.anchors.computation import Boxes

if TYPE_CHECKING:
    from workbench.detectors.parts.detector import Detector, Targets

NARROWEST = 0.05  # width of the network that is built: the rules are the same at any width
MOST_INPUTS = 400
"""Images, or tiles of them, whose boxes are assigned at most: SSD compares each box with thousands of its own."""
SLOTS = 256  # inputs x boxes at once: bounds the memory for boxes x points x 4


@dataclass(frozen=True, slots=True)
class Need:
    """What a detector makes of `count` anchors, or what it has instead.

    `levels`: (stride in px, its anchors by ascending area), () without anchors. `published`: the number its authors
    use, 0 if it takes none. `cells`: per side of a grid whose cells learn one box each, 0 if anchors tell the boxes in
    a cell apart. `adds_up`: an anchor of a cell that several boxes share is trained on all of them, not on just
    one. `problem`: why that number is invalid. `resize`: how an image becomes its input by default.
    `match_iou`: anchors whose shape overlaps a box by more than this learn it too, beside the best one; 1: none do.
    """

    name: str
    title: str
    count: int
    published: int
    levels: tuple[tuple[int, tuple[int, ...]], ...]
    cells: int = 0
    problem: str = ""
    adds_up: bool = False
    resize: FitMode = "stretch"
    match_iou: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class OwnLevels:
    """Where a detector with its own boxes or points learns the `boxes`, m of the request's `middles`.

    `strides` of its L levels; `sizes`: (w, h) of its boxes there, () for points; `learnt`: (L, m) whether anything on
    the level is assigned to the box. `tested`: (m,) which boxes were. `px`: its input side.
    """

    strides: tuple[int, ...]
    sizes: tuple[tuple[tuple[float, float], ...], ...]
    learnt: NDArray[np.bool_]
    tested: NDArray[np.bool_]
    images: int
    px: int


@dataclass(frozen=True, slots=True, eq=False)
class OwnLevelsRequest:
    """The input of `own_levels`."""

    boxes: Boxes
    name: str
    px: int


def detectors() -> tuple[tuple[str, str], ...]:
    """(name, title) of all detectors that can be chosen here."""
    from workbench import detectors as known

    return tuple((name, kind.title) for name, kind in known.load_all() if name != FROM_CFG)


def need_of(name: str, count: int = 0) -> Need:
    """Uses training's own rule, which accepts any sufficient number of anchors; `count` 0: the published number."""
    from workbench import detectors as known

    kind = known.load_all().get(name)
    published = len(kind.published_anchors)
    count = (count or published) if published else 0
    sizes = tuple((8.0 * n, 8.0 * n) for n in range(1, count + 1)) or None
    try:
        made = known.build(name, kind.settings_class(width=NARROWEST), 1, sizes)
    except WorkbenchError as error:
        return Need(name, kind.title, count, published, (), problem=error.sentence, resize=kind.published_resize)
    need = made.anchor_need
    levels = () if need is None else tuple(zip(need.strides, need.masks, strict=True))
    cells = int(made.head.side) if kind.one_per_cell else 0  # type: ignore[attr-defined]
    adds_up = bool(levels) and _adds_up(made)
    match_iou = float(getattr(getattr(getattr(made, "head", None), "rules", None), "match_iou", 1.0))
    return Need(
        name, kind.title, count, published, levels, cells,
        adds_up=adds_up, resize=kind.published_resize, match_iou=match_iou,
    )  # fmt: skip


def _adds_up(made: Detector) -> bool:
    """Whether the loss's assignment keeps both of two identical boxes as targets."""
    import torch

    px = made.settings.input_px
    alike = np.tile([px / 3, px / 3, px / 2, px / 2], (2, 1))
    with torch.no_grad():
        found = made.assignment(_targets(alike, [np.arange(2)]), (px, px))
    return len(np.unique(found.target.numpy())) == 2


def own_levels(request: OwnLevelsRequest) -> OwnLevels:
    """Uses the loss's assignment; boxes as they are without augmentation."""
    import torch

    made, px = _made(request.name, request.px)
    boxes, rows = request.boxes, request.boxes.middles
    half = boxes.sizes[rows] / 2
    corners = np.concatenate([boxes.centres[rows] - half, boxes.centres[rows] + half], axis=1) * (px / request.px)
    inputs, of_input = np.unique(boxes.inputs[rows], return_inverse=True)
    every = -(-len(inputs) // MOST_INPUTS) or 1
    tested = of_input % every == 0
    grids, sizes = _layout(made, px)
    learnt = np.zeros((len(grids), len(rows)), bool)
    in_order = np.argsort(of_input, kind="stable")
    parts = np.split(in_order, np.cumsum(np.bincount(of_input, minlength=len(inputs)))[:-1])
    parts = sorted(parts[::every], key=len) if len(rows) else []
    while parts:
        most = max(1, min(len(parts), SLOTS // max(len(parts[-1]), 1)))
        batch, parts = parts[-most:], parts[:-most]
        with torch.no_grad():
            found = made.assignment(_targets(corners, batch), (px, px))
        for level, image, target in zip(
            found.level.tolist(), found.image.tolist(), found.target.tolist(), strict=True
        ):  # fmt: skip
            learnt[level, batch[image][target]] = True
    images = len(np.unique(boxes.images[rows[tested]]))
    return OwnLevels(tuple(_stride(px, cells) for cells, _ in grids), sizes, learnt, tested, images, px)


def _stride(px: int, cells: int) -> int:
    """The power of two that gives this many cells by halving; for the coarsest levels, the size of their cells."""
    powers = (2**n for n in range(2, 9))
    return next((one for one in powers if cells >= 4 and -(-px // one) == cells), round(px / cells))


def _made(name: str, px: int) -> tuple[Detector, int]:
    """The detector at this input side, or at its default one if that is not possible."""
    from workbench import detectors as known

    kind = known.load_all().get(name)
    try:
        return known.build(name, kind.settings_class(width=NARROWEST, input_px=px), 1), px
    except WorkbenchError:
        made = known.build(name, kind.settings_class(width=NARROWEST), 1)
        return made, made.settings.input_px


def _targets(corners: NDArray[np.float64], batch: list[NDArray[np.int64]]) -> Targets:
    """Targets of G inputs, padded to M boxes."""
    import torch

    from workbench.detectors.parts.detector import Targets

    shape = len(batch), max(map(len, batch))
    boxes, labels = np.zeros((*shape, 4), np.float32), np.full(shape, -1)
    for place, rows in enumerate(batch):
        boxes[place, : len(rows)], labels[place, : len(rows)] = corners[rows], 0
    return Targets(torch.from_numpy(boxes), torch.from_numpy(labels), torch.zeros(shape, dtype=torch.bool))


def _layout(
    made: Detector, px: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[tuple[float, float], ...], ...]]:  # fmt: skip
    """Rows and columns of each level, and the sizes of its boxes; none if it has points."""
    import torch

    nothing = _targets(np.zeros((1, 4)), [np.zeros(1, np.int64)])
    with torch.no_grad():
        layout = made.explained(None, nothing, (px, px)).layout
    if layout.kind != "anchor":
        return layout.grids, ((),) * len(layout.grids)
    sides = (layout.boxes[:, 2:] - layout.boxes[:, :2]).double().numpy()
    levels, sizes = layout.level.numpy(), []
    for level in range(len(layout.grids)):
        own = np.unique(sides[levels == level].round(1), axis=0)
        order = np.argsort(own.prod(axis=1), kind="stable")
        sizes.append(tuple((float(w), float(h)) for w, h in own[order]))
    return layout.grids, tuple(sizes)
