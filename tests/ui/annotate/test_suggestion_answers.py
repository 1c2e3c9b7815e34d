"""Suggestions on the Label page are taken, refused and corrected, by keys and the mouse, in the real window."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QSlider, QTableView

from tests.ui.annotate.suggestions_driver import Hand, hand, window
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.project import State
from workbench.inference.suggesting.suggest import Suggestion
from workbench.ui.annotate import suggestion_painter
from workbench.ui.annotate.suggestion_answers import SuggestionAnswers

__all__ = ["hand", "window"]  # fixtures


def test_enter_takes_one_and_shift_enter_all_as_edits_that_can_be_undone(hand: Hand) -> None:
    assert hand.words == "2 boxes: Enter takes, Del refuses. Not in the project: moon."
    hand.key(Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)], "the most confident one"
    hand.wait(1)
    find(hand.window, QAction, "action-undo").trigger()
    hand.wait(2)
    hand.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == [(10, 10, 50, 50), (60, 10, 90, 40)]
    assert hand.window.session.image is not None
    assert str(hand.window.session.image.state) == "in work"
    hand.wait(0)
    assert hand.words == "No label here for moon."
    find(hand.window, QAction, "action-undo").trigger()
    assert hand.boxes == [], "all of them are one step"


def test_enter_takes_one_after_a_click_into_the_list_of_images_but_not_in_a_field(hand: Hand) -> None:
    field = find(hand.window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert hand.boxes == []
    images = find(hand.window, QTableView, "image-list")
    images.setFocus()
    QTest.keyClick(images, Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)]
    QTest.keyClick(images, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == [(10, 10, 50, 50), (60, 10, 90, 40)]


def test_delete_refuses_the_marked_one_for_good_and_a_selected_box_goes_before(hand: Hand) -> None:
    hand.key(Qt.Key.Key_Delete)
    hand.wait(1)
    assert hand.canvas.suggestions[0].xyxy == (60.0, 10.0, 90.0, 40.0)
    assert hand.boxes == []
    hand.key(Qt.Key.Key_Return)
    hand.wait(0)
    find(hand.window, QSlider, "suggest-confidence").setValue(1)
    hand.wait(1)  # a less sure one
    hand.canvas.select(hand.canvas.layer.ids)
    hand.key(Qt.Key.Key_Delete)
    assert (hand.boxes, len(hand.canvas.suggestions)) == (
        [],
        2,
    )  # what was taken comes back, not what was refused


def test_refusing_one_is_taken_back_before_an_edit_of_another_image(hand: Hand) -> None:
    session, undo = hand.window.session, find(hand.window, QAction, "action-undo")
    assert session.document is not None
    first, other = session.image_id, session.document.images()[1].id
    assert first != other
    session.do(edits.SetState((other,), State.DONE))
    hand.key(Qt.Key.Key_Delete)
    hand.wait(1)
    undo.trigger()
    hand.wait(2)
    assert (session.image_id, str(session.document.image(other).state)) == (first, "done")
    find(hand.window, QAction, "action-redo").trigger()
    hand.wait(1)
    session.select_image(other)
    undo.trigger()
    assert session.image_id == first, "it is taken back where it is seen"
    hand.wait(2)
    undo.trigger()
    assert str(session.document.image(other).state) == "unlabelled"


def test_a_refused_suggestion_stays_away_where_another_network_puts_it_a_little_elsewhere() -> None:
    here, moved, other = (
        Suggestion((x, 10.0, x + 40, 50.0), label, 0.9) for x, label in ((10.0, 1), (15.0, 1), (10.0, 2))
    )
    taken = SuggestionAnswers()
    taken.refuse(7, here)
    assert taken.unanswered(7, (here, moved, other), ()) == (other,)
    assert taken.unanswered(8, (here,), ()) == (here,)
    taken.forget()
    assert taken.unanswered(7, (here,), ()) == (here,)


def test_enter_takes_one_after_the_slider_was_moved(hand: Hand) -> None:
    slider = find(hand.window, QSlider, "suggest-confidence")
    slider.setFocus()
    QTest.keyClick(slider, Qt.Key.Key_Left)
    QTest.keyClick(slider, Qt.Key.Key_Return)
    assert hand.boxes == [(10, 10, 50, 50)]


def test_what_was_taken_and_then_corrected_does_not_come_back_while_its_box_is_there(hand: Hand) -> None:
    document = hand.window.session.document
    assert document is not None
    hand.key(Qt.Key.Key_Return)
    hand.wait(1)
    (box,) = document.boxes(hand.window.session.image_id)
    hand.window.session.do(edits.ReplaceBoxes((replace(box, xyxy=(12, 12, 20, 20)),)))
    assert hand.boxes == [(12, 12, 20, 20)]
    assert [ghost.xyxy for ghost in hand.canvas.suggestions] == [(60, 10, 90, 40)]
    hand.window.session.do(edits.RemoveBoxes((box.id,)))
    assert [ghost.xyxy for ghost in hand.canvas.suggestions] == [(10, 10, 50, 50), (60, 10, 90, 40)]


def test_the_one_below_the_pointer_is_taken(hand: Hand) -> None:
    at = hand.canvas.view.to_widget(QPointF(75, 25)).toPoint()
    QTest.mouseMove(hand.canvas, at)
    hand.key(Qt.Key.Key_Enter)
    assert hand.boxes == [(60, 10, 90, 40)]


def test_what_is_marked_follows_the_pointer_and_what_is_hidden_is_not_taken(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[object] = []
    real = suggestion_painter.paint
    monkeypatch.setattr(
        suggestion_painter,
        "paint",
        lambda painter, canvas: (painted.append(suggestion_painter.marked_suggestion(canvas)), real(painter, canvas)),
    )
    for x, number in ((30, 0), (75, 1)):
        QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(x, 25)).toPoint())
        hand.qtbot.waitUntil(partial(lambda one: bool(painted) and painted[-1] is hand.canvas.suggestions[one], number))
    find(hand.window, QAction, "action-hide-boxes").trigger()
    said: list[str] = []
    hand.window.session.message.connect(lambda _kind, words: said.append(words))
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert hand.boxes == []
    assert said == ["The suggestions are hidden, as the boxes are: Ctrl+H shows them."] * 2


def test_a_suggestion_is_taken_by_dragging_its_corner_and_does_not_come_back(hand: Hand) -> None:
    corner, there = (hand.canvas.view.to_widget(QPointF(*at)).toPoint() for at in ((50, 50), (55, 60)))
    QTest.mouseMove(hand.canvas, corner)
    assert hand.canvas.cursor().shape() == Qt.CursorShape.SizeFDiagCursor
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    for end in (corner, there):  # a click takes nothing
        QTest.mousePress(hand.canvas, left, none, corner)
        QTest.mouseMove(hand.canvas, end)
        hand.canvas.grab()
        QTest.mouseRelease(hand.canvas, left, none, end)
        hand.wait(2 if end == corner else 1)
    ((x0, y0, x1, y1),) = hand.boxes
    assert (x0, y0) == (10, 10)
    assert abs(x1 - 55) <= 1
    assert abs(y1 - 60) <= 1
    assert hand.canvas.selected == ()


def test_while_drawing_a_suggestion_is_taken_by_its_corners_but_a_box_may_begin_on_its_sides(hand: Hand) -> None:
    hand.canvas.set_drawing(True)
    side, corner = (hand.canvas.view.to_widget(QPointF(*at)).toPoint() for at in ((50, 30), (50, 50)))
    for place, shape in ((side, Qt.CursorShape.CrossCursor), (corner, Qt.CursorShape.SizeFDiagCursor)) * 2:
        QTest.mouseMove(hand.canvas, place)
        assert hand.canvas.cursor().shape() == shape


def test_while_drawing_the_suggestion_taken_last_is_corrected_at_its_other_corner_until_another_box_is_drawn(
    hand: Hand,
) -> None:
    """The drag at its second corner drew a tiny box there."""

    def drag(*ends: tuple[int, int]) -> None:
        begin, end = (hand.canvas.view.to_widget(QPointF(*at)).toPoint() for at in ends)
        QTest.mousePress(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, begin)
        QTest.mouseMove(hand.canvas, end)
        QTest.mouseRelease(hand.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)

    hand.canvas.set_drawing(True)
    drag((50, 50), (55, 60))
    drag((10, 10), (15, 20))
    (corrected,) = hand.boxes
    assert all(abs(is_now - wanted) <= 1 for is_now, wanted in zip(corrected, (15, 20, 55, 60), strict=True))
    assert hand.canvas.selected == (), "a number key is for the next one"
    drag((70, 60), (90, 90))
    drag((55, 60), (65, 80))
    assert len(hand.boxes) == 3, "in a crowd the next box may begin there"


def test_a_number_key_takes_the_suggestion_below_the_pointer_with_its_label(hand: Hand) -> None:
    session = hand.window.session
    assert session.document is not None
    plate = session.document.labels()[1].id
    hand.canvas.pointer = None
    QTest.keyClick(hand.canvas, Qt.Key.Key_2)
    assert hand.boxes == [], "it is for the next box"
    QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(75, 25)).toPoint())
    QTest.keyClick(hand.canvas, Qt.Key.Key_2)
    hand.wait(1)
    assert [(box.xyxy, box.label) for box in session.document.boxes(session.image_id)] == [((60, 10, 90, 40), plate)]
    hand.canvas.set_drawing(True)
    QTest.mouseMove(hand.canvas, hand.canvas.view.to_widget(QPointF(30, 30)).toPoint())
    QTest.keyClick(hand.canvas, Qt.Key.Key_1)
    hand.wait(1)
