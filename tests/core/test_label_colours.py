"""The colours that labels get by themselves."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from workbench.core.project import LABEL_COLOURS, colour_for, rgb


def test_no_two_of_hundreds_of_labels_have_one_colour() -> None:
    """The seventeenth had that of the first: two of the 80 labels of COCO in five looked alike."""
    colours = [colour_for(id) for id in range(1, 301)]
    assert tuple(colours[:16]) == LABEL_COLOURS
    assert len(set(colours)) == 300
    apart = [np.linalg.norm(np.subtract(rgb(one), rgb(other))) for one, other in combinations(colours[:80], 2)]
    assert min(apart) > 12
