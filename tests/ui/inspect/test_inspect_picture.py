"""The names of boxes on the Inspect page's picture can be read where boxes lie over each other."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QWidget
from pytestqt.qtbot import QtBot

from workbench.ui import theme
from workbench.ui.images import box_names, pictures
from workbench.ui.images.box_names import COVERED, LISTED, BoxGroup, free_place
from workbench.ui.images.boxes_painter import name_plate
from workbench.ui.images.view_transform import ViewTransform
from workbench.ui.inspect.picture import ONE_RUN, SAMPLE, BoxLegend, InspectPicture

FIRST = BoxGroup("hit", np.array([[40.0, 40, 240, 240]]), ("cell 0.76",))
ACROSS = BoxGroup("label", np.array([[60.0, 20, 200, 260]]), ("your cell",))
SAME = BoxGroup("false_alarm", np.array([[42.0, 42, 230, 230]]), ("cell 0.25",))


@pytest.fixture
def picture(qtbot: QtBot) -> InspectPicture:
    shown = InspectPicture()
    qtbot.addWidget(shown)
    shown.resize(300, 300)
    shown.show_picture(pictures.picture(np.full((300, 300, 3), 200, np.uint8)), QSizeF(300, 300))
    QTest.mouseClick(QWidget(), Qt.MouseButton.LeftButton)  # a double click of an earlier test leaves a button held
    return shown


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> list[QRectF]:
    """Where names were painted."""
    found: list[QRectF] = []

    def noted(painter: QPainter, area: QRectF, *rest: Any) -> None:
        found.append(QRectF(area))
        name_plate(painter, area, *rest)

    monkeypatch.setattr("workbench.ui.images.named_boxes_view.name_plate", noted)
    return found


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch, plates: list[QRectF]) -> list[str]:
    """The names that were painted."""
    found: list[str] = []

    def noted(painter: QPainter, area: QRectF, text: str, *rest: Any) -> None:
        found.append(text)
        plates.append(QRectF(area))
        name_plate(painter, area, text, *rest)

    monkeypatch.setattr("workbench.ui.images.named_boxes_view.name_plate", noted)
    return found


def grabbed(picture: InspectPicture, area: QRectF) -> QImage:
    return picture.grab(area.toAlignedRect().adjusted(1, 1, -1, -1)).toImage()


def across_line(picture: InspectPicture, x: float, grabbed: QImage) -> list[int]:
    """Pixels around a box's left or right side in the middle of its height."""
    at = picture.view.to_widget(QPointF(x, 120)).toPoint()
    return [grabbed.pixel(at.x() + beside, at.y()) for beside in range(-4, 5)]


def test_no_line_goes_through_a_name(picture: InspectPicture, plates: list[QRectF]) -> None:
    picture.set_groups((FIRST,))
    picture.grab()
    alone = grabbed(picture, plates[0])
    picture.set_groups((FIRST, ACROSS))
    assert grabbed(picture, plates[0]) == alone
    picture.set_groups((ACROSS,))
    assert grabbed(picture, plates[0]) != alone  # there is a line


def test_names_of_boxes_in_one_place_stand_below_each_other(picture: InspectPicture, plates: list[QRectF]) -> None:
    picture.set_groups((FIRST, SAME))
    picture.grab()
    assert len(plates) == 2
    assert not plates[0].intersects(plates[1])
    assert QRectF(40, 40, 200, 200).contains(plates[1])


def test_a_long_name_is_elided_and_its_score_whole(picture: InspectPicture, words: list[str]) -> None:
    box = np.array([[40.0, 40, 160, 160]])
    groups = [
        BoxGroup(kind, box, (f"Donaudampfschifffahrtskapitän {end}",)) for kind, end in (("hit", "0.76"), ("miss", "2"))
    ]
    picture.set_groups(tuple(groups))
    picture.grab()
    found, missed = words
    assert re.fullmatch(r"Dona\w*…\w*n 0\.76", found)
    assert re.fullmatch(r"Donau\w*…\w*n 2", missed)


def test_a_name_gives_way_inside_its_box_and_is_left_out_if_there_is_no_place() -> None:
    plate, box = QRectF(0, 0, 40, 20), QRectF(0, 0, 50, 50)
    corner, tall = np.array([[0.0, 0, 10, 10]]), QRectF(0, 0, 50, 500)
    assert free_place(plate, 20, box, np.zeros((0, 4))) == plate
    assert free_place(plate, 20, box, corner) == QRectF(0, 20, 40, 20)
    assert free_place(QRectF(0, 30, 40, 20), -20, box, np.array([[0.0, 35, 10, 45]])) == QRectF(0, 10, 40, 20)
    assert free_place(plate, 20, box, np.array([[0.0, 0, 50, 50]])) is None
    assert free_place(plate, 20, tall, np.array([[0.0, 0, 40, 40]])) == QRectF(0, 40, 40, 20)
    assert free_place(plate, 20, tall, np.array([[0.0, 0, 40, 60]])) is None, "further down it would not be its name"


