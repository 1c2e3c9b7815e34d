"""Fields for a number with arrows at their right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

ROOM = 4  # px before the digits: Qt leaves a spin box's padding out where a style sheet gives it a border
AS_ALL_ELSE = QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)
"""How numbers are written beside them. By the system's own way 0.13 would be 0,13 in these fields alone."""


def spin_box(**properties: Any) -> QSpinBox:
    """For a whole number; `properties` as QSpinBox takes them."""
    made = QSpinBox(**properties)
    made.setLocale(AS_ALL_ELSE)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made


def double_spin_box(**properties: Any) -> QDoubleSpinBox:
    """For a number with decimals, after a point or a comma; `properties` as QDoubleSpinBox takes them."""
    made = _Decimals(**properties)
    made.setLocale(AS_ALL_ELSE)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made


class _Decimals(QDoubleSpinBox):
    def validate(self, text: str, at: int) -> tuple[QValidator.State, str, int]:
        """A comma becomes the point: else Qt drops it, and of 0,5 there is left 0."""
        return super().validate(text.replace(",", "."), at)
