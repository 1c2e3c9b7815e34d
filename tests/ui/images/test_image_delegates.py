"""Images in lists: where a picture ends is seen, whatever its colour."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from workbench.core.project import Image
from workbench.ui import theme
from workbench.ui.images.image_delegates import ImageRow, ImageTile
from workbench.ui.images.images_model import LISTED_IMAGE, ListedImage

WHITE = QColor(Qt.GlobalColor.white).rgb()


@pytest.mark.parametrize("kind", [ImageRow, ImageTile])
def test_a_white_page_on_white_has_a_line_round_it(qtbot: QtBot, kind: type[QStyledItemDelegate]) -> None:
    page = QImage(160, 100, QImage.Format.Format_RGB32)
    page.fill(WHITE)
    model, item = QStandardItemModel(), QStandardItem()
    model.appendRow(item)
    item.setData(ListedImage(Image(1, "page.png", 160, 100), 0, "", page), LISTED_IMAGE)
    painted = QImage(184, 188, QImage.Format.Format_RGB32)
    painted.fill(WHITE)
    option = QStyleOptionViewItem()
    option.rect = QRect(0, 0, painted.width(), painted.height())  # type: ignore[attr-defined]
    painter = QPainter(painted)
    kind().paint(painter, option, model.index(0, 0))
    painter.end()
    border = theme.colour("border").rgb()
    ends = [x for x in range(painted.width()) if painted.pixel(x, 28) == border]
    assert len(ends) == 2, "its left and its right end"
    assert ends[1] - ends[0] > 60
