"""Boxes that another page asks to show are selected on the canvas; arrow keys move them only after a click on a box.

An arrow key that moves no box says which key goes to the next image: in other programs it is the arrow.
"""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent

from workbench.ui.actions import with_keys
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.nudging import ARROWS
from workbench.ui.session import Session

_FOR_SUGGESTIONS = (Qt.Key.Key_Up, Qt.Key.Key_Down)


class RequestedBoxes(QObject):
    """An event filter on the canvas: a user who came only to look presses an arrow key for the next image."""

    def __init__(self, session: Session, canvas: Canvas) -> None:
        super().__init__(canvas)
        self._session, self._canvas = session, canvas
        self._ids: tuple[int, ...] = ()
        canvas.installEventFilter(self)

    def select(self, ids: Collection[int]) -> None:
        """Select those of these boxes that are in this image, and bring one into view."""
        self._canvas.select_in_sight(ids)
        self._ids = self._canvas.selected

    def eventFilter(self, _canvas: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseButtonPress:
            self._ids = ()
        canvas = self._canvas
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress or event.key() not in ARROWS:
            return False
        if self._ids and self._ids == canvas.selected:
            why = "arrows move boxes that you clicked."
        elif canvas.affected or canvas.gesture is not None or (canvas.suggests and event.key() in _FOR_SUGGESTIONS):
            return False
        else:
            why = "arrows move the selected boxes, and none is selected."
        self._session.inform(with_keys(f"Nothing was moved: {why} {{next-image}} goes to the next image."))
        return True
