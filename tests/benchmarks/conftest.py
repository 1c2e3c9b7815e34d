"""What all benchmarks share: no collection of garbage goes through what the tests before have left in memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import choosing
from workbench.core.project import Snapshot


@pytest.fixture(autouse=True, scope="module")
def _unfrozen_in_the_end() -> Iterator[None]:
    """Once for each file: to collect all half a million objects takes 0.2 s, a twentieth of the benchmarks."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _heap_of_its_own(_unfrozen_in_the_end: None) -> None:
    """Torch, Qt and other tests leave half a million objects, which would be walked in the midst of a measurement."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def snapshot(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Blood cells with their labels and official splits; `test_data` skips where they are absent."""
    return choosing.blood_cells(tmp_path_factory.mktemp("bccd"))


@pytest.fixture(scope="session")
def cells(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with them, for other processes."""
    folder = tmp_path_factory.mktemp("project") / "bccd"
    choosing.blood_cells(folder)
    return folder
