"""The Label page by mouse and keys in the real window; what counts is what is on disk afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QAbstractItemModel, QPoint, QPointF, QRect, QSizeF, Qt
from PySide6.QtGui import QAction, QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QSlider,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.hand import HEIGHT, WIDTH, Hand, Open, boxes_on_disk, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui.annotate.canvas import BORDER, Canvas
from workbench.ui.annotate.shape_menu import ShapeMenu
from workbench.ui.annotate.style_menu import StyleMenu
from workbench.ui.pictures import Picture
from workbench.ui.widgets.boxes_painter import BoxStyle

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


def test_the_first_box_asks_for_its_label_and_is_then_on_disk(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = Hand(qtbot, open_window(project))
    hand.draw((10, 10), (60, 50))
    assert corners(project) == []
    hand.type_label("cell")
    (found,) = corners(project)
    assert near(found, (10, 10, 60, 50))
    assert names(project) == ["cell"]


def test_a_drawn_box_is_on_disk_when_the_mouse_is_let_go(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 90))
    assert near(corners(labelled)[1], (100, 30, 150, 90))
    assert all(value == round(value) for value in corners(labelled)[1])


def test_a_box_drawn_past_the_border_ends_at_the_border(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_Minus)
    hand.key(Qt.Key.Key_Minus)
    hand.draw((150, 50), (WIDTH + 15, HEIGHT + 15))
    assert near(corners(labelled)[1], (150, 50, WIDTH, HEIGHT))
    assert corners(labelled)[1][2:] == (WIDTH, HEIGHT)


def test_a_tiny_box_is_refused_with_a_message(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.draw((100, 80), (101.5, 90))
    assert len(corners(labelled)) == 1
    assert "less than 3" in find(window, QLabel, "message-text").text()


def test_a_drag_draws_without_w_where_there_is_no_box_yet(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = Hand(qtbot, open_window(project))
    hand.drag((10, 10), (60, 50))
    hand.type_label("cell")
    hand.drag((100, 30), (150, 90))  # drawing goes on
    first, second = corners(project)
    assert near(first, (10, 10, 60, 50))
    assert near(second, (100, 30, 150, 90))


def test_a_click_beside_all_boxes_draws_nothing(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = Hand(qtbot, open_window(project))
    hand.drag((10, 10), (10, 10))
    assert not hand.canvas.is_drawing
    assert corners(project) == []


def test_two_clicks_draw_a_box_too(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.click(100, 40)
    QTest.mouseMove(hand.canvas, hand.at(140, 70))
    hand.click(140, 70)
    assert near(corners(labelled)[1], (100, 40, 140, 70))


def states(project: Path, **wanted: State) -> None:
    with Document.open(project) as document:
        for image in document.images():
            document.do(edits.SetState((image.id,), wanted.get(image.name[0], State.UNLABELLED)))


def test_shift_d_and_a_go_to_unlabelled_images_around_the_end(qtbot: QtBot, open_window: Open, project: Path) -> None:
    states(project, b=State.DONE)
    window = open_window(project)
    hand = Hand(qtbot, window)
    name = find(window, QLabel, "image-name")
    assert window.session.image.name == "a.png"
    seen = []
    for key in (Qt.Key.Key_D, Qt.Key.Key_D, Qt.Key.Key_A):
        hand.key(key, SHIFT)
        seen.append(window.session.image.name)
    assert seen == ["c.png", "a.png", "c.png"]
    assert name.toolTip().startswith("c.png\n")
    with Document.open(project, read_only=True) as document:
        ids = {image.name: image.id for image in document.images()}
    window.session.do(edits.SetState((ids["a.png"],), State.DONE))
    hand.key(Qt.Key.Key_D, SHIFT)
    assert window.session.image.name == "c.png"
    assert "No other listed image is unlabelled" in find(window, QLabel, "message-text").text()


def test_the_list_is_filtered_by_split_and_label_and_d_goes_on_from_an_image_that_fell_out(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
    window = open_window(project)
    hand = Hand(qtbot, window)
    model = find(window, QAbstractItemView, "image-list").model()
    label = find(window, QComboBox, "image-filter-label")
    label.setCurrentIndex(label.findText("Without boxes"))
    assert model.rowCount() == 3
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.draw((20, 20), (80, 60))
    assert model.rowCount() == 2  # b.png has a box now, and stays on the canvas
    assert window.session.image.name == "b.png"
    hand.key(Qt.Key.Key_D)
    assert window.session.image.name == "c.png"
    label.setCurrentIndex(label.findText("cell"))
    assert model.rowCount() == 1


def test_looks_change_what_is_seen_and_nothing_else(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    file = labelled.parent / "photographs" / "a.png"
    before = file.read_bytes()
    window = open_window(labelled)
    hand = Hand(qtbot, window)

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
    hand = Hand(qtbot, window)

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


def test_a_box_that_training_can_not_see_is_marked_as_it_is_drawn(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        first = document.images()[0].id
        label = document.labels()[0].id
        places = ((20, 20, 80, 60), (100, 10, 300, 90), (110, 10, 111, 90))
        document.draw(tuple(Box(0, first, label, xyxy) for xyxy in places))
    window = open_window(project)
    hand = Hand(qtbot, window)
    model = find(window, QListView, "box-list").model()

    def marked() -> list[bool]:
        beside = [model.index(row, 0).data(Qt.ItemDataRole.UserRole).beside for row in range(model.rowCount())]
        return ["\N{WARNING SIGN}" in text for text in beside]

    assert marked() == [False, True, True]
    tip = model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "reaches outside its image" in tip
    hand.draw((20, 20), (80, 60))
    assert "at the same place already" in find(window, QLabel, "message-text").text()
    assert marked() == [False, True, True, False]


def test_with_shift_a_square_is_drawn_and_a_corner_keeps_the_shape(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 40), held=SHIFT)
    x0, y0, x1, y1 = corners(labelled)[1]
    assert near((x0, y0), (100, 30))
    assert x1 - x0 == y1 - y0 == pytest.approx(50, abs=1)
    hand.click(60, 40)
    hand.drag((80, 60), (110, 60), held=SHIFT)  # 60 x 40 becomes 90 x 60
    assert near(corners(labelled)[0], (20, 20, 110, 80))


def test_a_shape_is_chosen_beside_draw_and_kept(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    find(window, QAction, "shape-4:3").trigger()
    assert hand.canvas.is_drawing
    button = find(window, QToolButton, "button-draw")
    assert button.text() == "Draw boxes 4 : 3"
    hand.drag((100, 30), (140, 31))
    assert near(corners(labelled)[1], (100, 30, 140, 60))
    assert ShapeMenu().ratio == 4 / 3
    find(window, QAction, "shape-any").trigger()
    assert button.text() == "Draw boxes"
    hand.drag((150, 30), (190, 40))
    assert near(corners(labelled)[2], (150, 30, 190, 40))


def test_the_border_attracts_unless_alt_is_held(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.canvas.zoom_to(2.0)
    assert 1 < BORDER / hand.canvas.view.scale < 2
    hand.draw((150, 50), (WIDTH - 1, HEIGHT - 1))
    assert corners(labelled)[1][2:] == (WIDTH, HEIGHT)
    hand.draw((100, 50), (WIDTH - 1, HEIGHT - 1), held=Qt.KeyboardModifier.AltModifier)
    assert corners(labelled)[2][2:] == (WIDTH - 1, HEIGHT - 1)
    hand.draw((50, 70), (WIDTH - 2, HEIGHT - 2))
    assert corners(labelled)[3][2:] == (WIDTH - 2, HEIGHT - 2)


def test_ctrl_and_an_arrow_move_to_the_border(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Right, CTRL)
    hand.key(Qt.Key.Key_Up, CTRL)
    assert corners(labelled) == [(WIDTH - 60, 0, WIDTH, 40)]
    hand.key(Qt.Key.Key_Z, CTRL)
    assert corners(labelled) == [(WIDTH - 60, 20, WIDTH, 60)]  # one edit for each


def test_boxes_of_the_image_before_are_taken_over_once(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.key(Qt.Key.Key_B, CTRL)
    assert "first image" in find(window, QLabel, "message-text").text()
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_B, CTRL)
    assert corners(labelled, "b.png") == [(20, 20, 80, 60)]
    assert names(labelled, "b.png") == ["cell"]
    assert len(hand.canvas.selected) == 1
    hand.key(Qt.Key.Key_B, CTRL)
    assert len(corners(labelled, "b.png")) == 1
    assert "are here" in find(window, QLabel, "message-text").text()


def test_the_images_between_are_filled_with_boxes_on_the_way(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    message = find(window, QLabel, "message-text")
    hand.key(Qt.Key.Key_I, CTRL)
    assert "no image before" in message.text()
    hand.key(Qt.Key.Key_D)
    with_state = window.session.do(edits.SetState((window.session.image_id,), State.VERIFIED))
    assert with_state is not None
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_I, CTRL)
    assert "no box here" in message.text()
    hand.draw((40, 30), (100, 70))
    hand.key(Qt.Key.Key_I, CTRL)
    assert "1 box in the 1 image between" in message.text()
    with Document.open(labelled, read_only=True) as document:
        assert document.images()[1].state is State.IN_WORK  # nobody has looked at it since
    (between,) = corners(labelled, "b.png")
    assert near(between, (30, 25, 90, 65))
    hand.key(Qt.Key.Key_I, CTRL)
    assert "has these boxes already" in message.text()
    hand.key(Qt.Key.Key_Z, CTRL)
    assert corners(labelled, "b.png") == []
    with Document.open(labelled, read_only=True) as document:
        assert document.images()[1].state is State.VERIFIED


def test_escape_while_drawing_leaves_nothing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    QTest.mousePress(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, hand.at(100, 40))
    QTest.mouseMove(hand.canvas, hand.at(140, 70))
    hand.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, hand.at(140, 70))
    assert len(corners(labelled)) == 1


def test_undo_survives_a_restart_and_redo_brings_the_box_back(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    Hand(qtbot, window).draw((100, 30), (150, 90))
    drawn = corners(labelled)
    window.close()

    window = open_window(labelled)
    Hand(qtbot, window).key(Qt.Key.Key_Z, CTRL)
    assert len(corners(labelled)) == 1
    window.close()

    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert corners(labelled) == drawn
    hand.key(Qt.Key.Key_Z, CTRL)
    hand.key(Qt.Key.Key_Y, CTRL)
    assert corners(labelled) == drawn


def test_undo_goes_to_the_image_that_it_changes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.key(Qt.Key.Key_Z, CTRL)
    assert find(window, QLabel, "image-name").text() == "a.png"


def test_a_box_is_moved_by_the_mouse_and_stays_inside(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.drag((50, 40), (70, 50))
    assert near(corners(labelled)[0], (40, 30, 100, 70))
    hand.drag((70, 50), (5, 5))
    assert corners(labelled)[0][:2] == (0, 0)
    assert near(corners(labelled)[0], (0, 0, 60, 40))


def test_a_handle_resizes_and_may_turn_the_box_over(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.drag((80, 60), (100, 90))
    assert near(corners(labelled)[0], (20, 20, 100, 90))
    hand.drag((20, 55), (150, 55))
    assert near(corners(labelled)[0], (100, 20, 150, 90))


def test_delete_duplicate_and_nudge_by_keys(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_D, CTRL)
    assert corners(labelled)[1] == (30, 30, 90, 70)
    hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_Down, SHIFT)
    assert corners(labelled)[1] == (31, 40, 91, 80)
    hand.key(Qt.Key.Key_Delete)
    assert corners(labelled) == [(20, 20, 80, 60)]
    hand.key(Qt.Key.Key_Z, CTRL)
    assert len(corners(labelled)) == 2


def test_a_nudge_at_the_border_stops_there(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    for _ in range(3):
        hand.key(Qt.Key.Key_Up, SHIFT)
    assert corners(labelled)[0] == (20, 0, 80, 40)


def test_boxes_are_copied_into_another_image(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_C, CTRL)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_V, CTRL)
    assert corners(labelled, "b.png") == [(20, 20, 80, 60)]


def test_several_boxes_are_selected_by_shift_and_by_a_rubber_band(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 90))
    hand.click(50, 40)
    hand.click(120, 60, SHIFT)
    hand.key(Qt.Key.Key_Delete)
    assert corners(labelled) == []
    hand.key(Qt.Key.Key_Z, CTRL)
    hand.click(190, 5)
    hand.drag((190, 5), (90, 95))
    hand.key(Qt.Key.Key_Delete)
    assert corners(labelled) == [(20, 20, 80, 60)]


def test_ctrl_click_reaches_the_box_below(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((30, 30), (60, 50))
    hand.click(190, 95)
    hand.click(45, 40)
    hand.click(45, 40, CTRL)
    hand.key(Qt.Key.Key_Delete)
    assert len(corners(labelled)) == 1
    assert near(corners(labelled)[0], (30, 30, 60, 50))


def test_a_box_can_be_drawn_inside_another(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((30, 30), (60, 50))
    assert len(corners(labelled)) == 2


def test_number_keys_label_the_selected_box_and_the_next_ones(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key("2")
    assert names(labelled) == ["plate"]
    hand.draw((100, 30), (150, 90))
    assert names(labelled) == ["plate", "plate"]
    hand.key("9")
    assert names(labelled) == ["plate", "plate"]


def test_e_changes_the_label_by_typing_and_makes_new_ones(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_E)
    hand.type_label("pla")
    assert names(labelled) == ["plate"]
    hand.key(Qt.Key.Key_E, CTRL)
    hand.type_label("thrombocyte")
    assert names(labelled) == ["thrombocyte"]


def test_escape_in_the_label_popup_drops_the_draft(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = Hand(qtbot, open_window(project))
    hand.draw((10, 10), (60, 50))
    popup = QApplication.activePopupWidget()
    assert popup is not None
    QTest.keyClick(find(popup, QLineEdit, "label-popup-field"), Qt.Key.Key_Escape)
    assert corners(project) == []
    assert QApplication.activePopupWidget() is None


def test_tab_goes_through_the_boxes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Tab)
    hand.key(Qt.Key.Key_Tab)
    hand.key(Qt.Key.Key_Delete)
    assert corners(labelled) == [(20, 20, 80, 60)]


def test_space_verifies_and_n_marks_done_even_without_boxes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.key(Qt.Key.Key_Space)
    hand.key(Qt.Key.Key_N)
    assert find(window, QLabel, "image-name").text() == "c.png"
    with Document.open(labelled, read_only=True) as document:
        assert [i.state for i in document.images()] == [State.VERIFIED, State.DONE, State.UNLABELLED]


def test_space_and_drag_moves_the_picture_and_verifies_nothing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    before = hand.at(100, 50)
    QTest.keyPress(hand.canvas, Qt.Key.Key_Space)
    hand.drag((100, 50), (120, 60))
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Space)
    assert hand.at(100, 50) != before
    assert corners(labelled) == [(20, 20, 80, 60)]
    with Document.open(labelled, read_only=True) as document:
        assert document.images()[0].state is State.IN_WORK


def test_the_wheel_zooms_at_the_pointer(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    place = hand.at(30, 30)
    scale = hand.canvas.view.scale
    wheel(hand, place, 120)
    assert hand.canvas.view.scale == pytest.approx(scale * 1.25)
    found = hand.canvas.view.to_image(QPointF(place))
    assert abs(found.x() - 30) < 1
    assert abs(found.y() - 30) < 1
    hand.key(Qt.Key.Key_F, CTRL)
    assert hand.canvas.view.scale == pytest.approx(scale)


def wheel(hand: Hand, place: QPoint, units: int) -> None:
    from PySide6.QtGui import QWheelEvent

    event = QWheelEvent(
        QPointF(place), QPointF(hand.canvas.mapToGlobal(place)), QPoint(), QPoint(0, units),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(hand.canvas, event)


def test_painting_at_odd_zooms_raises_no_qt_warning(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.click(50, 40)
    for units in (37, 240, 91, 480, 960, -55, -2000, -3000, 7):
        wheel(hand, QPoint(123, 77), units)
        hand.canvas.grab()
    hand.key(Qt.Key.Key_W)
    QTest.mouseMove(hand.canvas, QPoint(100, 90))
    assert not hand.canvas.grab().isNull()


def test_navigation_by_keys_and_by_the_list_keeps_every_edit(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.draw((10, 10), (40, 40))
    images = find(window, QAbstractItemView, "image-list")
    QTest.mouseClick(
        images.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        images.visualRect(images.model().index(2, 0)).center(),
    )  # fmt: skip
    hand.settle()
    assert find(window, QLabel, "image-name").text() == "c.png"
    hand.canvas.setFocus()
    hand.draw((10, 10), (40, 40))
    hand.key(Qt.Key.Key_A)
    hand.key(Qt.Key.Key_A)
    hand.key(Qt.Key.Key_A)
    assert find(window, QLabel, "image-name").text() == "a.png"
    assert [len(boxes) for boxes in boxes_on_disk(labelled).values()] == [2, 1, 1]


def test_flags_and_note_of_the_selected_box_are_kept(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.click(50, 40)
    find(window, QCheckBox, "flag-difficult").click()
    note = find(window, QLineEdit, "box-note")
    QTest.keyClicks(note, "out of focus")
    QTest.keyClick(note, Qt.Key.Key_Return)
    (box,) = boxes_on_disk(labelled)["a.png"]
    assert (box.difficult, box.truncated, box.note) == (True, False, "out of focus")


def test_letters_in_a_field_are_not_commands(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    Hand(qtbot, window)
    field = find(window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClicks(field, "wand 12")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert find(window, QLabel, "image-name").text() == "a.png"
    with Document.open(labelled, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cell", "plate", "wand 12"]


def test_escape_in_the_field_of_a_new_label_empties_it_and_drawing_goes_on(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.key(Qt.Key.Key_W)
    field = find(window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClicks(field, "cel")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == ""
    assert not field.hasFocus()
    assert find(window, QAction, "action-draw").isChecked()
    hand.drag((100, 30), (150, 90))
    assert len(boxes_on_disk(labelled)["a.png"]) == 2


def test_a_box_chosen_in_the_list_is_the_one_that_is_deleted(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = Hand(qtbot, window)
    hand.draw((100, 30), (150, 90))
    boxes = find(window, QListView, "box-list")
    model: QAbstractItemModel = boxes.model()
    place = boxes.visualRect(model.index(0, 0)).center()
    QTest.mouseClick(boxes.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    hand.key(Qt.Key.Key_Delete)
    assert near(corners(labelled)[0], (100, 30, 150, 90))


def test_hidden_boxes_can_not_be_hit(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_H, CTRL)
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Delete)
    assert len(corners(labelled)) == 1


def test_a_read_only_project_is_shown_and_says_why_it_keeps_nothing(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled):
        window = open_window(labelled)
        hand = Hand(qtbot, window)
        assert find(window, QLabel, "saved-state").text() == "read only"
        hand.draw((100, 30), (150, 90))
        assert "being edited by" in find(window, QLabel, "message-text").text()
        assert corners(labelled) == [(20, 20, 80, 60)]


def test_a_damaged_image_shows_its_sentence_and_the_next_one_works(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    whole = (tmp_path / "photographs" / "a.png").read_bytes()
    (tmp_path / "photographs" / "a.png").write_bytes(whole[:2000])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    hand = Hand(qtbot, open_window(tmp_path / "project"))
    assert "a.png" in hand.canvas.sentence
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert hand.canvas.picture is not None
    assert boxes_on_disk(tmp_path / "project") == {"a.png": [], "b.png": []}


def test_a_missing_folder_of_images_is_said_on_the_canvas(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    shutil.rmtree(labelled.parent / "photographs")
    hand = Hand(qtbot, open_window(labelled))
    assert "a.png" in hand.canvas.sentence
    assert len(corners(labelled)) == 1


def test_a_thousand_boxes_are_painted_and_one_of_them_is_moved(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        image, label = document.images()[1].id, document.labels()[0].id
        grid = ((x, y) for x in range(0, 200, 5) for y in range(0, 100, 4))
        document.draw(tuple(Box(0, image, label, (x, y, x + 4.5, y + 3.5)) for x, y in grid))
    hand = Hand(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert not hand.canvas.grab().isNull()
    hand.drag((102, 50), (102, 60))
    moved = [box for box in boxes_on_disk(labelled)["b.png"] if box.xyxy[1] % 4]
    assert len(boxes_on_disk(labelled)["b.png"]) == 1000
    assert len(moved) == 1


def test_an_empty_project_says_what_to_do(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    Document.create(tmp_path / "project").close()
    window = open_window(tmp_path / "project")
    assert "no images" in find(window.findChild(QWidget, "page-label"), QLabel, "empty-text").text()


def test_a_large_photograph_is_seen_before_it_is_read_in_full(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photographs").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    large = np.kron(pixels, np.ones((8, 8, 1), np.uint8))
    cv2.imwrite(str(tmp_path / "photographs" / "large.jpg"), large)
    (tmp_path / "photographs" / "large.png").write_bytes(cv2.imencode(".png", large)[1].tobytes())
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    seen: list[tuple[int, int]] = []
    show = Canvas.show_picture

    def watched(canvas: Canvas, picture: Picture | None, size: QSizeF, *, keep_view: bool = False) -> None:
        if picture is not None:
            seen.append((picture.levels[0].width(), round(size.width())))
        show(canvas, picture, size, keep_view=keep_view)

    monkeypatch.setattr(Canvas, "show_picture", watched)
    window = open_window(tmp_path / "project")
    hand = Hand(qtbot, window)
    qtbot.waitUntil(lambda: bool(seen) and seen[-1][0] == 3200)
    assert seen == [(500, 3200), (3200, 3200)]
    hand.drag((400, 400), (1200, 1600))
    hand.type_label("cell")
    (box,) = corners(tmp_path / "project", "large.jpg")
    assert all(abs(a - b) <= 8 for a, b in zip(box, (400, 400, 1200, 1600), strict=True))
    hand.key(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: len(seen) == 3)
    assert seen[-1] == (3200, 3200)  # no preview of a PNG, and none of what was read beforehand


def test_what_is_to_be_known_of_a_file_is_said_beside_its_name(open_window: Open, project: Path, qtbot: QtBot) -> None:
    """Of an animation the first frame is labelled; who does not know that looks for the others."""
    frames = [PillowImage.new("RGB", (80, 60), (40 * number, 0, 0)) for number in range(3)]
    frames[0].save(project.parent / "photographs" / "b.png", save_all=True, append_images=frames[1:])
    window = open_window(project)
    hand = Hand(qtbot, window)
    note = find(window, QLabel, "image-note")
    assert not note.isVisible()
    hand.key(Qt.Key.Key_D)
    hand.settle()
    qtbot.waitUntil(note.isVisible)
    assert note.toolTip() == "It has 3 frames or pages; the first is used."
    window.session.select_label(0)
    assert note.isVisible()
    hand.key(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: not note.isVisible())
