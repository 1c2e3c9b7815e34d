"""Fields for a number with arrows at their right."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

ROOM = 4  # px before the digits: Qt leaves a spin box's padding out where a style sheet gives it a border


def spin_box(**properties: Any) -> QSpinBox:
    """For a whole number; `properties` as QSpinBox takes them."""
    made = QSpinBox(**properties)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made


def double_spin_box(**properties: Any) -> QDoubleSpinBox:
    """For a number with decimals; `properties` as QDoubleSpinBox takes them."""
    made = QDoubleSpinBox(**properties)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made
