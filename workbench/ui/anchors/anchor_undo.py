"""Undo for moves of anchors by hand: on the page they come before the project's edits."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal

from workbench.anchors import Step
from workbench.ui.page_undo import UndoStack


@dataclass(frozen=True, slots=True, eq=False)
class ShownAnchors:
    """The anchors on the page. `source`: their provenance; `hand`: the action they came from, "" for the film."""

    step: Step
    source: str
    hand: str = ""


def action_name(hand: str) -> str:
    """An action as named within a sentence; titles of detectors keep their capitals."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand


class AnchorUndoStack(UndoStack):
    """`show_requested(ShownAnchors)`: show these again. When other anchors replace these, `forget` drops all moves."""

    show_requested = Signal(object)

    def add_move(self, title: str, before: ShownAnchors, after: ShownAnchors) -> None:
        self.add(title, lambda: self.show_requested.emit(before), lambda: self.show_requested.emit(after))
