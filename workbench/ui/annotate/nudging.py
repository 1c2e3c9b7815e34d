"""What arrow keys on the canvas mean: how far the selected boxes move, and which keys end a movement."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSizeF, Qt
from PySide6.QtGui import QKeyEvent

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
    """Whether this announces a key that means something else; Qt announces each before commands get it."""
    return event.type() == QEvent.Type.ShortcutOverride and event.key() not in (*ARROWS, *_HELD)
