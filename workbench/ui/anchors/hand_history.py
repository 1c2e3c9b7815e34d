"""Moves of anchors by hand can be taken back on the page, before any edit of the project is.

Moves and edits have one order: a move is offered for undo while the project is where it was when the move was made.
"""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from workbench.anchors import Step
from workbench.core.applied import Applied


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The anchors on the page. `source`: their provenance; `hand`: what a person did to have them, "" for the film."""

    step: Step
    source: str
    hand: str = ""


def name_of(hand: str) -> str:
    """What a person did, within a sentence; titles of detectors stay as they are written."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    title: str
    before: Shown
    after: Shown
    depth: int  # of the project's undo when it was made


class HandHistory(QObject):
    """`wanted(Shown)`: this is to be on the page again. `changed`: other things can be taken back."""

    wanted = Signal(object)
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._depth = 0  # edits of the project done less undone, since the page is there
        self._done: list[_Move] = []
        self._undone: list[_Move] = []

    def add(self, title: str, before: Shown, after: Shown) -> None:
        self._done.append(_Move(title, before, after, self._depth))
        self._undone = []
        self.changed.emit()

    def forget(self) -> None:
        """The anchors are others now: no move leads to them."""
        if self._done or self._undone:
            self._done, self._undone = [], []
            self.changed.emit()

    @Slot(object)
    def edited(self, applied: Applied) -> None:
        """The project was edited, or an edit of it undone."""
        if applied.kind == "do":  # what was undone before it can't come again
            self._done = [move for move in self._done if move.depth <= self._depth]
            self._undone = []
        self._depth += -1 if applied.kind == "undo" else 1
        self.changed.emit()

    @property
    def undo_title(self) -> str:
        return self._done[-1].title if self._done and self._done[-1].depth == self._depth else ""

    @property
    def redo_title(self) -> str:
        return self._undone[-1].title if self._undone and self._undone[-1].depth == self._depth else ""

    def undo(self) -> None:
        if self.undo_title:
            self._undone.append(self._done.pop())
            self.wanted.emit(self._undone[-1].before)
            self.changed.emit()

    def redo(self) -> None:
        if self.redo_title:
            self._done.append(self._undone.pop())
            self.wanted.emit(self._done[-1].after)
            self.changed.emit()
