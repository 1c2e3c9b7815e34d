"""Draws detections on a picture: boxes with a dark under-line, and tags with label and score in any script."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from workbench.core.detections import Detections
from workbench.core.project import Label, rgb

Colour = tuple[int, int, int]
# The first that the system has; one font with the name's script is enough. None: Pillow's own, Latin only.
_FONTS = ("DejaVuSans.ttf", "Arial Unicode.ttf", "arial.ttf", "Arial.ttf", "NotoSans-Regular.ttf")
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", "YuGothM.ttc", "malgun.ttf")


def draw_detections(image: NDArray[np.uint8], found: Detections, labels: Sequence[Label]) -> NDArray[np.uint8]:
    """A copy of the (H, W, 3) RGB image with the boxes of `found`; the highest scores are on top."""
    picture = np.ascontiguousarray(image).copy()
    side = min(picture.shape[:2])
    line, text = max(2, round(side / 400)), int(np.clip(side / 40, 11, 48))  # pixels, within readable limits
    for row in range(len(found) - 1, -1, -1):
        label = labels[int(found.labels[row])]
        colour = rgb(label.colour)
        _outline(picture, found.boxes[row], colour, line)
        tag = _tag(f"{label.name} {found.scores[row]:.2f}", colour, text)
        _paste(picture, tag, found.boxes[row])
    return picture


def _outline(picture: NDArray[np.uint8], box: NDArray[np.float32], colour: Colour, line: int) -> None:
    corner, opposite = (
        (int(box[0]), int(box[1])),
        (max(int(box[2]) - 1, int(box[0])), max(int(box[3]) - 1, int(box[1]))),
    )
    cv2.rectangle(picture, corner, opposite, (0, 0, 0), line + 2)
    cv2.rectangle(picture, corner, opposite, colour, line)


def _paste(picture: NDArray[np.uint8], tag: NDArray[np.uint8], box: NDArray[np.float32]) -> None:
    """Paste the tag above the box, or inside it at the picture's upper edge; clipped at the picture's edges."""
    height, width = picture.shape[:2]
    top = int(box[1]) - len(tag) if box[1] >= len(tag) else int(box[1])
    left = max(0, min(int(box[0]), width - tag.shape[1]))
    place = picture[max(top, 0) : min(top + len(tag), height), left : min(left + tag.shape[1], width)]
    place[:] = tag[: place.shape[0], : place.shape[1]]


@lru_cache(maxsize=2048)
def _tag(text: str, colour: Colour, size: int) -> NDArray[np.uint8]:
    """The text in black or white, whichever is easier to read, on the label's colour: (h, w, 3)."""
    font = _font(size, text.isascii() or max(map(ord, text)) < 0x2E80)
    left, top, right, bottom = font.getbbox(text)
    pad = max(2, size // 5)
    canvas = Image.new("RGB", (int(right - left) + 2 * pad, int(max(bottom - top, size)) + 2 * pad), colour)
    # relative luminance of Rec. 709, close enough without gamma
    light = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2] > 128
    ImageDraw.Draw(canvas).text((pad - left, pad - top), text, fill=(0, 0, 0) if light else (255, 255, 255), font=font)
    return np.asarray(canvas)


@lru_cache(maxsize=64)
def _font(size: int, narrow: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS if narrow else _WIDE_FONTS + _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)
