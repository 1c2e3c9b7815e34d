"""Whether a key is held: what decides, copies or switches something needs a press for each."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget


class KeyTimes:
    """Tells a press from a repetition, also where the system does not: there QAction.setAutoRepeat(False) holds
    nothing up.

    Seen with Xvfb, and thinkable of other X servers without a keyboard, as VNC's: a held key arrives as releases and
    presses that Qt 6.11 does not call repetition; taken for taps they verified 25 images a second, unseen. A press at
    the very time of the release before it is none.
    """

    def __init__(self) -> None:
        self._pressed = self._released = 0, 0  # a key, and when in ms

    def press(self, event: QKeyEvent) -> bool:
        """The key is down; False if it only repeats itself."""
        at = event.key(), event.timestamp()
        if event.isAutoRepeat() or (event.timestamp() != 0 and at == self._released):
            return False
        self._pressed = at
        return True

    def release(self, event: QKeyEvent) -> int:
        """The key is up, perhaps only to repeat itself; how many ms after it was first pressed."""
        self._released = event.key(), event.timestamp()
        key, when = self._pressed
        return event.timestamp() - when if key == event.key() else 0


class HeldKeys(QObject):
    """Follows the keys that come to `place` or what is in it."""

    def __init__(self, place: QWidget) -> None:
        super().__init__(place)
        self._times = KeyTimes()
        self._repeats = False  # the key of the command that runs
        place.installEventFilter(self)

    def once(self, do: Callable[[], object]) -> Callable[[], None]:
        """`do`, but nothing if the key of its command repeats itself."""

        def do_once() -> None:
            if not self._repeats:
                do()

        return do_once

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyRelease:
            self._times.release(event)
        elif isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:  # before its command runs
            self._repeats = not self._times.press(event)
            if self._repeats:
                QTimer.singleShot(0, self, self._forget)
        return False

    @Slot()
    def _forget(self) -> None:
        """A click on a button may follow."""
        self._repeats = False
