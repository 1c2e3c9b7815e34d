"""By how many images a run was judged, said where they are so few that its AP tells little."""

from __future__ import annotations

from workbench.core.words import count
from workbench.training.settings import FEW_JUDGES


def few(images: int) -> bool:
    """False also where the number is not known."""
    return 0 < images < FEW_JUDGES


def by_few(images: int) -> str:
    """Like "judged by 1 image only"; "" where they are enough."""
    return f"judged by {count(images, 'image')} only" if few(images) else ""
