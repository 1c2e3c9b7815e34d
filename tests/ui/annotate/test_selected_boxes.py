"""Selected boxes: the name of one, always in sight, those of several in their corners; handles; also during a drag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QAction, QColor, QImage, QMouseEvent, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QListView
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, corners, labelled, names, near
from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core.document import Document
from workbench.core.edits import AddLabels, RemoveLabel
from workbench.core.project import Box, Label
from workbench.ui import keys
from workbench.ui.annotate import canvas_painter
from workbench.ui.images.view_transform import ViewTransform

__all__ = ["labelled"]  # a fixture
COLOUR = "#12fe34"


@pytest.fixture
def long_name(labelled: Path) -> Path:
    """b.png has a narrow box at its right border, whose label has a name of a hundred letters."""
    with Document.open(labelled) as document:
        document.do(AddLabels((Label(0, "long-name-" * 10, COLOUR),)))
        document.draw((Box(0, document.images()[1].id, document.labels()[-1].id, (190, 40, 196, 90)),))
    return labelled


def seen(hand: WindowDriver) -> np.ndarray:
    """(H, W) uint32, the canvas as it is painted."""
    image = hand.canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


class Painted(QObject):
    """The area that was painted since it began."""

    def __init__(self, watched: QObject) -> None:
        super().__init__(watched)
        self.area = QRect()
        watched.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.area = self.area.united(event.region().boundingRect())
        return False


def opened(qtbot: QtBot, open_window: Open, project: Path) -> WindowDriver:
    hand = WindowDriver(qtbot, open_window(project))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_Tab)
    return hand


def test_a_dragged_box_leaves_no_piece_of_its_name_behind(qtbot: QtBot, open_window: Open, long_name: Path) -> None:
    hand = opened(qtbot, open_window, long_name)
    start = hand.at(193, 60)
    QTest.mousePress(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    QApplication.processEvents()
    before, painted = seen(hand), Painted(hand.canvas)
    QTest.mouseMove(hand.canvas, start + QPoint(-90, -30))
    QApplication.processEvents()
    area = painted.area
    hand.canvas.removeEventFilter(painted)
    rows, columns = np.nonzero(before != seen(hand))
    assert len(rows)
    stale = [(x, y) for x, y in zip(columns.tolist(), rows.tolist(), strict=True) if not area.contains(x, y)]
    QTest.mouseRelease(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    assert not stale, "pixels that have changed, but were not painted again"


def test_the_name_of_a_box_at_the_border_is_in_sight_and_elided(
    qtbot: QtBot, open_window: Open, long_name: Path
) -> None:
    hand = opened(qtbot, open_window, long_name)
    rows, columns = np.nonzero(seen(hand) == QColor(COLOUR).rgb())
    plate = columns[rows == rows.min() + 1]
    assert 150 < np.ptp(plate) < 300


def test_several_selected_boxes_keep_their_names(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        image, labels = document.images()[0].id, document.labels()
        document.draw((Box(0, image, labels[1].id, (100, 20, 180, 90)),))
        colour = QColor(labels[1].colour).rgb()
    hand = WindowDriver(qtbot, open_window(labelled))

    def has_name() -> bool:
        x, y = hand.at(100, 20).toTuple()
        return bool(seen(hand)[y + 9, x + 4] == colour)

    assert has_name()
    hand.key(Qt.Key.Key_A, CTRL)
    assert len(hand.canvas.selected) == 2
    assert has_name()


def test_the_handles_of_a_tiny_box_leave_its_object_in_sight(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        image, label = document.images()[0].id, document.labels()[0].id
        document.draw((Box(0, image, label, (120, 40, 123, 43)),))
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.canvas.set_view(ViewTransform(3.0, 0.0, 0.0))
    hand.canvas.select_next(-1)
    assert len(hand.canvas.selected) == 1
    around = seen(hand)[115:135, 355:375]
    assert (around == QColor(Qt.GlobalColor.white).rgb()).any(), "it has handles"
    hand.key(Qt.Key.Key_Escape)
    assert np.array_equal(around[8:11, 8:11], seen(hand)[123:126, 363:366])


def test_no_key_acts_on_hidden_boxes_and_one_that_is_drawn_shows_them_again(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Del deleted the selected one unseen, and a box that was drawn seemed to be lost."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_H, CTRL)
    hand.key(Qt.Key.Key_Delete)
    hand.key("2")
    assert names(labelled) == ["cell"]
    hand.draw((100, 30), (150, 90))
    assert names(labelled) == ["cell", "plate"]
    assert not hand.canvas.hidden
    assert not find(hand.window, QAction, "action-hide-boxes").isChecked()


def test_who_came_only_to_look_is_told_the_way_on_also_where_it_has_no_key(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """It ended with "The next image is ."."""
    keys.use("labelImg", {"next-image": ()})
    try:
        hand = WindowDriver(qtbot, open_window(labelled))
        hand.window.session.boxes_requested.emit(hand.canvas.layer.ids)
        hand.key(Qt.Key.Key_Right)
    finally:
        keys.use("labelImg", {})
    words = "Nothing was moved: arrows move boxes that you clicked. Ctrl+K and its name goes to the next image."
    assert find(hand.window, QLabel, "message-text").text() == words


def test_an_arrow_without_a_selected_box_says_which_key_goes_on(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Nothing happened: in Roboflow or a viewer of pictures it is the next image."""
    hand = WindowDriver(qtbot, open_window(labelled))
    said = find(hand.window, QLabel, "message-text")
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Right)
    assert said.text() == ""
    hand.click(150, 80)
    hand.key(Qt.Key.Key_Right)
    assert said.text() == (
        "Nothing was moved: arrows move the selected boxes, and none is selected. D goes to the next image."
    )
    assert corners(labelled) == [(21, 20, 81, 60)]


