"""What is said of anchors on more than one page, so that it is said in the same words."""

from __future__ import annotations

from workbench.core.words import count


def other_number(title: str, published: int, number: int) -> str:
    """Of a detector that takes another number of anchors than its authors gave it (priors.even_masks); no full stop."""
    return f"{title} was published with {count(published, 'anchor')}; these {number:,} are dealt over its scales"
