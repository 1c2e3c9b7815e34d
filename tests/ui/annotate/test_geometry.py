"""Boxes under the mouse: by numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, QSizeF, Qt
from PySide6.QtGui import QKeyEvent

from workbench.core.label_keys import label_keys
from workbench.core.project import LABEL_COLOURS, Label
from workbench.ui.annotate import geometry
from workbench.ui.annotate.geometry import Handle
from workbench.ui.digit_keys import digit_of
from workbench.ui.images.view_transform import ViewTransform, fitted, kept_inside

BOX = (10.0, 20.0, 50.0, 60.0)


def test_the_smallest_box_under_the_point_comes_first_and_of_equals_the_newest() -> None:
    boxes = np.array([(0, 0, 100, 100), (40, 40, 60, 60), (40, 40, 60, 60), (80, 80, 90, 90)], float)
    assert geometry.rows_under(boxes, 50, 50, 0).tolist() == [2, 1, 0]
    assert geometry.rows_under(boxes, 91, 85, 2).tolist() == [3, 0]
    assert geometry.rows_under(np.zeros((0, 4)), 1, 1, 1).tolist() == []


@pytest.mark.parametrize(
    ("point", "handle"),
    [((10, 20), Handle(-1, -1)), ((51, 61), Handle(1, 1)), ((30, 21), Handle(0, -1)), ((9, 40), Handle(-1, 0))],
)
def test_handles_lie_on_corners_and_along_sides(point: tuple[float, float], handle: Handle) -> None:
    assert geometry.handle_at(BOX, *point, reach=3) == handle


@pytest.mark.parametrize(
    ("point", "found"),
    [
        ((49, 30), (0, Handle(1, 0))),
        ((53, 30), (1, Handle(-1, 0))),  # nearer to the other box
        ((51.5, 30), (0, Handle(1, 0))),  # as near to both: the smaller one
        ((10, 20), (0, Handle(-1, -1))),
        ((30, 40), None),
        ((202, 202), (2, Handle(-1, -1))),
        ((204, 204), None),  # the middle half of a small box moves it
    ],
)
def test_of_several_boxes_the_nearest_handle_is_taken(
    point: tuple[float, float], found: tuple[int, Handle] | None
) -> None:
    boxes = np.array([BOX, (53, 0, 153, 100), (200, 200, 208, 208)], float)
    assert geometry.nearest_handle(boxes, *point, reach=3) == found


def test_the_middle_of_a_box_is_no_handle() -> None:
    assert geometry.handle_at(BOX, 30, 40, reach=3) is None


def test_a_box_between_two_points_is_ordered_whole_and_inside() -> None:
    assert geometry.rect_between(30.4, 50.6, -5, 10, 100, 100) == (0, 10, 30, 51)


@pytest.mark.parametrize(
    ("end", "ratio", "box"),
    [
        ((70, 55), 1.0, (50, 50, 70, 70)),  # the farther side counts
        ((30, 45), 1.0, (30, 30, 50, 50)),
        ((70, 20), 2.0, (50, 20, 110, 50)),
        ((90, 99), 1.0, (50, 50, 99, 99)),
        ((0, 0), 0.5, (25, 0, 50, 50)),  # as far as the border lets it
        ((120, 0), 4.0, (50, 32, 120, 50)),
    ],
)
def test_a_box_of_a_shape_has_it_and_stays_inside(
    end: tuple[float, float], ratio: float, box: tuple[float, ...]
) -> None:
    assert geometry.rect_with_ratio((50, 50), *end, ratio, 120, 100) == box


def test_the_border_attracts_what_comes_near() -> None:
    assert geometry.snapped_to_border(4, 97, 100, 100, 5) == (0, 100)
    assert geometry.snapped_to_border(6, 94, 100, 100, 5) == (6, 94)
    assert geometry.snapped_to_border(4, 97, 100, 100, 0) == (4, 97)
    assert geometry.shift([BOX], -7, 38, 100, 100, reach=5) == (-10, 40)
    assert geometry.shift([BOX], 0, 38, 100, 100, reach=5) == (0, 40)
    assert geometry.shift([(2.0, 20, 50, 60)], 0, 5, 100, 100, reach=5) == (0, 5)  # it moves up and down alone


def test_a_side_moves_alone_and_may_pass_the_other() -> None:
    assert geometry.resized(BOX, Handle(1, 0), 70, 999, 100, 100) == (10, 20, 70, 60)
    assert geometry.resized(BOX, Handle(1, 0), 4, 40, 100, 100) == (4, 20, 10, 60)


def test_a_shift_stops_at_the_border_for_all_boxes_together() -> None:
    assert geometry.shift([BOX, (70, 70, 90, 90)], 30, -30, 100, 100) == (10, -20)


def test_a_box_outside_the_image_is_not_pulled_in_by_a_move_elsewhere() -> None:
    assert geometry.shift([(-5, 0, 10, 10)], 0, 5, 100, 100) == (0, 5)
    assert geometry.shift([(-5, 0, 10, 10)], -3, 0, 100, 100) == (0, 0)


def test_a_zoom_keeps_the_image_point_under_the_pointer() -> None:
    view = ViewTransform(2.0, 10.0, 20.0)
    at = QPointF(110, 220)
    zoomed = view.zoomed(1.5, at, QSizeF(640, 480))
    assert zoomed.scale == 3.0
    assert zoomed.to_image(at) == view.to_image(at) == QPointF(50, 100)


def test_an_image_is_fitted_into_the_middle() -> None:
    assert fitted(QSizeF(200, 100), QSizeF(416, 400), margin=8) == ViewTransform(2.0, 8.0, 100.0)


def test_an_image_can_not_be_lost_out_of_sight() -> None:
    view = kept_inside(ViewTransform(1.0, 5000, -5000), QSizeF(200, 100), QSizeF(400, 300))
    assert (view.x, view.y) == (352, -52)


def test_number_keys_are_those_given_and_then_the_order() -> None:
    labels = [Label(1, "a"), Label(2, "b", key="1"), Label(3, "c")]
    assert {key: label.name for key, label in label_keys(labels).items()} == {"1": "b", "2": "a", "3": "c"}
    many = [Label(id, f"{id}", LABEL_COLOURS[0]) for id in range(1, 13)]
    assert list(label_keys(many)) == list("1234567890")


@pytest.mark.parametrize(
    ("text", "scan", "virtual", "held", "platform", "digit"),
    [
        ("3", 12, 0, Qt.KeyboardModifier.NoModifier, "linux", "3"),
        ('"', 12, 0, Qt.KeyboardModifier.NoModifier, "linux", "3"),  # AZERTY
        ("à", 19, 0, Qt.KeyboardModifier.NoModifier, "linux", "0"),
        ("&", 2, 49, Qt.KeyboardModifier.NoModifier, "win32", "1"),
        ("(", 0, 23, Qt.KeyboardModifier.NoModifier, "darwin", "5"),
        ("#", 12, 0, Qt.KeyboardModifier.ShiftModifier, "linux", ""),
        ("7", 79, 0, Qt.KeyboardModifier.KeypadModifier, "linux", "7"),
        ("w", 25, 0, Qt.KeyboardModifier.NoModifier, "linux", ""),
        ("", 50, 0, Qt.KeyboardModifier.NoModifier, "linux", ""),
    ],
)
def test_the_row_of_digits_is_known_on_any_keyboard(
    text: str, scan: int, virtual: int, held: Qt.KeyboardModifier, platform: str, digit: str
) -> None:
    event = QKeyEvent(QEvent.Type.KeyPress, 0, held, scan, virtual, 0, text)
    assert digit_of(event, platform) == digit
