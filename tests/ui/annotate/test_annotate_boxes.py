"""Boxes that are there, by mouse and keys: moved, taken over, copied, labelled, chosen, undone; on disk afterwards."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QListWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, SHIFT, corners, labelled, names, near
from tests.ui.window_driver import WIDTH, Open, WindowDriver, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui.widgets.label_popup import LabelPopup

__all__ = ["labelled"]  # a fixture


def test_ctrl_and_an_arrow_move_to_the_border(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Right, CTRL)
    hand.key(Qt.Key.Key_Up, CTRL)
    assert corners(labelled) == [(WIDTH - 60, 0, WIDTH, 40)]
    hand.key(Qt.Key.Key_Z, CTRL)
    assert corners(labelled) == [(WIDTH - 60, 20, WIDTH, 60)]  # one edit for each


def test_boxes_of_the_image_before_are_taken_over_once(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
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
    hand = WindowDriver(qtbot, window)
    message = find(window, QLabel, "message-text")
    hand.key(Qt.Key.Key_I, CTRL)
    assert "first image in its folder" in message.text()
    hand.key(Qt.Key.Key_D)
    with_state = window.session.do(edits.SetState((window.session.image_id,), State.VERIFIED))
    assert with_state is not None
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_I, CTRL)
    assert "has no box yet" in message.text()
    hand.draw((40, 30), (100, 70))
    hand.key(Qt.Key.Key_I, CTRL)
    assert "1 box in the 1 image between" in message.text()
    assert window.session.undo_title == "Fill 1 image between"
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


def test_undo_survives_a_restart_and_redo_brings_the_box_back(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    WindowDriver(qtbot, window).draw((100, 30), (150, 90))
    drawn = corners(labelled)
    window.close()

    window = open_window(labelled)
    WindowDriver(qtbot, window).key(Qt.Key.Key_Z, CTRL)
    assert len(corners(labelled)) == 1
    window.close()

    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert corners(labelled) == drawn
    hand.key(Qt.Key.Key_Z, CTRL)
    hand.key(Qt.Key.Key_Y, CTRL)
    assert corners(labelled) == drawn


def test_undo_goes_to_the_image_that_it_changes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.key(Qt.Key.Key_Z, CTRL)
    assert find(window, QLabel, "image-name").text() == "a.png"


def test_a_box_is_moved_by_the_mouse_and_stays_inside(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.drag((50, 40), (70, 50))
    assert near(corners(labelled)[0], (40, 30, 100, 70))
    hand.drag((70, 50), (5, 5))
    assert corners(labelled)[0][:2] == (0, 0)
    assert near(corners(labelled)[0], (0, 0, 60, 40))


def test_a_drag_where_no_side_of_the_box_is_in_sight_moves_the_picture(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Zoomed in to see a detail, one moved the box around it by a pixel or two, and could not see that."""
    hand = WindowDriver(qtbot, open_window(labelled))
    fitted = hand.canvas.view
    hand.canvas.set_view(fitted.zoomed(20, QPointF(hand.at(50, 40)), hand.canvas.image_size))
    middle = hand.canvas.rect().center()
    x, y = hand.canvas.view.to_image(QPointF(middle)).toTuple()
    before = hand.at(50, 40)
    hand.drag((x, y), (x + 1, y + 1))
    assert hand.at(50, 40) != before
    assert corners(labelled) == [(20, 20, 80, 60)]
    assert hand.canvas.gesture is None
    hand.key(Qt.Key.Key_Escape)
    assert not hand.canvas.selected
    hand.click(*hand.canvas.view.to_image(QPointF(middle)).toTuple())
    assert len(hand.canvas.selected) == 1
    hand.canvas.set_view(fitted)
    hand.drag((50, 40), (70, 50))
    assert near(corners(labelled)[0], (40, 30, 100, 70))


