"""The tour points at controls that there are, on a project with nothing in it and on one with all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.ui import keys
from workbench.ui.actions import with_keys
from workbench.ui.commands import PAGES
from workbench.ui.window.main_window import MainWindow
from workbench.ui.window.tour import STEPS, Ring, Tour, _visible_part, place_beside


def begun(window: MainWindow) -> Tour:
    find(window, QAction, "action-tour").trigger()
    tour: Tour = find(window, Tour, "tour")
    return tour


def ringed(window: MainWindow) -> QRect:
    ring = find(window, Ring, "tour-ring")
    assert ring.isVisible()
    area: QRect = ring.geometry()
    return area


def around(window: MainWindow, name: str) -> QRect:
    """Where the ring is to be for the widget of this name."""
    widget = next((one for one in window.findChildren(QWidget, name) if one.isVisible()), None)
    return _visible_part(widget, window).adjusted(-4, -4, 4, 4).intersected(window.rect()) if widget else QRect()


def test_every_step_shows_its_page_and_a_ring_round_a_control_of_it(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window(project, "label")
    rings: list[bool] = []  # while a page was made
    monkeypatch.setattr(window, "repaint", lambda: rings.append(find(window, Ring, "tour-ring").isVisible()))
    tour = begun(window)
    seen = []
    for step in STEPS:
        assert find(window, QLabel, "tour-title").text() == step.title
        page = find(window, QWidget, f"page-{step.page}")
        assert page.isVisible()
        qtbot.waitUntil(lambda: find(window, Ring, "tour-ring").isVisible())
        assert window.rect().contains(tour.geometry())
        seen.append(step.page)
        last = ringed(window)
        assert any(around(window, name) == last for name in step.at)
        QTest.keyClick(find(tour, QPushButton, "tour-next"), Qt.Key.Key_Return)
    assert tuple(dict.fromkeys(seen)) == PAGES
    assert len(rings) >= 4  # pages were made
    assert not any(rings)
    button = find(window, QWidget, "find-button")
    assert last.contains(QRect(button.mapTo(window, QPoint()), button.size()))
    qtbot.waitUntil(lambda: window.findChild(Tour) is None)
    assert window.findChild(Ring) is None
    assert find(window, QWidget, "page-label").isVisible(), "where it began"


def test_a_tour_goes_back_and_ends_with_escape(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project, "label")
    tour = begun(window)
    tour.go_on()
    QTest.mouseClick(find(tour, QPushButton, "tour-back"), Qt.MouseButton.LeftButton)
    assert find(tour, QLabel, "tour-title").text() == STEPS[0].title
    QTest.keyClick(find(tour, QPushButton, "tour-next"), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(Tour) is None)


def test_escape_ends_a_tour_whose_card_tab_has_left_but_not_where_it_means_something_else(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "label")
    tour = begun(window)
    find(window, QLineEdit, "new-label").setFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)  # back to the picture
    assert QApplication.focusWidget().objectName() == "canvas"
    assert window.findChild(Tour) is tour
    find(tour, QPushButton, "tour-next").setFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert not tour.isAncestorOf(QApplication.focusWidget())
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.findChild(Tour) is None)


def test_presses_that_pile_up_while_a_page_is_made_skip_no_step(qtbot: QtBot, open_window: Open, project: Path) -> None:
    tour = begun(open_window(project, "label"))
    qtbot.waitUntil(lambda: not tour._is_on_its_way)
    for _ in range(3):
        QTest.keyClick(find(tour, QPushButton, "tour-next"), Qt.Key.Key_Return)
    assert find(tour, QLabel, "tour-title").text() == STEPS[1].title
    qtbot.waitUntil(lambda: not tour._is_on_its_way)
    QTest.keyClick(find(tour, QPushButton, "tour-next"), Qt.Key.Key_Return)
    assert find(tour, QLabel, "tour-title").text() == STEPS[2].title


def test_the_ring_follows_its_control_and_goes_with_the_page(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project, "label")
    tour = begun(window)
    tour.go_on()
    qtbot.waitUntil(lambda: ringed(window) == around(window, "gallery"))
    before = ringed(window)
    window.resize(1100, 700)
    qtbot.waitUntil(lambda: ringed(window) != before)
    window.show_page("label")
    qtbot.waitUntil(lambda: not find(window, Ring, "tour-ring").isVisible())
    window.show_page("data")
    qtbot.waitUntil(lambda: find(window, Ring, "tour-ring").isVisible())
    window.close_project()
    qtbot.waitUntil(lambda: window.findChild(Tour) is None)


def test_without_a_project_the_tour_is_of_the_sample(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.project.sample_project.IMAGES", 3)
    monkeypatch.setattr("workbench.ui.project.sample_project.UNLABELLED", 1)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path))
    window = open_window()
    QTest.mouseClick(find(window, QPushButton, "start-tour"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(Tour) is not None, timeout=20_000)
    assert find(window, QLabel, "project-name").text() == "Sample project"
    window.close_project()
    QApplication.sendPostedEvents()


def test_the_words_of_the_tour_have_the_keys_in_force() -> None:
    try:
        assert with_keys("Press {draw} and {undo}.") == "Press W and Ctrl+Z."
        keys.use("CVAT", {})
        assert with_keys("Press {draw}.") == "Press N."
    finally:
        keys.use("labelImg", {})
    assert not any("{" in with_keys(step.words) for step in STEPS)
    assert sum(len(step.words.split()) for step in STEPS) <= 240, "read in a minute, at four words a second"


def test_a_card_lies_beside_what_it_is_about_and_within_the_window() -> None:
    room = QRect(0, 0, 1000, 600)
    assert place_beside(QRect(0, 0, 70, 600), 300, 100, room) == QPoint(81, 12)
    assert place_beside(QRect(700, 100, 300, 200), 300, 100, room) == QPoint(388, 100)
    assert place_beside(QRect(200, 0, 700, 40), 300, 100, room) == QPoint(200, 51)
    assert place_beside(QRect(200, 560, 700, 40), 300, 100, room) == QPoint(200, 448)
    assert room.contains(QRect(place_beside(QRect(100, 20, 880, 570), 300, 100, room), QRect(0, 0, 300, 100).size()))
