"""Texts that are elided in the middle if they don't fit; the tooltip then has the full text.

Names in a list are elided where they tell least: of *speed limit (20)* and *speed limit (30)*, at their beginning.
"""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QFontMetrics, QFontMetricsF, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolTip,
    QWidget,
)

from workbench.ui.widgets.popups import Combo
from workbench.ui.widgets.tooltips import plain

_WIDEST = 720  # px of the open list: a name of a hundred letters
_MARGIN = 4  # px that styles leave beside a combo box's text
_DOTS = "…"
_PLACES = (Qt.TextElideMode.ElideMiddle, Qt.TextElideMode.ElideRight, Qt.TextElideMode.ElideLeft)


def cut_apart(name: str, others: Collection[str], metrics: QFontMetrics | QFontMetricsF, room: int) -> str:
    """`name` elided to `room` px in its middle; if one of `others` could be cut to the same text, at an end instead.

    In the middle, too, if they are alike everywhere.
    """
    middle = ""
    for place in _PLACES:
        cut = metrics.elidedText(name, place, room)
        middle = middle or cut
        if cut == name or not any(_could_be(cut, other) for other in others if other != name):
            return cut
    return middle


def _could_be(cut: str, name: str) -> bool:
    beginning, _, end = cut.partition(_DOTS)
    return len(name) > len(beginning) + len(end) and name.startswith(beginning) and name.endswith(end)


class ElidedLabel(QLabel):
    """A QLabel for plain text that never asks for more room than a few letters. `mode`: where it is elided."""

    def __init__(
        self, text: str = "", parent: QWidget | None = None, mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle
    ) -> None:
        super().__init__(text, parent)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().averageCharWidth() * 8, super().minimumSizeHint().height())

    def cut(self, width: int) -> str:
        """The part of the text that is painted in this many pixels."""
        return self.fontMetrics().elidedText(self.text(), self._mode, width)

    @property
    def full_tooltip(self) -> str:
        """What the tooltip says: the whole text if it is cut, then what its owner says there."""
        text, own = self.text(), self.toolTip()
        is_missing = self.cut(self.contentsRect().width()) != text and text not in own
        return "\n".join(part for part in (text if is_missing else "", own) if part)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and (words := self.full_tooltip):
            QToolTip.showText(event.globalPos(), plain(words), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        area = self.contentsRect()
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(area, int(self.alignment() | Qt.AlignmentFlag.AlignVCenter), self.cut(area.width()))
        painter.end()


class ElidedCombo(Combo):
    """A QComboBox would elide a long entry at its end; here the open list is as wide as its entries, up to a limit.

    Its size hint fits `letters` letters, however long the entries are.
    """

    def __init__(self, name: str, accessible: str, help: str, letters: int = 0, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._help = help
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setToolTip(help)
        self.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumContentsLength(letters)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def shown_text(self) -> str:
        """The current entry as painted; without one, the placeholder."""
        option = self._option()
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        text = self.currentText() if self.currentIndex() >= 0 else self.placeholderText()
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, field.width() - _MARGIN)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = self._option()
        option.currentText = self.shown_text()
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            cut = self.currentIndex() >= 0 and self.shown_text() != self.currentText()
            self.setToolTip(plain(f"{self.currentText()}\n{self._help}") if cut else self._help)
        return super().event(event)

    def showPopup(self) -> None:
        beside = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        self.view().setMinimumWidth(min(self.view().sizeHintForColumn(0) + beside, _WIDEST))
        super().showPopup()

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        return option
