"""Sentences on anchors that appear on more than one page, so that all use the same words."""

from __future__ import annotations

from workbench.core.formatting import count
from workbench.core.resize import base_mode

_DONE = {"stretch": "stretched", "letterbox": "letterboxed"}


def other_number(title: str, published: int, number: int) -> str:
    """For a detector given another number of anchors than its authors used (priors.even_masks); no full stop."""
    return f"{title} was published with {count(published, 'anchor')}, and uses these {number:,} instead"


def other_resize(title: str, wanted: str, made_with: str) -> str:
    """For a detector that resizes images differently from how the sizes were measured; "" if it does not."""
    wants, has = base_mode(wanted), base_mode(made_with)
    if wants == has:
        return ""
    return f"{title} learns from {_DONE[wants]} images, but these sizes are from {_DONE[has]} ones"
