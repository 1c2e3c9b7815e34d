"""A hand that walks through a project at random, and looks after each move whether all is as the model has it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QListView,
)
from pytestqt.qtbot import QtBot

from tests.promises.walk_model import XYXY, Model, Thing, compare
from tests.ui.window_driver import Open, WindowDriver, find
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.images import unread_images
from workbench.ui.window.main_window import MainWindow

NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


class Walk:
    """`colours` by image: each picture has one of its own, and the one on the canvas must be the shown image's.

    `moves` with how likely each is; one gives False if there was nothing to be done.
    """

    def __init__(
        self,
        qtbot: QtBot,
        open_window: Open,
        project: Path,
        model: Model,
        colours: dict[str, QColor],
        moves: Mapping[Callable[[Walk], bool | None], float],
        seed: int,
    ) -> None:
        self.qtbot, self.open_window, self.project = qtbot, open_window, project
        self.model, self.colours, self.moves = model, colours, moves
        self.random = random.Random(seed)
        self.made_labels = 0
        self.told: list[str] = []
        self.counts: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        """The window, anew."""
        self.window: MainWindow = self.open_window(self.project)
        self.hand = WindowDriver(self.qtbot, self.window)

    @property
    def unread(self) -> frozenset[str]:
        """Images of which the program knows by now that they can't be read: it does not mark them done."""
        document = self.window.session.document
        assert document is not None
        return frozenset(document.image(id).path for id in unread_images.of(self.window.session).ids())

    @property
    def canvas(self) -> Canvas:
        canvas: Canvas = self.hand.canvas
        return canvas

    # --- one move ---

    def go(self) -> str:
        """One move; what is wrong after it, "" if nothing."""
        move = self.random.choices(list(self.moves), list(self.moves.values()))[0]
        self._to_the_canvas()
        if self.random.random() < 0.5:
            self.hand.settle()
        name = move.__name__
        if move(self) is False:
            name += " (nothing to be done)"
        self.told.append(name)
        self.counts[name] = self.counts.get(name, 0) + 1
        if self.random.random() < 0.3:
            QApplication.processEvents()
        return self.wrong()

    def wrong(self) -> str:
        """The disk, the selection and the canvas against the model."""
        shown = self.window.session.image
        if shown is None or shown.path != self.model.shown:
            return f"{shown.path if shown else None} is shown, expected {self.model.shown}"
        difference = compare(self.model, self.project)
        if difference or not self.canvas.isVisible():
            return difference
        if any(box.image != shown.id for box in self.canvas.layer.boxes):
            return f"the canvas shows boxes of another image than {shown.path}"
        if [box.xyxy for box in self.canvas.layer.boxes] != [thing.xyxy for thing in self.model.here]:
            return f"the canvas shows {self.canvas.layer.boxes}, expected {self.model.here}"
        picture = self.canvas.picture
        if picture is not None and picture.levels[0].pixelColor(1, 1) != self.colours[shown.path]:
            return f"the canvas shows the picture of another image than {shown.path}"
        return ""

    def _to_the_canvas(self) -> None:
        """As a person begins something new: on the Label page, nothing selected, not drawing."""
        self.activate()
        if not self.canvas.isVisible():
            QTest.keyClick(self.window, Qt.Key.Key_2, CTRL)
        self.canvas.setFocus()
        for _ in range(3):
            self.hand.key(Qt.Key.Key_Escape)

    # --- parts of moves ---

    def activate(self) -> None:
        """A platform without a screen gives the keyboard back late after a pop-up, or not at all."""
        QApplication.processEvents()
        self.window.activateWindow()
        self.qtbot.waitUntil(self.window.isActiveWindow)

    def is_readable(self) -> bool:
        """Whether the shown image has a picture; the one that has none says so after a while."""
        if self.model.shown in self.colours:
            return True
        self.hand.settle()
        return False

    def click_row(self, view: QAbstractItemView, row: int, held: Qt.KeyboardModifier = NONE) -> None:
        index = view.model().index(row, 0)
        view.scrollTo(index)
        QTest.mouseClick(view.viewport(), LEFT, held, view.visualRect(index).center())

    def choose(self, rows: tuple[int, ...]) -> None:
        """Select these boxes in the list beside the canvas; the canvas has the keys again."""
        boxes = find(self.window, QListView, "box-list")
        for number, row in enumerate(rows):
            self.click_row(boxes, row, CTRL if number else NONE)
        QTest.mouseMove(self.canvas)  # lets Ctrl go
        self.canvas.setFocus()

    def any_box(self, least: float = 0.0) -> int | None:
        rows = [
            row
            for row, thing in enumerate(self.model.here)
            if min(thing.xyxy[2] - thing.xyxy[0], thing.xyxy[3] - thing.xyxy[1]) >= least
        ]
        return self.random.choice(rows) if rows else None

    def some_boxes(self) -> tuple[int, ...]:
        count = len(self.model.here)
        return tuple(sorted(self.random.sample(range(count), self.random.randint(1, min(3, count))))) if count else ()

    def a_place(self) -> XYXY:
        """Of a new box, well inside the image and large enough."""
        width, height = self.model.sizes[self.model.shown]
        x0, y0 = self.random.randint(6, int(width) - 26), self.random.randint(6, int(height) - 26)
        return x0, y0, self.random.randint(x0 + 10, int(width) - 6), self.random.randint(y0 + 10, int(height) - 6)

    def press(self, x: float, y: float) -> None:
        QTest.mouseMove(self.canvas, self.hand.at(x, y))
        QTest.mousePress(self.canvas, LEFT, NONE, self.hand.at(x, y))

    def release(self, x: float, y: float) -> None:
        QTest.mouseMove(self.canvas, self.hand.at(x, y))
        QTest.mouseRelease(self.canvas, LEFT, NONE, self.hand.at(x, y))

    def new_thing(self, xyxy: XYXY) -> Thing:
        return Thing(self.model.label, xyxy, loose=True)

    def pushed(self, rows: tuple[int, ...], dx: float, dy: float) -> tuple[float, float]:
        """As much of a shift as keeps all inside."""
        width, height = self.model.sizes[self.model.shown]
        things = [self.model.here[row].xyxy for row in rows]
        low_x, low_y = min(t[0] for t in things), min(t[1] for t in things)
        high_x, high_y = max(t[2] for t in things), max(t[3] for t in things)
        return min(max(dx, -low_x), width - high_x), min(max(dy, -low_y), height - high_y)

    def shift(self, rows: tuple[int, ...], dx: float, dy: float, loose: bool) -> None:
        """In the model."""
        new = list(self.model.here)
        for row in rows:
            x0, y0, x1, y1 = new[row].xyxy
            new[row] = dataclasses.replace(new[row], xyxy=(x0 + dx, y0 + dy, x1 + dx, y1 + dy), loose=loose)
        self.model.change({self.model.shown: tuple(new)})
