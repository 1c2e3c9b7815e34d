"""Icons from the Material Design font that comes with qtawesome.

Uses its files but not its code: importing that takes 0.3 s, a third of the program's start, for other Qt bindings
and eleven fonts that we don't need.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPen, QPixmap

_FONT, _NAMES = "materialdesignicons6-webfont-[0-9]*.ttf", "materialdesignicons6-webfont-charmap-*.json"
_SHARE = 0.875
"""The em square as a share of the icon's side, as in qtawesome: some glyphs extend beyond theirs."""


def icon(name: str, colour: str, disabled: str, selected: str = "") -> QIcon:
    """The icon "mdi6.NAME" in a colour, with other colours for disabled icons and selected rows.

    KeyError: there is no such icon.
    """
    return QIcon(_Engine(chr(int(_codes()[name.removeprefix("mdi6.")], 16)), colour, disabled, selected or colour))


@functools.cache
def _folder() -> Path:
    found = importlib.util.find_spec("qtawesome")  # finds it without running it
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "fonts"


@functools.cache
def _codes() -> dict[str, str]:
    """The character code of each icon's name, in hexadecimal."""
    (file,) = _folder().glob(_NAMES)
    return dict(json.loads(file.read_text(encoding="utf-8")))


@functools.cache
def _family() -> str:
    (file,) = _folder().glob(_FONT)
    return QFontDatabase.applicationFontFamilies(QFontDatabase.addApplicationFont(str(file)))[0]


class _Engine(QIconEngine):
    """Draws one character at any size."""

    def __init__(self, character: str, colour: str, disabled: str, selected: str) -> None:
        super().__init__()
        self._what = character, colour, disabled, selected

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, _state: QIcon.State) -> None:
        character, colour, disabled, selected = self._what
        font = QFont(_family())
        font.setPixelSize(max(1, round(_SHARE * rect.height())))
        painter.save()
        painter.setFont(font)
        painter.setPen(QColor({QIcon.Mode.Disabled: disabled, QIcon.Mode.Selected: selected}.get(mode, colour)))
        painter.drawText(QRectF(rect), int(Qt.AlignmentFlag.AlignCenter), character)
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        made = QPixmap(size)
        made.fill(Qt.GlobalColor.transparent)
        painter = QPainter(made)
        self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
        painter.end()
        return made

    def clone(self) -> QIconEngine:
        return _Engine(*self._what)


def swatch(colour: QColor | str, side: int = 12) -> QIcon:
    """A square of one colour, beside a name; in a selected row with a white line round it, and not tinted."""
    made = QPixmap(side, side)
    made.fill(QColor(colour))
    icon = QIcon(made)
    framed = QPixmap(made)
    painter = QPainter(framed)
    painter.setPen(QPen(Qt.GlobalColor.white, 2))
    painter.drawRect(QRectF(framed.rect()))
    painter.end()
    icon.addPixmap(framed, QIcon.Mode.Selected)
    return icon