def test_a_handle_resizes_and_may_turn_the_box_over(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.drag((80, 60), (100, 90))
    assert near(corners(labelled)[0], (20, 20, 100, 90))
    hand.drag((20, 55), (150, 55))
    assert near(corners(labelled)[0], (100, 20, 150, 90))


def test_a_side_of_a_box_that_is_not_selected_is_dragged_where_the_pointer_shows_it(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    QTest.mouseMove(hand.canvas, hand.at(80, 60))
    assert hand.canvas.cursor().shape() == Qt.CursorShape.SizeFDiagCursor
    hand.drag((80, 60), (100, 90))
    assert near(corners(labelled)[0], (20, 20, 100, 90))
    hand.key(Qt.Key.Key_Escape)
    hand.drag((60, 50), (70, 50))  # inside: it moves
    assert near(corners(labelled)[0], (30, 20, 110, 90))
    hand.key(Qt.Key.Key_Escape)
    before, there = corners(labelled), hand.at(110, 60)
    left, none, slipped = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, there - QPoint(3, 0)
    QTest.mousePress(hand.canvas, left, none, there)
    QTest.mouseMove(hand.canvas, slipped)
    QTest.mouseRelease(hand.canvas, left, none, slipped)
    assert corners(labelled) == before, "a click whose hand slipped selects"
    assert len(hand.canvas.selected) == 1


def test_on_a_selected_box_the_sides_of_others_do_not_count(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((50, 10), (150, 90))
    hand.canvas.select(hand.canvas.layer.ids[:1])
    hand.drag((50, 40), (60, 40))  # on the left side of the other box
    assert near(corners(labelled)[0], (30, 20, 90, 60))
    assert near(corners(labelled)[1], (50, 10, 150, 90))


def test_delete_duplicate_and_nudge_by_keys(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
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


def test_commands_for_selected_boxes_say_that_none_is_selected(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand, said = WindowDriver(qtbot, window), find(window, QLabel, "message-text")
    for key, held in ((Qt.Key.Key_D, CTRL), (Qt.Key.Key_C, CTRL), (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)):
        said.setText("")
        hand.key(key, held)
        assert said.text() == "Select a box first."
    assert corners(labelled) == [(20, 20, 80, 60)]


def test_a_nudge_at_the_border_stops_there(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    for _ in range(3):
        hand.key(Qt.Key.Key_Up, SHIFT)
    assert corners(labelled)[0] == (20, 0, 80, 40)


def test_boxes_are_copied_into_another_image(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_C, CTRL)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.key(Qt.Key.Key_V, CTRL)
    assert corners(labelled, "b.png") == [(20, 20, 80, 60)]


def test_copies_are_exact_and_taken_over_once_whatever_their_sides(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """Those of other programs have parts of pixels: they were rounded, and so taken over again with each press."""
    exact = [(20, 20, 80, 60), (20.4, 30.2, 50.7, 41.5), (150.5, 70.5, 152.5, 72.5)]
    with Document.open(labelled) as document:
        first, label = document.images()[0].id, document.labels()[0].id
        document.draw(tuple(Box(0, first, label, xyxy) for xyxy in exact[1:]))
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    for _ in range(2):
        hand.key(Qt.Key.Key_B, CTRL)
        assert corners(labelled, "b.png") == exact
    assert "are here already" in find(window, QLabel, "message-text").text()


def test_a_copy_never_covers_one_that_lies_there_already(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """Pasted twice, two boxes lay in one place, and only one was to be seen."""
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_C, CTRL)
    copies = [(20, 20, 80, 60), (30, 30, 90, 70), (40, 40, 100, 80)]
    for there in (2, 3):
        hand.key(Qt.Key.Key_V, CTRL)
        assert corners(labelled) == copies[:there]
    hand.key(Qt.Key.Key_D)
    hand.settle()
    for there in (1, 2):
        hand.key(Qt.Key.Key_V, CTRL)
        assert corners(labelled, "b.png") == copies[:there]


def test_a_command_with_nothing_to_act_on_says_what_to_do(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    said: list[str] = []
    window.session.message.connect(lambda _kind, words: said.append(words))
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_V, CTRL)
    hand.key(Qt.Key.Key_F2)
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Return, SHIFT)
    assert said == [
        "No box was copied yet: Ctrl+C copies the selected ones.",
        "There is no label yet. The first box asks for the name of one.",
        "There is no suggestion here. G shows those of a trained run.",
        "There is no suggestion here. G shows those of a trained run.",
    ]


def test_several_boxes_are_selected_by_shift_and_by_a_rubber_band(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
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
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((30, 30), (60, 50))
    hand.click(190, 95)
    hand.click(45, 40)
    hand.click(45, 40, CTRL)
    hand.key(Qt.Key.Key_Delete)
    assert len(corners(labelled)) == 1
    assert near(corners(labelled)[0], (30, 30, 60, 50))


def test_number_keys_label_the_selected_box_and_the_next_ones(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key("2")
    assert names(labelled) == ["plate"]
    hand.draw((100, 30), (150, 90))
    assert names(labelled) == ["plate", "plate"]
    hand.key("9")
    assert names(labelled) == ["plate", "plate"]


def test_e_changes_the_label_by_typing_and_makes_new_ones(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.click(50, 40)
    hand.key(Qt.Key.Key_E)
    hand.type_label("pla")
    assert names(labelled) == ["plate"]
    hand.key(Qt.Key.Key_E, CTRL)
    hand.type_label("thrombocyte")
    assert names(labelled) == ["thrombocyte"]


def test_e_and_enter_take_the_label_that_was_chosen_before(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        document.do(edits.AddLabels((Label(0, "Cell wall"), Label(0, "rod"))))
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    for key in "42":
        hand.key(key)
    hand.key(Qt.Key.Key_E)
    popup = QApplication.activePopupWidget()
    assert popup is not None
    field, listed = find(popup, QLineEdit, "label-popup-field"), find(popup, QListWidget, "label-popup-list")

    def offered() -> list[str]:
        return [listed.item(row).text() for row in range(listed.count())]

    assert offered() == ["rod", "cell", "plate", "Cell wall"], "the present one after the others that were chosen"
    field.setText("cell w")
    field.setText("L")
    assert offered() == ["cell", "plate", "Cell wall", "New label 'L'"], "in the order of the labels, as ever"
    field.setText("")
    hand.type_label("")
    assert window.session.label is not None
    assert window.session.label.name == "rod"
    hand.click(50, 40)
    hand.key(Qt.Key.Key_E)
    hand.type_label("")
    assert names(labelled) == ["rod"], "of a selected box the present label is its own"


def test_the_label_of_the_next_box_is_the_same_after_a_restart(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    WindowDriver(qtbot, window).key("2")
    window.session.close()
    again = open_window(labelled)
    WindowDriver(qtbot, again).draw((100, 30), (150, 90))
    assert names(labelled) == ["cell", "plate"]
    label = again.session.label_id
    again.session.close()
    with Document.open(labelled) as document:
        document.do(edits.RemoveLabel(label))
        first = document.labels()[0].id
    assert open_window(labelled).session.label_id == first


def test_of_labels_that_differ_by_capitals_the_one_that_was_typed_is_taken(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    popup = LabelPopup([Label(1, "cracked"), Label(2, "crack"), Label(3, "hairline Crack"), Label(4, "Crack")], parent)
    field, listed = find(popup, QLineEdit, "label-popup-field"), find(popup, QListWidget, "label-popup-list")
    orders = []
    for typed in ("Crack", "crack", "CRACK"):
        field.setText(typed)
        orders.append([listed.item(row).data(Qt.ItemDataRole.UserRole) for row in range(4)])
    assert orders == [[4, 2, 1, 3], [2, 4, 1, 3], [2, 4, 1, 3]]


def test_tab_goes_through_the_boxes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Tab)
    hand.key(Qt.Key.Key_Tab)
    hand.key(Qt.Key.Key_Delete)
    assert corners(labelled) == [(20, 20, 80, 60)]


def test_hidden_boxes_can_not_be_hit(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_H, CTRL)
    hand.click(50, 40)
    hand.key(Qt.Key.Key_Delete)
    assert len(corners(labelled)) == 1
