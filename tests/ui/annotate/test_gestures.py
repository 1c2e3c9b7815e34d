"""Mouse gestures: what a drag that has picked nothing is told, and what another button does meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import corners, labelled, near
from tests.ui.window_driver import Open, WindowDriver
from workbench.ui.annotate import gestures

__all__ = ["labelled"]  # a fixture
NONE, LEFT = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton


def test_a_drag_on_a_suggestion_says_how_it_becomes_a_box() -> None:
    suggested = [(10.0, 10.0, 40.0, 30.0), (100.0, 50.0, 120.0, 70.0)]
    for start in ((10, 10), (40, 30), (37, 20), (101, 69), (44, 33)):
        assert gestures.none_there(start, suggested) == gestures.SUGGESTED
    for start in ((60, 20), (0, 0), (110, 90)):
        assert gestures.none_there(start, suggested) == gestures.NO_BOX_THERE
    assert gestures.none_there((10, 10), []) == gestures.NO_BOX_THERE


@pytest.mark.parametrize(
    ("key", "start", "end", "wanted"),
    [
        ("w", (100, 30), (150, 90), [(20, 20, 80, 60), (100, 30, 150, 90)]),
        ("", (50, 40), (70, 50), [(40, 30, 100, 70)]),
    ],
)
def test_another_button_that_is_pressed_during_a_drag_does_not_make_a_click_of_it(
    qtbot: QtBot,
    open_window: Open,
    labelled: Path,
    key: str,
    start: tuple[float, float],
    end: tuple[float, float],
    wanted: list[tuple[float, ...]],
) -> None:
    """A finger on the wheel at the end of it: the box was not drawn, or not moved."""
    hand = WindowDriver(qtbot, open_window(labelled))
    if key:
        hand.key(key)
    QTest.mousePress(hand.canvas, LEFT, NONE, hand.at(*start))
    QTest.mouseMove(hand.canvas, hand.at(*end))
    QTest.mousePress(hand.canvas, Qt.MouseButton.MiddleButton, NONE, hand.at(*end))
    QTest.mouseRelease(hand.canvas, Qt.MouseButton.MiddleButton, NONE, hand.at(*end))
    QTest.mouseRelease(hand.canvas, LEFT, NONE, hand.at(*end))
    assert all(near(*pair) for pair in zip(corners(labelled), wanted, strict=True))
