"""Photographs whose files have other sizes than the project knows, as another program has resized, cropped or turned
them: the edit that takes the new sizes over.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.edits import Edit
from workbench.core.formatting import count
from workbench.core.project import Box, Image

_PLACES = 4
"""Decimals of scaled boxes: a side on the border stays there."""


def was_resized(image: Image, width: int, height: int) -> bool:
    """Whether a file of this size in pixels has the shape that the project knows, within a pixel: not cropped, not
    turned.
    """
    return abs(width * image.height - height * image.width) <= max(image.width, image.height)


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
        boxes += _scaled(own, image, now) if was_resized(image, now.width, now.height) else own
    if not found:
        return None
    parts: list[Edit] = [edits.RemoveImages(tuple(image.id for image in found)), edits.AddImages(tuple(found))]
    if boxes:
        parts.append(edits.AddBoxes(tuple(boxes)))
    return edits.Batch(tuple(parts), f"Take over the new size of {count(len(found), 'image')}")


def _scaled(boxes: Iterable[Box], before: Image, now: Image) -> list[Box]:
    x, y = now.width / before.width, now.height / before.height
    scaled = []
    for box in boxes:
        x0, y0, x1, y1 = (round(v * by, _PLACES) for v, by in zip(box.xyxy, (x, y, x, y), strict=True))
        scaled.append(replace(box, xyxy=(x0, y0, x1, y1)))
    return scaled
