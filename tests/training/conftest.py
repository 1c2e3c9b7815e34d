"""What the tests of training share: a registered toy detector and runs of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.toys import Toy, make_request, make_snapshot
from workbench import detectors
from workbench.core import images
from workbench.core.project import Snapshot
from workbench.training.run import RunRequest


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Toy]]:
    """The toy, registered as a detector as long as the test runs. Tests may subclass and register others."""
    registry = detectors.load_all()
    with registry.owned_by("tests"):
        registry.register("toy")(Toy)
        yield Toy
    registry.unregister_owner("tests")


@pytest.fixture
def request_of(tmp_path: Path, toy: type[Toy]) -> Any:
    """make_request in the test's folder."""

    def make(name: str = "a", snapshot: Snapshot | None = None, **changes: Any) -> RunRequest:
        return make_request(
            tmp_path / name, make_snapshot(tmp_path / "images") if snapshot is None else snapshot, **changes
        )

    return make


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were decoded."""
    found: list[str] = []
    read = images.read

    def counted(file: Path, *rest: Any) -> np.ndarray:
        found.append(file.name)
        return read(file, *rest)

    monkeypatch.setattr(images, "read", counted)
    return found
