"""A million images: nothing that was done is done again after a kill, shards make one whole, memory stays as it is."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tests.generators import close
from tests.inference.stub import stub, write_pictures
from workbench.core.files import natural_key
from workbench.errors import WorkbenchError
from workbench.inference import prediction_job
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import Predicted, PredictionsSaved, Resumed
from workbench.inference.pictures import listing
from workbench.inference.pictures.listing import ListingSummary, Shard
from workbench.inference.pictures.sources import Position, SourceItem
from workbench.inference.predict_files import PredictionSettings, merge, predict_files
from workbench.inference.writing import result_parts

NAMES = [f"img{n}.png" for n in (1, 2, 3, 10, 11)] + [f"below/{n}.png" for n in range(8)]
ALL = PredictionSettings(formats=("json", "csv", "pictures"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirteen pictures, one of which can't be read."""
    made = write_pictures(tmp_path_factory.mktemp("pictures") / "in", NAMES)
    (made / "below" / "3.png").write_bytes(b"no picture")
    return made


@pytest.fixture(scope="module")
def whole(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one go writes."""
    out = tmp_path_factory.mktemp("whole")
    list(predict_files(stub(), [folder], out, ALL))
    return written(out)


def written(out: Path) -> dict[str, bytes]:
    """Every file but those of the bookkeeping, which tell of times and places."""
    found = {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*") if file.is_file()}
    return {name: data for name, data in found.items() if not name.startswith("parts/")}


def test_the_order_is_natural_and_what_cannot_be_read_is_told(whole: dict[str, bytes]) -> None:
    names = [row["file"] for row in json.loads(whole["predictions.json"])]
    assert names[-5:] == ["img1.png", "img2.png", "img3.png", "img10.png", "img11.png"]
    assert len(names) == 12
    assert whole["left_out.csv"].startswith(b"file,why\nbelow/3.png,")
    assert len([name for name in whole if name.startswith("pictures/")]) == 12


def test_a_process_that_was_killed_is_gone_on_with_and_the_bytes_are_those_of_one_go(
    folder: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    child = [sys.executable, "-m", "tests.inference.stub", str(folder), str(out), "3"]
    killed = subprocess.run(child, cwd=Path(__file__).parents[3], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "predictions.json").exists()
    again = stub()
    events = list(predict_files(again, [folder], out, ALL))
    assert events[0] == Resumed(8, 13)
    assert again.pictures == 5, "two batches of four, one of them unreadable, were done before"
    assert [event.done for event in events if isinstance(event, Predicted)] == [9, 10, 11, 12, 13]
    assert written(out) == whole


@pytest.mark.parametrize("kept", [0, 1, 8, 9, 60, 0.3, 0.6, 0.9, -1])
def test_a_line_that_was_cut_off_anywhere_is_done_again(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, kept: float
) -> None:
    """Bytes, or a share of them: what a power cut leaves of the part."""
    job = predict_files(stub(), [folder], tmp_path, ALL)
    for event in job:
        if isinstance(event, Predicted) and event.done == 12:
            break
    close(job)
    (part,) = result_parts.files(tmp_path / "parts" / "1-of-1")
    data = part.read_bytes()
    part.write_bytes(data[: round(kept * len(data)) if isinstance(kept, float) else kept])
    list(predict_files(stub(), [folder], tmp_path, ALL))
    assert written(tmp_path) == whole


def test_a_line_whose_bytes_were_changed_is_no_line(folder: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    """A power cut can leave zeros where the newest bytes should be."""
    job = predict_files(stub(), [folder], tmp_path, ALL)
    for event in job:
        if isinstance(event, Predicted) and event.done == 8:
            break
    close(job)
    (part,) = result_parts.files(tmp_path / "parts" / "1-of-1")
    first, second = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(first + second.replace(b"[", b"\0", 1))
    again = stub()
    list(predict_files(again, [folder], tmp_path, ALL))
    assert again.pictures == 9
    assert written(tmp_path) == whole


def test_parts_end_where_they_should_and_only_the_last_is_looked_through(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_parts, "PER_PART", 4)
    job = predict_files(stub(), [folder], tmp_path, ALL)
    for event in job:
        if isinstance(event, Predicted) and event.done == 12:
            break
    close(job)
    some = result_parts.files(tmp_path / "parts" / "1-of-1")
    assert [file.name for file in some] == ["part-000000.jsonl", "part-000001.jsonl", "part-000002.jsonl"]
    some[2].write_bytes(b"")  # killed when it was begun
    again = stub()
    list(predict_files(again, [folder], tmp_path, ALL))
    assert again.pictures == 5
    assert written(tmp_path) == whole


def test_shards_are_disjoint_and_together_the_whole(folder: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    seen = []
    for number in (2, 3, 1):
        asked = PredictionSettings(formats=ALL.formats, shard=Shard(number, 3))
        one = stub()
        *_, last = predict_files(one, [folder], tmp_path, asked)
        assert isinstance(last, PredictionsSaved)
        assert "--merge" in last.remark
        seen.append(one.pictures)
        assert not (tmp_path / "predictions.json").exists()
    assert sum(seen) == 12
    assert min(seen) > 0
    list(merge(tmp_path, ALL.formats))
    assert written(tmp_path) == whole


def test_shards_that_are_not_finished_are_named_and_not_merged(folder: Path, tmp_path: Path) -> None:
    list(predict_files(stub(), [folder], tmp_path, PredictionSettings(shard=Shard(2, 3))))
    job = predict_files(stub(), [folder], tmp_path, PredictionSettings(shard=Shard(3, 3)))
    next(job)
    close(job)
    with pytest.raises(WorkbenchError, match="not finished: 1, 3"):
        list(merge(tmp_path, ("json",)))
    with pytest.raises(WorkbenchError, match="one of 3 shards, but this is one process"):
        list(predict_files(stub(), [folder], tmp_path))
    list(predict_files(stub(), [folder], tmp_path, fresh=True))
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 12


def test_shards_of_different_jobs_are_not_merged(folder: Path, tmp_path: Path) -> None:
    for number, confidence in ((1, 0.25), (2, 0.5)):
        point = OperatingPoint(confidence, iou=0.45)
        list(predict_files(stub(), [folder], tmp_path, PredictionSettings(point, shard=Shard(number, 2))))
    with pytest.raises(WorkbenchError, match=r"Shard 2 of 2 belongs to another job.*confidence \(0.25 then, 0.5 now\)"):
        list(merge(tmp_path, ("json",)))


def test_another_threshold_is_refused_in_words_and_begins_anew_when_told(folder: Path, tmp_path: Path) -> None:
    list(predict_files(stub(), [folder], tmp_path))
    before = (tmp_path / "predictions.json").read_bytes()
    asked = PredictionSettings(OperatingPoint(0.7, iou=0.45))
    with pytest.raises(WorkbenchError, match=r"the confidence \(0.25 then, 0.7 now\).*--fresh"):
        list(predict_files(stub(), [folder], tmp_path, asked))
    assert (tmp_path / "predictions.json").read_bytes() == before
    list(predict_files(stub(), [folder], tmp_path, asked, fresh=True))
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert min(found["score"] for row in rows for found in row["detections"]) >= 0.7


def test_another_checkpoint_of_the_same_name_is_refused(folder: Path, tmp_path: Path) -> None:
    one, other = stub(), stub()
    one.checkpoint = other.checkpoint = tmp_path / "best.safetensors"
    one.checkpoint.write_bytes(b"first")
    list(predict_files(one, [folder], tmp_path / "out"))
    one.checkpoint.write_bytes(b"second")
    with pytest.raises(WorkbenchError, match="the weights in the checkpoint"):
        list(predict_files(other, [folder], tmp_path / "out"))


def test_what_is_finished_is_not_predicted_again_but_written_in_other_formats(folder: Path, tmp_path: Path) -> None:
    list(predict_files(stub(), [folder], tmp_path))
    again = stub()
    *_, last = predict_files(again, [folder], tmp_path, PredictionSettings(formats=("csv",)))
    assert isinstance(last, PredictionsSaved)
    assert (again.pictures, last.new, last.images) == (0, 0, 12)
    assert (tmp_path / "predictions.csv").is_file()


def test_pictures_that_came_after_the_end_are_not_passed_over_in_silence(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "in")
    list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out"))
    write_pictures(tmp_path / "in", ["late.png"])
    with pytest.raises(WorkbenchError, match="13 pictures .* predicted, but now there are 14.*--fresh"):
        list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out"))


def test_two_processes_do_not_work_on_the_same_shard(folder: Path, tmp_path: Path) -> None:
    with (
        prediction_job.locked(prediction_job.folder_of(tmp_path, Shard())),
        pytest.raises(WorkbenchError, match="in use by process"),
    ):
        list(predict_files(stub(), [folder], tmp_path))


def listed(file: Path, count: int) -> ListingSummary:
    """Of names in an order that is not theirs."""
    names = (f"folder{n % 7}/img{(n * 7919) % count}.jpg" for n in range(count))
    items = (SourceItem(name, name[:-4], Path("/data", name)) for name in names)
    *_, last = listing.write(file, items, Shard())
    assert isinstance(last, ListingSummary)
    return last


def peak(file: Path, count: int) -> int:
    tracemalloc.start()
    listed(file, count)
    entries = sum(1 for _ in listing.entries(file))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert entries == count
    return most


def test_listing_ten_times_as_many_names_takes_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "CHUNK", 40)
    monkeypatch.setattr(listing, "FAN", 4)
    # twice: once in a while Python's table of all names of files grows, by 2 MB at a time
    many = min(peak(tmp_path / "many", 800) for _ in range(2))
    assert many < 1.3 * peak(tmp_path / "few", 160)


def test_a_listing_in_pieces_is_sorted_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = listed(tmp_path / "a", 200)
    monkeypatch.setattr(listing, "CHUNK", 7)
    monkeypatch.setattr(listing, "FAN", 3)
    assert listed(tmp_path / "b", 200) == at_once
    names = [entry.item.name for entry in listing.entries(tmp_path / "b")]
    assert names == sorted(names, key=natural_key)
    assert len(set(names)) == 200
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a", tmp_path / "b"], "nothing is left of the pieces"
    entries = list(listing.entries(tmp_path / "b"))
    start = Position(entries[42].after, 43)
    assert list(listing.entries(tmp_path / "b", start)) == entries[43:]


def test_places_are_told_apart_in_whatever_shard(tmp_path: Path) -> None:
    """Results of a.jpg and a.png may not be written to the same file, and not on a disk without upper case either."""
    names = ["a.jpg", "a.png", "A.jpg", "b~2.jpg", "b.jpg", "b.png"]
    items = [SourceItem(name, name[:-4], Path("/data", name)) for name in names]
    found: dict[str, str] = {}
    for number in (1, 2, 3):
        list(listing.write(tmp_path / "l", items, Shard(number, 3)))
        found |= {entry.item.name: entry.item.place for entry in listing.entries(tmp_path / "l")}
    assert found == {"A.jpg": "A", "a.jpg": "a~2", "a.png": "a~3", "b~2.jpg": "b~2~1", "b.jpg": "b", "b.png": "b~2"}


class Full:
    """A part on a disk that has room for a batch and ten bytes."""

    def __init__(self, part: Any) -> None:
        self._part, self._batches = part, 1

    def write(self, line: bytes) -> int:
        self._batches -= 1
        return int(self._part.write(line if self._batches >= 0 else line[:10]))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


def test_a_disk_that_fills_up_loses_no_batch_and_the_work_goes_on(
    folder: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = predict_files(stub(), [folder], tmp_path, ALL)
    with monkeypatch.context() as patched:
        patched.setattr(result_parts, "open", lambda *args, **how: Full(open(*args, **how)), raising=False)  # noqa: SIM115
        with pytest.raises(WorkbenchError, match=r"part-000000.jsonl could not be written: No space left"):
            list(job)
    again = stub()
    list(predict_files(again, [folder], tmp_path, ALL))
    assert again.pictures == 9
    assert written(tmp_path) == whole
