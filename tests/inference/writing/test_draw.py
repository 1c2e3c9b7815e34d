"""Drawing detections: the picture itself is left alone, boxes lie where they are, any script can be written."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core.detections import Detections
from workbench.core.project import Label, rgb
from workbench.inference.writing.draw import draw_detections


def one(box: list[float], score: float = 0.5) -> Detections:
    return Detections(np.array([box], np.float32), np.array([score], np.float32), np.array([0], np.int32))


GREY = np.full((200, 300, 3), 90, np.uint8)


@pytest.mark.parametrize("name", ["cat", "Größe", "猫", "قطة", "", "a" * 200])
@pytest.mark.parametrize("box", [[50, 60, 150, 160], [0, 0, 300, 200], [299, 199, 300, 200], [10, 2, 290, 6]])
def test_a_box_is_drawn_in_its_colour_on_a_copy(name: str, box: list[float]) -> None:
    before = GREY.copy()
    picture = draw_detections(GREY, one(box), [Label(1, name, "#ff0000")])
    assert np.array_equal(before, GREY)
    assert picture.shape == GREY.shape
    assert (picture == (255, 0, 0)).all(axis=2).any()


def test_the_outline_lies_on_the_edges_of_the_box() -> None:
    picture = draw_detections(GREY, one([50, 60, 150, 160]), [Label(1, "x", "#00ff00")])
    green = (picture == (0, 255, 0)).all(axis=2)
    assert green[160 - 1, 60:140].all()
    assert green[70:150, 50].all()
    assert green[70:150, 150 - 1].all()
    assert not green[70:150, 60:140].any()


def test_nothing_found_is_the_same_picture() -> None:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
    assert np.array_equal(draw_detections(GREY, none, []), GREY)


def test_a_colour_is_three_bytes() -> None:
    assert rgb("#0072b2") == (0, 0x72, 0xB2)
