"""The import window by what a person does in it, and a small VOC data set to import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLabel, QTabWidget, QTreeView, QWidget
from pytestqt.qtbot import QtBot

from tests.formats.making import picture, text, voc_file, voc_object
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box
from workbench.ui.data.import_window import ImportWindow
from workbench.ui.data.importing.sample_picture import SamplePicture
from workbench.ui.window.main_window import MainWindow

FIRST = ((1, 2, 10, 12), (15, 5, 30, 25))  # VOC's own numbers
NAMES = "klmnop"


def write(folder: Path, name: str, *boxes: tuple[int, int, int, int], label: str = "cat") -> None:
    objects = (voc_object(label, box) for box in boxes)
    text(folder / "Annotations" / f"{name}.xml", voc_file(*objects, filename=f"{name}.jpg"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A VOC data set of six images with two cats each; image m has a third box."""
    for name in NAMES:
        write(tmp_path / "set", name, *FIRST, *([(20, 20, 28, 28)] if name == "m" else []))
        picture(tmp_path / "set" / "JPEGImages" / f"{name}.jpg", grey=ord(name))
    return tmp_path / "set"


class Importing:
    """The window, by what a person does in it."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window
        self.show()

    def show(self) -> None:
        find(self.window, QAction, "action-import-labels").trigger()
        self.dialog: ImportWindow = find(self.window, ImportWindow, "import-window")

    def part(self, name: str) -> Any:
        return find(self.dialog, QWidget, f"import-{name}")

    def read(self, path: Path) -> None:
        self.part("path").setText(str(path))
        QTest.keyClick(self.part("path"), Qt.Key.Key_Return)
        self.wait()

    def wait(self) -> None:
        self.qtbot.waitUntil(self.is_idle)

    def is_idle(self) -> bool:
        return not self.part("progress").isVisible() and not self.dialog._is_stale

    def wait_for_pictures(self) -> None:
        self.qtbot.waitUntil(self.part("samples").is_idle)

    def apply(self) -> None:
        self.part("apply").click()
        self.qtbot.waitUntil(lambda: not self.window.session.jobs)
        self.show()  # again: it closes itself

    def choose(self, name: str, value: str) -> None:
        combo: QComboBox = self.part(name)
        combo.setCurrentIndex(combo.findData(value))
        combo.activated.emit(combo.currentIndex())
        self.wait()

    @property
    def sentence(self) -> str:
        label: QLabel = self.part("sentence")
        return label.text()

    @property
    def tabs(self) -> list[str]:
        tabs: QTabWidget = self.part("tabs")
        return [tabs.tabText(place) for place in range(tabs.count())]

    def lines(self, name: str) -> list[str]:
        """Rows of a list at the top level, columns parted by |."""
        view: QTreeView = self.part(f"{name}-list")
        model = view.model()
        rows, columns = range(model.rowCount()), range(model.columnCount())
        return ["|".join(str(model.index(row, column).data()) for column in columns) for row in rows]

    def sample(self, number: int = 1) -> tuple[str, SamplePicture]:
        return self.part(f"sample-{number}-name").text(), self.part(f"sample-{number}")


@pytest.fixture
def importing(qtbot: QtBot, open_window: Open, project: Path) -> Importing:
    return Importing(qtbot, open_window(project, "data"))


def come_in(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    importing.apply()


def document(importing: Importing) -> Document:
    found = importing.window.session.document
    assert found is not None
    return found


def draw(importing: Importing, name: str, *xyxy: float) -> None:
    at = document(importing)
    image = next(image for image in at.images() if image.name == f"{name}.jpg")
    at.do(edits.AddBoxes((Box(0, image.id, at.labels()[0].id, xyxy),)))  # type: ignore[arg-type]
