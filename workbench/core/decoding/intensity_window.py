"""The range of sample values that a project shows as black to white, for images of more than 8 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IntensityWindow:
    """The range of sample values mapped to black to white, in the units of the file.

    It belongs to a project, not to an image: with one window for all, equal values look equal everywhere.
    It applies to images of 16 bits and of floats; 8-bit images are taken as they are.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a window needs low < high, found {self.low} and {self.high}")


def from_setting(kept: object) -> IntensityWindow | None:
    """The window from a project's setting or a checkpoint's header: [low, high]; None if absent or invalid."""
    if not isinstance(kept, list | tuple) or len(kept) != 2:
        return None
    try:
        return IntensityWindow(float(kept[0]), float(kept[1]))
    except (TypeError, ValueError):
        return None
