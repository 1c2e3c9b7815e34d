"""The digit that a key of the keyboard stands for; core/label_keys.py says which label it chooses."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from workbench.core.label_keys import DIGITS

# The row of digits by native key codes: in layouts with letters or signs there without Shift (AZERTY, Czech), these
# keys still choose labels
_EVDEV, _WINDOWS = range(10, 20), range(2, 12)
_MAC = (18, 19, 20, 21, 23, 22, 26, 28, 25, 29)


def digit_of(event: QKeyEvent, platform: str = sys.platform) -> str:
    """The digit that a key stands for, by its text or its place on the keyboard; "" for any other key.

    Keys pressed with Shift, Ctrl, Alt or Meta never count.
    """
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return ""
    if event.text() and event.text() in DIGITS:
        return event.text()
    if platform == "darwin":
        places, code = _MAC, event.nativeVirtualKey()
        return DIGITS[places.index(code)] if code in places else ""
    row = _WINDOWS if platform == "win32" else _EVDEV
    code = event.nativeScanCode()
    return DIGITS[code - row.start] if code in row else ""
