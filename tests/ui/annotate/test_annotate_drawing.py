"""Boxes are drawn on the Label page by mouse and keys; what counts is what is on disk afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QListView, QListWidget, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, SHIFT, corners, labelled, names, near
from tests.ui.window_driver import HEIGHT, WIDTH, Open, WindowDriver, boxes_on_disk, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui.annotate.canvas import BORDER
from workbench.ui.annotate.shape_menu import ShapeMenu

__all__ = ["labelled"]  # a fixture


def test_the_first_box_asks_for_its_label_and_is_then_on_disk(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = WindowDriver(qtbot, open_window(project))
    hand.draw((10, 10), (60, 50))
    assert corners(project) == []
    hand.type_label("cell")
    (found,) = corners(project)
    assert near(found, (10, 10, 60, 50))
    assert names(project) == ["cell"]


def test_a_drawn_box_is_on_disk_when_the_mouse_is_let_go(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 90))
    assert near(corners(labelled)[1], (100, 30, 150, 90))
    assert all(value == round(value) for value in corners(labelled)[1])


def test_a_box_drawn_past_the_border_ends_at_the_border(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_Minus)
    hand.key(Qt.Key.Key_Minus)
    hand.draw((150, 50), (WIDTH + 15, HEIGHT + 15))
    assert near(corners(labelled)[1], (150, 50, WIDTH, HEIGHT))
    assert corners(labelled)[1][2:] == (WIDTH, HEIGHT)


def test_a_tiny_box_is_refused_with_a_message(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.draw((100, 80), (101.5, 90))
    assert len(corners(labelled)) == 1
    assert "less than 3" in find(window, QLabel, "message-text").text()


def test_a_drag_draws_without_w_where_there_is_no_box_yet(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = WindowDriver(qtbot, open_window(project))
    hand.drag((10, 10), (60, 50))
    hand.type_label("cell")
    hand.drag((100, 30), (150, 90))  # drawing goes on
    first, second = corners(project)
    assert near(first, (10, 10, 60, 50))
    assert near(second, (100, 30, 150, 90))


def test_while_drawing_a_drag_on_another_box_s_corner_or_side_draws_and_spoils_no_label(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Over things that overlap many a box begins there: of 2,476 random ones 17 changed an older box unseen."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.drag((80, 60), (110, 90))  # its corner
    hand.drag((80, 40), (120, 50))  # its side
    hand.drag((110, 90), (150, 95))  # the corner of the box just drawn
    assert len(corners(labelled)) == 4
    assert near(corners(labelled)[0], (20, 20, 80, 60))
    assert near(corners(labelled)[1], (80, 60, 110, 90))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_A)
    hand.settle()
    assert hand.canvas.is_drawing
    hand.drag((110, 90), (100, 70))  # seen again
    assert len(corners(labelled)) == 5
    assert near(corners(labelled)[1], (80, 60, 110, 90))


def test_a_box_selected_while_drawing_is_corrected_by_its_corner(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.key(Qt.Key.Key_Tab)
    hand.drag((80, 60), (90, 70))
    assert len(corners(labelled)) == 1
    assert near(corners(labelled)[0], (20, 20, 90, 70))


def test_a_drag_in_an_empty_image_says_that_it_draws_on_and_draws_nothing_once_that_was_ended(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    hand.drag((10, 10), (60, 50))
    assert find(window, QLabel, "message-text").text().endswith("Esc ends that.")
    hand.type_label("cell")
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.drag((10, 10), (60, 50))
    assert not hand.canvas.is_drawing
    assert "To draw, press W" in find(window, QLabel, "message-text").text()
    assert corners(project, "b.png") == []


def test_a_number_before_each_box_is_for_that_box_alone(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """Whoever draws fast presses it between two boxes: it must not change the one that is done."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    for digit, start in (("2", (100, 10)), ("1", (130, 10)), ("1", (160, 10)), ("2", (100, 60))):
        hand.key(digit)
        hand.drag(start, (start[0] + 20, start[1] + 30))
    assert names(labelled) == ["cell", "plate", "cell", "cell", "plate"]


def test_the_same_number_again_is_for_the_box_just_drawn_too(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 10), (120, 40))
    hand.key("2")
    assert names(labelled) == ["cell", "cell"]
    assert "2 again" in find(window, QLabel, "message-text").text()
    hand.key("2")
    assert names(labelled) == ["cell", "plate"]
    hand.drag((120, 40), (150, 60))  # from its corner: what was just drawn has no handles
    assert names(labelled) == ["cell", "plate", "plate"]


