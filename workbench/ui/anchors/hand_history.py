"""Moves of anchors by hand can be taken back on the page, before any edit of the project is."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Signal

from workbench.anchors import Step
from workbench.ui.own_steps import OwnSteps


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The anchors on the page. `source`: their provenance; `hand`: what a person did to have them, "" for the film."""

    step: Step
    source: str
    hand: str = ""


def name_of(hand: str) -> str:
    """What a person did, within a sentence; titles of detectors stay as they are written."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand


class HandHistory(OwnSteps):
    """`wanted(Shown)`: this is to be on the page again. Anchors that are others now `forget` all moves."""

    wanted = Signal(object)

    def moved(self, title: str, before: Shown, after: Shown) -> None:
        self.add(title, lambda: self.wanted.emit(before), lambda: self.wanted.emit(after))
