"""A tab at the right of the Inspect page: it is given the state whenever that changes, and shows it while in sight."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.inspect.shown import Shown


class Tab(QWidget):
    """Subclasses override `draw`; those that take longer than a frame to work out give `work`, which runs in a thread.

    `opened(Chosen)` when a person clicked what stands for some images; `marked(Chosen)` for what the picture is to
    frame without listing its images, None for nothing.
    """

    opened = Signal(object)
    marked = Signal(object)
    keyed: QWidget | None = None  # what has keys of its own

    def __init__(self, title: str, work: Callable[[Shown], object] | None = None) -> None:
        super().__init__()
        self.state: Shown | None = None
        self._behind: Background | None = None
        self._title, self._work = title, work
        self._is_old = False

    def draw(self, state: Shown, result: object) -> None:
        """Show it; `result` is what `work` made of it, None without one."""
        raise NotImplementedError

    def clear(self) -> None:
        """Show nothing: there is no state."""
        raise NotImplementedError

    def take(self, state: Shown | None) -> None:
        """The state is another one."""
        self.state, self._is_old = state, True
        if state is None:
            self.clear()
        elif self.isVisible():
            self.renew()

    def renew(self) -> None:
        """Show the state as it is, at once or, with `work`, in a moment."""
        self._is_old = False
        if self.state is None:
            return
        if self._work is None:
            self.draw(self.state, None)
            return
        if self._behind is None:
            self._behind = Background(self._title, self._work, self)
            self._behind.done.connect(self._worked)
        self._behind.ask([self.state])

    def showEvent(self, event: object) -> None:
        if self._is_old:
            self.renew()

    def fail(self, sentence: str) -> None:
        """Say why there is nothing to show."""

    @Slot(object, object)
    def _worked(self, state: object, result: object) -> None:
        """While a person drags, what belongs to a moment ago is better than nothing."""
        assert isinstance(state, Shown)
        if self.state is None or state.found is not self.state.found:
            return
        if isinstance(result, WorkbenchError):
            self.fail(result.sentence)
        else:
            self.draw(state, result)

    def close_down(self) -> None:
        """Wait for the thread; the page goes away."""
        if self._behind is not None:
            self._behind.close()
            self._behind.deleteLater()
            self._behind = None
