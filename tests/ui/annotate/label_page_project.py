"""A project with two labels and a box for the Label page, and what is on its disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from tests.ui.window_driver import boxes_on_disk
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def labelled(project: Path) -> Path:
    """Labels cell and plate; a.png has one cell at (20, 20) to (80, 60)."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 80, 60)),))
    return project


def corners(project: Path, image: str = "a.png") -> list[tuple[float, ...]]:
    return [box.xyxy for box in boxes_on_disk(project)[image]]


def names(project: Path, image: str = "a.png") -> list[str]:
    with Document.open(project, read_only=True) as document:
        return [document.label(box.label).name for box in boxes_on_disk(project)[image]]


def near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(found, wanted, strict=True))
