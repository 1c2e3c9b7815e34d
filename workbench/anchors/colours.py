"""The colours of anchors and of the boxes they serve: the same in the window and in a picture without it."""

from __future__ import annotations

from workbench.core.project import LABEL_COLOURS

PALE = ("#f0e442", "#b3b3b3", "#56b4e9")
"""Hard to see as dots on white."""
ANCHOR_COLOURS = tuple(colour for colour in LABEL_COLOURS if colour not in PALE)


def anchor_colour(number: int) -> str:
    """The colour of anchor `number` (0, 1, ...), as #rrggbb."""
    return ANCHOR_COLOURS[number % len(ANCHOR_COLOURS)]
