"""File names of images in tight places: what distinguishes them is kept, random parts are dropped."""

from __future__ import annotations

from pathlib import PurePath

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from workbench.core.folders.name_forms import DOTS, SEPARATORS, forms
from workbench.ui.widgets.elided import ElidedLabel

_NARROW = 18
"""Width in characters below which more is kept of a name's end, with its number, than of its beginning."""
_BEGINNING = 0.4
"""The share of the beginning then."""
_LEAST = 14
"""Characters of a name that are kept before the text after it is cut."""


def cut_name(name: str, metrics: QFontMetrics, room: int) -> str:
    """A file's name in `room` pixels: the longest form that fits, or the shortest, elided around its middle.

    A name without a checksum has only the form without ".jpg" besides, which is tried before eliding.
    """
    some = forms(name)
    whole = some if len(some) > 1 else (name, PurePath(name).stem)
    fits = next((form for form in whole if metrics.horizontalAdvance(form) <= room), None)
    return fits if fits is not None else _cut(whole[-1], metrics, room)


def _cut(name: str, metrics: QFontMetrics, room: int) -> str:
    mode = Qt.TextElideMode
    if room >= _NARROW * metrics.averageCharWidth():
        return metrics.elidedText(name, mode.ElideMiddle, room)
    dots = metrics.horizontalAdvance(DOTS)
    beginning = metrics.elidedText(name, mode.ElideRight, int(_BEGINNING * room) + dots)[:-1]
    return beginning + metrics.elidedText(name, mode.ElideLeft, room - metrics.horizontalAdvance(beginning))


def in_two_lines(name: str, metrics: QFontMetrics, room: int) -> tuple[str, str]:
    """The same in two lines of `room` pixels; the second is "" if one is enough, perhaps without ".jpg"."""
    for whole in (name, PurePath(name).stem):
        if metrics.horizontalAdvance(whole) <= room:
            return whole, ""
    for form in forms(name):
        first, second = _broken(form, metrics, room)
        if metrics.horizontalAdvance(second) <= room:
            return first, second
    return first, _cut(second, metrics, room)


def _broken(name: str, metrics: QFontMetrics, room: int) -> tuple[str, str]:
    """As much as fits in `room`, and the rest; split after a separator in the second half, if there is one."""
    length = next((n for n in range(1, len(name)) if metrics.horizontalAdvance(name[: n + 1]) > room), len(name))
    places = [n for n in range(length // 2, length + 1) if n and name[n - 1] in SEPARATORS]
    length = places[-1] if places else length
    return name[:length], name[length:]


class NamedLine(ElidedLabel):
    """A file's name followed by a remark; if space is short, the name is elided first."""

    def __init__(self) -> None:
        super().__init__()
        self._name = ""

    def set_named(self, name: str, rest: str = "") -> None:
        """`name` directly before `rest`; "" for text without a name."""
        self._name = name
        self.setText(name + rest)

    def cut(self, width: int) -> str:
        metrics, name = self.fontMetrics(), self._name
        if not self.text().startswith(name) or metrics.horizontalAdvance(self.text()) <= width:
            name = ""
        rest = self.text()[len(name) :]
        least = min(metrics.horizontalAdvance(name), _LEAST * metrics.averageCharWidth()) if rest else 0
        shown = cut_name(name, metrics, max(width - metrics.horizontalAdvance(rest), least)) if name else ""
        return metrics.elidedText(shown + rest, Qt.TextElideMode.ElideRight, width)


class FileNames(QStyledItemDelegate):
    """The cells of a column of names."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        room = option.rect.width() - 2 * _PADDING  # type: ignore[attr-defined]
        option.text = cut_name(index.data() or "", option.fontMetrics, room)  # type: ignore[attr-defined]


_PADDING = 4
"""px that styles leave on each side of a cell's text."""