def test_copied_boxes_whose_label_is_gone_are_not_pasted_and_it_is_said(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Nothing happened, and nothing was said."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_C, CTRL)
    hand.window.session.do(RemoveLabel(hand.window.session.label_id))
    hand.key(Qt.Key.Key_V, CTRL)
    assert names(labelled) == []
    assert find(hand.window, QLabel, "message-text").text().startswith("The labels of the copied boxes are gone.")


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key.Key_Tab, Qt.KeyboardModifier.NoModifier), (Qt.Key.Key_A, CTRL)])
def test_a_key_that_selects_boxes_shows_the_hidden_ones(
    qtbot: QtBot, open_window: Open, labelled: Path, key: Qt.Key, modifier: Qt.KeyboardModifier
) -> None:
    """Tab and Ctrl+A selected them unseen, for Del to delete."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_H, CTRL)
    hand.key(key, modifier)
    assert hand.canvas.selected
    assert not hand.canvas.hidden
    assert not find(hand.window, QAction, "action-hide-boxes").isChecked()


def test_a_box_that_undo_brings_back_shows_the_hidden_ones(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """It came back unseen, and nothing was said."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Delete)
    hand.key(Qt.Key.Key_H, CTRL)
    assert hand.canvas.hidden
    hand.window.session.undo_last()
    assert names(labelled) == ["cell"]
    assert not hand.canvas.hidden


@pytest.mark.parametrize("why", ["small", "many", "off", "begins elsewhere", "cut by its size", ""])
def test_a_box_without_its_name_tells_it_below_the_pointer(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Of a thousand boxes nobody saw the label without a click on each."""
    with Document.open(labelled) as document:
        document.draw((Box(0, 1, document.labels()[1].id, (150, 50, 154, 54)),))
    written: list[str] = []
    monkeypatch.setattr(canvas_painter, "name_plate", lambda _painter, _area, name, *_: written.append(name))
    if why == "many":
        monkeypatch.setattr(canvas_painter, "NAMES_UP_TO", 1)
    hand = WindowDriver(qtbot, open_window(labelled))
    if why == "off":
        find(hand.window, QAction, "style-names").trigger()
    if why == "begins elsewhere":
        hand.canvas.zoom_on((50, 40, 90, 70))
    if why == "cut by its size":
        find(hand.window, QAction, "style-sizes").trigger()
        hand.canvas.set_view(ViewTransform(0.9, 200.0, 200.0))
    for at in ((70, 45), (152, 52) if why == "small" else (60, 50)):
        QTest.mouseMove(hand.canvas, hand.at(*at))
    written.clear()
    hand.canvas.grab()
    assert written == ([] if not why else ["plate"] if why == "small" else ["cell"])


def double_click(hand: WindowDriver, x: int, y: int, to: tuple[int, int] | None = None) -> None:
    """The events of a double click, whose second press drags to `to`."""
    hand.click(x, y)
    a, b, none, left = hand.at(x, y), hand.at(*(to or (x, y))), Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton
    for kind, at, button, down in (
        (QEvent.Type.MouseButtonDblClick, a, left, left),
        (QEvent.Type.MouseMove, b, none, left),
        (QEvent.Type.MouseButtonRelease, b, left, none),
    ):
        there = QPointF(hand.canvas.mapToGlobal(at))
        held = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(hand.canvas, QMouseEvent(kind, QPointF(at), there, button, down, held))
    QTest.qWait(0)


def test_a_double_click_on_a_box_or_its_row_asks_for_another_label(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    double_click(hand, 50, 40)
    hand.type_label("pla")
    assert names(labelled) == ["plate"]
    rows = find(hand.window, QListView, "box-list")
    at = rows.visualRect(rows.model().index(0, 0)).center()
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseDClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=at)
    hand.type_label("cell")
    assert names(labelled) == ["cell"]
    double_click(hand, 150, 80)
    assert QApplication.activePopupWidget() is None, "beside all boxes"
    hand.key("W")
    double_click(hand, 50, 40)
    assert QApplication.activePopupWidget() is None, "while drawing"


def test_a_quick_drag_after_a_click_moves_the_box_and_asks_nothing(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Qt calls its press a double click."""
    hand = WindowDriver(qtbot, open_window(labelled))
    double_click(hand, 50, 40, to=(60, 50))
    assert near(corners(labelled)[0], (30, 30, 90, 70))
    assert QApplication.activePopupWidget() is None
