"""Arithmetic of boxes: conversions, areas, clipping and how much two boxes overlap.

A box is xyxy, half-open, in pixels; one row per box. Other forms say so in their names. The arithmetic keeps the
dtype it is given (float32 stays float32), because thresholds are compared bit for bit elsewhere.
N, M = numbers of boxes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.floating[Any]]


def areas(boxes: Floats) -> Floats:
    """(N,) areas in square pixels; 0 for boxes with swapped corners."""
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0))


def clip(boxes: Floats, width: ArrayLike, height: ArrayLike) -> Floats:
    """The part of each box inside its image of `width` x `height` pixels, one for all or (N,); area 0 if nothing is."""
    inside = np.empty_like(boxes)
    for axis, side in enumerate((width, height)):
        inside[:, axis::2] = np.clip(boxes[:, axis::2], 0, np.asarray(side, boxes.dtype)[..., None])
    return inside


def are_outside(boxes: Floats, width: ArrayLike, height: ArrayLike) -> NDArray[np.bool_]:
    """(N,) which boxes lie completely outside their image; width and height in pixels, one for all or (N,).

    A box without area on the border does not, and none does if a side of the image is 0 (not known).
    """
    sides = np.stack(np.broadcast_arrays(np.asarray(width), np.asarray(height)), axis=-1)
    before, behind = boxes[:, :2], boxes[:, 2:]
    out = ((behind <= 0) & (before < 0)) | ((before >= sides) & (behind > sides))
    return np.asarray(out.any(axis=1) & (sides > 0).all(axis=-1))


def intersections(a: Floats, b: Floats) -> Floats:
    """(...) shared areas of `a` (..., 4) and `b` (..., 4), broadcast against each other."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.asarray(np.maximum(width, 0) * np.maximum(height, 0))


def iou(a: Floats, b: Floats) -> Floats:
    """(N, M) intersection over union of `a` (N, 4) with `b` (M, 4); 0 where both boxes are empty."""
    shared = intersections(a[:, None], b[None])  # (N, M)
    return iou_of_areas(shared, areas(a)[:, None], areas(b)[None])


def iou_of_pairs(a: Floats, b: Floats) -> Floats:
    """(N,) intersection over union of row i of `a` with row i of `b`, both (N, 4)."""
    return iou_of_areas(intersections(a, b), areas(a), areas(b))


def iou_of_areas(shared: Floats, area_a: Floats, area_b: Floats) -> Floats:
    """shared / (area_a + area_b - shared) in this order of operations (torchvision's), 0 for an empty union."""
    union = area_a + area_b - shared
    return np.divide(shared, union, out=np.zeros_like(union), where=union > 0)


def centre_penalty(a: Floats, b: Floats) -> Floats:
    """(N,) what DIoU subtracts from the IoU: squared distance of the centres over squared diagonal of the hull, 0..1.

    Zheng et al., Distance-IoU Loss, 2020 (arXiv:1911.08287), eq. 6.
    """
    across = (a[:, 0] + a[:, 2] - b[:, 0] - b[:, 2]) / 2
    down = (a[:, 1] + a[:, 3] - b[:, 1] - b[:, 3]) / 2
    width = np.maximum(a[:, 2], b[:, 2]) - np.minimum(a[:, 0], b[:, 0])
    height = np.maximum(a[:, 3], b[:, 3]) - np.minimum(a[:, 1], b[:, 1])
    diagonal = width**2 + height**2
    return np.asarray(np.divide(across**2 + down**2, diagonal, out=np.zeros_like(diagonal), where=diagonal > 0))
