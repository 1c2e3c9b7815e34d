"""What arrow keys do on the canvas: how far selected boxes move or grow, and which keys end it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSizeF, Qt
from PySide6.QtGui import QKeyEvent

from workbench.core.project import Box
from workbench.ui.annotate.gestures import Gesture, NudgeGesture, StretchGesture

ARROWS = {
    Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1),
}  # fmt: skip
_HELD = (Qt.Key.Key_Shift, Qt.Key.Key_Control, Qt.Key.Key_Alt, Qt.Key.Key_Meta)


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
