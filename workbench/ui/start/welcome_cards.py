"""The start page's cards for users without a project: the sample with its progress, and the tour."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QPushButton

from workbench.core.files import resource
from workbench.ui import theme
from workbench.ui.start.recent_cards import CORNER, cover, paint_frame

HIGH = 96  # px
_PICTURE = 128  # px, width
_WORDS = 208  # px, width of the sentence at least
_BAR = 4  # px, height of the progress line


class WelcomeCard(QPushButton):
    """A button with a picture, or else an icon, and a sentence below its name."""

    def __init__(self, name: str, title: str, words: str, *, icon: str = "", picture: str = "") -> None:
        """`picture`: a file of resources/pictures."""
        super().__init__(title)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setAccessibleDescription(words)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        high, small = self.fontMetrics().lineSpacing(), QFontMetrics(theme.font(theme.SMALL))
        below = small.boundingRect(QRect(0, 0, _WORDS, 1000), int(Qt.TextFlag.TextWordWrap), words).height()
        self.setFixedHeight(max(HIGH, 5 * high + 24, high + 4 + below + 24))
        self._words, self._usual, self._share = words, words, 0.0
        self._glyph = icon
        self._picture = QImage(str(resource("pictures", picture))) if picture else QImage()

    def sizeHint(self) -> QSize:
        return QSize(3 * _PICTURE, self.height())

    @property
    def words(self) -> str:
        """The text below the name."""
        return self._words

    @Slot(int, int)
    def show_progress(self, done: int, total: int) -> None:
        """Say that `done` of `total` are made; with `total` 0, show the original text."""
        self._words = f"Making photograph {done:,} of {total:,} …" if total else self._usual
        self._share = done / total if total else 0.0
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        lit = self.isEnabled() and self.underMouse()
        shape = QPainterPath()
        shape.addRoundedRect(frame, CORNER, CORNER)
        painter.fillPath(shape, theme.colour("hover" if lit else "surface"))
        painter.setClipPath(shape)
        field = QRectF(0, 0, _PICTURE, self.height())
        if self._picture.isNull():
            side = 40
            painter.fillRect(field, theme.colour("accent", 30))
            corner = field.center().toPoint()
            glyph = theme.icon(self._glyph, theme.colours().accent)
            glyph.paint(painter, corner.x() - side // 2, corner.y() - side // 2, side, side)
        else:
            painter.drawImage(field, self._picture, cover(self._picture, field))
        if self._share:
            painter.fillRect(QRectF(0, self.height() - _BAR, self.width(), _BAR), theme.colour("border"))
            painter.fillRect(QRectF(0, self.height() - _BAR, self.width() * self._share, _BAR), theme.colour("accent"))
        painter.setClipping(False)
        paint_frame(painter, self, lit)
        self._write(painter, QRectF(self.rect()).adjusted(_PICTURE + 12, 12, -12, -12))
        painter.end()

    def _write(self, painter: QPainter, area: QRectF) -> None:
        painter.setFont(theme.font(theme.BODY, bold=True))
        painter.setPen(theme.colour("text"))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignTop), self.text())
        below = area.adjusted(0, painter.fontMetrics().lineSpacing() + 4, 0, 0)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.colour("muted"))
        painter.drawText(below, int(Qt.AlignmentFlag.AlignTop) | int(Qt.TextFlag.TextWordWrap), self._words)
