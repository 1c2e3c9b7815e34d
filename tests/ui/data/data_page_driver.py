"""Drives the Data page of the real window, and a look at what is on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QWidget

from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.core.storage.image_table import ImageTable
from workbench.ui.window.main_window import MainWindow

NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def labelled(project: Path) -> Path:
    """Labels cell and plate; a.png is in work with one cell."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 80, 60)),))
    return project


def on_disk(project: Path) -> ImageTable:
    with Document.open(project, read_only=True) as document:
        return document.images()


def label_names(project: Path) -> list[str]:
    with Document.open(project, read_only=True) as document:
        return [label.name for label in document.labels()]


def listed(window: MainWindow) -> list[str]:
    model = find(window, QAbstractItemView, "gallery").model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def click_row(view: QAbstractItemView, row: int, column: int = 0, modifier: Qt.KeyboardModifier = NONE) -> None:
    place = view.visualRect(view.model().index(row, column)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, modifier, place)


def press(window: QWidget, name: str) -> None:
    QTest.mouseClick(find(window, QAbstractButton, name), Qt.MouseButton.LeftButton)
