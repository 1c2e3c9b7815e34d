"""The queue of a run: every image is looked at once, what was seen is kept, and only unlabelled ones are in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from workbench.core.document import Document
from workbench.core.edits import SetState
from workbench.core.project import Snapshot, State
from workbench.core.queueing import By
from workbench.errors import WorkbenchError
from workbench.inference import features, image_queue
from workbench.inference.events import EvaluationProgress, Skipped
from workbench.inference.features import Looked
from workbench.inference.image_queue import Kept, Queue, Wish, load, queue

SHADES = (0, 40, 90, 120, 160, 200)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The shades that were looked at: the darker an image, the more certain; the two at the ends lie far apart."""
    seen: list[int] = []

    def look(_: object, pictures: Sequence[np.ndarray]) -> list[Looked]:
        shades = [int(one[0, 0, 0]) for one in pictures]
        seen.extend(shades)
        turns = [np.pi * shade / 255 for shade in shades]
        return [Looked(s, np.array([np.cos(t), np.sin(t)], np.float32)) for s, t in zip(shades, turns, strict=True)]

    monkeypatch.setattr(features, "look", look)
    return seen


@pytest.fixture
def wish(tmp_path: Path) -> Wish:
    """Six grey images, of which the first is labelled."""
    (tmp_path / "photographs").mkdir()
    for number, shade in enumerate(SHADES):
        Image.new("RGB", (4, 4), (shade,) * 3).save(tmp_path / "photographs" / f"{number}.png")
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.safetensors").write_bytes(b"weights")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(SetState((1,), State.DONE))
        return Wish(run, run / "best.safetensors", document.snapshot())


def opened(_: Path) -> object:
    return SimpleNamespace(batch=2, window=None)


def never(_: Path) -> object:
    raise AssertionError("nothing is to be looked at")


def done(wish: Wish, opens: object = opened) -> Queue:
    *_, last = queue(wish, opens)  # type: ignore[arg-type]
    assert isinstance(last, Queue)
    return last


def test_unlabelled_images_are_in_order_and_labelled_ones_are_what_they_differ_from(
    wish: Wish, looks: list[int]
) -> None:
    found = done(wish)
    assert found.orders[By.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    assert found.orders[By.DIFFERENT].tolist()[:2] == [6, 3], "farthest from the first, then between the two"
    assert len(found) == 5
    assert looks == [40, 90, 120, 160, 200, 0], "unlabelled ones first"


def test_what_was_seen_is_found_again_also_under_another_name(wish: Wish, looks: list[int], tmp_path: Path) -> None:
    first = done(wish)
    again = done(wish, never)
    assert all(first.orders[by].tolist() == again.orders[by].tolist() for by in By)
    file = wish.snapshot.files[3]
    file.rename(file.with_name("moved.png"))
    moved = Wish(wish.run_folder, wish.checkpoint, _renamed(wish.snapshot, 3, file.with_name("moved.png")))
    assert done(moved, never).orders[By.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    looks.clear()
    Image.new("RGB", (5, 5), (255,) * 3).save(wish.snapshot.files[1])
    assert done(moved).orders[By.UNCERTAIN].tolist() == [2, 6, 5, 4, 3]
    assert looks == [255], "only the one that was changed"
    looks.clear()
    wish.checkpoint.write_bytes(b"better")
    done(moved)
    assert len(looks) == 6, "another network sees anew"


def test_where_nothing_can_be_written_the_order_is_there_all_the_same(
    wish: Wish, looks: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    (wish.run_folder / "queue").write_text("a file in the place of the folder")
    assert done(wish).orders[By.UNCERTAIN].tolist() == [6, 5, 4, 3, 2]
    assert "could not be written" in caplog.text


def _renamed(snapshot: Snapshot, row: int, file: Path) -> Snapshot:
    return replace(snapshot, files=(*snapshot.files[:row], file, *snapshot.files[row + 1 :]))


def test_it_tells_how_far_it_is_and_goes_on_after_it_was_broken_off(wish: Wish, looks: list[int]) -> None:
    told = [event for event in queue(wish, opened) if isinstance(event, EvaluationProgress)]  # type: ignore[arg-type]
    assert [(one.done, one.total) for one in told] == [(0, 6), (2, 6), (4, 6), (6, 6)]
    wish.checkpoint.write_bytes(b"better")
    looks.clear()
    going = queue(wish, opened)  # type: ignore[arg-type]
    while len(looks) < 4:
        next(going)
    going.close()  # type: ignore[attr-defined]
    assert len(looks) == 4
    done(wish)
    assert sorted(looks) == sorted(SHADES), "none twice"


def test_what_cannot_be_read_is_told_and_left_out(wish: Wish, looks: list[int]) -> None:
    wish.snapshot.files[2].unlink()
    wish.snapshot.files[4].write_bytes(b"no picture")
    events = list(queue(wish, opened))  # type: ignore[arg-type]
    assert [event.name for event in events if isinstance(event, Skipped)] == ["2.png", "4.png"]
    last = events[-1]
    assert isinstance(last, Queue)
    assert last.orders[By.UNCERTAIN].tolist() == [6, 4, 2]
    assert last.skipped == 2
    with pytest.raises(WorkbenchError, match="no longer exists"):
        next(queue(Wish(wish.run_folder, wish.run_folder / "gone.safetensors", wish.snapshot)))


def test_a_file_that_goes_or_changes_while_it_is_looked_at_ends_nothing(
    wish: Wish, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was seen is not kept as what the file says now."""
    look = features.look

    def meanwhile(predictor: object, pictures: Sequence[np.ndarray]) -> list[Looked]:
        monkeypatch.setattr(features, "look", look)
        wish.snapshot.files[1].unlink()
        Image.new("RGB", (9, 9), (250,) * 3).save(wish.snapshot.files[2])
        return look(predictor, pictures)  # type: ignore[arg-type]

    monkeypatch.setattr(features, "look", meanwhile)
    assert len(done(wish, lambda _: SimpleNamespace(batch=6, window=None))) == 5
    assert sorted(looks) == sorted(SHADES)
    looks.clear()
    assert len(done(wish)) == 4
    assert looks == [250]


def test_a_damaged_file_is_as_none_and_without_a_folder_nothing_is_written(wish: Wish, looks: list[int]) -> None:
    done(wish)
    (file,) = (wish.run_folder / "queue").glob("*.npz")
    data = file.read_bytes()
    for broken in (b"", data[: len(data) // 2], b"PK\x03\x04" + data[50:]):
        file.write_bytes(broken)
        assert not load(file).uncertain
    image_queue.save(wish.run_folder / "gone" / "queue" / "a.npz", Kept())
    assert not (wish.run_folder / "gone").exists()
