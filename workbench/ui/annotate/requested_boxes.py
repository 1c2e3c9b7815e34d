"""Boxes that another page asks to show are selected on the canvas; arrow keys move them only after a click on a box."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QKeyEvent

from workbench.ui.actions import with_keys
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.nudging import ARROWS
from workbench.ui.session import Session


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
        is_arrow = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in ARROWS
        if not is_arrow or not self._ids or self._ids != self._canvas.selected:
            return False
        words = "Nothing was moved: arrows move boxes that you clicked. {next-image} goes to the next image."
        self._session.inform(with_keys(words))
        return True
