"""The anchors that the page shows: a step of the film, or a set that the user dragged, typed or chose."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.anchors import Step


@dataclass(frozen=True, slots=True, eq=False)
class ShownAnchors:
    """The anchors on the page. `source`: their provenance; `hand`: the action they came from, "" for the film."""

    step: Step
    source: str
    hand: str = ""


def action_name(hand: str) -> str:
    """An action as named within a sentence; titles of detectors keep their capitals."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand
