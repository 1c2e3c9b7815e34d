"""The queue of a run: every image is looked at once, what was seen is kept, and only unlabelled ones are in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.generators import close
from workbench.core import images
from workbench.core.document import Document
from workbench.core.edits import SetState
from workbench.core.image_queue import QueueOrder
from workbench.core.project import Snapshot, State
from workbench.core.tiling import Tiling
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.candidate_cache import image_digest
from workbench.inference.events import EvaluationProgress, Skipped
from workbench.inference.pictures import read_ahead
from workbench.inference.predict import Predictor
from workbench.inference.suggesting import features, image_queue
from workbench.inference.suggesting.features import ImageFeatures
from workbench.inference.suggesting.image_queue import ImageRecords, LabellingQueue, RankingRequest, build_queue, load

SHADES = (0, 40, 90, 120, 160, 200)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The shades that were looked at: the darker an image, the more certain; the two at the ends lie far apart."""
    seen: list[int] = []

    def look(_: object, pictures: Sequence[np.ndarray]) -> list[ImageFeatures]:
        shades = [int(one[0, 0, 0]) for one in pictures]
        seen.extend(shades)
        turns = [np.pi * shade / 255 for shade in shades]
        return [
            ImageFeatures(s, np.array([np.cos(t), np.sin(t)], np.float32)) for s, t in zip(shades, turns, strict=True)
        ]

    monkeypatch.setattr(features, "extract_features", look)
    return seen


@pytest.fixture
def queue_request(tmp_path: Path) -> RankingRequest:
    """Six grey images, of which the first is labelled."""
    (tmp_path / "photographs").mkdir()
    for number, shade in enumerate(SHADES):
        Image.new("RGB", (4, 4), (shade,) * 3).save(tmp_path / "photographs" / f"{number}.png")
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.safetensors").write_bytes(b"weights")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(SetState((1,), State.DONE))
        return RankingRequest(run, run / "best.safetensors", document.snapshot())


def opened(_: Path) -> object:
    return SimpleNamespace(batch=2, window=None, tiling=None)


def never(_: Path) -> object:
    raise AssertionError("nothing is to be looked at")


def done(queue_request: RankingRequest, opens: object = opened) -> LabellingQueue:
    *_, last = build_queue(queue_request, opens)  # type: ignore[arg-type]
    assert isinstance(last, LabellingQueue)
    return last


