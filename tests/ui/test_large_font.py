"""With a system font of 16 points, as people choose who see badly, nothing that is read is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QPushButton, QTableView, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.label_page_project import labelled
from tests.ui.window_driver import Open, find
from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.rail import RailButton

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
