"""Drives the mouse and the keys of the real window, and a look at what is on disk."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image as PillowImage
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QMainWindow, QWidget
from pytestqt.qtbot import QtBot

from workbench.core.document import Document
from workbench.core.project import Box
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.window.main_window import MainWindow

WIDTH, HEIGHT = 200, 100
Open = Callable[..., MainWindow]
Asking = TypeVar("Asking", bound=QDialog)
Found = TypeVar("Found", bound=QObject)
ShownPage = TypeVar("ShownPage", bound=Page)


def write_photographs(folder: Path, names: list[str]) -> None:
    """Noise of 200 x 100 pixels, one file per name, always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        (folder / name).write_bytes(_photograph(number, Path(name).suffix.lower()))


@functools.cache
def _photograph(number: int, suffix: str) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    written = io.BytesIO()
    PillowImage.fromarray(pixels).save(written, PillowImage.registered_extensions()[suffix])
    return written.getvalue()


def find(window: QWidget, kind: type[Found], name: str) -> Found:
    """The widget or action of this object name; fails the test if there is none."""
    found = window.findChild(kind, name)
    assert found is not None, f"no {kind.__name__} called {name}"
    return found


def key_of(key: Qt.Key | str) -> Qt.Key:
    """The key with this letter, digit or sign: Qt numbers them as ASCII numbers capitals."""
    return key if isinstance(key, Qt.Key) else Qt.Key(ord(key.upper()))


def when_asked(kind: type[Asking], act: Callable[[Asking], object]) -> None:
    """Call `act` with the dialog of this kind once it is there; `act` closes it, or the test goes no further."""
    timer = QTimer(QApplication.instance(), interval=20)

    def check() -> None:
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, kind):
            timer.stop()
            timer.deleteLater()
            act(dialog)

    timer.timeout.connect(check)
    timer.start()


class WindowDriver:
    """Drives the mouse and the keys over the canvas, in image pixels."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot = qtbot
        self.window = window
        self.canvas = find(window, Canvas, "canvas")
        self.settle()
        self.canvas.setFocus()

    def settle(self) -> None:
        """Wait until the picture is on the canvas, or the sentence in its place."""
        self.qtbot.waitUntil(lambda: self.canvas.picture is not None or bool(self.canvas.sentence))

    def at(self, x: float, y: float) -> QPoint:
        return self.canvas.view.to_widget(QPointF(x, y)).toPoint()

    def drag(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        button: Qt.MouseButton = Qt.MouseButton.LeftButton,
        held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        a, b = self.at(*start), self.at(*end)
        QTest.mouseMove(self.canvas, a)
        QTest.mousePress(self.canvas, button, held, a)
        for part in (0.25, 0.5, 0.75, 1.0):
            at = QPointF(round(a.x() + (b.x() - a.x()) * part), round(a.y() + (b.y() - a.y()) * part))
            if held == Qt.KeyboardModifier.NoModifier:
                QTest.mouseMove(self.canvas, at.toPoint())
            else:  # QTest moves without keys
                there = QPointF(self.canvas.mapToGlobal(at))
                QApplication.sendEvent(self.canvas, QMouseEvent(QEvent.Type.MouseMove, at, there, button, button, held))
        QTest.mouseRelease(self.canvas, button, held, b)

    def click(self, x: float, y: float, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, self.at(x, y))

    def key(self, key: Qt.Key | str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.canvas, key_of(key), modifier)

    def draw(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
    ) -> None:
        """W, drag, Esc."""
        self.key(Qt.Key.Key_W)
        self.drag(start, end, held=held)
        self.key(Qt.Key.Key_Escape)

    def type_label(self, name: str) -> None:
        """Answer the pop-up that asks for a label."""
        field = QApplication.activePopupWidget()
        assert field is not None
        assert field.objectName() == "label-popup"
        field = find(field, QWidget, "label-popup-field")
        QTest.keyClicks(field, name)
        QTest.keyClick(field, Qt.Key.Key_Return)


def boxes_on_disk(project: Path) -> dict[str, list[Box]]:
    """The boxes by image name, as a second opening of the project reads them."""
    with Document.open(project, read_only=True) as document:
        return {image.name: list(document.boxes(image.id)) for image in document.images()}


def shown_page(qtbot: QtBot, page: ShownPage, session: Session) -> Iterator[ShownPage]:
    """The page alone in a window, for a fixture; its jobs are ended afterwards."""
    window = QMainWindow()
    window.setCentralWidget(page)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    yield page
    assert session.end_jobs()
    page.closing()
