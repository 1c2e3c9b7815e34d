"""Space on the picture: held, it moves the picture; a tap verifies the image."""

from __future__ import annotations

from PySide6.QtGui import QKeyEvent

_TAP = 500
"""ms: what is held longer is no tap. From then on keys repeat (X.org: 660 ms, GNOME and Windows: 500)."""


class SpaceKey:
    """Tells a tap from a key that is held, also where the system does not say that a key repeats itself.

    Seen with Xvfb, and thinkable of other X servers without a keyboard, as VNC's: a held key arrives as releases and
    presses that Qt 6.11 does not call repetition; taken for taps they verified 25 images a second, unseen. A press at
    the very time of the release before it is none.
    """

    def __init__(self) -> None:
        self.is_held = False
        self._used = False
        self._pressed = self._released = 0  # ms, 0: no such time

    def press(self, event: QKeyEvent) -> None:
        """The key went down, or repeats itself."""
        if event.isAutoRepeat():
            return
        self.is_held = True
        self._used = event.timestamp() == self._released != 0
        self._pressed = event.timestamp()

    def use(self) -> None:
        """The picture was moved with it: that was no tap."""
        self._used = True

    def release(self, event: QKeyEvent) -> bool:
        """The key went up, which ends a repetition only where that is told; whether it was a tap."""
        if event.isAutoRepeat() or not self.is_held:
            return False
        self.is_held = False
        self._released = event.timestamp()
        return not self._used and self._released - self._pressed < _TAP

    def forget(self) -> None:
        """Its release will not be told: the focus is elsewhere."""
        self.is_held = False
