"""On how many images a run was evaluated, said when they are so few that its AP means little."""

from __future__ import annotations

from workbench.core.formatting import count
from workbench.training.settings import FEW_JUDGES


def is_few(images: int) -> bool:
    """False also if the number is not known."""
    return 0 < images < FEW_JUDGES


def few_images_note(images: int) -> str:
    """Like "judged by 1 image only"; "" if there are enough."""
    return f"judged by {count(images, 'image')} only" if is_few(images) else ""
