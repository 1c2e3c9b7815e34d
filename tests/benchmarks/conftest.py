"""What all benchmarks share: no collection of garbage goes through what the tests before have left in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _heap_of_its_own() -> Iterator[None]:
    """Torch, Qt and other tests leave half a million objects, which would be walked in the midst of a measurement."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
