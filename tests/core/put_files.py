"""Bytes put into a file, and what reading it gives: colours in its corners, or the sentence of a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.images import read
from workbench.errors import Refused

Put = Callable[[bytes], Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes bytes to a file with the least telling name."""

    def write(data: bytes, name: str = "file.jpg") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def sentence(path: Path, reader: Callable[[Path], Any] = read) -> str:
    with pytest.raises(Refused) as refusal:
        reader(path)
    assert refusal.value.sentence.startswith(f"{path}: ")
    return refusal.value.reason


def read_or_none(path: Path, window: IntensityWindow | None = None, **options: Any) -> np.ndarray | None:
    """The image, or None where it is refused; any other exception passes and fails the test."""
    try:
        return read(path, window, **options)
    except Refused:
        return None


def seen_corners(image: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The colours a quarter into each corner, rounded to 0 or 255 (JPEG is not exact)."""
    height, width = image.shape[:2]
    rows, columns = {"top": height // 4, "bottom": 3 * height // 4}, {"left": width // 4, "right": 3 * width // 4}
    return {
        f"{v} {h}": tuple(255 * round(int(c) / 255) for c in image[y, x])
        for v, y in rows.items()
        for h, x in columns.items()
    }
