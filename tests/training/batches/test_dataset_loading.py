"""What several processes must have read alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.toys import PX, make_snapshot
from workbench.core.project import Snapshot
from workbench.errors import WorkbenchError
from workbench.training.batches import dataset_loading
from workbench.training.batches.data import Dataset
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings


class Two(Runtime):
    """Notes what is compared with the other process."""

    world = 2

    def __init__(self) -> None:
        super().__init__()
        self.compared: list[str] = []

    def check_same(self, value: str, what: str) -> None:
        self.compared.append(value)
        if value != self.compared[0]:
            raise WorkbenchError(what)


def read(snapshot: Snapshot) -> Dataset:
    return load_without_pixels(snapshot, PX, "stretch", TrainingSettings())


def test_fewer_images_or_other_files_are_refused_though_they_have_the_same_names(tmp_path: Path) -> None:
    """Photographs of the same names and sizes in pixels were taken for the same."""
    snapshot, two = make_snapshot(tmp_path), Two()
    for _ in range(2):
        dataset_loading.check_same(two, read(snapshot), read(snapshot))
    with pytest.raises(WorkbenchError, match="images of this training can be read"):
        dataset_loading.check_same(two, read(snapshot), read(snapshot.take([0, 1])))
    file = snapshot.files[3]
    file.write_bytes(file.read_bytes() + b"of another camera")
    with pytest.raises(WorkbenchError, match="images of this training can be read"):
        dataset_loading.check_same(two, read(snapshot), read(snapshot))


def test_one_process_alone_looks_at_no_file_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = read(make_snapshot(tmp_path))
    monkeypatch.setattr(Path, "stat", lambda *_: pytest.fail("on a share each takes a while"))
    dataset_loading.check_same(Runtime(), data, data)
