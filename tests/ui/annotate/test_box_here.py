"""A box is made, moved and given its size by keys alone."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QTableView
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.ui.annotate import geometry
from workbench.ui.window.main_window import MainWindow

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


def corners(project: Path) -> list[tuple[float, ...]]:
    return [tuple(box.xyxy) for box in boxes_on_disk(project)["a.png"]]


def at_work(qtbot: QtBot, open_window: Open, project: Path) -> tuple[WindowDriver, MainWindow]:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
    window = open_window(project)
    return WindowDriver(qtbot, window), window


def test_a_box_comes_in_the_middle_and_arrow_keys_move_and_stretch_it(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    hand, _ = at_work(qtbot, open_window, project)
    hand.key(Qt.Key.Key_W)  # Shift+W ends that: the new box is selected
    hand.key(Qt.Key.Key_W, SHIFT)
    assert corners(project) == [(80, 40, 120, 60)]
    hand.key(Qt.Key.Key_Left, SHIFT)
    hand.key(Qt.Key.Key_Down)
    assert corners(project) == [(70, 41, 110, 61)]
    hand.key(Qt.Key.Key_Right, SHIFT | ALT)
    hand.key(Qt.Key.Key_Up, ALT)
    assert corners(project) == [(70, 41, 120, 60)]
    for _ in range(4):
        hand.key(Qt.Key.Key_Up, SHIFT | ALT)
    assert corners(project) == [(70, 41, 120, 44)], "no smaller than a box may be"
    hand.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert corners(project) == [(70, 41, 120, 50)], "a key let go is one step"


def test_the_arrow_keys_move_it_also_after_a_click_on_the_list_of_images(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    _, window = at_work(qtbot, open_window, project)
    images = find(window, QTableView, "image-list")
    images.setFocus()
    QTest.keyClick(images, Qt.Key.Key_W, SHIFT)
    focused = QApplication.focusWidget()
    assert focused is not None
    QTest.keyClick(focused, Qt.Key.Key_Left)
    assert corners(project) == [(79, 40, 119, 60)]


def test_the_next_box_is_as_large_as_the_last_and_lies_in_what_is_seen(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    hand, _ = at_work(qtbot, open_window, project)
    hand.draw((10, 10), (40, 30))
    hand.canvas.zoom_to(8.0)
    middle = hand.canvas.view.to_image(QPointF(hand.canvas.width() / 2, hand.canvas.height() / 2))
    hand.key(Qt.Key.Key_W, SHIFT)
    x0, y0, x1, y1 = corners(project)[1]
    assert (x1 - x0, y1 - y0) == (30, 20)
    assert abs((x0 + x1) / 2 - middle.x()) <= 1
    assert abs((y0 + y1) / 2 - middle.y()) <= 1


def test_stretching_keeps_boxes_inside_and_large_enough() -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 95.0, 60.0)]
    assert geometry.stretch(boxes, 20, 20, 100, 100) == (5, 20)
    assert geometry.stretch(boxes, -20, -20, 100, 100) == (-7, -7)
    assert geometry.stretch([(90.0, 0.0, 110.0, 10.0)], 5, 0, 100, 100) == (0, 0), "outside already: not pulled in"
