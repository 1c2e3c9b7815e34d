"""On how many images a run was evaluated, said when they are so few that its AP means little."""

from __future__ import annotations

import math

from workbench.core.formatting import count, share
from workbench.training.settings import FEW_JUDGES


def is_few(images: int) -> bool:
    """False also if the number is not known."""
    return 0 < images < FEW_JUDGES


def few_images_note(images: int) -> str:
    """Like "judged by 1 image only"; "" if there are enough."""
    return f"judged by {count(images, 'image')} only" if is_few(images) else ""


def chance_note(images: int) -> str:
    """What that means for a run's best AP, as a sentence; "" if there are enough."""
    by = few_images_note(images)
    return f"{by.capitalize()}: this is largely chance, so the newest weights count as the best." if by else ""


def newest_or_best(ap50: float, images: int) -> str:
    """A run's best AP50, which is that of its newest weights if so few images judge it; "–" if it is not known."""
    return f"newest: {share(ap50)}" if is_few(images) and not math.isnan(ap50) else share(ap50)
