"""Images are read once, brought to size with their boxes, and bad ones are told about."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core import control_groups
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.project import Snapshot
from workbench.core.resize import FIT_MODES, FitMode
from workbench.errors import WorkbenchError
from workbench.training.batches import cache_policy, data
from workbench.training.batches.data import Dataset
from workbench.training.events import Control, Message


def load(snapshot: Snapshot, folder: Path, **changes: Any) -> tuple[Dataset, list[Message]]:
    given = {"px": 32, "mode": "stretch", "ignore_difficult": False, "threads": 2, "scratch": folder, **changes}
    reading = data.load(snapshot, control=Control(), **given)
    messages = []
    while True:
        try:
            messages.append(next(reading))
        except StopIteration as end:
            return end.value, messages


def test_images_and_boxes_come_at_the_networks_size(tmp_path: Path) -> None:
    dataset, messages = load(make_snapshot(tmp_path), tmp_path)
    assert dataset.pixels.shape == (8, 32, 32, 3)
    assert dataset.boxes[:2].tolist() == [[0, 0, 16, 16], [16, 0, 32, 16]]
    assert dataset.pixels[1, 5, 20].tolist() == [210, 210, 210]
    assert not messages


def test_letterboxed_boxes_move_with_their_image(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 1, 0)
    wide = np.zeros((32, 64, 3), np.uint8)
    snapshot.files[0].write_bytes(cv2.imencode(".png", wide)[1].tobytes())
    image = dataclasses.replace(snapshot.images[0], height=32)
    snapshot = dataclasses.replace(snapshot, images=(image,))
    dataset, _ = load(snapshot, tmp_path, mode="letterbox")
    assert dataset.boxes.tolist() == [[0, 8, 16, 24]]
    assert dataset.pixels[0, 0, 0].tolist() == [128, 128, 128]


def test_bad_images_are_left_out_and_the_rest_keep_their_boxes(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path)
    snapshot.files[0].write_bytes(b"")
    snapshot.files[3].unlink()
    dataset, messages = load(snapshot, tmp_path)
    assert [image.name for image in dataset.snapshot.images] == ["1.png", "2.png", "4.png", "5.png", "6.png", "7.png"]
    assert dataset.rows.tolist() == [1, 2, 4, 5, 6, 7]
    assert len(dataset.boxes) == 6
    assert "2 images are left out" in messages[0].sentence
    assert "0.png" in messages[0].sentence
    assert "3.png" in messages[0].sentence


def test_many_bad_images_are_counted_not_listed(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 8, 1)
    for file in snapshot.files[:8]:
        file.write_bytes(b"x")
    _, messages = load(snapshot, tmp_path)
    assert messages[0].sentence.endswith("And 3 more.")


@pytest.mark.parametrize("mode", FIT_MODES)
@pytest.mark.parametrize("keep", ["memory", "disk"])
def test_an_image_that_was_resized_since_its_boxes_were_drawn_is_named(
    tmp_path: Path, mode: FitMode, keep: str
) -> None:
    snapshot = make_snapshot(tmp_path)
    for index, shape in ((1, (32, 32)), (4, (64, 48))):
        small = np.zeros((*shape, 3), np.uint8)
        snapshot.files[index].write_bytes(cv2.imencode(".png", small)[1].tobytes())
    extra = [(tmp_path / "extra.png", 0)]  # a picture whose size the project can't know
    extra[0][0].write_bytes(snapshot.files[1].read_bytes())
    cache = tmp_path / "cache"
    dataset, messages = load(snapshot, tmp_path, mode=mode, keep=keep, cache=cache, pictures=extra)
    assert len(dataset) == 9
    told = [message for message in messages if "different size" in message.sentence]
    assert [message.level for message in told] == ["warning"]
    names = f"{snapshot.images[1].path}, {snapshot.images[4].path}"
    assert told[0].sentence.startswith("2 images have a different size from the one that the project knows, so their")
    assert told[0].sentence.endswith(f"in the wrong place: {names}. Check the data.")


def test_not_one_readable_image_is_an_error(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path)
    for file in snapshot.files:
        file.unlink()
    with pytest.raises(WorkbenchError, match="None of the images"):
        load(snapshot, tmp_path)


def test_more_images_than_memory_are_mapped_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the machine has some, but the container has not."""
    monkeypatch.setattr(control_groups, "available_memory", lambda: 0)
    mapped, _ = load(make_snapshot(tmp_path / "images"), tmp_path)
    assert isinstance(mapped.pixels, np.memmap)
    monkeypatch.undo()
    kept, _ = load(make_snapshot(tmp_path / "images"), tmp_path)
    assert np.array_equal(mapped.pixels, kept.pixels)
    assert [entry.name for entry in tmp_path.iterdir()] == ["images"]  # the mapped file leaves nothing behind


def test_a_disk_without_room_for_the_mapped_file_is_told_of_before_it_is_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written to, a mapping that the disk has no room for ends the program without a word (SIGBUS)."""
    monkeypatch.setattr(cache_policy, "MEMORY_SHARE", 0.0)
    snapshot = make_snapshot(tmp_path / "images")
    least = cache_policy.size(len(snapshot), 32)
    for free in (least - 1, least):
        usage = SimpleNamespace(total=least, used=0, free=free)
        monkeypatch.setattr("shutil.disk_usage", lambda _, usage=usage: usage)
        with contextlib.nullcontext() if free == least else pytest.raises(WorkbenchError, match="no room .* 8 images"):
            load(snapshot, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["images"]


def test_crowds_are_ignored_and_difficult_boxes_when_asked(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 3, 0)
    snapshot.flags[0, 3] = True  # crowd
    snapshot.flags[1, 0] = True  # difficult
    assert load(snapshot, tmp_path)[0].ignore.tolist() == [True, False, False]
    assert load(snapshot, tmp_path, ignore_difficult=True)[0].ignore.tolist() == [True, True, False]


def test_reading_stops_when_asked(tmp_path: Path) -> None:
    control = Control()
    control.stop.set()
    snapshot = make_snapshot(tmp_path, 100, 0)
    reading = data.load(snapshot, 32, "stretch", ignore_difficult=False, threads=1, scratch=tmp_path, control=control)
    with pytest.raises(StopIteration) as end:
        next(reading)
    assert 0 < len(end.value.value) <= data.READ_AHEAD  # those that were begun are read to their end


def test_images_of_more_than_8_bits_are_read_by_the_projects_window(tmp_path: Path) -> None:
    samples = np.full((64, 64), 1000, np.uint16)
    samples[:, 32:] = 3000
    snapshot = make_snapshot(tmp_path)
    cv2.imwrite(str(snapshot.files[0]), samples)
    for window, levels in ((None, (4, 12)), (IntensityWindow(1000, 3000), (0, 255))):
        dataset, _ = load(dataclasses.replace(snapshot.take([0]), window=window), tmp_path)
        assert tuple(np.unique(dataset.pixels).tolist()) == levels
