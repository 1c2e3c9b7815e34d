"""The strip's menu of brightness, contrast and gamma."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QSlider, QWidget, QWidgetAction

from workbench.ui.images.picture_adjustments import PLAIN, PictureAdjustments
from workbench.ui.widgets.popups import Menu

_GAMMA = 100
"""Slider steps from gamma 1 to gamma 4, and down to 1/4."""


class AdjustmentsMenu(Menu):
    """Emits `changed` with the PictureAdjustments as a slider moves. Not kept between starts."""

    changed = Signal(object)

    def __init__(self, levels: QAction, parent: QWidget | None = None) -> None:
        """`levels` opens the window for images of more than 8 bits, where brightness is of no use."""
        super().__init__(parent)
        self.setObjectName("looks-menu")
        panel = QWidget()
        grid = QGridLayout(panel)
        self._sliders = {}
        for row, (name, most) in enumerate((("Brightness", 100), ("Contrast", 100), ("Gamma", _GAMMA))):
            slider = QSlider(Qt.Orientation.Horizontal)
            slider.setObjectName(f"looks-{name.lower()}")
            slider.setAccessibleName(name)
            slider.setRange(-most, most)
            slider.setMinimumWidth(200)
            slider.valueChanged.connect(self._moved)
            number = QLabel(alignment=Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            number.setMinimumWidth(number.fontMetrics().horizontalAdvance("-100 %  "))
            self._sliders[name] = slider, number
            for column, widget in enumerate((QLabel(name), slider, number)):
                grid.addWidget(widget, row, column)
        about = QLabel("For looking only: files and training stay as they are.")
        about.setProperty("role", "muted")
        self._reset = QPushButton("Reset")
        self._reset.setObjectName("looks-reset")
        self._reset.clicked.connect(self.reset)
        grid.addWidget(about, 3, 0, 1, 2)
        grid.addWidget(self._reset, 3, 2)
        action = QWidgetAction(self)
        action.setDefaultWidget(panel)
        self.addAction(action)
        self.addSeparator()
        self.addAction(levels)
        self._show()

    @property
    def adjustments(self) -> PictureAdjustments:
        brightness, contrast, gamma = (slider.value() for slider, _ in self._sliders.values())
        return PictureAdjustments(brightness, contrast, 4 ** (gamma / _GAMMA))

    @Slot()
    def reset(self) -> None:
        for slider, _ in self._sliders.values():
            slider.setValue(0)

    @Slot()
    def _moved(self) -> None:
        self._show()
        self.changed.emit(self.adjustments)

    def _show(self) -> None:
        adjustments = self.adjustments
        texts = (f"{adjustments.brightness:+d} %", f"{adjustments.contrast:+d} %", f"{adjustments.gamma:.2f}")
        for (_, number), text in zip(self._sliders.values(), texts, strict=True):
            number.setText(text)
        self._reset.setEnabled(adjustments != PLAIN)
