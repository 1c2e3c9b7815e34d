"""A double click on a box asks for another label of it, as in the lists of labelImg and labelme."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Slot
from PySide6.QtGui import QMouseEvent

from workbench.ui.annotate.canvas import CLICK, Canvas


class DoubleClick(QObject):
    """An event filter on the canvas. `ask` is called when the button is let go: a quick drag still moves the box."""

    def __init__(self, canvas: Canvas, ask: Callable[[], object]) -> None:
        super().__init__(canvas)
        self._canvas, self._ask = canvas, ask
        self._at: QPointF | None = None  # of the second press
        canvas.installEventFilter(self)

    def eventFilter(self, _canvas: QObject, event: QEvent) -> bool:
        if isinstance(event, QMouseEvent) and event.button() == Qt.MouseButton.LeftButton:
            if event.type() == QEvent.Type.MouseButtonRelease and self._at is not None:
                if (event.position() - self._at).manhattanLength() <= CLICK:
                    QTimer.singleShot(0, self, self._ask_if_selected)  # once the canvas knows that it was a click
                self._at = None
            is_second = event.type() == QEvent.Type.MouseButtonDblClick and not event.modifiers()
            if is_second and not self._canvas.is_drawing:
                self._at = event.position()
        return False

    @Slot()
    def _ask_if_selected(self) -> None:
        if len(self._canvas.selected) == 1:
            self._ask()
