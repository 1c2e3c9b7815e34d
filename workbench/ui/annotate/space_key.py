"""Space on the picture: held, it moves the picture; a tap verifies the image."""

from __future__ import annotations

from PySide6.QtGui import QKeyEvent

from workbench.ui.held_keys import KeyTimes

_TAP = 500
"""ms: what is held longer is no tap. From then on keys repeat (X.org: 660 ms, GNOME and Windows: 500)."""


class SpaceKey:
    """Tells a tap from a key that is held."""

    def __init__(self) -> None:
        self.is_held = False
        self._used = False
        self._times = KeyTimes()

    def press(self, event: QKeyEvent) -> None:
        """The key went down, or repeats itself."""
        if event.isAutoRepeat():
            return
        self.is_held = True
        self._used = not self._times.press(event)

    def use(self) -> None:
        """The picture was moved with it: that was no tap."""
        self._used = True

    def release(self, event: QKeyEvent) -> bool:
        """The key went up, which ends a repetition only where that is told; whether it was a tap."""
        if event.isAutoRepeat() or not self.is_held:
            return False
        self.is_held = False
        return self._times.release(event) < _TAP and not self._used

    def forget(self) -> None:
        """Its release will not be told: the focus is elsewhere."""
        self.is_held = False
