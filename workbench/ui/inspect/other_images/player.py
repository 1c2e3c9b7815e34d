"""Plays a folder, a video or a webcam: which picture is shown next, and when."""

from __future__ import annotations

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.ui.inspect.other_images.transport_bar import TransportBar
from workbench.ui.inspect.other_images.worker import PictureSource

STILL = 0.8  # minimum seconds that an image of a folder is shown


class Player(QObject):
    """`picture_wanted` when the transport has moved to the next picture: evaluate it, then call `picture_shown`.

    A video plays at its own speed and skips the frames for which the network is too slow. A webcam is evaluated as
    fast as possible. `camera_released` when a webcam is no longer watched.
    """

    picture_wanted = Signal()
    camera_released = Signal()

    def __init__(self, transport: TransportBar, parent: QObject) -> None:
        super().__init__(parent)
        self.on = False
        self._transport = transport
        self._source: PictureSource | None = None
        self._started_at, self._first = 0.0, 0  # when playing began, and at which picture
        self._wanted = 0
        self._next = QTimer(self, singleShot=True)
        self._next.timeout.connect(self._go_on)

    def set_source(self, source: PictureSource | None) -> None:
        """Stop, and play this source from now on."""
        self.pause()
        self._source = source

    @Slot()
    def toggle(self) -> None:
        """Play or pause; from the start, if it was at the end."""
        if self.on:
            self.pause()
        elif self._source is not None and self._transport.play.isEnabled():
            if self._transport.is_at_end and not self._source.is_live:
                self._transport.go_to(0)
            self.play()
            self.picture_wanted.emit()

    def play(self) -> None:
        self.on = True
        self.begin_here()
        self._transport.show_playing(True)

    def pause(self) -> None:
        was_live = self.on and self._source is not None and self._source.is_live
        self.on = False
        self._next.stop()
        self._transport.show_playing(False)
        if was_live:
            self.camera_released.emit()

    def begin_here(self) -> None:
        """A person moved to another position: the clock starts there."""
        self._started_at, self._first = time.monotonic(), self._transport.index

    def picture_shown(self) -> None:
        """The requested picture is on the screen: schedule the next."""
        source, here = self._source, self._transport.index
        if source is not None and source.is_live and not self.on:
            self.camera_released.emit()  # it was opened for this one picture
        if not self.on or source is None:
            return
        if source.is_live:
            self._next.start(0)
        elif self._transport.is_at_end:
            self.pause()
        elif source.is_video:
            elapsed = time.monotonic() - self._started_at
            self._wanted = max(here + 1, self._first + int(elapsed * source.rate))
            due = (self._wanted - self._first) / source.rate - elapsed
            self._next.start(max(0, round(1000 * due)))
        else:
            self._wanted = here + 1
            self._next.start(round(1000 * STILL))

    @Slot()
    def _go_on(self) -> None:
        if self.on and self._source is not None:
            if not self._source.is_live:
                self._transport.go_to(min(self._wanted, self._transport.slider.maximum()))
            self.picture_wanted.emit()