def test_the_next_images_are_decoded_while_the_network_looks_at_some(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, look, begun = images.read, features.extract_features, threading.Semaphore(0)
    more = iter((4, 2, 0))  # whose reading must have begun, in batches of two

    def counted(*given: Any) -> np.ndarray:
        begun.release()
        return read(*given)

    def looking(*given: Any) -> list[ImageFeatures]:
        assert all(begun.acquire(timeout=30) for _ in range(next(more)))
        return look(*given)

    monkeypatch.setattr(images, "read", counted)
    monkeypatch.setattr(features, "extract_features", looking)
    assert len(done(queue_request)) == 5


def test_of_large_pictures_that_are_seen_in_tiles_few_are_decoded_ahead(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, asked = SimpleNamespace(batch=32, window=None, tiling=Tiling(64, 0.2)), list[int]()

    def noting(read: Any, items: Any, ahead: int) -> Any:
        asked.append(ahead)
        return read_ahead.read_ahead(read, items, ahead)

    monkeypatch.setattr(image_queue, "read_ahead", noting)
    assert len(done(queue_request, lambda _: predictor)) == 5
    assert asked == [read_ahead.LARGE]


def test_unlabelled_images_are_in_order_and_labelled_ones_are_what_they_differ_from(
    queue_request: RankingRequest, looks: list[int]
) -> None:
    found = done(queue_request)
    assert found.orders[QueueOrder.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    assert found.orders[QueueOrder.DIFFERENT].tolist()[:2] == [6, 3], "farthest from the first, then between the two"
    assert len(found) == 5
    assert looks == [40, 90, 120, 160, 200, 0], "unlabelled ones first"


def test_what_was_seen_is_found_again_also_under_another_name(
    queue_request: RankingRequest, looks: list[int], tmp_path: Path
) -> None:
    first = done(queue_request)
    again = done(queue_request, never)
    assert all(first.orders[by].tolist() == again.orders[by].tolist() for by in QueueOrder)
    file = queue_request.snapshot.files[3]
    file.rename(file.with_name("moved.png"))
    moved = RankingRequest(
        queue_request.run_folder,
        queue_request.checkpoint,
        _renamed(queue_request.snapshot, 3, file.with_name("moved.png")),
    )
    assert done(moved, never).orders[QueueOrder.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    looks.clear()
    Image.new("RGB", (5, 5), (255,) * 3).save(queue_request.snapshot.files[1])
    assert done(moved).orders[QueueOrder.UNCERTAIN].tolist() == [2, 6, 5, 4, 3]
    assert looks == [255], "only the one that was changed"
    looks.clear()
    queue_request.checkpoint.write_bytes(b"better")
    done(moved)
    assert len(looks) == 6, "another network sees anew"
    assert len(list((queue_request.run_folder / "queue").iterdir())) == 1, "of former weights nothing is kept"


def test_a_file_of_the_same_name_size_and_time_in_another_folder_is_another_one(
    queue_request: RankingRequest, looks: list[int]
) -> None:
    """Of two cameras whose pictures are not compressed, unpacked from an archive, one's were taken for the other's."""
    first, other = queue_request.snapshot.files[1], queue_request.run_folder / "1.png"
    done(queue_request)
    data = first.read_bytes()
    other.write_bytes(data[:-20] + bytes(20))
    times = first.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert load(image_queue.queue_file(queue_request.run_folder, queue_request.checkpoint)).row(other) == -1


def test_where_nothing_can_be_written_the_order_is_there_all_the_same(
    queue_request: RankingRequest, looks: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    (queue_request.run_folder / "queue").write_text("a file in the place of the folder")
    assert done(queue_request).orders[QueueOrder.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    assert "could not be written" in caplog.text


def _renamed(snapshot: Snapshot, row: int, file: Path) -> Snapshot:
    return replace(snapshot, files=(*snapshot.files[:row], file, *snapshot.files[row + 1 :]))


def test_it_tells_how_far_it_is_and_goes_on_after_it_was_broken_off(
    queue_request: RankingRequest, looks: list[int]
) -> None:
    told = [event for event in build_queue(queue_request, opened) if isinstance(event, EvaluationProgress)]  # type: ignore[arg-type]
    assert [(one.done, one.total) for one in told] == [(0, 6), (2, 6), (4, 6), (6, 6)]
    queue_request.checkpoint.write_bytes(b"better")
    looks.clear()
    going = build_queue(queue_request, opened)  # type: ignore[arg-type]
    while len(looks) < 4:
        next(going)
    close(going)
    assert len(looks) == 4
    done(queue_request)
    assert sorted(looks) == sorted(SHADES), "none twice"


def test_of_batches_that_become_smaller_as_memory_runs_out_no_image_is_left_out(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, look = SimpleNamespace(batch=3, window=None, tiling=None), features.extract_features

    def look_with_less(one: Any, pictures: Any) -> list[ImageFeatures]:
        one.batch = 1
        return look(one, pictures)

    monkeypatch.setattr(features, "extract_features", look_with_less)
    assert len(done(queue_request, lambda _: predictor)) == 5
    assert sorted(looks) == sorted(SHADES)


def test_a_full_card_gives_way_to_the_processor(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As nobody can choose another device in the window."""
    asked: list[dict[str, bool]] = []

    def opening(checkpoint: Path, **given: bool) -> object:
        asked.append(given)
        return opened(checkpoint)

    monkeypatch.setattr(Predictor, "open", opening)
    list(build_queue(queue_request))
    assert asked == [{"cpu_fallback": True}]


def test_what_cannot_be_read_is_told_and_left_out(queue_request: RankingRequest, looks: list[int]) -> None:
    queue_request.snapshot.files[2].unlink()
    queue_request.snapshot.files[4].write_bytes(b"no picture")
    events = list(build_queue(queue_request, opened))  # type: ignore[arg-type]
    assert [event.name for event in events if isinstance(event, Skipped)] == ["2.png", "4.png"]
    last = events[-1]
    assert isinstance(last, LabellingQueue)
    assert last.orders[QueueOrder.UNCERTAIN].tolist() == [6, 4, 2]
    assert last.skipped == 2
    with pytest.raises(WorkbenchError, match="no longer exists"):
        next(
            build_queue(
                RankingRequest(
                    queue_request.run_folder, queue_request.run_folder / "gone.safetensors", queue_request.snapshot
                )
            )
        )


def test_a_file_that_goes_or_changes_while_it_is_looked_at_ends_nothing(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was seen is not kept as what the file says now."""
    look = features.extract_features

    def meanwhile(predictor: object, pictures: Sequence[np.ndarray]) -> list[ImageFeatures]:
        monkeypatch.setattr(features, "extract_features", look)
        queue_request.snapshot.files[1].unlink()
        Image.new("RGB", (9, 9), (250,) * 3).save(queue_request.snapshot.files[2])
        return look(predictor, pictures)  # type: ignore[arg-type]

    monkeypatch.setattr(features, "extract_features", meanwhile)
    assert len(done(queue_request, lambda _: SimpleNamespace(batch=6, window=None, tiling=None))) == 5
    assert sorted(looks) == sorted(SHADES)
    looks.clear()
    assert len(done(queue_request)) == 4
    assert looks == [250]


def test_a_damaged_file_is_as_none_and_without_a_folder_nothing_is_written(
    queue_request: RankingRequest, looks: list[int]
) -> None:
    done(queue_request)
    (file,) = (queue_request.run_folder / "queue").glob("*.npz")
    data = file.read_bytes()
    for broken in (b"", data[: len(data) // 2], b"PK\x03\x04" + data[50:]):
        file.write_bytes(broken)
        assert not load(file).uncertain
    image_queue.save(queue_request.run_folder / "gone" / "queue" / "a.npz", ImageRecords())
    assert not (queue_request.run_folder / "gone").exists()


def test_files_are_read_once_for_their_digest_and_counted_while_they_are_looked_up(
    queue_request: RankingRequest, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All were read twice, the first time without a sign and without a way to stop it."""
    read: list[Path] = []
    monkeypatch.setattr(image_queue, "image_digest", lambda file: read.append(file) or image_digest(file))
    done(queue_request)
    assert len(read) == len(SHADES)
    monkeypatch.setattr(image_queue, "SAY_EVERY", -1.0)
    again = build_queue(queue_request, never)  # type: ignore[arg-type]
    assert [event.done for event in again if isinstance(event, EvaluationProgress)] == [0, 0, 1, 2, 3, 4, 5]
