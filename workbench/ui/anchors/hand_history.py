"""Undo for moves of anchors by hand: on the page they come before the project's edits."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal

from workbench.anchors import Step
from workbench.ui.own_steps import OwnSteps


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The anchors on the page. `source`: their provenance; `hand`: the action they came from, "" for the film."""

    step: Step
    source: str
    hand: str = ""


def name_of(hand: str) -> str:
    """An action as named within a sentence; titles of detectors keep their capitals."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand


class HandHistory(OwnSteps):
    """`wanted(Shown)`: show this on the page again. When other anchors replace these, `forget` drops all moves."""

    wanted = Signal(object)

    def moved(self, title: str, before: Shown, after: Shown) -> None:
        self.add(title, lambda: self.wanted.emit(before), lambda: self.wanted.emit(after))
