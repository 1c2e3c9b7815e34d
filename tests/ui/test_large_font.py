"""With a system font of 16 points, as people choose who see badly, nothing that is read is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction, QFontMetrics
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QPushButton,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import labelled
from tests.ui.window_driver import Open, find
from workbench.ui import theme
from workbench.ui.data import summary
from workbench.ui.data.labels_model import COUNT
from workbench.ui.project.recent import RecentProject
from workbench.ui.start.recent_cards import RecentCard
from workbench.ui.start.welcome_cards import WelcomeCard
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.tables import style_table
from workbench.ui.widgets.tile_view import TileView
from workbench.ui.window.rail import RailButton

__all__ = ["labelled"]  # a fixture


@pytest.fixture
def large_font(qapp: QApplication) -> Iterator[None]:
    usual = QApplication.font()
    large = QApplication.font()
    large.setPointSizeF(16)
    QApplication.setFont(large)
    yield
    QApplication.setFont(usual)


def too_narrow(window: QWidget) -> list[str]:
    """The visible controls that lie in less room than their words need, without those that elide them."""
    kinds = QAbstractSpinBox, QComboBox, QPushButton
    found = [one for one in window.findChildren(QWidget) if isinstance(one, kinds) and one.isVisible()]
    return [
        one.objectName()
        for one in found
        if not isinstance(one, ElidedCombo) and one.minimumSizeHint().width() > one.width() + 2
    ]


@pytest.mark.usefixtures("large_font")
@pytest.mark.parametrize("page", ["data", "label", "anchors", "train"])
def test_no_control_is_too_narrow_for_its_words(page: str, labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(labelled, page)
    window.resize(1600, 900)

    def is_wide_enough() -> None:
        assert too_narrow(window) == []

    qtbot.waitUntil(is_wide_enough)
    for button in window.findChildren(RailButton):
        assert button.fontMetrics().horizontalAdvance(button.text()) < button.width()


@pytest.mark.usefixtures("large_font")
def test_the_lines_of_an_image_in_the_list_do_not_overlap(labelled: Path, open_window: Open) -> None:
    rows = find(open_window(labelled), QTableView, "image-list").verticalHeader()
    name, numbers = QFontMetrics(theme.font()), QFontMetrics(theme.font(theme.SMALL))
    assert rows.sectionSize(0) >= 2 * name.height() + numbers.height()


@pytest.mark.usefixtures("large_font")
def test_the_lines_below_a_picture_do_not_overlap_and_end_within_their_tile(
    labelled: Path, open_window: Open, qtbot: QtBot
) -> None:
    """Tiles of images, of boxes and of recent projects were as high as for small letters."""
    window = open_window(labelled, "data")
    lines = QFontMetrics(theme.font()).height() + QFontMetrics(theme.font(theme.SMALL)).height()

    def height(view: TileView) -> int:
        return view.visualRect(view.model().index(0, 0)).height()

    assert height(find(window, TileView, "gallery")) - 128 - 14 >= lines
    find(window, QAction, "action-box-tiles").trigger()
    boxes = find(window, TileView, "boxes")
    qtbot.waitUntil(lambda: boxes.model().rowCount() > 0)
    assert height(boxes) - 116 - 8 >= lines
    card = RecentCard(RecentProject(labelled, "project"))
    qtbot.addWidget(card)
    assert card.height() - 128 - 6 >= lines


@pytest.mark.usefixtures("large_font")
def test_numbers_and_split_of_an_image_have_room_side_by_side(labelled: Path, open_window: Open) -> None:
    view = find(open_window(labelled, "data"), TileView, "gallery")
    small = QFontMetrics(theme.font(theme.SMALL))
    words = small.horizontalAdvance("1,234 boxes") + small.horizontalAdvance("validation")
    assert view.visualRect(view.model().index(0, 0)).width() - 24 - 20 > words


@pytest.mark.usefixtures("large_font")
def test_numbers_of_millions_and_lines_of_tables_are_not_cut(labelled: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(labelled, "data")
    labels, number = find(window, QTableView, "labels-table"), find(window, QPushButton, "count-state-unlabelled")
    assert labels.columnWidth(COUNT) > labels.fontMetrics().horizontalAdvance("1,234,567")
    summary._show(number, 1_234_567, "unlabelled")
    qtbot.waitUntil(lambda: number.width() >= number.sizeHint().width())
    table = QTableView()
    qtbot.addWidget(table)
    style_table(table)
    assert table.verticalHeader().defaultSectionSize() >= table.fontMetrics().height()


@pytest.mark.usefixtures("large_font")
def test_the_words_of_the_start_page_are_not_cut(open_window: Open) -> None:
    window = open_window()
    about = find(window, QLabel, "start-about")
    assert about.width() >= about.sizeHint().width() or about.height() >= about.heightForWidth(about.width())
    small = QFontMetrics(theme.font(theme.SMALL))
    for card in window.findChildren(WelcomeCard):
        room = QRect(0, 0, card.width() - 128 - 24, 1000)
        words = small.boundingRect(room, int(Qt.TextFlag.TextWordWrap), card.words).height()
        assert 12 + QFontMetrics(theme.font()).lineSpacing() + 4 + words + 12 <= card.height(), card.text()


@pytest.mark.usefixtures("large_font")
@pytest.mark.parametrize("name", ["split", "check-data", "export-labels", "labels-beside", "older-copies"])
def test_sentences_in_the_windows_of_a_project_are_not_cut(
    labelled: Path, open_window: Open, qtbot: QtBot, name: str
) -> None:
    find(open_window(labelled, "data"), QAction, f"action-{name}").trigger()
    (shown,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]
    sentences = [one for one in shown.findChildren(QLabel) if one.wordWrap() and one.text()]

    def are_whole() -> None:
        assert [one.text() for one in sentences if one.height() < one.heightForWidth(one.width())] == []

    assert sentences
    qtbot.waitUntil(are_whole)
    shown.close()
