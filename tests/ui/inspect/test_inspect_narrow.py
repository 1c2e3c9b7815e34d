"""The Inspect page in a small window: words are whole where there is room, else cut in the middle."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QSplitter, QTabWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.window_driver import Open, find
from workbench.ui import preferences
from workbench.ui.inspect.header import InspectHeader
from workbench.ui.inspect.images_table import ImagesTable
from workbench.ui.inspect.picture import ONE_RUN
from workbench.ui.inspect.tab_bar import ICON, TabBar
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def window(qtbot: QtBot, open_window: Open, project: Path) -> MainWindow:
    window = open_window(project, "data")
    make_run(window.session, "darknet-cfg-imported-2-with-a-long-name")
    window.show_page("inspect")
    run = find(window, QComboBox, "inspect-run")
    qtbot.waitUntil(lambda: run.count() == 1)
    return window


@pytest.mark.parametrize(("width", "height"), [(960, 600), (1024, 640), (1600, 900)])
def test_the_words_of_the_legend_are_whole(qtbot: QtBot, window: MainWindow, width: int, height: int) -> None:
    window.resize(width, height)
    switches = [find(window, QCheckBox, f"inspect-show-{entry.name}") for entry in ONE_RUN]
    qtbot.waitUntil(lambda: window.width() == width and all(x.width() >= x.sizeHint().width() for x in switches))
    page = find(window, QWidget, "page-inspect")
    for switch in switches:
        area = switch.rect()
        assert page.rect().contains(switch.mapTo(page, area.topLeft()))
        assert page.rect().contains(switch.mapTo(page, area.bottomRight()))
    assert len({switch.y() for switch in switches}) == (1 if width == 1600 else 2)


@pytest.mark.parametrize(("width", "all_words"), [(960, False), (1600, True)])
def test_a_tab_has_its_whole_word_or_an_icon(qtbot: QtBot, window: MainWindow, width: int, all_words: bool) -> None:
    window.resize(width, 600)
    tabs = find(window, QTabWidget, "inspect-tabs")
    heads = tabs.tabBar()
    assert isinstance(heads, TabBar)
    qtbot.waitUntil(lambda: window.width() == width)
    for current in range(tabs.count()):
        tabs.setCurrentIndex(current)
        QApplication.processEvents()
        shown = [heads.shows_text(index) for index in range(heads.count())]
        assert shown == [all_words or index == current for index in range(heads.count())]
        for index in range(heads.count()):
            area, word = heads.tabRect(index), heads.tabText(index)
            assert heads.rect().contains(area)
            assert area.width() >= (heads.fontMetrics().horizontalAdvance(word) if shown[index] else ICON)
            assert heads.tabToolTip(index).splitlines()[0] == word
            assert heads.tabData(index)


def test_names_have_the_room_that_numbers_leave(qtbot: QtBot, window: MainWindow) -> None:
    window.resize(960, 600)
    table: ImagesTable = find(window, ImagesTable, "inspect-images")
    qtbot.waitUntil(lambda: window.width() == 960)
    needed = table.fontMetrics().horizontalAdvance("BloodImage_00007")
    assert table.columnWidth(0) >= needed
    assert find(window, QWidget, "inspect-picture").width() >= 290
    for column in range(1, 4):
        assert table.columnWidth(column) >= table.fontMetrics().horizontalAdvance("1,234")


def test_the_name_of_a_fold_is_whole_in_a_small_window(qtbot: QtBot, window: MainWindow) -> None:
    """It was 'yolov4-tiny-…2 (finished)', which might have been another run."""
    combo = find(window, ElidedCombo, "inspect-run")
    window.resize(1280, 720)
    combo.setItemText(0, "yolov4-tiny-2-fold-2 (finished)")
    qtbot.waitUntil(lambda: window.width() == 1280)
    assert combo.shown_text() == "yolov4-tiny-2-fold-2 (finished)"


def test_a_long_name_of_a_run_is_cut_in_the_middle_and_whole_in_the_tooltip(qtbot: QtBot, window: MainWindow) -> None:
    combo = find(window, ElidedCombo, "inspect-run")
    combo.setFixedWidth(200)
    shown = combo.shown_text()
    assert shown.startswith("darknet")
    assert shown.endswith("(finished)")
    assert "…" in shown
    ask = QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), combo.mapToGlobal(QPoint(5, 5)))
    QApplication.sendEvent(combo, ask)
    assert combo.toolTip().splitlines()[0] == "darknet-cfg-imported-2-with-a-long-name (finished)"
    combo.setFixedWidth(600)
    QApplication.sendEvent(combo, ask)
    assert combo.shown_text() == combo.currentText()
    assert combo.toolTip() == "The run to evaluate."


@pytest.mark.parametrize("width", [960, 1280])
def test_the_pickers_lie_side_by_side_while_it_looks(qtbot: QtBot, window: MainWindow, width: int) -> None:
    window.resize(width, 600)
    head = window.findChild(InspectHeader)
    assert isinstance(head, InspectHeader)
    head.show_busy(True)
    head.say("Opening the checkpoint")
    names = ("run", "checkpoint", "split", "done-only", "look", "elsewhere", "stop", "progress")
    row = [find(window, QWidget, f"inspect-{name}") for name in names]
    qtbot.waitUntil(lambda: window.width() == width and all(widget.isVisible() for widget in row))
    QApplication.processEvents()
    sides = [(widget.mapTo(window, QPoint()).x(), widget.width()) for widget in row]
    assert all(x + wide <= after for (x, wide), (after, _) in itertools.pairwise(sides)), sides
    if width == 1280:
        assert row[0].width() >= 180


def test_panes_have_the_sizes_that_they_were_given_at_the_next_start(qtbot: QtBot, window: MainWindow) -> None:
    def panes() -> QSplitter:
        split = QSplitter()
        qtbot.addWidget(split)
        for _ in range(2):
            split.addWidget(QWidget())
        split.setSizes([200, 200])
        window_geometry.remember_panes(split, "inspect/panes")
        split.resize(400, 50)
        split.show()
        return split

    first = panes()
    for name in ("data", "label", "inspect"):
        window.show_page(name)
        split = find(window, QSplitter, f"{name}-{'panes' if name == 'inspect' else 'splitter'}")
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        assert split.findChild(QTimer, options=direct) is not None, f"{name} does so, too"
    handle = first.handle(1)
    qtbot.mousePress(handle, Qt.MouseButton.LeftButton, pos=QPoint(1, 10))
    qtbot.mouseMove(handle, QPoint(81, 10))
    qtbot.mouseRelease(handle, Qt.MouseButton.LeftButton, pos=QPoint(1, 10))
    given = first.sizes()
    assert given[0] > 250
    assert preferences.geometry("inspect/panes").isEmpty(), "kept once it is still"
    qtbot.waitUntil(lambda: not preferences.geometry("inspect/panes").isEmpty())
    assert panes().sizes() == given
