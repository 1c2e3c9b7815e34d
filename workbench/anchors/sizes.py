"""The sizes of a project's boxes as training will see them, and the anchors that fit those."""

from __future__ import annotations

import numpy as np

from workbench.anchors.batched_kmeans import Update
from workbench.anchors.clustering import best
from workbench.anchors.overlap import Doubles, Numbers, is_usable
from workbench.core.project import AnchorSet, Snapshot, Split
from workbench.core.resize import scales_and_offsets
from workbench.core.snapshot_views import cut_into_views
from workbench.core.tiling import Tiling

QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)  # the middles of five equal parts of the distribution augmentation draws from
LEAST_VISIBLE = 0.25  # of a box's area: if less is visible, training treats it as neither object nor background
LEAST_SIDE = 2.0  # network pixels, for a side of a box's visible part: likewise


def sizes_and_rows(snapshot: Snapshot, px: int, resize: str = "stretch", scale: float = 0.0) -> tuple[Doubles, Numbers]:
    """(n, 2) widths and heights of the snapshot's boxes in pixels of a square network input of side `px`, and (n,) the
    row of each in snapshot.boxes.

    They are cut at the border of their image, as in training. Left out: crowd regions, boxes without area, and boxes of
    images whose size is not known.

    `scale` is training's setting of that name: images are enlarged (1 + scale) ** u times about their centre, with u
    uniform between -1 and 1. A box then has a range of sizes, so it is returned five times, at the QUANTILES of u, with
    its row repeated: shares and means are those of boxes, and counts are five times theirs. What an enlarged image
    loses at its border is cut off, and a box from which training would learn nothing at a scale (less than
    LEAST_VISIBLE is visible, or a side is below LEAST_SIDE) is left out at that scale.
    """
    pictures = np.array([(image.width, image.height) for image in snapshot.images], np.float64).reshape(-1, 2)
    by_image = scales_and_offsets(pictures, px, resize)[0]
    scales, whole = (np.repeat(of, np.diff(snapshot.offsets), axis=0) for of in (by_image, pictures))  # (boxes, 2)
    low, high = (np.clip(corner, 0, whole) for corner in (snapshot.boxes[:, :2], snapshot.boxes[:, 2:]))
    sizes = (high - low) * scales
    usable = is_usable(sizes) & ~snapshot.crowd
    if scale == 0:
        rows = np.flatnonzero(usable)
        return sizes[rows], rows
    middles = (low + high - whole) / 2 * scales  # (boxes, 2) px from the image's centre
    seen = np.stack([_seen(sizes, middles, (1 + scale) ** (2 * share - 1), px) for share in QUANTILES], axis=1)
    kept = usable[:, None] & (seen > 0).all(axis=2)
    rows = np.repeat(np.arange(len(sizes)), kept.sum(axis=1))
    return seen[kept], rows


def _seen(sizes: Doubles, middles: Doubles, zoom: float, px: int) -> Doubles:
    """(n, 2) px visible of boxes centred at `middles` after enlarging by `zoom`; 0 where it is too little."""
    low, high = zoom * (middles - sizes / 2), zoom * (middles + sizes / 2)
    cut = np.minimum(high, px / 2) - np.maximum(low, -px / 2)
    enough = (cut >= LEAST_SIDE).all(axis=1) & (cut.prod(axis=1) >= LEAST_VISIBLE * (zoom * sizes).prod(axis=1))
    return np.where(enough[:, None], cut, 0.0)


def in_tiles(snapshot: Snapshot, tiling: Tiling | None) -> Snapshot:
    """The images as a training with these tiles sees them, each box in the one view that shows most of it."""
    return cut_into_views(snapshot, tiling, LEAST_VISIBLE, once=True)


def training_images(snapshot: Snapshot) -> Snapshot:
    """What training sees: the images in the splits train and none, or all images if those have no boxes."""
    return training_images_or_all(snapshot)[0]


def training_images_or_all(snapshot: Snapshot) -> tuple[Snapshot, bool]:
    """`training_images`, and whether that means all images because no training image has a box."""
    seen = snapshot.only(splits=(Split.TRAIN, Split.NONE))
    return (seen, False) if len(seen.boxes) else (snapshot, len(snapshot.boxes) > 0)


def anchor_set(
    snapshot: Snapshot,
    k: int,
    px: int,
    *,
    resize: str = "stretch",
    seed: int = 0,
    update: Update = "median",
    scale: float = 0.0,
    tiling: Tiling | None = None,
) -> AnchorSet:
    """The best `k` anchors for the boxes of `training_images`, over all scales of training if `scale` is given.

    `tiling`: the tiles in which that training sees large images.
    """
    sizes, rows = sizes_and_rows(in_tiles(training_images(snapshot), tiling), px, resize, scale)
    step = best(sizes, k, seed, update=update)
    scales = f", scale {scale:g}" if scale else ""
    return AnchorSet(
        sizes=tuple((float(w), float(h)) for w, h in step.centres),
        input_px=px,
        resize=resize,
        mean_iou=step.mean_iou,
        recall=step.recall,
        source=f"IoU k-means, k {k}, {update}, seed {seed}, {len(np.unique(rows))} boxes{scales}",
        tiles=tiling.side if tiling else 0,
    )