def test_the_number_of_a_label_just_added_is_first_for_the_next_box(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """It was taken for the second press, as new boxes get the label already, and changed the box just drawn."""
    window = open_window(labelled)
    hand, field = WindowDriver(qtbot, window), find(window, QLineEdit, "new-label")
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 10), (120, 40))
    field.setFocus()
    QTest.keyClicks(field, "human")
    QTest.keyClick(field, Qt.Key.Key_Return)
    hand.key("3")
    assert names(labelled) == ["cell", "cell"]
    hand.key("3")
    assert names(labelled) == ["cell", "human"]


def test_keys_are_for_the_box_just_drawn_while_drawing_goes_on(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 10), (120, 40))
    before = corners(labelled)[1]
    hand.key(Qt.Key.Key_O)
    hand.key(Qt.Key.Key_Right)
    hand.key(Qt.Key.Key_E)
    popup = QApplication.activePopupWidget()
    assert popup is not None
    assert "Shift+Enter" in find(popup, QLabel, "label-popup-hint").text()
    field = find(popup, QLineEdit, "label-popup-field")
    QTest.keyClicks(field, "pla")
    QTest.keyClick(field, Qt.Key.Key_Return, SHIFT)
    assert find(window, QLabel, "selection-about").text().startswith("Just drawn")
    first, drawn = boxes_on_disk(labelled)["a.png"]
    assert (drawn.occluded, first.occluded) == (True, False)
    assert drawn.xyxy == (before[0] + 1, before[1], before[2] + 1, before[3])
    assert names(labelled) == ["cell", "plate"]
    hand.key(Qt.Key.Key_Delete)
    assert len(corners(labelled)) == 1
    hand.key(Qt.Key.Key_Delete)  # the other one was neither drawn now nor selected
    assert len(corners(labelled)) == 1


def test_a_label_chosen_by_name_for_the_next_boxes_says_how_the_box_just_drawn_gets_it(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand, said = WindowDriver(qtbot, window), find(window, QLabel, "message-text")
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 10), (120, 40))
    for typed, words in (("cell", ""), ("pla", "The next boxes are 'plate'. 2: the box just drawn, too.")):
        hand.key(Qt.Key.Key_E)
        popup = QApplication.activePopupWidget()
        assert popup is not None
        field = find(popup, QLineEdit, "label-popup-field")
        said.setText("")
        QTest.keyClicks(field, typed)
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert said.text() == words
    assert names(labelled) == ["cell", "cell"]
    hand.key("2")
    assert names(labelled) == ["cell", "plate"]


