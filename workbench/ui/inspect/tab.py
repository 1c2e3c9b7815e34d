"""A tab at the right of the Inspect page: it gets the state whenever that changes, and draws it while visible."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.inspect.state import InspectState


class InspectTab(QWidget):
    """Subclasses override `draw`; those that take longer than a frame to compute pass `work`, which runs in a thread.

    `opened(BoxSelection)` when a person clicked what stands for images; `marked(BoxSelection)` to frame boxes in
    picture without listing their images, None for none; `show_requested` to become the tab in front.
    """

    opened = Signal(object)
    marked = Signal(object)
    show_requested = Signal()
    icon = "mdi6.dots-horizontal"  # in place of the title, where there is no room for all titles
    main_widget: QWidget | None = None  # it gets the keyboard when the tab is shown

    def __init__(self, title: str, work: Callable[[InspectState], object] | None = None) -> None:
        super().__init__()
        self.state: InspectState | None = None
        self._background = Background(title, work, self) if work is not None else None
        if self._background is not None:
            self._background.done.connect(self._worked)
        self._is_old = False

    def draw(self, state: InspectState, result: object) -> None:
        """Show it; `result` is what `work` returned for it, None without `work`."""
        raise NotImplementedError

    def clear(self) -> None:
        """Show nothing: there is no state."""
        raise NotImplementedError

    def set_state(self, state: InspectState | None) -> None:
        """Replace the state."""
        self.state, self._is_old = state, True
        if state is None:
            self.clear()
        elif self.isVisible():
            self.renew()

    def renew(self) -> None:
        """Show the current state, immediately or, with `work`, when that is done."""
        self._is_old = False
        if self.state is None:
            return
        if self._background is None:
            self.draw(self.state, None)
        else:
            self._background.ask([self.state])

    def showEvent(self, event: object) -> None:
        if self._is_old:
            self.renew()

    def fail(self, sentence: str) -> None:
        """Say why there is nothing to show."""

    @Slot(object, object)
    def _worked(self, state: object, result: object) -> None:
        """While a person drags, a slightly old result is better than none."""
        assert isinstance(state, InspectState)
        if self.state is None or state.evaluation is not self.state.evaluation:
            return
        if isinstance(result, WorkbenchError):
            self.fail(result.sentence)
        else:
            self.draw(state, result)

    def close_down(self) -> None:
        """Wait for the thread; the page is being closed."""
        if self._background is not None:
            self._background.close()
