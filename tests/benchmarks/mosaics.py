"""Mosaics as trainers that keep no pixels make them: four files decoded for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.training.batches import colour_jitter

GREY = (114, 114, 114)
Tile = tuple[int, float, int, int]
"""The file that a corner shows, its scale, and where its upper left corner lies on the canvas."""


def four_decodes(files: Sequence[Any], random: np.random.Generator, side: int) -> NDArray[np.uint8]:
    """A mosaic (side, side, 3) in BGR of four of `files`, which are encoded images."""
    return mosaic(files, random, side)[0]


def mosaic(
    files: Sequence[Any], random: np.random.Generator, side: int
) -> tuple[NDArray[np.uint8], list[Tile], NDArray[np.float64]]:
    """A mosaic: four images put into one, then moved and recoloured. Also its tiles, and the matrix (2, 3) that takes
    the canvas to it; there is no mirroring, so that boxes need nothing else.
    """
    canvas = np.full((2 * side, 2 * side, 3), GREY[0], np.uint8)
    centre = random.uniform(side / 2, 3 * side / 2, 2).astype(int)
    tiles: list[Tile] = []
    for corner, file in enumerate(random.choice(len(files), 4)):
        image = cv2.imdecode(np.frombuffer(files[file], np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        share = side / max(image.shape[:2])
        image = cv2.resize(image, (round(image.shape[1] * share), round(image.shape[0] * share)))
        height, width = image.shape[:2]
        x = int(centre[0] if corner % 2 else centre[0] - width)
        y = int(centre[1] if corner > 1 else centre[1] - height)
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, 2 * side), min(y + height, 2 * side)
        canvas[top:bottom, left:right] = image[top - y : bottom - y, left - x : right - x]
        tiles.append((int(file), share, x, y))
    zoom = random.uniform(0.5, 1.5)
    move = side / 2 - zoom * side + random.uniform(-0.1, 0.1, 2) * side
    matrix = np.array([[zoom, 0, move[0]], [0, zoom, move[1]]])
    made = np.asarray(cv2.warpAffine(canvas, matrix, (side, side), borderValue=GREY), np.uint8)
    colour_jitter.recolour(made, colour_jitter.ColourJitter(0.01, 1.3, 0.8, 1.0, 0.0))
    return made, tiles, matrix
