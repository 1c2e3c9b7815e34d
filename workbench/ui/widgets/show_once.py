"""Windows that exist only once: help, keys, log."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def show_once(parent: QWidget, kind: type[QWidget], make_it: Callable[[], QWidget]) -> None:
    """Show a new one in the place of one that is open; it is deleted when closed, which it may put off to finish."""
    for open_one in parent.findChildren(kind):
        open_one.close()
    dialog = make_it()
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
