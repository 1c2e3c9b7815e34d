"""How the Label page shows an image and its boxes: looks, colours, zooms, a thousand at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QNativeGestureEvent,
    QPointingDevice,
    QWheelEvent,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, corners, labelled
from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench.core.document import Document
from workbench.core.project import Box, State
from workbench.ui import theme
from workbench.ui.annotate.style_menu import StyleMenu
from workbench.ui.images.boxes_painter import BoxStyle

__all__ = ["labelled"]  # a fixture


def test_looks_change_what_is_seen_and_nothing_else(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    file = labelled.parent / "photographs" / "a.png"
    before = file.read_bytes()
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)

    def seen() -> float:
        """The mean of the picture on the screen."""
        hand.canvas.repaint()
        image = hand.canvas.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
        a, b = hand.at(100, 5), hand.at(190, 95)
        part = image.copy(QRect(a, b))
        rows = np.frombuffer(part.constBits(), np.uint8).reshape(part.height(), part.bytesPerLine())
        return float(rows[:, : part.width()].mean())

    plain = seen()
    hand.key(Qt.Key.Key_L)
    menu = find(window, QMenu, "looks-menu")
    qtbot.waitUntil(menu.isVisible)
    for name, value, lighter in (("brightness", 40, True), ("brightness", -40, False), ("gamma", 60, True)):
        find(menu, QSlider, f"looks-{name}").setValue(value)
        assert (seen() > plain + 10) is lighter
        QTest.mouseClick(find(menu, QPushButton, "looks-reset"), Qt.MouseButton.LeftButton)
        assert seen() == plain
    find(menu, QSlider, "looks-contrast").setValue(-100)
    assert seen() == pytest.approx(128, abs=1)
    menu.close()
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert seen() == pytest.approx(128, abs=1)  # goes on with the next image
    assert file.read_bytes() == before


def test_boxes_are_coloured_by_label_or_by_mark_with_names_and_sizes_or_without(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled) as document:
        first = document.images()[0].id
        plate = document.labels()[1].id
        document.draw((Box(0, first, plate, (100, 20, 160, 90), difficult=True),))
        colours = [QColor(label.colour).name() for label in document.labels()]
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)

    def side(x: float, y: float) -> str:
        """The colour at a place of the picture."""
        hand.canvas.repaint()
        return hand.canvas.grab().toImage().pixelColor(hand.at(x, y)).name()

    def plate_at(x: float, y: float) -> bool:
        """Whether something is written inside the box, near its corner."""
        place = hand.at(x, y) + QPoint(3, 9)  # right of the line, left of the words
        hand.canvas.repaint()
        return hand.canvas.grab().toImage().pixelColor(place).name() in (*colours, "#009e73", "#e69f00")

    assert [side(20, 50), side(100, 70)] == colours
    assert plate_at(20, 20)
    find(window, QAction, "style-names").trigger()
    assert not plate_at(20, 20)
    find(window, QAction, "style-sizes").trigger()
    assert plate_at(20, 20)
    find(window, QAction, "style-marks").trigger()
    assert [side(20, 50), side(100, 70)] == ["#009e73", "#e69f00"]
    assert StyleMenu().style_of_boxes == BoxStyle(names=False, sizes=True, by_mark=True)
    find(window, QAction, "style-by-label").trigger()
    assert [side(20, 50), side(100, 70)] == colours


def test_the_lines_of_boxes_are_thin_or_thick_as_wanted(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)

    def width() -> int:
        """Pixels of the left line's colour, beside the handles."""
        hand.canvas.repaint()
        picture, at = hand.canvas.grab().toImage(), hand.at(20, 31)
        colour = QColor(hand.canvas.layer.labels[1].colour)
        return sum(picture.pixelColor(at.x() + x, at.y()) == colour for x in range(-8, 9))

    widths = []
    for name in ("medium", "thin", "thick"):
        find(window, QAction, f"style-{name}").trigger()
        assert StyleMenu().style_of_boxes == hand.canvas.layer.style, "kept for the next start"
        widths.append(width())
    assert widths == [2, 1, 4]
    hand.click(50, 40)
    assert width() == 5, "a selected box stands out still"


