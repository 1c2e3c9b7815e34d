"""Whether a command comes from a held key: what decides, copies or switches something needs a press for each."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class HeldKeys(QObject):
    """Follows the keys that come to `place` or what is in it, also where it is not told that one repeats itself, as
    `SpaceKey` explains: there QAction.setAutoRepeat(False) holds nothing up.
    """

    def __init__(self, place: QWidget) -> None:
        super().__init__(place)
        self._repeats = False  # the key of the command that runs
        self._released = 0, 0  # a key, and when in ms
        place.installEventFilter(self)

    def once(self, do: Callable[[], object]) -> Callable[[], None]:
        """`do`, but nothing if the key of its command repeats itself."""

        def do_once() -> None:
            if not self._repeats:
                do()

        return do_once

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyRelease:
            self._released = event.key(), event.timestamp()
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:  # before its command runs
            at_once = event.timestamp() != 0 and (event.key(), event.timestamp()) == self._released
            self._repeats = event.isAutoRepeat() or at_once
            if self._repeats:
                QTimer.singleShot(0, self, self._forget)
        return False

    @Slot()
    def _forget(self) -> None:
        """A click on a button may follow."""
        self._repeats = False
