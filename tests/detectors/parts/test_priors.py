"""The order and place of priors, and how anchors are dealt over levels."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.detectors.parts import priors
from workbench.errors import WorkbenchError


def test_priors_stand_in_the_order_level_row_column_anchor() -> None:
    anchors = torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    grid = priors.spread(anchors, (32, 16), ((1, 2), (0,)), (1.0, 1.2), ((1, 2), (2, 4)))
    assert len(grid) == 4 + 8
    assert (grid.height, grid.width) == (32, 64)
    assert grid.cells[:6].tolist() == [[0, 0], [0, 0], [1, 0], [1, 0], [0, 0], [1, 0]]  # column, row
    assert grid.anchors[:5, 0].tolist() == [2, 3, 2, 3, 1]
    assert grid.strides[:5, 0].tolist() == [32, 32, 32, 32, 16]
    torch.testing.assert_close(grid.scales[3:5, 0], torch.tensor([1.0, 1.2]))
    assert grid.pairs.first.tolist() == [0, 0, 4]
    assert grid.pairs.place.tolist() == [0, 1, 0]
    assert grid.pairs.anchor.tolist() == [1, 2, 0]
    assert grid.pairs.stride.tolist() == [32, 32, 16]
    assert grid.pairs.columns.tolist() == [2, 2, 4]
    assert grid.pairs.level.tolist() == [0, 0, 1]


def test_anchors_may_stand_in_any_order() -> None:
    grid = priors.spread(torch.ones(3, 2), (32, 16), ((2, 0), (1, 1)), (1.0, 1.0), ((1, 1), (2, 2)))
    assert grid.pairs.anchor.tolist() == [2, 0, 1, 1]


def test_more_anchors_take_no_more_calls_to_make_pairs_of() -> None:
    counts = []
    for each in (1, 5):
        masks = tuple(tuple(range(level * each, (level + 1) * each)) for level in (1, 0))
        with Calls() as calls:
            priors.spread(torch.ones(2 * each, 2), (32, 16), masks, (1.0, 1.0), ((1, 1), (2, 2)))
        counts.append(calls.made["full"])
    assert counts[0] == counts[1] > 0


class Calls(TorchDispatchMode):
    """`made`: how often, by the operation's name."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.made[str(func).split(".")[1]] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("count", "levels", "masks"),
    [
        (6, 2, ((3, 4, 5), (0, 1, 2))),
        (9, 3, ((6, 7, 8), (3, 4, 5), (0, 1, 2))),
        (7, 2, ((3, 4, 5, 6), (0, 1, 2))),
        (2, 2, ((1,), (0,))),
        (5, 3, ((3, 4), (1, 2), (0,))),
    ],
)
def test_the_largest_anchors_go_to_the_coarsest_level(count: int, levels: int, masks: priors.Masks) -> None:
    assert priors.even_masks(count, levels) == masks


def test_fewer_anchors_than_levels_are_refused() -> None:
    with pytest.raises(WorkbenchError, match="at least 3 anchors"):
        priors.even_masks(2, 3)
