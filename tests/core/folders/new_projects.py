"""A folder of photographs for a new project, read in small steps, by a process that does what a test wants."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.core.folders import folder_reader, new_project


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """25 pictures in two folders, one of them damaged."""
    folder = tmp_path / "photographs"
    for number in range(25):
        file = folder / f"day {number % 2 + 9}" / f"{number} ü.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".png", np.zeros((10 + number, 20, 3), np.uint8))
        file.write_bytes(data.tobytes())
    (folder / "day 9" / "8 ü.png").write_bytes(b"not a picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_project, "FIRST", 4)
    monkeypatch.setattr(folder_reader, "NAMES", 6)
    monkeypatch.setattr(folder_reader, "HEADERS", 5)


def child(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """The process runs these lines first."""
    monkeypatch.setattr(folder_reader, "CHILD", (sys.executable, "-c", "\n".join((*lines, "folder_reader.main()"))))
