"""What arrow keys do on the canvas: how far selected boxes move or grow, and when that ends."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QSizeF, Qt, QTimer
from PySide6.QtGui import QKeyEvent

from workbench.core.project import Box
from workbench.ui.annotate.gestures import Gesture, NudgeGesture, StretchGesture
from workbench.ui.held_keys import KeyTimes

ARROWS = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
}  # fmt: skip
_HELD = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta)
_TAP = 200
"""ms: an arrow key that is let go before has not repeated itself yet."""
_AGAIN = 50
"""ms within which the press of a repetition follows its release."""


class ArrowKeys:
    """Calls `end` when an arrow key is let go: after a moment, if it was held and this may be a repetition."""

    def __init__(self, parent: QObject, end: Callable[[], None]) -> None:
        self._times, self._end = KeyTimes(), end
        self._soon = QTimer(parent, singleShot=True, interval=_AGAIN)
        self._soon.timeout.connect(end)

    def press(self, event: QKeyEvent) -> None:
        """Before what the key does."""
        if self._times.press(event) and self._soon.isActive():
            self._end()
        self._soon.stop()

    def release(self, event: QKeyEvent) -> None:
        if self._times.release(event) < _TAP:
            self._end()
        else:
            self._soon.start()


def push_of(event: QKeyEvent, size: QSizeF) -> tuple[float, float]:
    """How far an arrow key moves, in image pixels: 1, with Shift 10, with Ctrl to the border of an image of `size`."""
    held, (x, y) = event.modifiers(), ARROWS[Qt.Key(event.key())]
    if held & Qt.KeyboardModifier.ControlModifier:
        pixels = size.width() + size.height()
    else:
        pixels = 10 if held & Qt.KeyboardModifier.ShiftModifier else 1
    return x * pixels, y * pixels


def ends_nudge(event: QKeyEvent) -> bool:
    """Whether this event announces a key with another meaning; Qt announces each key before commands get it."""
    return event.type() == QEvent.Type.ShortcutOverride and event.key() not in (*ARROWS, *_HELD)


def nudged(event: QKeyEvent, gesture: Gesture | None, boxes: tuple[Box, ...], size: QSizeF) -> NudgeGesture | None:
    """The gesture after an arrow key: with Alt `boxes` are stretched, otherwise moved.

    None during a mouse gesture, and after an arrow of the other kind, which has to end first.
    """
    kind = StretchGesture if event.modifiers() & Qt.KeyboardModifier.AltModifier else NudgeGesture
    nudge = kind(boxes, (0.0, 0.0), (size.width(), size.height())) if gesture is None else gesture
    if type(nudge) is not kind:
        return None
    dx, dy = push_of(event, size)
    nudge.push(nudge.by[0] + dx, nudge.by[1] + dy)
    return nudge
