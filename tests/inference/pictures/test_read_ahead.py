"""Pictures are decoded in advance, by several threads: a graphics card waits for nothing else in an evaluation."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.generators import close
from workbench.core.tiling import tiling
from workbench.errors import WorkbenchError
from workbench.inference.pictures.read_ahead import LARGE, how_far, read_ahead

LONG = 30  # seconds: only a failure waits so long


def waiting_for(others: int) -> Callable[[int], int]:
    """A slow decoder: each call ends once so many are under way at the same time."""
    barrier = threading.Barrier(others, timeout=LONG)

    def read(item: int) -> int:
        barrier.wait()
        return item

    return read


def test_several_are_read_at_once_and_come_in_their_order() -> None:
    assert list(read_ahead(waiting_for(2), range(8), 4)) == list(range(8))


def test_what_is_read_ahead_is_limited() -> None:
    begun: list[int] = []
    reading = read_ahead(begun.append, range(100), 3)
    next(reading)
    close(reading)
    assert set(begun) <= {0, 1, 2, 3}


def test_an_error_is_raised_in_its_turn() -> None:
    def read(item: int) -> int:
        if item == 2:
            raise WorkbenchError("broken")
        return item

    reading = read_ahead(read, range(4), 8)
    assert [next(reading), next(reading)] == [0, 1]
    with pytest.raises(WorkbenchError, match="broken"):
        next(reading)


def test_few_large_pictures_are_read_ahead_of_tiles() -> None:
    assert (how_far(32, None), how_far(32, tiling(640, 0.2))) == (32, LARGE)
