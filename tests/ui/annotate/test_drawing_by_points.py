"""Boxes drawn around four clicked points of an object."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, corners, labelled, near
from tests.ui.window_driver import HEIGHT, WIDTH, Open, WindowDriver, find
from workbench.ui.annotate.gestures import DrawGesture, DrawingAids, PointsGesture
from workbench.ui.annotate.shape_menu import ShapeMenu

__all__ = ["labelled"]  # a fixture

TOP, LEFT, LOW, RIGHT = (120, 30), (100, 50), (125, 80), (150, 45)


def by_points(qtbot: QtBot, open_window: Open, project: Path) -> WindowDriver:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    find(window, QAction, "shape-bypoints").trigger()
    assert hand.canvas.is_drawing
    assert find(window, QToolButton, "button-draw").text() == "Draw by points"
    return hand


def click_all(hand: WindowDriver, *points: tuple[int, int]) -> None:
    for point in points:
        QTest.mouseMove(hand.canvas, hand.at(*point))
        hand.click(*point)


@pytest.mark.parametrize("order", list(permutations((TOP, LEFT, LOW, RIGHT))))
def test_four_points_in_any_order_make_the_box_that_holds_them(order: tuple[tuple[float, float], ...]) -> None:
    gesture = PointsGesture(order[0], (200.0, 100.0))
    for number, point in enumerate(order):
        gesture.move(*point, DrawingAids())
        assert gesture.ends(is_click=True) is (number == 3)
    assert gesture.xyxy == (100, 30, 150, 80)


def test_four_clicks_draw_boxes_one_after_the_other_and_the_choice_is_kept(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = by_points(qtbot, open_window, labelled)
    click_all(hand, RIGHT, TOP, LOW)
    assert len(corners(labelled)) == 1
    click_all(hand, LEFT)
    assert near(corners(labelled)[1], (100, 30, 150, 80))
    click_all(hand, (30, 70), (20, 80), (60, 75), (40, 90))
    assert near(corners(labelled)[2], (20, 70, 60, 90))
    assert ShapeMenu().words == "by points"
    assert ShapeMenu().ratio is None


def test_a_drag_still_draws_also_after_a_click_that_only_gave_the_focus(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = by_points(qtbot, open_window, labelled)
    hand.drag((100, 30), (140, 60))
    click_all(hand, (10, 90))
    hand.drag((150, 30), (190, 60))
    assert near(corners(labelled)[1], (100, 30, 140, 60))
    assert near(corners(labelled)[2], (150, 30, 190, 60))
    assert hand.canvas.gesture is None


def test_a_point_that_slips_is_where_the_button_was_let_go(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = by_points(qtbot, open_window, labelled)
    click_all(hand, TOP, LEFT)
    hand.drag((120, 60), LOW)
    click_all(hand, RIGHT)
    assert near(corners(labelled)[1], (100, 30, 150, 80))


def test_escape_drops_the_points(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = by_points(qtbot, open_window, labelled)
    click_all(hand, TOP, LEFT, LOW)
    hand.key(Qt.Key.Key_Escape)
    click_all(hand, RIGHT)
    assert len(corners(labelled)) == 1
    assert hand.canvas.is_drawing


@pytest.mark.parametrize(("key", "held"), [(Qt.Key.Key_Z, CTRL), (Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)])
def test_undo_and_delete_take_back_the_last_click_and_no_box(
    key: Qt.Key, held: Qt.KeyboardModifier, qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    hand = by_points(qtbot, open_window, labelled)
    click_all(hand, TOP, (10, 50), (190, 95))
    hand.key(key, held)
    hand.key(key, held)
    click_all(hand, LEFT, LOW, RIGHT)
    assert near(corners(labelled)[1], (100, 30, 150, 80))
    click_all(hand, (10, 90))
    hand.key(key, held)
    assert hand.canvas.gesture is None
    assert len(corners(labelled)) == 2
    hand.key(Qt.Key.Key_Z, CTRL)
    assert len(corners(labelled)) == 1


def test_undo_takes_back_the_first_of_two_corners(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = WindowDriver(qtbot, open_window(labelled))
    hand.key(Qt.Key.Key_W)
    click_all(hand, (100, 30))
    hand.key(Qt.Key.Key_Z, CTRL)
    click_all(hand, (120, 20), (160, 80))
    assert near(corners(labelled)[1], (120, 20, 160, 80))


def test_points_close_to_the_border_are_on_it(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = by_points(qtbot, open_window, labelled)
    hand.canvas.zoom_to(2.0)
    click_all(hand, (WIDTH - 1, 60), (150, 50), (170, HEIGHT - 1), (160, 40))
    assert corners(labelled)[1][2:] == (WIDTH, HEIGHT)


def test_ctrl_click_still_takes_the_box_below(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = by_points(qtbot, open_window, labelled)
    hand.click(45, 40, CTRL)
    assert len(hand.canvas.selected) == 1
    assert hand.canvas.gesture is None


def test_another_shape_ends_it(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    hand = by_points(qtbot, open_window, labelled)
    find(hand.window, QAction, "shape-any").trigger()
    click_all(hand, (100, 30), (140, 60))
    assert near(corners(labelled)[1], (100, 30, 140, 60))
    assert hand.canvas.draws is DrawGesture
