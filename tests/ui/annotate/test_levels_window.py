"""Images of 12 bits in the real window: black until their range is measured, then seen everywhere."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core import edits
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.document import Document
from workbench.core.project import State
from workbench.ui.annotate.levels_window import LevelsWindow
from workbench.ui.images import thumbnails
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def thermal(tmp_path: Path) -> Path:
    (tmp_path / "photographs").mkdir()
    for number in range(3):
        samples = np.random.default_rng(number).integers(200, 4000, (100, 200)).astype(np.uint16)
        cv2.imwrite(str(tmp_path / "photographs" / f"{number}.png"), samples)
    Document.create(tmp_path / "thermal", tmp_path / "photographs").close()
    return tmp_path / "thermal"


def mean(image: QImage) -> float:
    grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(grey.constBits(), np.uint8).reshape(grey.height(), grey.bytesPerLine())
    return float(rows[:, : grey.width()].mean())


def opened(window: MainWindow) -> LevelsWindow:
    find(window, QAction, "action-levels").trigger()
    levels: LevelsWindow = find(window, LevelsWindow, "levels-window")
    return levels


def press(levels: LevelsWindow, name: str) -> None:
    button = find(levels, QPushButton, name)
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def words(levels: LevelsWindow) -> str:
    text: str = find(levels, QLabel, "levels-words").text()
    return text


def test_the_range_is_measured_applied_seen_and_undone(qtbot: QtBot, open_window: Open, thermal: Path) -> None:
    window = open_window(thermal)
    hand = WindowDriver(qtbot, window)
    shown = thumbnails.of(window.session)
    assert window.session.image is not None
    image = window.session.image

    def lightness() -> float:
        assert hand.canvas.picture is not None
        return mean(hand.canvas.picture.level(1.0))

    qtbot.waitUntil(lambda: shown.get(image) is not None)
    assert lightness() < 12
    assert mean(shown.get(image) or QImage()) < 12
    levels = opened(window)
    press(levels, "levels-measure")
    qtbot.waitUntil(lambda: words(levels) == "Measured. Press Apply to use these values.")
    qtbot.waitUntil(lambda: not window.session.jobs)
    press(levels, "levels-apply")
    with Document.open(thermal, read_only=True) as document:
        found = document.window()
    assert isinstance(found, IntensityWindow)
    assert 200 <= found.low < 230
    assert 3970 < found.high <= 4000
    qtbot.waitUntil(lambda: hand.canvas.picture is not None and lightness() > 100)
    qtbot.waitUntil(lambda: (made := shown.get(image)) is not None and mean(made) > 100)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert lightness() > 100
    window.session.undo()
    hand.settle()
    qtbot.waitUntil(lambda: hand.canvas.picture is not None and lightness() < 12)
    assert not find(levels, QPushButton, "levels-none").isEnabled()


def test_a_range_that_is_none_can_not_be_applied(qtbot: QtBot, open_window: Open, thermal: Path) -> None:
    window = open_window(thermal)
    levels = opened(window)
    find(levels, QDoubleSpinBox, "levels-high").setValue(0)
    assert not find(levels, QPushButton, "levels-apply").isEnabled()
    assert find(levels, QPushButton, "levels-apply").toolTip() == "Black must be below white."
    find(levels, QDoubleSpinBox, "levels-high").setValue(10)
    window.session.do(edits.SetState((window.session.image_id,), State.DONE))
    assert find(levels, QDoubleSpinBox, "levels-high").value() == 10  # what is typed stays through other edits
    press(levels, "levels-apply")
    press(levels, "levels-none")
    assert words(levels) == "The whole range is shown."


def test_a_project_of_8_bits_has_nothing_to_set(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    levels = opened(window)
    press(levels, "levels-measure")
    qtbot.waitUntil(lambda: "nothing to set" in words(levels))
    assert isinstance(levels, QWidget)


def test_the_range_of_a_project_is_not_offered_to_the_next(open_window: Open, thermal: Path, project: Path) -> None:
    with Document.open(thermal) as document:
        document.do(edits.ChangeSetting("window", [200, 4000]))
    window = open_window(thermal)
    levels = opened(window)
    assert (find(levels, QDoubleSpinBox, "levels-low").value(), words(levels)) == (200, "")
    assert window.open(project)
    window.show_page("label")
    levels = opened(window)
    assert (find(levels, QDoubleSpinBox, "levels-low").value(), words(levels)) == (0, "The whole range is shown.")
    assert not find(levels, QPushButton, "levels-none").isEnabled()


def test_an_image_that_is_black_for_its_bits_says_once_how_it_becomes_visible(
    qtbot: QtBot, open_window: Open, thermal: Path
) -> None:
    window = open_window(thermal)
    hand = WindowDriver(qtbot, window)
    said, button = find(window, QLabel, "message-text"), find(window, QPushButton, "message-button")
    assert said.text() == "0.png has 16 bits, and its values are all near black."
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert find(window, LevelsWindow, "levels-window").isVisible()
    said.setText("")
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert said.text() == ""


def test_a_window_that_may_only_read_says_why_instead(qtbot: QtBot, open_window: Open, thermal: Path) -> None:
    with Document.open(thermal):
        window = open_window(thermal)
        WindowDriver(qtbot, window)
        assert "being edited by" in find(window, QLabel, "message-text").text()


def test_a_dark_photograph_of_8_bits_is_as_it_is(qtbot: QtBot, open_window: Open, project: Path) -> None:
    cv2.imwrite(str(project.parent / "photographs" / "a.png"), np.zeros((100, 200, 3), np.uint8))
    window = open_window(project)
    WindowDriver(qtbot, window)
    assert find(window, QLabel, "message-text").text() == ""


def test_it_has_a_close_like_the_other_windows(open_window: Open, thermal: Path) -> None:
    levels = opened(open_window(thermal))
    press(levels, "levels-close")
    assert not levels.isVisible()
