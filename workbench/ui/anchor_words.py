"""What is said of anchors on more than one page, so that it is said in the same words."""

from __future__ import annotations

from workbench.core.project import AnchorSet
from workbench.core.words import count


def made_for(anchors: AnchorSet, px: int = 0) -> str:
    """How many, and for which input side; with that of the training, `px`, which is 0 where it isn't known."""
    scaled = f", scaled to {px:,}" if px and px != anchors.input_px else ""
    return f"{len(anchors.sizes):,}, made for {anchors.input_px:,} px{scaled}"


def other_number(title: str, published: int, number: int) -> str:
    """Of a detector that takes another number of anchors than its authors gave it (priors.even_masks); no full stop."""
    return f"{title} was published with {count(published, 'anchor')}; these {number:,} are dealt over its scales"
