"""A page's actions that are not edits of the project, such as refusing a suggestion, undone by Ctrl+Z like edits.

Steps and edits share one order: a step can be undone while the project is where it was when the step was made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Slot
from PySide6.QtWidgets import QWidget

from workbench.core.applied_edit import AppliedEdit
from workbench.ui.session import Session


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    title: str
    undo: Callable[[], None]
    redo: Callable[[], None]
    depth: int  # of the project's undo when it was made


class WidgetUndoStack(QObject):
    """The steps of `widget`: Ctrl+Z undoes them while it is visible. Opening another project drops them."""

    def __init__(self, session: Session, widget: QWidget) -> None:
        super().__init__(widget)
        self._session = session
        self._depth = 0  # edits of the project done minus undone, since the widget exists
        self._done: list[_Step] = []
        self._undone: list[_Step] = []
        session.edited.connect(self._edited)
        session.document_changed.connect(self.forget)
        widget.installEventFilter(self)
        if widget.isVisible():
            session.page_undo = self

    def add(self, title: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        """Add a finished step; `undo` undoes it, `redo` redoes it."""
        self._done.append(_Step(title, undo, redo, self._depth))
        self._undone = []
        self._session.undo_changed.emit()

    @Slot()
    def forget(self) -> None:
        """Drop all steps: none of them applies any more."""
        if self._done or self._undone:
            self._done, self._undone = [], []
            self._session.undo_changed.emit()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        """The project was edited, or an edit of it undone."""
        if applied.kind == "do":  # what was undone before can't be redone now
            self._done = [step for step in self._done if step.depth <= self._depth]
            self._undone = []
        self._depth += -applied.steps if applied.kind == "undo" else applied.steps
        self._session.undo_changed.emit()

    @property
    def undo_title(self) -> str:
        """What can be undone here before the project's edits, "" for nothing."""
        return self._done[-1].title if self._done and self._done[-1].depth == self._depth else ""

    @property
    def redo_title(self) -> str:
        return self._undone[-1].title if self._undone and self._undone[-1].depth == self._depth else ""

    def undo(self) -> None:
        if self.undo_title:
            self._undone.append(self._done.pop())
            self._undone[-1].undo()
            self._session.undo_changed.emit()

    def redo(self) -> None:
        if self.redo_title:
            self._done.append(self._undone.pop())
            self._done[-1].redo()
            self._session.undo_changed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show:
            self._session.page_undo = self
            self._session.undo_changed.emit()
        elif event.type() == QEvent.Type.Hide and self._session.page_undo is self:
            self._session.page_undo = None
            self._session.undo_changed.emit()
        return False
