"""Photographs whose files have other sizes than the project knows, as another program has resized, cropped or turned
them: the edit that takes the new sizes over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.formatting import count
from workbench.core.project import Box, Image

_PLACES = 4
"""Decimals of scaled boxes: a side on the border stays there."""
_SIZE = "size"
"""In `extra` of boxes, beside the names of formats."""


def was_resized(image: Image, width: int, height: int) -> bool:
    """Whether a file of this size in pixels has the shape that the project knows, within a pixel: not cropped, not
    turned.
    """
    return _same_shape((image.width, image.height), (width, height))


def _same_shape(before: tuple[int, int], now: tuple[int, int]) -> bool:
    return abs(now[0] * before[1] - now[1] * before[0]) <= max(before)


def brought_along(boxes: Sequence[Box], before: tuple[int, int], now: tuple[int, int]) -> list[Box]:
    """Boxes of an image of `before` pixels, width and height, in the one that it is `now`: scaled if it was only
    resized, else where they are, but no longer as they were imported: that file may have shares of the former size.
    """
    if before == now:
        return list(boxes)
    if not _same_shape(before, now):
        return [replace(box, extra=_marked(box.extra, now)) for box in boxes]
    x, y = now[0] / before[0], now[1] / before[1]
    scaled = []
    for box in boxes:
        x0, y0, x1, y1 = (round(v * by, _PLACES) for v, by in zip(box.xyxy, (x, y, x, y), strict=True))
        scaled.append(replace(box, xyxy=(x0, y0, x1, y1)))
    return scaled


def taking_over(document: Document, ids: Iterable[int]) -> Edit | None:
    """The edit by which these images have the sizes of their files. None if none has another one, or none can be read.

    Boxes of images that were only resized are scaled; those of others stay in their pixels, for a person to correct.
    """
    from workbench.core.folders import image_records

    found: list[Image] = []
    boxes: list[Box] = []
    for image in map(document.image, ids):
        now = image_records.with_header(image, document.file(image))
        if now.problem or not image.width or (now.width, now.height) == (image.width, image.height):
            continue
        found.append(now)
        own = document.boxes(image.id)
        boxes += brought_along(own, (image.width, image.height), (now.width, now.height))
    if not found:
        return None
    parts: list[Edit] = [edits.RemoveImages(tuple(image.id for image in found)), edits.AddImages(tuple(found))]
    if boxes:
        parts.append(edits.AddBoxes(tuple(boxes)))
    return edits.Batch(tuple(parts), f"Take over the new size of {count(len(found), 'image')}")


def _marked(extra: str, size: tuple[int, int]) -> str:
    """The `extra` of a box with this size, which tells it from the one imported (exchange/content_hash.py)."""
    try:
        kept = json.loads(extra or "{}")
    except (ValueError, RecursionError):
        kept = {}
    return json.dumps((kept if isinstance(kept, dict) else {}) | {_SIZE: size}, separators=(",", ":"))
