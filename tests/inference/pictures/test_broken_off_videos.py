"""A video that breaks off is predicted as far as it goes, and that the rest is missing is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.generators import close
from tests.inference.stub import stub
from workbench.core.decoding import video as videos
from workbench.errors import Refused
from workbench.inference.events import PredictionsSaved, Skipped
from workbench.inference.pictures import sources
from workbench.inference.pictures.listing import Shard
from workbench.inference.pictures.sources import ListingEntry, Position, SourceItem
from workbench.inference.predict_files import PredictionSettings, merge, predict_files
from workbench.inference.writing.results_video import Recorder

FORMATS = ("json", "csv", "video", "yolo")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds, sixty frames."""
    file = tmp_path_factory.mktemp("video") / "ride.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for shade in range(60):
        writer.write(np.full((48, 64, 3), shade * 4, np.uint8))
    writer.release()
    return file


@pytest.fixture
def half(whole: Path, tmp_path: Path) -> Path:
    content = whole.read_bytes()
    (tmp_path / "ride.avi").write_bytes(content[: len(content) // 2])
    return tmp_path / "ride.avi"


def test_the_half_that_is_there_is_predicted_and_the_other_is_told(half: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    *_, last = predict_files(stub(), [half], out, PredictionSettings(formats=FORMATS))
    assert isinstance(last, PredictionsSaved)
    assert last.skipped == 1
    assert 10 < last.images < 40
    assert len(json.loads((out / "predictions.json").read_text())) == last.images
    assert len(list(videos.frames(out / "videos" / "ride.avi.mp4"))) == last.images
    assert len(list((out / "yolo" / "labels" / "ride.avi").iterdir())) == last.images
    told = (out / "left_out.csv").read_text()
    assert f"only the first {last.images / 10} of 6.0 seconds could be read" in told
    *_, again = predict_files(stub(), [half], out, PredictionSettings(formats=FORMATS))
    assert isinstance(again, PredictionsSaved)
    assert (again.new, again.skipped) == (0, 1)


def test_a_disk_that_goes_away_while_the_rest_of_a_video_is_read_is_told(half: Path) -> None:
    """What an earlier process had not read was passed over without a word, and the job was finished."""
    entry = ListingEntry(SourceItem("ride.avi", "ride.avi", half, is_video=True), 0, 0, 9)
    reading = sources.read([entry], first=4)
    assert next(reading).next.frame == 5
    half.unlink()
    *_, last = reading
    assert isinstance(last.read, Skipped)
    assert "does not exist" in last.read.sentence
    assert (last.read.index > 4, last.next) == (True, Position(9, 1))
    (gone,) = sources.read([entry], first=4)
    assert isinstance(gone.read, Skipped)
    assert (gone.read.index, gone.next) == (4, Position(9, 1))


def test_a_disk_that_goes_away_before_the_rest_of_a_video_takes_nothing_that_was_predicted(
    half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told was from a frame on that an earlier process had predicted."""

    def gone(file: Path, *_: object) -> str:
        raise Refused(file, "does not exist.")

    monkeypatch.setattr(videos, "cut_off", gone)
    entry = ListingEntry(SourceItem("ride.avi", "ride.avi", half, is_video=True), 0, 0, 9)
    (rest,) = sources.read([entry], first=50)
    assert isinstance(rest.read, Skipped)
    assert rest.read.index == 50


@pytest.mark.parametrize("of", [2, 3, 4])
def test_shards_tell_it_once_and_merge_to_the_same(half: Path, tmp_path: Path, of: int) -> None:
    """The last frame is another shard's than the one that tells it."""
    list(predict_files(stub(), [half], tmp_path / "one", PredictionSettings(formats=FORMATS)))
    for number in range(1, of + 1):
        list(
            predict_files(
                stub(), [half], tmp_path / "all", PredictionSettings(formats=FORMATS, shard=Shard(number, of))
            )
        )
    list(merge(tmp_path / "all", FORMATS))
    for name in ("predictions.json", "predictions.csv", "left_out.csv", "videos/ride.avi.mp4"):
        assert (tmp_path / "all" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name


def test_a_video_that_can_not_be_opened_is_told_once_whatever_the_number_of_shards(tmp_path: Path) -> None:
    """Each of them told it: of one video, "3 pictures could not be read"."""
    (tmp_path / "ride.avi").write_bytes(b"no video")
    cv2.imwrite(str(tmp_path / "b.png"), np.zeros((48, 64, 3), np.uint8))
    listed = tmp_path / "list.txt"
    listed.write_text(f"{tmp_path / 'ride.avi'}\n{tmp_path / 'b.png'}\n")
    list(predict_files(stub(), [listed], tmp_path / "one", PredictionSettings()))
    for number in (1, 2, 3):
        list(predict_files(stub(), [listed], tmp_path / "all", PredictionSettings(shard=Shard(number, 3))))
    *_, saved = merge(tmp_path / "all", ("json",))
    assert isinstance(saved, PredictionsSaved)
    assert (saved.images, saved.skipped) == (1, 1)
    assert (tmp_path / "all" / "left_out.csv").read_text() == (tmp_path / "one" / "left_out.csv").read_text()


@pytest.fixture
def scratched(tmp_path: Path) -> Path:
    """Sixty frames, of which some in the middle can't be decoded."""
    file, noise = tmp_path / "scratched.mp4", np.random.default_rng(0)
    with Recorder(file, 10) as recorder:
        for _ in range(60):
            recorder.write(noise.integers(0, 256, (48, 64, 3), np.uint8))
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("every", [1, 2])
def test_damaged_frames_are_told_once_by_number_and_the_rest_is_written(
    scratched: Path, tmp_path: Path, every: int
) -> None:
    there = [frame.index for frame in videos.frames(scratched, every)]
    gone = sorted(set(range(0, 60, every)) - set(there))
    assert len(gone) > 1 or every == 2
    which = f"frame {gone[0]} is" if len(gone) == 1 else f"the frames {gone[0]} to {gone[-1]} are"
    out, asked = tmp_path / "one", PredictionSettings(formats=FORMATS, every=every)
    working = predict_files(stub(), [scratched], out, asked)
    next(event for event in working if isinstance(event, Skipped))
    close(working)
    *_, last = predict_files(stub(), [scratched], out, asked)
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (len(there), 1)
    told = (out / "left_out.csv").read_text()
    assert told.endswith(f": {which} damaged and left out. Copy the video again.\n")
    assert told.count("\n") == 2
    assert len(list(videos.frames(out / "videos" / "scratched.mp4"))) == len(there)
    for number in (1, 2, 3):
        list(predict_files(stub(), [scratched], tmp_path / "all", replace(asked, shard=Shard(number, 3))))
    list(merge(tmp_path / "all", FORMATS))
    for name in ("predictions.json", "left_out.csv", "videos/scratched.mp4"):
        assert (tmp_path / "all" / name).read_bytes() == (out / name).read_bytes(), name


@pytest.mark.parametrize("every", [1, 7, 25, 59, 100])
def test_of_a_whole_video_nothing_is_told(whole: Path, every: int) -> None:
    *_, last = videos.frames(whole, every)
    assert videos.cut_off(whole, last, every) == ""


def test_a_second_is_let_pass_and_two_are_not(whole: Path) -> None:
    some = list(videos.frames(whole))
    assert videos.cut_off(whole, some[50]) == ""
    assert "only the first 4.0 of 6.0 seconds" in videos.cut_off(whole, some[39])
