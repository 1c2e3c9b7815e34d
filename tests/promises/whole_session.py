"""One long session by the window's own actions: everything that Workbench does with images, once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QTreeWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core.document import Document
from workbench.core.project import Split, State
from workbench.training.records import runs
from workbench.ui.window.main_window import MainWindow

NONE, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier,
)  # fmt: skip
LEFT = Qt.MouseButton.LeftButton
SMALL = {"epochs": "1", "input_px": "96", "batch": "4", "width": "0.25", "threads": "1"}


class WholeSession:
    """A window on a new project of `photographs`; each method is a part of the day."""

    def __init__(self, qtbot: QtBot, open_window: Open, photographs: Path) -> None:
        self.qtbot, self.open_window, self.photographs = qtbot, open_window, photographs
        self.project = photographs.parent / f"{photographs.name} project"
        self.window: MainWindow = open_window()
        self.window.offer(photographs)
        self.press("new-project-create")
        self.wait(lambda: self.window.session.document is not None and not self.window.session.jobs)

    # --- hands and eyes ---

    @property
    def document(self) -> Document:
        document = self.window.session.document
        assert document is not None
        return document

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=120_000)

    def settle(self) -> None:
        self.wait(lambda: not self.window.session.jobs)

    def there(self, kind: type, name: str) -> Any:
        """The widget, when it has come."""
        self.wait(lambda: self.window.findChild(kind, name) is not None)
        return find(self.window, kind, name)

    def press(self, name: str) -> None:
        button = self.there(QAbstractButton, name)
        self.wait(button.isEnabled)
        button.click()

    def action(self, name: str) -> None:
        find(self.window, QAction, f"action-{name}").trigger()

    def hand(self) -> WindowDriver:
        self.window.show_page("label")
        QApplication.processEvents()  # a platform without a screen gives the keyboard back late after a pop-up
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        return WindowDriver(self.qtbot, self.window)

    # --- the day ---

    def look_at_thumbnails(self) -> int:
        """How many have come: all."""
        self.window.show_page("data")
        model = find(self.window, QAbstractItemView, "gallery").model()
        seen = Qt.ItemDataRole.DecorationRole
        self.wait(lambda: all(model.index(row, 0).data(seen) is not None for row in range(model.rowCount())))
        return int(model.rowCount())

    def set_levels(self) -> None:
        """Of the images of 16 bits."""
        self.window.show_page("label")
        self.action("levels")
        self.press("levels-measure")
        self.settle()
        self.press("levels-apply")
        find(self.window, QWidget, "levels-window").close()
        assert self.document.window() is not None

    def draw(self) -> None:
        """Two boxes in each image; the first image's are moved, resized, nudged, marked, deleted, brought back."""
        hand = self.hand()
        self.window.session.select_image(self.document.images()[0].id)
        hand.settle()
        hand.draw((10, 10), (60, 50))
        hand.type_label("cell")
        hand = self.hand()  # the pop-up had the keyboard
        hand.key(Qt.Key.Key_Escape)
        for number in range(len(self.document.images())):
            if number:
                hand.draw((10, 10), (60, 50))
            hand.draw((70, 30), (110 - number, 80))  # of many sizes, to cluster in whatever split
            hand.key(Qt.Key.Key_Space if number % 2 else Qt.Key.Key_N)
            hand.settle()
        self.window.session.select_image(self.document.images()[0].id)
        hand.settle()
        hand.drag((30, 30), (34, 33))
        hand.drag((64, 53), (58, 47))
        hand.key(Qt.Key.Key_Right)
        find(self.window, QCheckBox, "flag-difficult").click()
        note = find(self.window, QLineEdit, "box-note")
        note.setFocus()
        QTest.keyClicks(note, "out of focus")
        QTest.keyClick(note, Qt.Key.Key_Return)
        hand.canvas.setFocus()
        for key, held in (
            (Qt.Key.Key_C, CTRL), (Qt.Key.Key_V, CTRL), (Qt.Key.Key_Delete, NONE), (Qt.Key.Key_Z, CTRL),
            (Qt.Key.Key_Z, CTRL), (Qt.Key.Key_Z, CTRL | SHIFT), (Qt.Key.Key_Y, CTRL),
        ):  # fmt: skip
            hand.key(key, held)
        drawn, images = self.document.counts().total, len(self.document.images())
        assert drawn == 2 * images, f"{drawn} boxes in {images} images"

    def choose_in_the_gallery(self) -> None:
        """Some get a state and a split."""
        self.window.show_page("data")
        gallery = find(self.window, QAbstractItemView, "gallery")
        for row, held in ((0, NONE), (2, CTRL)):
            there = gallery.visualRect(gallery.model().index(row, 0)).center()
            QTest.mouseClick(gallery.viewport(), LEFT, held, there)
        self.press("set-state-done")
        self.press("set-split-validation")
        chosen = [image for image in self.document.images() if image.split is Split.VALIDATION]
        assert [image.state for image in chosen] == [State.DONE, State.DONE]

    def check_the_data(self) -> None:
        """With every file opened."""
        self.window.show_page("data")
        self.action("check-data")
        self.settle()
        tree = self.there(QTreeWidget, "health-tree")
        self.wait(lambda: find(self.window, QAbstractButton, "health-check").text() == "Check")
        assert tree.topLevelItemCount()
        find(self.window, QWidget, "health-window").close()

    def split(self) -> None:
        """Where pictures that are alike stay together, for which all are looked at."""
        self.action("split")
        way = self.there(QComboBox, "split-way")
        way.setCurrentIndex(way.findData("similar"))
        self.wait(lambda: find(self.window, QAbstractButton, "split-apply").isEnabled())
        self.press("split-apply")
        find(self.window, QWidget, "split-window").close()
        assert all(image.split is not Split.NONE for image in self.document.images())

    def import_labels(self) -> None:
        """Those that lie beside the images, in place of the ones drawn."""
        self.window.show_page("data")
        self.action("import-labels")
        existing = self.there(QComboBox, "import-existing")
        path = find(self.window, QLineEdit, "import-path")
        path.setText(str(self.photographs))
        QTest.keyClick(path, Qt.Key.Key_Return)
        self.wait(existing.isVisible)
        existing.setCurrentIndex(existing.findData("replace"))
        existing.activated.emit(existing.currentIndex())
        self.settle()
        self.press("import-apply")
        self.settle()
        assert any(label.name == "plate" for label in self.document.labels())

    def export_labels(self, format: str, copy: bool) -> Path:
        """The new folder."""
        self.window.show_page("data")
        self.action("export-labels")
        formats = self.there(QComboBox, "export-format")
        formats.setCurrentIndex(formats.findData(format))
        folder = self.project / "exports" / f"{format}{' with images' if copy else ''}"
        export = find(self.window, QWidget, "export-window")
        find(export, QLineEdit, "export-folder").setText(str(folder))
        find(export, QCheckBox, "export-copy").setChecked(copy)
        self.settle()
        self.press("export-write")
        self.settle()
        self.wait(lambda: "Written" in find(export, QLabel, "export-sentence").text())
        export.close()
        return folder

    def cluster(self) -> None:
        self.window.show_page("anchors")
        find(self.window, QSpinBox, "anchors-k").setValue(3)
        find(self.window, QSlider, "anchors-speed").setValue(31)
        self.press("anchors-use")

    def train(self) -> None:
        """One epoch of the recipe that stands there, as small as it goes."""
        self.window.show_page("train")
        self.wait(lambda: find(self.window, QComboBox, "train-detector").isEnabled())
        for name, typed in SMALL.items():
            find(self.window, QLineEdit, f"train-form-{name}").setText(typed)
        self.press("train-start")
        self.wait(lambda: bool(runs.runs(self.project / "runs")))  # once the look before the start has ended
        self.settle()
        assert runs.runs(self.project / "runs")[0].state == "finished"

    def inspect(self) -> None:
        """The detector runs over the images, and each is looked at."""
        self.window.show_page("inspect")
        self.press("inspect-look")
        self.wait(lambda: find(self.window, QLabel, "inspect-ap50").text() != "–")
        for image in self.document.images():
            self.window.session.select_image(image.id)
            self.window.grab()
        self.settle()

    def export_weights(self) -> None:
        self.window.show_page("export")
        self.there(QAbstractButton, "export-format-safetensors").setChecked(True)
        self.press("export-start")
        self.wait(lambda: "written" in find(self.window, QLabel, "export-words").text())

    def come_back(self) -> None:
        """Closed, without what can be made anew, and opened again; undone and redone."""
        self.window.close()
        shutil.rmtree(self.project / "cache", ignore_errors=True)
        self.window = self.open_window(self.project)
        self.settle()
        self.look_at_thumbnails()
        hand = self.hand()
        hand.key(Qt.Key.Key_Z, CTRL)
        hand.key(Qt.Key.Key_Y, CTRL)
        for _ in self.document.images():
            hand.key(Qt.Key.Key_D)
            hand.settle()
        self.window.close()
