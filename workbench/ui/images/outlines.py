"""Outlines of thousands of boxes, one device pixel wide, written by numpy into an image's pixels.

10,000 boxes take 5 ms; Qt's own one-pixel lines take 16. All lines of equal length are written by one
assignment, which copies a whole line per index. Horizontal lines are written before vertical ones; among each,
longer before shorter, so that no small box is hidden by large ones; in equal lengths, later boxes are on top.

n = boxes, m = lines, W and H = width and height of the image in device pixels.
"""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from workbench.ui.images.view_transform import ViewTransform

_LONGEST = 65535
"""Qt paints on no image with more pixels in a row. Lengths then fit in 16 bits, which numpy sorts by counting."""


def paint(painter: QPainter, view: ViewTransform, xyxy: np.ndarray, inks: np.ndarray, area: QRectF) -> None:
    """Paint the visible part of (n, 4) boxes, in image pixels, in (n,) `inks`, see ink()."""
    ratio = painter.device().devicePixelRatioF()
    corner = QPoint(math.floor(area.left() * ratio), math.floor(area.top() * ratio))
    size = QPoint(math.ceil(area.right() * ratio), math.ceil(area.bottom() * ratio)) - corner
    if size.x() < 1 or size.y() < 1:
        return
    shift = view.x * ratio - corner.x(), view.y * ratio - corner.y()
    placed = xyxy * (view.scale * ratio) + np.array(shift * 2)
    ground = _ground(painter, corner, size)
    if ground is not None:
        write(_pixels(ground), placed, inks)
        return
    image = QImage(size.x(), size.y(), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    write(_pixels(image), placed, inks)
    image.setDevicePixelRatio(ratio)
    painter.drawImage(QPointF(corner) / ratio, image)


def ink(colour: QColor) -> int:
    """An opaque colour as a pixel of the image."""
    return colour.rgb() | 0xFF000000


def write(pixels: np.ndarray, xyxy: np.ndarray, inks: np.ndarray) -> None:
    """Write outlines into (H, W) uint32 `pixels`. xyxy (n, 4) in these pixels, at any place; inks (n,) uint32.

    A coordinate colours the pixel that contains it, as Qt's one-pixel pen does.
    """
    height, width = pixels.shape
    assert pixels.flags.c_contiguous
    # Coordinates far outside might not fit in an integer.
    ends = np.floor(np.clip(xyxy, -1, (width, height, width, height))).astype(np.int64)
    x0, x1 = np.minimum(ends[:, 0], ends[:, 2]), np.maximum(ends[:, 0], ends[:, 2])
    y0, y1 = np.minimum(ends[:, 1], ends[:, 3]), np.maximum(ends[:, 1], ends[:, 3])
    flat, inks = pixels.reshape(-1), np.tile(inks, 2)
    _write_lines(flat, np.concatenate([y0, y1]), np.tile(x0, 2), np.tile(x1, 2), inks, (height, width), (width, 1))
    _write_lines(flat, np.concatenate([x0, x1]), np.tile(y0, 2), np.tile(y1, 2), inks, (width, height), (1, width))


def _write_lines(
    flat: np.ndarray,
    at: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
    inks: np.ndarray,
    size: tuple[int, int],
    steps: tuple[int, int],
) -> None:
    """Write (m,) lines, each in the row `at` from the pixel `start` to the pixel `stop`, both included.

    `size`: number of rows, and of pixels in each. `steps`: distance in `flat` from one row to the next and from
    one pixel of a row to the next. For vertical lines, the columns take the place of rows.
    """
    start, stop = np.maximum(start, 0), np.minimum(stop, size[1] - 1)
    lengths = np.where((at >= 0) & (at < size[0]) & (start <= stop), stop - start + 1, 0)
    order = np.argsort((_LONGEST - lengths).astype(np.uint16), kind="stable")
    first, inks = (at * steps[0] + start * steps[1])[order], inks[order, None]
    counts = np.bincount(lengths)
    counts[0] = 0  # not visible
    done = 0
    for length in np.flatnonzero(counts)[::-1].tolist():
        upto = done + int(counts[length])
        # lines[i] is the line of this length that starts at pixel i
        shape, strides = (flat.size - (length - 1) * steps[1], length), (flat.itemsize, flat.itemsize * steps[1])
        lines: np.ndarray = np.ndarray(shape, flat.dtype, flat, 0, strides)
        lines[first[done:upto]] = inks[done:upto]
        done = upto


def _ground(painter: QPainter, corner: QPoint, size: QPoint) -> QImage | None:
    """The image being painted on, if it can be written to directly: saves the 1 ms of drawing another image over it."""
    device = painter.device()
    if (
        isinstance(device, QImage)
        and device.format() in (QImage.Format.Format_RGB32, QImage.Format.Format_ARGB32_Premultiplied)
        and (device.width(), device.height()) == (size.x(), size.y())
        and corner.isNull()
        and painter.opacity() == 1.0
        and painter.worldTransform().isIdentity()
        and not painter.hasClipping()
    ):
        return device
    return None


def _pixels(image: QImage) -> np.ndarray:
    """(H, W) uint32 view of an image whose rows have no padding, which holds for 32 bits."""
    return np.frombuffer(image.bits(), np.uint32).reshape(image.height(), image.width())
