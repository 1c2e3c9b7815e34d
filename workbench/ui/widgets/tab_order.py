"""Tab order in reading order, even if parts of a panel are created later than what is below them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QScrollArea, QWidget


def set_reading_order(panel: QWidget) -> None:
    """Follow the layouts of `panel`, from first to last. Call it again when parts were added."""
    for one, following in pairwise(list(_reached(panel))):
        QWidget.setTabOrder(one, following)


def _reached(widget: QWidget) -> Iterator[QWidget]:
    layout, inside = widget.layout(), widget.widget() if isinstance(widget, QScrollArea) else None
    if inside is not None:
        yield from _reached(inside)
        return
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        yield widget
    if layout is not None:  # a card is a button, too
        yield from _within(layout)


def _within(layout: QLayout) -> Iterator[QWidget]:
    for number in range(layout.count()):
        item = layout.itemAt(number)
        assert item is not None
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield from _reached(widget)
        elif inner is not None:
            yield from _within(inner)