def test_space_and_drag_moves_the_picture_and_verifies_nothing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    before = hand.at(100, 50)
    QTest.keyPress(hand.canvas, Qt.Key.Key_Space)
    hand.drag((100, 50), (120, 60))
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Space)
    assert hand.at(100, 50) != before
    assert hand.canvas.pointer == QPointF(hand.at(100, 50)), "where the cross-hair is drawn, without another move"
    assert corners(labelled) == [(20, 20, 80, 60)]
    with Document.open(labelled, read_only=True) as document:
        assert document.images()[0].state is State.IN_WORK


def test_space_that_is_held_verifies_nothing_also_where_its_repetitions_are_not_told(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    down, up = QEvent.Type.KeyPress, QEvent.Type.KeyRelease
    for kind, ms in ((down, 1000), (up, 1660), (down, 1660), (up, 1705), (down, 1705), (up, 1750)):
        event = QKeyEvent(kind, Qt.Key.Key_Space, Qt.KeyboardModifier.NoModifier, " ")
        event.setTimestamp(ms)
        QApplication.sendEvent(hand.canvas, event)
    with Document.open(labelled, read_only=True) as document:
        assert State.VERIFIED not in [image.state for image in document.images()]


def test_the_wheel_zooms_at_the_pointer(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    place = hand.at(30, 30)
    scale = hand.canvas.view.scale
    wheel(hand, place, 120)
    assert hand.canvas.view.scale == pytest.approx(scale * 1.25)
    found = hand.canvas.view.to_image(QPointF(place))
    assert abs(found.x() - 30) < 1
    assert abs(found.y() - 30) < 1
    hand.key(Qt.Key.Key_F, CTRL)
    assert hand.canvas.view.scale == pytest.approx(scale)


def test_z_shows_the_selected_box_large_and_then_the_whole_picture(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    whole = hand.canvas.view
    hand.key("z")
    assert hand.canvas.view == whole
    assert "Select a box first" in find(window, QLabel, "message-text").text()
    hand.key(Qt.Key.Key_Tab)
    hand.key("z")
    shown, room = hand.canvas.view.rect((20, 20, 80, 60)), hand.canvas.rect()
    assert max(shown.width() / room.width(), shown.height() / room.height()) == pytest.approx(0.5)
    assert (shown.center() - QPointF(room.width() / 2, room.height() / 2)).manhattanLength() < 0.1
    hand.key("z")
    assert hand.canvas.view == whole
    hand.draw((100, 30), (104, 34))
    hand.click(102, 32)
    hand.key("z")
    assert hand.canvas.view.scale == 64, "as near as it goes"
    hand.key(Qt.Key.Key_F, CTRL)
    hand.draw((2, 2), (160, 90))
    hand.click(60, 2)
    assert hand.canvas.selected == (3,)
    for _ in range(2):
        hand.key("z")
        assert hand.canvas.view == whole, "a large box is seen with the whole picture"


def test_two_fingers_on_a_touch_pad_zoom_and_what_a_mac_adds_to_a_movement_does_not(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    place = hand.at(30, 30)
    scale = hand.canvas.view.scale
    at, over = QPointF(place), QPointF(hand.canvas.mapToGlobal(place))
    spread = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture, QPointingDevice.primaryPointingDevice(), 2, at, at, over, 0.5, QPointF()
    )
    QApplication.sendEvent(hand.canvas, spread)
    assert hand.canvas.view.scale == pytest.approx(scale * 1.5)
    found = hand.canvas.view.to_image(at)
    assert abs(found.x() - 30) < 1
    wheel(hand, place, 120, Qt.ScrollPhase.ScrollMomentum)
    assert hand.canvas.view.scale == pytest.approx(scale * 1.5)
    wheel(hand, place, 120, Qt.ScrollPhase.ScrollUpdate)
    assert hand.canvas.view.scale == pytest.approx(scale * 1.5 * 1.25)


def wheel(hand: WindowDriver, place: QPoint, units: int, phase: Qt.ScrollPhase = Qt.ScrollPhase.NoScrollPhase) -> None:
    event = QWheelEvent(
        QPointF(place), QPointF(hand.canvas.mapToGlobal(place)), QPoint(), QPoint(0, units),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, phase, False,
    )  # fmt: skip
    QApplication.sendEvent(hand.canvas, event)


def test_painting_at_odd_zooms_raises_no_qt_warning(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    for units in (37, 240, 91, 480, 960, -55, -2000, -3000, 7):
        wheel(hand, QPoint(123, 77), units)
        hand.canvas.grab()
    hand.key(Qt.Key.Key_W)
    QTest.mouseMove(hand.canvas, QPoint(100, 90))
    assert not hand.canvas.grab().isNull()


def test_a_thousand_boxes_are_painted_and_one_of_them_is_moved(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        image, label = document.images()[1].id, document.labels()[0].id
        grid = ((x, y) for x in range(0, 200, 5) for y in range(0, 100, 4))
        document.draw(tuple(Box(0, image, label, (x, y, x + 4.5, y + 3.5)) for x, y in grid))
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert not hand.canvas.grab().isNull()
    hand.drag((102, 50), (102, 60))
    moved = [box for box in boxes_on_disk(labelled)["b.png"] if box.xyxy[1] % 4]
    assert len(boxes_on_disk(labelled)["b.png"]) == 1000
    assert len(moved) == 1


def test_a_tool_that_is_on_has_the_accent_round_it(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    button = find(window, QToolButton, "button-draw")

    def accent() -> bool:
        image = button.grab().toImage()
        near = [image.pixelColor(1, y) for y in range(button.height() // 3, 2 * button.height() // 3)]
        wanted = theme.colour("accent")
        return any(abs(one.red() - wanted.red()) + abs(one.blue() - wanted.blue()) < 60 for one in near)

    assert not accent()
    WindowDriver(qtbot, window).key(Qt.Key.Key_W)
    assert button.isChecked()
    assert accent()


def test_the_largest_zoom_stands_apart_from_the_image_s_size(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    window.resize(1600, 900)
    hand.canvas.zoom_to(64.0)
    zoom, size = find(window, QLabel, "zoom"), find(window, QLabel, "image-about")
    qtbot.waitUntil(size.isVisible)
    assert zoom.text() == "6,400 %"
    written = zoom.geometry().right() - zoom.fontMetrics().horizontalAdvance(zoom.text())
    assert written - size.geometry().right() >= theme.GRID


def test_in_a_narrow_window_zoom_and_looks_are_in_a_menu(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    more, fit = find(window, QToolButton, "button-more-views"), find(window, QToolButton, "button-fit")
    window.resize(1400, 800)
    qtbot.waitUntil(fit.isVisible)
    assert not more.isVisible()
    window.resize(960, 700)
    qtbot.waitUntil(more.isVisible)
    assert not fit.isVisible()
    actions = more.menu().actions()
    assert {"action-zoom-in", "action-fit", "action-hide-boxes"} < {action.objectName() for action in actions}
    assert sum(action.menu() is not None for action in actions) == 2, "those of looks and of boxes"
    before = hand.canvas.view.scale
    next(action for action in actions if action.objectName() == "action-zoom-in").trigger()
    assert hand.canvas.view.scale > before


def test_a_menu_of_the_picture_is_gone_when_it_is_closed(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """Each click left one behind, with its actions and icons, for as long as the window lived."""
    window = open_window(labelled)
    canvas = WindowDriver(qtbot, window).canvas
    for _ in range(2):
        place = canvas.rect().center()
        asking = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, canvas.mapToGlobal(place))
        QApplication.sendEvent(canvas, asking)
        menu = find(window, QMenu, "canvas-menu")
        assert menu.isVisible()
        assert "Select all boxes" in [action.text() for action in menu.actions()]
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "canvas-menu") is None)
