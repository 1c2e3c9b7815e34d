"""Which number key chooses which label: the keys that users assigned, then 1 to 9 in the order of the labels."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from workbench.core.edits import Batch, ChangeLabel, Edit
from workbench.core.project import Label

DIGITS = "1234567890"


# The row of digits by native key codes: in layouts with letters or signs there
# without Shift (AZERTY, Czech), these keys still choose labels
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


def label_keys(labels: Sequence[Label]) -> dict[str, Label]:
    """Labels by key. A key that two labels claim belongs to the first of them."""
    found: dict[str, Label] = {}
    for label in labels:
        if label.key in DIGITS and label.key:
            found.setdefault(label.key, label)
    free = (digit for digit in DIGITS if digit not in found)
    for label in labels:
        if label not in found.values():
            digit = next(free, None)
            if digit is None:
                break
            found[digit] = label
    return found


def keeping_keys(edit: Edit, gone: Collection[int], labels: Sequence[Label]) -> Edit:
    """`edit`, which removes the labels with ids `gone`, with all others' keys kept: users know them by heart."""
    before = label_keys(labels)
    after = {label.id: key for key, label in label_keys([one for one in labels if one.id not in gone]).items()}
    kept = tuple(
        ChangeLabel(dataclasses.replace(label, key=key))
        for key, label in before.items()
        if label.id not in gone and after.get(label.id) != key
    )
    return Batch((edit, *kept), edit.title) if kept else edit
