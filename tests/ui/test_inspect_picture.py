"""The names of boxes on the Inspect page's picture can be read where boxes lie over each other."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSizeF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from workbench.ui import pictures, theme
from workbench.ui.inspect.picture import ONE_RUN, SAMPLE, BoxGroup, BoxLegend, InspectPicture, free_place
from workbench.ui.widgets.boxes_painter import name_plate

FIRST = BoxGroup("hit", np.array([[40.0, 40, 240, 240]]), ("cell 0.76",))
ACROSS = BoxGroup("label", np.array([[60.0, 20, 200, 260]]), ("",))
SAME = BoxGroup("false_alarm", np.array([[42.0, 42, 230, 230]]), ("cell 0.25",))


@pytest.fixture
def picture(qtbot: QtBot) -> InspectPicture:
    shown = InspectPicture()
    qtbot.addWidget(shown)
    shown.resize(300, 300)
    shown.show_picture(pictures.picture(np.full((300, 300, 3), 200, np.uint8)), QSizeF(300, 300))
    return shown


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> list[QRectF]:
    """Where names were painted."""
    found: list[QRectF] = []

    def noted(painter: QPainter, area: QRectF, *rest: Any) -> None:
        found.append(QRectF(area))
        name_plate(painter, area, *rest)

    monkeypatch.setattr("workbench.ui.inspect.picture.name_plate", noted)
    return found


def grabbed(picture: InspectPicture, area: QRectF) -> QImage:
    return picture.grab(area.toAlignedRect().adjusted(1, 1, -1, -1)).toImage()


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


def test_a_long_name_is_elided_and_its_score_whole(picture: InspectPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    monkeypatch.setattr("workbench.ui.inspect.picture.name_plate", lambda _painter, _area, text, *_: words.append(text))
    box = np.array([[40.0, 40, 160, 160]])
    groups = [
        BoxGroup(kind, box, (f"Donaudampfschifffahrtskapitän {end}",)) for kind, end in (("hit", "0.76"), ("miss", "2"))
    ]
    picture.set_groups(tuple(groups))
    picture.grab()
    missed, found = words
    assert re.fullmatch(r"Dona\w*…\w*n 0\.76", found)
    assert re.fullmatch(r"Donau\w*…\w*n 2", missed)


def test_a_name_that_finds_no_place_stays_in_its_own() -> None:
    plate, box = QRectF(0, 0, 40, 20), QRectF(0, 0, 50, 50)
    assert free_place(plate, 20, box, []) == plate
    assert free_place(plate, 20, box, [QRectF(0, 0, 10, 10)]) == QRectF(0, 20, 40, 20)
    assert free_place(QRectF(0, 30, 40, 20), -20, box, [QRectF(0, 35, 10, 10)]) == QRectF(0, 10, 40, 20)
    assert free_place(plate, 20, box, [box]) == plate


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
        assert size == 2 * SAMPLE
        assert switch.iconSize() == SAMPLE
