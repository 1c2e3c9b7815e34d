"""Number fields with arrows on the right."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QLocale
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox

ROOM = 4  # px before the digits: Qt ignores a spin box's padding if a style sheet gives it a border
AS_ALL_ELSE = QLocale(QLocale.Language.English, QLocale.Country.UnitedStates)
"""Locale for the numbers around these fields; the system's would write 0,13 in these fields alone."""


def spin_box(**properties: Any) -> QSpinBox:
    """For a whole number; `properties` as QSpinBox takes them."""
    made = QSpinBox(**properties)
    made.setLocale(AS_ALL_ELSE)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made


def double_spin_box(**properties: Any) -> QDoubleSpinBox:
    """For a number with decimals, after a point or a comma; `properties` as QDoubleSpinBox takes them."""
    return _prepared(_Decimals(**properties))


def short_spin_box(**properties: Any) -> QDoubleSpinBox:
    """The same without zeros at the end, for a range from fractions to many thousands: 0.25 and 65535."""
    return _prepared(_Short(**properties))


def _prepared(made: QDoubleSpinBox) -> QDoubleSpinBox:
    made.setLocale(AS_ALL_ELSE)
    made.lineEdit().setTextMargins(ROOM, 0, 0, 0)
    return made


class _Decimals(QDoubleSpinBox):
    def validate(self, text: str, at: int) -> tuple[QValidator.State, str, int]:
        """Replace a comma by a point: otherwise Qt drops it, and 0,5 becomes 0."""
        return super().validate(text.replace(",", "."), at)


class _Short(_Decimals):
    def textFromValue(self, value: float) -> str:
        whole, point, rest = super().textFromValue(value).partition(".")
        rest = rest.rstrip("0")
        return f"{whole}{point}{rest}" if rest else whole
