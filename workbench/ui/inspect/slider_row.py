"""A number from 0 to 1 as a slider with a spin box beside it: for the two that decide what counts as a detection."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider

from workbench.ui.widgets.spin_boxes import double_spin_box


class SliderRow(QObject):
    """Fills a row of a grid. `changed(value)` whenever a person moves either."""

    changed = Signal(float)

    def __init__(self, grid: QGridLayout, name: str, title: str, value: float, help: str, *, low: float = 0.0) -> None:
        super().__init__()
        self.slider = _Slider(Qt.Orientation.Horizontal)
        self.slider.setObjectName(f"{name}-slider")
        self.slider.setRange(round(100 * low), 100)
        self.slider.setMinimumWidth(60)
        self.spin = double_spin_box(decimals=2, singleStep=0.01, minimum=low, maximum=1.0)
        self.spin.setObjectName(f"{name}-spin")
        label = QLabel(title)
        for widget in (label, self.slider, self.spin):
            widget.setToolTip(help)
        for widget in (self.slider, self.spin):
            widget.setAccessibleName(title)
        row = grid.rowCount()
        grid.addWidget(label, row, 0)
        grid.addWidget(self.slider, row, 1)
        grid.addWidget(self.spin, row, 2)
        self.set_value(value)
        self.slider.valueChanged.connect(self._slid)
        self.spin.valueChanged.connect(self._spun)

    @property
    def value(self) -> float:
        return round(self.spin.value(), 2)

    def set_value(self, value: float) -> None:
        """Does not emit `changed`."""
        for widget in (self.slider, self.spin):
            widget.blockSignals(True)
        self.slider.setValue(round(100 * value))
        if self.value != round(value, 2):  # else the text being typed would be replaced, and the cursor moved
            self.spin.setValue(value)
        for widget in (self.slider, self.spin):
            widget.blockSignals(False)

    @Slot(int)
    def _slid(self, value: int) -> None:
        self.set_value(value / 100)
        self.changed.emit(self.value)

    @Slot(float)
    def _spun(self, value: float) -> None:
        self.set_value(value)
        self.changed.emit(self.value)


class _Slider(QSlider):
    """Uses the arrow keys itself while it has the focus, even if the window uses them for the next picture."""

    def event(self, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right)
            and not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        ):
            event.accept()
            return True
        return super().event(event)