def crowd(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 4) boxes of 60 px all over a picture of 300 px, and their scores, the last one's highest."""
    corners = np.random.default_rng(0).uniform(0, 240, (count, 2))
    return np.hstack([corners, corners + 60]), np.linspace(0.01, 0.9, count)


def test_hundreds_of_names_leave_the_photograph_visible_and_the_surest_are_named(
    picture: InspectPicture, plates: list[QRectF], words: list[str]
) -> None:
    boxes, scores = crowd(400)
    missed = np.array([[100.0, 100, 180, 180]])
    names = tuple(f"cell {score:.2f}" for score in scores)
    picture.set_groups((BoxGroup("false_alarm", boxes, names, scores), BoxGroup("miss", missed, ("gone",))))
    picture.grab()
    covered = sum(plate.width() * plate.height() for plate in plates)
    assert 0.1 * 300 * 300 < covered <= COVERED * 300 * 300
    assert not any(one.intersects(other) for row, one in enumerate(plates) for other in plates[:row])
    assert words[0] == "gone"
    told = [float(name.split()[1]) for name in words[1:]]
    assert told == sorted(told, reverse=True)
    assert told[0] == 0.9
    assert min(told) > 0.5, "of 400"


def test_only_boxes_in_sight_are_tried_for_a_name(picture: InspectPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    plate = box_names._plate
    monkeypatch.setattr(box_names, "_plate", lambda group, row, *rest: tried.append(row) or plate(group, row, *rest))
    boxes = np.array([[10.0, 10, 60, 60], [100, 100, 160, 160], [200, 200, 260, 260]])
    picture.set_groups((BoxGroup("hit", boxes, ("a 0.9", "b 0.8", "c 0.7"), np.array([0.9, 0.8, 0.7])),))
    picture.set_view(ViewTransform(4.0, -360.0, -360.0))  # from 90 to 165
    del tried[:]
    assert [one.words for one in picture.plates] == ["b 0.8"]
    assert tried == [1]


def test_the_boxes_under_the_pointer_are_named_beside_it_the_smallest_first(
    picture: InspectPicture, plates: list[QRectF], words: list[str]
) -> None:
    picture.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it gets no frame when it is active
    picture.show()
    picture.set_groups((ACROSS, FIRST, SAME))
    before, told = picture.grab().toImage(), len(words)
    QTest.mouseMove(picture, picture.view.to_widget(QPointF(150, 150)).toPoint())
    after = picture.grab().toImage()
    assert words[told:] == ["your cell", "cell 0.25", "cell 0.76"]
    assert all(QRectF(picture.rect()).contains(plate) for plate in plates[told:])
    assert across_line(picture, 60, after) != across_line(picture, 60, before), "the smallest one's line is wider"
    assert across_line(picture, 240, after) == across_line(picture, 240, before), "another's is as it was"
    QTest.mouseMove(picture, picture.view.to_widget(QPointF(10, 10)).toPoint())
    assert picture.grab().toImage() == before


def test_only_so_many_boxes_are_listed_at_the_pointer_and_the_others_counted(
    picture: InspectPicture, words: list[str]
) -> None:
    boxes = np.array([[10.0, 10, 280 - row, 280] for row in range(20)])
    picture.show()
    picture.set_groups((BoxGroup("hit", boxes, tuple(f"cell {row}" for row in range(20)), np.linspace(1, 0, 20)),))
    picture.grab()
    del words[:]
    QTest.mouseMove(picture, QPoint(200, 200))
    picture.grab()
    assert words == [*(f"cell {19 - row}" for row in range(LISTED)), f"… and {20 - LISTED} more"]


def test_a_sample_in_the_legend_keeps_its_distance_from_the_words_on_a_fine_screen(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The icon was as many dots wide as there were pixels in its place twice over, and touched the words."""
    monkeypatch.setattr(theme, "device_pixel_ratio", lambda: 2.0)
    picture = InspectPicture()
    legend = BoxLegend(picture, ONE_RUN)
    for widget in (picture, legend):
        qtbot.addWidget(widget)
    for switch in legend.findChildren(QCheckBox):
        (size,) = switch.icon().availableSizes()
        assert size == SAMPLE * 2
        assert switch.iconSize() == SAMPLE
