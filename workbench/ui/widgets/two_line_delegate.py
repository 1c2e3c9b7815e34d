"""Entries of a drop-down list with a sentence below their names, to choose by more than a name."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from workbench.ui import theme

SENTENCE_ROLE = Qt.ItemDataRole.UserRole + 1  # the role of the sentence
REMARK_ROLE = Qt.ItemDataRole.UserRole + 2  # the role of a word beside the name, such as a recommendation
WIDTH = 560  # px of the list; a longer sentence is elided, with all of it in the tooltip
_EDGE = 8  # px
_Index = QModelIndex | QPersistentModelIndex


class TwoLineDelegate(QStyledItemDelegate):
    """Paints an entry's text, with the words of REMARK_ROLE on its right and the sentence of SENTENCE_ROLE under it."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        lines = option.fontMetrics.height() + QFontMetrics(theme.font(theme.SMALL)).height()  # type: ignore[attr-defined]
        return QSize(WIDTH, lines + _EDGE)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        item = QStyleOptionViewItem(option)
        self.initStyleOption(item, index)
        name, item.text = item.text, ""  # type: ignore[attr-defined]
        item.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, item, painter, item.widget)  # type: ignore[attr-defined]
        is_chosen = item.state & QStyle.StateFlag.State_Selected  # type: ignore[attr-defined]
        ink = item.palette.color(QPalette.ColorRole.HighlightedText) if is_chosen else theme.colour("text")  # type: ignore[attr-defined]
        quiet = ink if is_chosen else theme.colour("muted")
        area: QRect = item.rect.adjusted(_EDGE, _EDGE // 2, -_EDGE, -_EDGE // 2)  # type: ignore[attr-defined]
        painter.save()
        painter.setFont(theme.font(theme.BODY, bold=True))
        painter.setPen(ink)
        painter.drawText(area, Qt.AlignmentFlag.AlignTop, name)
        taken = painter.fontMetrics().horizontalAdvance(f"{name}   ")
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(ink if is_chosen else theme.colour("accent"))
        painter.drawText(area.adjusted(taken, 1, 0, 0), Qt.AlignmentFlag.AlignTop, index.data(REMARK_ROLE) or "")
        painter.setPen(quiet)
        text = painter.fontMetrics().elidedText(
            index.data(SENTENCE_ROLE) or "", Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, Qt.AlignmentFlag.AlignBottom, text)
        painter.restore()
