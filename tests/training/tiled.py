"""Wide photographs and a recipe that sees them in tiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.training.toys import CALM, ToySettings
from workbench.core.project import Image, Label, Snapshot, Split, State
from workbench.training.recipes import Recipe

WIDE = 256, 64
TILES: dict[str, Any] = {"tiles": 64, "tile_overlap": 0.5}
"""Of a wide image: seven, at 0, 32 ... 192."""


def wide_photographs(folder: Path, train: int = 2, validation: int = 1) -> Snapshot:
    """Dark images of 256 x 64, each with two bright squares of 32 in different tiles, one at the top, one below."""
    folder.mkdir(parents=True, exist_ok=True)
    shown, files, boxes = [], [], []
    for number in range(train + validation):
        pixels = np.full((*WIDE[::-1], 3), 10, np.uint8)
        for x, y in ((32 * (number % 3), 0), (160 + 32 * (number % 3), 32)):
            pixels[y : y + 32, x : x + 32] = 230
            boxes.append((x, y, x + 32, y + 32))
        file = folder / f"wide-{number}.png"
        file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        split = Split.TRAIN if number < train else Split.VALIDATION
        shown.append(Image(number + 1, file.name, *WIDE, State.DONE, split))
        files.append(file)
    return Snapshot(
        labels=(Label(1, "top", position=0), Label(2, "bottom", position=1)), images=tuple(shown), files=tuple(files),
        offsets=np.arange(len(shown) + 1) * 2, boxes=np.array(boxes, np.float64),
        label_index=np.tile([0, 1], len(shown)), flags=np.zeros((len(boxes), 4), bool),
        box_ids=np.arange(1, len(boxes) + 1),
    )  # fmt: skip


@pytest.fixture
def wide(tmp_path: Path) -> Snapshot:
    return wide_photographs(tmp_path / "wide")


def recipe(**changes: Any) -> Recipe:
    return Recipe("test", "Test", "", "toy", ToySettings(input_px=64), replace(CALM, **changes))
