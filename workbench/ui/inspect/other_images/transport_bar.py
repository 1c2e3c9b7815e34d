"""The row below the picture: a slider over frames or images, back, play, forward, and the position."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QSlider, QStyle, QStyleOptionSlider, QWidget

from workbench.core import formatting
from workbench.ui import theme
from workbench.ui.inspect.other_images.worker import PictureSource
from workbench.ui.widgets.buttons import icon_button
from workbench.ui.widgets.elided import ElidedLabel

_PLAY, _PAUSE = "mdi6.play", "mdi6.pause"


class Scrubber(QSlider):
    """A press anywhere jumps there, and can go on as a drag: Qt's own moves by a page."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style, whole = self.style(), QStyle.ComplexControl.CC_Slider
        groove = style.subControlRect(whole, option, QStyle.SubControl.SC_SliderGroove, self)
        handle = style.subControlRect(whole, option, QStyle.SubControl.SC_SliderHandle, self)
        if event.button() is Qt.MouseButton.LeftButton and not handle.contains(event.position().toPoint()):
            room = groove.width() - handle.width()
            at = round(event.position().x()) - groove.x() - handle.width() // 2
            self.setValue(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), at, room, option.upsideDown))
        super().mousePressEvent(event)


class TransportBar(QWidget):
    """`moved(index)` when a person moved to another picture, `play_requested` from the button between."""

    moved = Signal(int)
    play_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.back = icon_button("looking-back", "mdi6.skip-previous-outline", "The picture before")
        self.play = icon_button("looking-play", _PLAY, "Play, or pause")
        self.on = icon_button("looking-on", "mdi6.skip-next-outline", "The next picture")
        self.slider = Scrubber(Qt.Orientation.Horizontal)
        self.slider.setObjectName("looking-slider")
        self.slider.setAccessibleName("Place")
        self.slider.setToolTip("Drag to any frame or image.")
        self._words = ElidedLabel()
        self._words.setObjectName("looking-place")
        self._words.setMinimumWidth(120)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        for widget in (self.back, self.play, self.on):
            row.addWidget(widget)
        row.addWidget(self.slider, 2)
        row.addWidget(self._words, 1)
        self.slider.valueChanged.connect(self.moved)
        self.back.clicked.connect(lambda: self.step(-1))
        self.on.clicked.connect(lambda: self.step(1))
        self.play.clicked.connect(self.play_requested)
        self.show_source(None)

    @property
    def index(self) -> int:
        return self.slider.value()

    @property
    def is_at_end(self) -> bool:
        return self.slider.value() >= self.slider.maximum()

    def step(self, by: int) -> None:
        if self.slider.isEnabled():
            self.slider.setValue(self.slider.value() + by)

    def show_source(self, source: PictureSource | None) -> None:
        """Start at its beginning; does not emit `moved`."""
        count = source.count if source is not None else 0
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(count - 1, 0))
        self.slider.setPageStep(max(count // 20, 1))
        self.slider.setValue(0)
        self.slider.blockSignals(False)
        for widget in (self.back, self.on, self.slider):
            widget.setEnabled(count > 1)
        self.play.setEnabled(source is not None and (count > 1 or source.is_live))
        self._words.setText("")

    def go_to(self, index: int) -> None:
        """Show that this picture is requested; does not emit `moved`."""
        self.slider.blockSignals(True)
        self.slider.setValue(index)
        self.slider.blockSignals(False)

    @Slot(bool)
    def show_playing(self, on: bool) -> None:
        theme.set_icon(self.play, _PAUSE if on else _PLAY)
        self.play.setAccessibleName("Pause" if on else "Play")

    def show_place(self, source: PictureSource, index: int, name: str, seconds: float | None = None) -> None:
        """`seconds`: from the start of a video or webcam, if known."""
        if source.is_live:
            place = "" if seconds is None else f"{formatting.duration(seconds)} since it was opened"
        elif source.is_video:
            all = f" of {_clock(source.frames / source.rate)}" if source.frames else ""
            clock = "" if seconds is None else f"{_clock(seconds)}{all}, "
            place = f"{clock}frame {index + 1:,}"
        else:
            place = f"{index + 1:,} of {source.count:,}: {name}"
        self._words.setText(place)
        self._words.setToolTip(place)


def _clock(seconds: float) -> str:
    """ "1:02.4"."""
    tenths = round(10 * max(seconds, 0.0))
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"
