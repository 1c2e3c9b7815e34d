"""Images are kept at the input side for the next training, and only as long as they are what the files hold."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.training.batches.test_data import load
from tests.training.run_results import MakeRequest, same, weights
from tests.training.tiled import wide_photographs
from tests.training.toys import make_snapshot
from workbench.core import images
from workbench.core.project import Snapshot, Split
from workbench.errors import Refused
from workbench.training import run
from workbench.training.batches import cache_policy, data, pixel_cache
from workbench.training.batches.pixel_cache import PixelCache, SourceFile
from workbench.training.events import Control


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return make_snapshot(tmp_path / "images")


def kept(snapshot: Snapshot, folder: Path, **changes: Any) -> tuple[data.Dataset, str]:
    dataset, messages = load(snapshot, folder, cache=folder / "cache", keep="disk", threads=1, **changes)
    return dataset, " ".join(message.sentence for message in messages)


def test_a_second_training_decodes_nothing_and_has_the_same_pixels(
    snapshot: Snapshot, tmp_path: Path, reads: list[str]
) -> None:
    first, words = kept(snapshot, tmp_path)
    assert "8 images of 8 are read and kept at 32 px" in words
    assert len(reads) == 8
    again, words = kept(snapshot, tmp_path)
    assert "All 8 images were read before" in words
    assert len(reads) == 8
    assert isinstance(again.pixels, np.memmap)
    plain, _ = load(snapshot, tmp_path)
    for other in (first, again):
        assert np.array_equal(other.pixels[other.rows], plain.pixels[plain.rows])
        assert np.array_equal(other.boxes, plain.boxes)
        assert other.fits == plain.fits


def test_only_new_and_changed_files_are_decoded_and_moved_ones_are_not(
    snapshot: Snapshot, tmp_path: Path, reads: list[str]
) -> None:
    kept(snapshot.take([0, 1, 2]), tmp_path)
    reads.clear()
    moved = snapshot.files[0].with_name("moved.png")
    snapshot.files[0].rename(moved)
    snapshot.files[1].write_bytes(cv2.imencode(".png", np.full((64, 64, 3), 7, np.uint8))[1].tobytes())
    snapshot = dataclasses.replace(snapshot.take([0, 1, 2, 3]), files=(moved, *snapshot.files[1:4]))
    dataset, _ = kept(snapshot, tmp_path)
    assert sorted(reads) == ["1.png", "3.png"]
    assert dataset.pixels[dataset.rows[1]].max() == 7
    plain, _ = load(snapshot, tmp_path)
    assert np.array_equal(dataset.pixels[dataset.rows], plain.pixels)


def test_equal_files_share_a_row(snapshot: Snapshot, tmp_path: Path) -> None:
    snapshot.files[1].write_bytes(snapshot.files[0].read_bytes())
    dataset, _ = kept(snapshot, tmp_path)
    assert dataset.rows[0] == dataset.rows[1]
    assert len(set(dataset.rows.tolist())) == 7


def test_unreadable_files_are_told_and_tried_again_the_next_time(snapshot: Snapshot, tmp_path: Path) -> None:
    whole = snapshot.files[2].read_bytes()
    snapshot.files[2].write_bytes(b"no image")
    dataset, words = kept(snapshot, tmp_path)
    assert (len(dataset), "1 image is left out" in words) == (7, True)
    snapshot.files[2].write_bytes(whole)
    assert len(kept(snapshot, tmp_path)[0]) == 8


def test_rows_of_a_training_that_was_killed_while_reading_are_read_again(
    snapshot: Snapshot, tmp_path: Path, reads: list[str]
) -> None:
    folder = pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None)
    cache = PixelCache(folder, 32)
    cache.make_room(3)
    cache.read(SourceFile(snapshot.files[0], None), None, "stretch")
    cache.pixels[0] = 99  # and the kill came in the middle of a row
    cache._lock.release()
    dataset, _ = kept(snapshot, tmp_path)
    assert reads.count("0.png") == 2
    assert dataset.pixels[dataset.rows[0]].max() != 99


def test_rows_without_their_pixels_are_not_taken_for_those_of_a_training_that_was_killed_while_reading(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    """Their pixels had been removed, by a cache that begins anew or by a person: images had those of others."""
    kept(snapshot, tmp_path)
    folder = pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None)
    (folder / pixel_cache.PIXELS).unlink()
    cache = PixelCache(folder, 32)
    cache.make_room(8)
    cache.read(SourceFile(snapshot.files[7], None), None, "stretch")
    cache._lock.release()  # the kill
    dataset, _ = kept(snapshot, tmp_path)
    assert np.array_equal(dataset.pixels[dataset.rows], load(snapshot, tmp_path)[0].pixels)


def test_the_file_is_never_cut_as_another_process_may_have_it_mapped(tmp_path: Path) -> None:
    """Windows refuses that, after a training that was stopped while reading; its images were then not kept."""
    sizes = []
    for count in (10, 2, 12):
        opened = PixelCache(tmp_path, 32)
        opened.make_room(count)
        assert len(opened.pixels) == count
        sizes.append((tmp_path / pixel_cache.PIXELS).stat().st_size // opened.row_bytes)
        opened.close()
    assert sizes == [10, 10, 12]


def test_a_file_that_changes_while_images_are_read_takes_no_room_that_was_not_made(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    """It ended the training with an IndexError."""
    kept(snapshot.take([0, 1]), tmp_path)
    cache = PixelCache(pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None), 32)
    assert cache.known(snapshot.files[:2]) == 2
    cache.make_room(0)
    snapshot.files[0].write_bytes(snapshot.files[5].read_bytes())
    with pytest.raises(Refused, match="it or another image was changed while they were read"):
        cache.read(SourceFile(snapshot.files[0], None), None, "stretch")
    assert cache.read(SourceFile(snapshot.files[1], None), None, "stretch")[0] == 1
    cache.close()


def test_while_one_training_adds_another_uses_what_is_there_or_its_memory(snapshot: Snapshot, tmp_path: Path) -> None:
    kept(snapshot.take([0, 1]), tmp_path)
    adding = PixelCache(pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None), 32)
    try:
        assert isinstance(kept(snapshot.take([0, 1]), tmp_path)[0].pixels, np.memmap)
        assert not isinstance(kept(snapshot, tmp_path)[0].pixels, np.memmap)
    finally:
        adding.close()


@pytest.mark.parametrize("name", [pixel_cache.ROWS, pixel_cache.PIXELS])
def test_a_damaged_cache_is_made_anew(snapshot: Snapshot, tmp_path: Path, name: str, reads: list[str]) -> None:
    kept(snapshot, tmp_path)
    file = pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None) / name
    file.write_bytes(file.read_bytes()[:50])
    reads.clear()
    dataset, _ = kept(snapshot, tmp_path)
    assert len(reads) == 8
    assert np.array_equal(dataset.pixels[dataset.rows], load(snapshot, tmp_path)[0].pixels)


def test_a_cache_of_many_other_images_begins_anew(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_policy, "TRIED", 0)
    kept(snapshot.take([0, 1, 2, 3, 4, 5, 6]), tmp_path)
    dataset, _ = kept(snapshot.take([6, 7]), tmp_path)
    assert dataset.pixels.shape[0] == 2


def test_images_that_another_training_uses_are_not_replaced_where_files_in_use_can_not_be_removed(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under Windows that training would have gone on with the pixels of other images."""
    monkeypatch.setattr(cache_policy, "TRIED", 0)
    theirs, _ = kept(snapshot.take([0, 1, 2, 3, 4, 5, 6]), tmp_path)
    before = theirs.pixels[theirs.rows].copy()

    def in_use(*_: object, **__: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr("pathlib.Path.unlink", in_use)
    dataset, _ = kept(snapshot.take([6, 7]), tmp_path)
    assert not isinstance(dataset.pixels, np.memmap)
    assert np.array_equal(theirs.pixels[theirs.rows], before)


def test_a_few_validation_images_do_not_drive_out_the_training_images(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_policy, "TRIED", 0)
    learnt, judged = snapshot.take([0, 1, 2, 3, 4, 5, 6]), snapshot.take([7])
    kept(learnt, tmp_path, beside=1)
    kept(judged, tmp_path, beside=7)
    assert "All 7 images were read before" in kept(learnt, tmp_path, beside=1)[1]


def test_a_training_finds_all_its_images_again(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    """Of eight images one is to validate on."""
    monkeypatch.setattr(cache_policy, "TRIED", 0)
    snapshot = make_snapshot(tmp_path / "images")
    splits = [Split.VALIDATION if row == 0 else Split.TRAIN for row in range(len(snapshot))]
    divided = [dataclasses.replace(one, split=split) for one, split in zip(snapshot.images, splits, strict=True)]
    snapshot = dataclasses.replace(snapshot, images=tuple(divided))
    for name in ("first", "second"):
        reads.clear()
        request = request_of(name, snapshot, keep_images="disk", epochs=1)
        list(run.train(dataclasses.replace(request, folder=tmp_path / "p" / "runs" / name)))
    assert reads == []


def test_another_side_or_way_of_resizing_is_kept_apart(snapshot: Snapshot, tmp_path: Path) -> None:
    kept(snapshot, tmp_path)
    assert kept(snapshot, tmp_path, px=64)[0].pixels.shape[1:] == (64, 64, 3)
    kept(snapshot, tmp_path, mode="letterbox")
    assert sorted(file.name for file in (tmp_path / "cache" / "training").iterdir()) == [
        "32-letterbox", "32-stretch", "64-stretch",
    ]  # fmt: skip


def test_trainings_in_other_tiles_do_not_drive_each_other_out(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    """Of 3 images in 24 tiles and more only the images are known to a training without tiles, once one was added."""
    monkeypatch.setattr(cache_policy, "TRIED", 0)
    few, more = wide_photographs(tmp_path / "wide"), wide_photographs(tmp_path / "wide", 3)
    of_each: dict[str, list[str]] = {}
    for name, snapshot, tiles in (("a", few, 64), ("b", few, 80), ("c", few, 0), ("d", more, 0), ("e", few, 64)):
        reads.clear()
        request = request_of(name, snapshot, keep_images="disk", epochs=1, tiles=tiles, tile_overlap=0.5)
        list(run.train(dataclasses.replace(request, folder=tmp_path / "p" / "runs" / name)))
        of_each[name] = sorted(reads)
    assert of_each["e"] == []
    assert sorted(file.name for file in (tmp_path / "p" / "cache" / "training").iterdir()) == [
        "64-stretch", "64-stretch-tiles-64-0.5", "64-stretch-tiles-80-0.5",
    ]  # fmt: skip


def test_what_is_added_and_what_a_folder_then_has_is_told(snapshot: Snapshot, tmp_path: Path) -> None:
    """32 * 32 * 3 bytes each."""
    assert ": 22 kB in " in kept(snapshot.take([0, 1, 2, 3, 4, 5, 6]), tmp_path)[1]
    words = kept(snapshot, tmp_path)[1]
    assert "1 image of 8 is read and kept at 32 px for the next training: 3.1 kB, 25 kB in all, in " in words


@pytest.mark.parametrize(("long", "on_disk"), [(1e9, False), (0.0, True)])
def test_images_that_are_read_quickly_are_not_kept_unless_asked(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: float, on_disk: bool
) -> None:
    monkeypatch.setattr(cache_policy, "LONG", long)
    dataset, _ = load(snapshot, tmp_path, cache=tmp_path / "cache", keep="auto")
    assert isinstance(dataset.pixels, np.memmap) == on_disk
    assert (tmp_path / "cache").exists() == on_disk


def test_a_full_disk_leaves_the_images_in_memory(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_policy, "DISK_SHARE", 0.0)
    dataset, _ = kept(snapshot, tmp_path)
    assert not isinstance(dataset.pixels, np.memmap)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_policy, "DISK_SHARE", 1.0)
    monkeypatch.setattr(PixelCache, "make_room", full)
    dataset, words = kept(snapshot, tmp_path)
    assert "not kept for the next training" in words
    assert not isinstance(dataset.pixels, np.memmap)
    PixelCache(pixel_cache.folder_of(tmp_path / "cache", 32, "stretch", None), 32).close()  # nobody holds it any more


def test_a_file_that_hangs_is_named(snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, read = threading.Event(), images.read

    def hanging(file: Path, *rest: Any) -> np.ndarray:
        if file.name == "3.png":
            assert release.wait(30)
        return read(file, *rest)

    monkeypatch.setattr(images, "read", hanging)
    monkeypatch.setattr(data, "LONGEST", 0.05)
    monkeypatch.setattr(data, "TELL_EVERY", 0.02)
    reading = data.load(snapshot, 32, "stretch", ignore_difficult=False, threads=2, scratch=tmp_path, control=Control())
    sentence = f"{snapshot.files[3]} has been read for"  # others may be slow, too
    assert next(message for message in reading if message.sentence.startswith(sentence))
    release.set()
    assert not [message for message in reading if message.sentence.startswith(sentence)]


def test_a_training_from_the_disk_is_the_same_training(request_of: MakeRequest) -> None:
    plain, disk = request_of("a"), request_of("b", keep_images="disk")
    for request in (plain, disk):
        list(run.train(request))
    assert same(weights(plain.folder), weights(disk.folder))
    assert (disk.folder / "cache" / "training").is_dir()