def test_arrows_are_for_the_suggestions_while_these_are_asked_for(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.drag((100, 10), (120, 40))
    before = corners(labelled)
    hand.canvas.suggests = True
    hand.key(Qt.Key.Key_Down)
    assert corners(labelled) == before


def test_a_drag_that_touches_no_box_says_how_to_draw(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    (x0, y0, x1, y1) = corners(labelled)[0]
    hand.drag((x0 - 3, y0 - 3), (x1, y1))  # one is selected
    hand.drag((150, 60), (180, 90))  # which takes it off
    assert find(window, QWidget, "messages").isHidden()
    hand.drag((150, 60), (180, 90))
    assert "To draw, press W or Draw boxes." in find(window, QLabel, "message-text").text()
    assert len(corners(labelled)) == 1


def test_a_click_beside_all_boxes_draws_nothing(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = WindowDriver(qtbot, open_window(project))
    hand.drag((10, 10), (10, 10))
    assert not hand.canvas.is_drawing
    assert corners(project) == []


def test_w_begins_drawing_and_never_ends_it(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """Who presses it before each box would otherwise move a box with every second drag."""
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_Escape)
    for _ in range(2):
        hand.key(Qt.Key.Key_W)
        assert hand.canvas.is_drawing
    button = next(
        b for b in window.findChildren(QToolButton) if b.defaultAction() is find(window, QAction, "action-draw")
    )
    for is_drawing in (False, True, False):
        button.click()
        assert hand.canvas.is_drawing is is_drawing
    hand.key(Qt.Key.Key_W)
    hand.key(Qt.Key.Key_Escape)
    assert not hand.canvas.is_drawing


def test_two_clicks_draw_a_box_too(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.click(100, 40)
    QTest.mouseMove(hand.canvas, hand.at(140, 70))
    hand.click(140, 70)
    assert near(corners(labelled)[1], (100, 40, 140, 70))


def test_a_drag_draws_its_own_box_after_a_click_that_only_gave_the_focus(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    hand.click(10, 90)
    hand.drag((100, 40), (140, 70))
    assert near(corners(labelled)[1], (100, 40, 140, 70))
    assert hand.canvas.gesture is None


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
    hand = WindowDriver(qtbot, window)
    model = find(window, QListView, "box-list").model()

    def marked() -> list[bool]:
        beside = [model.index(row, 0).data(Qt.ItemDataRole.UserRole).beside for row in range(model.rowCount())]
        return ["\N{WARNING SIGN}" in text for text in beside]

    assert marked() == [False, True, True]
    tip = model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "reaches outside its image" in tip
    hand.draw((20, 20), (80, 60), CTRL)
    assert "in the same place" in find(window, QLabel, "message-text").text()
    assert marked() == [False, True, True, False]


def test_with_shift_a_square_is_drawn_and_a_corner_keeps_the_shape(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 40), held=SHIFT)
    x0, y0, x1, y1 = corners(labelled)[1]
    assert near((x0, y0), (100, 30))
    assert x1 - x0 == y1 - y0 == pytest.approx(50, abs=1)
    hand.click(60, 40)
    hand.drag((80, 60), (110, 60), held=SHIFT)  # 60 x 40 becomes 90 x 60
    assert near(corners(labelled)[0], (20, 20, 110, 80))


def test_a_shape_is_chosen_beside_draw_and_kept(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
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


@pytest.mark.parametrize("key", [Qt.KeyboardModifier.AltModifier, CTRL])
def test_the_border_attracts_unless_alt_or_ctrl_is_held(
    qtbot: QtBot, open_window: Open, labelled: Path, key: Qt.KeyboardModifier
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.canvas.zoom_to(2.0)
    assert 1 < BORDER / hand.canvas.view.scale < 2
    hand.draw((150, 50), (WIDTH - 1, HEIGHT - 1))
    assert corners(labelled)[1][2:] == (WIDTH, HEIGHT)
    hand.draw((100, 50), (WIDTH - 1, HEIGHT - 1), held=key)
    assert corners(labelled)[2][2:] == (WIDTH - 1, HEIGHT - 1)
    hand.draw((50, 70), (WIDTH - 2, HEIGHT - 2))
    assert corners(labelled)[3][2:] == (WIDTH - 2, HEIGHT - 2)


def test_ctrl_click_takes_the_box_below_also_while_drawing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((30, 30), (60, 50))
    hand.key(Qt.Key.Key_W)
    below, above = (box.id for box in boxes_on_disk(labelled)["a.png"])
    for wanted in (above, below):
        hand.click(45, 40, CTRL)
        assert hand.canvas.selected == (wanted,)
    assert hand.canvas.gesture is None
    assert len(corners(labelled)) == 2


def test_escape_while_drawing_leaves_nothing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    QTest.mousePress(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, hand.at(100, 40))
    QTest.mouseMove(hand.canvas, hand.at(140, 70))
    hand.key(Qt.Key.Key_Escape)
    QTest.mouseRelease(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, hand.at(140, 70))
    assert len(corners(labelled)) == 1


def test_a_box_can_be_drawn_inside_another(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((30, 30), (60, 50))
    assert len(corners(labelled)) == 2


def test_escape_in_the_label_popup_drops_the_draft(qtbot: QtBot, open_window: Open, project: Path) -> None:
    hand = WindowDriver(qtbot, open_window(project))
    hand.draw((10, 10), (60, 50))
    popup = QApplication.activePopupWidget()
    assert popup is not None
    QTest.keyClick(find(popup, QLineEdit, "label-popup-field"), Qt.Key.Key_Escape)
    assert corners(project) == []
    assert QApplication.activePopupWidget() is None


def test_the_popup_says_what_to_do_for_the_first_label(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """There was an empty frame below the field; Enter in it made nothing."""
    hand = WindowDriver(qtbot, open_window(project))
    hand.draw((10, 10), (60, 50))
    popup = QApplication.activePopupWidget()
    assert popup is not None
    field, listed = find(popup, QLineEdit, "label-popup-field"), find(popup, QListWidget, "label-popup-list")
    assert [listed.item(row).text() for row in range(listed.count())] == ["Type a name, then press Enter."]
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Return):
        QTest.keyClick(field, key)
    assert QApplication.activePopupWidget() is popup
    assert names(project) == []
    QTest.keyClicks(field, "cell")
    assert [listed.item(row).text() for row in range(listed.count())] == ["New label 'cell'"]
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert names(project) == ["cell"]
