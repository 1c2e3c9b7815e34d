"""Drives the Anchors page of the real window, and a project of two images for it."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QSlider, QSpinBox, QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui.anchors.keep_window import KeepWindow
from workbench.ui.anchors.page import AnchorsPage
from workbench.ui.anchors.playback import AT_ONCE
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Two images of 416 x 416: small squares of cells close together, large ones of other cells."""
    for name in "ab":
        (tmp_path / "photographs").mkdir(exist_ok=True)
        PIL.Image.new("RGB", (416, 416)).save(tmp_path / "photographs" / f"{name}.png")
    with Document.create(tmp_path / "p", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "small"), Label(0, "large"))))
        small, large = (label.id for label in document.labels())
        first, second = (image.id for image in document.images())
        boxes = [Box(0, first, small, (8 * n, 8 * n, 8 * n + 10 + n % 3, 8 * n + 9)) for n in range(20)]
        boxes += [Box(0, second, large, (20 * n, 10, 20 * n + 100 + n, 110)) for n in range(6)]
        document.do(edits.AddBoxes(tuple(boxes)))
    return tmp_path / "p"


class AnchorsPageDriver:
    """What a person sees and does there."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window
        page = window._page("anchors")  # not shown yet: what it computes first is what is asked for here
        assert isinstance(page, AnchorsPage)
        self.page = page
        find(page, QSlider, "anchors-speed").setValue(AT_ONCE)
        find(page, QSpinBox, "anchors-k").setValue(2)
        find(window, QAction, "action-page-anchors").trigger()
        self.wait()

    def wait(self) -> None:
        self.qtbot.waitUntil(
            lambda: not self.page._later.isActive() and self.page._incremental_fit.is_following, timeout=20_000
        )
        self.qtbot.waitUntil(lambda: self.page._playback.over, timeout=20_000)

    def rows(self, name: str = "anchors-table") -> list[list[str]]:
        table = find(self.window, QTableWidget, name)
        return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]

    def text(self, name: str) -> str:
        return find(self.window, QLabel, name).text()

    def tab(self, number: int) -> None:
        find(self.window, QTabWidget, "anchors-tabs").setCurrentIndex(number)

    def set_row(self, name: str) -> int:
        return [row[0] for row in self.rows("anchors-sets")].index(name)

    def look_at(self, name: str) -> None:
        sets, row = find(self.window, QTableWidget, "anchors-sets"), self.set_row(name)
        sets.selectRow(row)
        sets.cellClicked.emit(row, 0)

    def keep(self, name: str) -> None:
        find(self.window, QPushButton, "anchors-keep").click()
        field = find(self.window, QLineEdit, "keep-anchors-name")
        field.setText(name)
        find(self.window, QPushButton, "keep-anchors-ok").click()
        self.qtbot.waitUntil(lambda: self.window.findChild(KeepWindow) is None)

    def scales(self, detector: str) -> str:
        self.tab(2)
        box = find(self.window, QComboBox, "anchors-detector")
        self.qtbot.waitUntil(lambda: box.count() > 10, timeout=60_000)
        box.setCurrentIndex(box.findData(detector))
        box.activated.emit(box.currentIndex())
        panel = self.page._panel
        self.qtbot.waitUntil(lambda: detector in panel._needs, timeout=60_000)
        self.qtbot.waitUntil(lambda: panel._rules.is_idle() and panel._background.is_idle(), timeout=60_000)
        return panel.scales.plain_text


@pytest.fixture
def hand(qtbot: QtBot, open_window: Open, cells: Path) -> AnchorsPageDriver:
    return AnchorsPageDriver(qtbot, open_window(cells))
