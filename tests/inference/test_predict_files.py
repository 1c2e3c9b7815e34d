"""Predicting files: what is written, what is skipped, and that stopping or failing loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.generators import close
from tests.inference.stub import stub, write_pictures
from workbench.core import images
from workbench.core.decoding import video as videos
from workbench.core.detections import KINDS, NmsKind
from workbench.core.tiling import Tiling
from workbench.errors import WorkbenchError
from workbench.inference import prediction_job
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import ListingProgress, Predicted, PredictionsSaved, Resumed, Skipped
from workbench.inference.pictures import sources
from workbench.inference.pictures.listing import Shard
from workbench.inference.pictures.sources import Frame, ListingEntry
from workbench.inference.predict import Predictor
from workbench.inference.predict_files import PredictionSettings, merge, predict_files


@pytest.fixture
def folder(photographs: list[Path], tmp_path: Path) -> Path:
    """Two photographs, one of them below, and a file that only pretends."""
    (tmp_path / "in" / "below").mkdir(parents=True)
    shutil.copy(photographs[0], tmp_path / "in" / "a.jpg")
    shutil.copy(photographs[1], tmp_path / "in" / "below" / "größe.jpg")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    return tmp_path / "in"


def at(score: float, iou: float = 0.45, kind: NmsKind = "darknet diou") -> PredictionSettings:
    return PredictionSettings(OperatingPoint(score, iou=iou, kind=kind))


def test_a_folder_is_predicted_and_what_cannot_be_read_is_reported(
    predictor: Predictor, folder: Path, tmp_path: Path
) -> None:
    events = list(predict_files(predictor, [folder], tmp_path / "out", at(0.3)))
    assert [event.name for event in events if isinstance(event, Predicted)] == ["a.jpg", "below/größe.jpg"]
    skipped = [event for event in events if isinstance(event, Skipped)]
    assert [event.name for event in skipped] == ["b.png"]
    last = events[-1]
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (2, 1)
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert [row["file"] for row in rows] == ["a.jpg", "below/größe.jpg"]
    assert sum(len(row["detections"]) for row in rows) == last.detections > 0
    info = images.info(folder / "a.jpg")
    assert (rows[0]["width"], rows[0]["height"]) == (info.width, info.height)
    first = rows[0]["detections"][0]
    found = predictor.candidates([images.read(folder / "a.jpg")])[0].detections(0.3, 0.45, "darknet diou")
    assert first["label"] == predictor.labels[found.labels[0]]
    np.testing.assert_allclose(first["box"], found.boxes[0], atol=0.01)


def test_boxes_are_thinned_out_as_published_unless_told_otherwise(
    predictor: Predictor, photographs: list[Path], tmp_path: Path
) -> None:
    found = predictor.candidates([images.read(photographs[0])])[0]
    score = float(found.scores[200])
    of_kind = {kind: len(found.detections(score, 0.45, kind)) for kind in KINDS}
    assert of_kind["darknet diou"] != of_kind["per label"]

    remembers = stub()
    remembers.detector, remembers.labels = predictor.detector, predictor.labels
    remembers.candidates = lambda images: [found]

    def count(settings: PredictionSettings) -> int:
        *_, last = predict_files(remembers, photographs[:1], tmp_path, settings, fresh=True)
        assert isinstance(last, PredictionsSaved)
        return last.detections

    assert predictor.detector.published_nms == ("darknet diou", 0.45)
    assert count(PredictionSettings(formats=("json",))) == len(found.detections(0.25, 0.45, "darknet diou"))
    assert count(at(score)) == of_kind["darknet diou"]
    assert count(at(score, kind="per label")) == of_kind["per label"]
    assert count(at(score, iou=0.9, kind="per label")) == len(found.detections(score, 0.9)) > of_kind["per label"]


def test_pictures_keep_their_names_and_size(predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    list(predict_files(predictor, [folder], tmp_path / "out", at(0.3)))
    drawn = images.read(tmp_path / "out" / "pictures" / "below" / "größe.jpg")
    original = images.read(folder / "below" / "größe.jpg")
    assert drawn.shape == original.shape
    assert np.abs(drawn.astype(int) - original).max() > 100


def test_a_strip_that_no_jpeg_can_hold_is_drawn_smaller_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png", "c.png"])
    cv2.imwrite(str(tmp_path / "in" / "b.png"), np.full((30, 66_000, 3), 3, np.uint8))
    *_, last = predict_files(stub(), [tmp_path / "in"], tmp_path / "out")
    assert isinstance(last, PredictionsSaved)
    assert last.images == 3
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert rows[1]["width"] == 66_000, "boxes are in pixels of the image itself"
    assert images.read(tmp_path / "out" / "pictures" / "b.jpg").shape == (29, 65_500, 3)


def test_two_folders_with_the_same_names_both_keep_their_pictures(tmp_path: Path) -> None:
    for part in ("x", "y"):
        write_pictures(tmp_path / part / "same", ["a.png"])
    list(predict_files(stub(), [tmp_path / "x" / "same", tmp_path / "y" / "same"], tmp_path / "out"))
    pictures = tmp_path / "out" / "pictures"
    assert sorted(file.relative_to(pictures).as_posix() for file in pictures.rglob("*.jpg")) == [
        "same-2/a.jpg", "same/a.jpg",
    ]  # fmt: skip


def test_stopping_early_keeps_what_was_done_for_the_next_call(folder: Path, tmp_path: Path) -> None:
    job = predict_files(stub(), [folder], tmp_path / "out")
    assert isinstance(next(job), ListingProgress)
    assert isinstance(next(job), Predicted)
    close(job)
    events = list(predict_files(stub(), [folder], tmp_path / "out"))
    assert events[0] == Resumed(3, 3), "all three were of one batch"
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert [row["file"] for row in rows] == ["a.jpg", "below/größe.jpg"]


def test_an_empty_folder_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(WorkbenchError, match="There is no image or video in"):
        list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["gone.jpg", "text.md"])
def test_what_is_no_picture_by_its_name_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.md").write_text("x")
    with pytest.raises(WorkbenchError):
        list(predict_files(stub(), [tmp_path / name], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_every_second_frame_of_a_video_in_order(clip: Path, tmp_path: Path) -> None:
    entries = [ListingEntry(item, n) for n, item in enumerate(sources.find_items([clip]))]
    found = [one.read for one in sources.read(entries, every=2)]
    assert [frame.index for frame in found] == [0, 2, 4, 6]
    assert [round(float(frame.image.mean()) / 30) for frame in found if isinstance(frame, Frame)] == [0, 2, 4, 6]
    settings = PredictionSettings(every=3, formats=("json", "pictures", "video"))
    *_, last = predict_files(stub(), [clip], tmp_path, settings)
    assert isinstance(last, PredictionsSaved)
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert [row["frame"] for row in rows] == [0, 3, 6]
    assert (tmp_path / "pictures" / "clip.avi" / "000003.jpg").is_file()
    assert len(list(videos.frames(tmp_path / "videos" / "clip.avi.mp4"))) == 3


def test_frames_of_a_video_are_dealt_out_and_gone_on_with(clip: Path, tmp_path: Path) -> None:
    """Seven frames: two batches of four at most; of shards the first has 0, 2, 4, 6 and the second 1, 3, 5."""
    settings = PredictionSettings(formats=("json", "video"))
    list(predict_files(stub(), [clip], tmp_path / "whole", settings))
    job = predict_files(stub(), [clip], tmp_path / "again", settings)
    for event in job:
        if isinstance(event, Predicted) and event.done == 4:
            break
    close(job)
    again = stub()
    list(predict_files(again, [clip], tmp_path / "again", settings))
    assert again.pictures == 3
    for number, pictures in ((1, 4), (2, 3)):
        one = stub()
        list(predict_files(one, [clip], tmp_path / "shards", replace(settings, shard=Shard(number, 2))))
        assert one.pictures == pictures
    list(merge(tmp_path / "shards", settings.formats))
    for name in ("predictions.json", "videos/clip.avi.mp4"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == whole
        assert (tmp_path / "shards" / name).read_bytes() == whole


@pytest.mark.parametrize("finished", [True, False])
def test_a_video_that_another_took_the_place_of_is_told_and_its_copy_is_not(
    clip: Path, tmp_path: Path, finished: bool
) -> None:
    """Boxes of yesterday's recording were given, and drawn on today's."""
    file, out, settings = tmp_path / "ride.avi", tmp_path / "out", PredictionSettings(formats=("json", "video"))
    shutil.copy(clip, file)
    for done, _ in enumerate(predict_files(stub(), [file], out, settings)):
        if done == 3 and not finished:
            break
    shutil.copyfile(clip, file)  # as one moved to another machine: of another time
    os.utime(file, (1, 1))
    *_, last = predict_files(stub(), [file], out, settings)
    assert isinstance(last, PredictionsSaved)
    assert last.images == 7
    file.write_bytes(clip.read_bytes().replace(b"\xff\xd9", b"\xff\xd8"))
    with pytest.raises(WorkbenchError, match=r"ride\.avi is no longer the video .*--fresh"):
        list(predict_files(stub(), [file], out, settings))
    with pytest.raises(WorkbenchError, match=r"ride\.avi is no longer the video"):
        list(merge(out, ["video"]))
    list(merge(out, ["csv"]))
    told = json.loads((out / "parts" / "1-of-1" / "job.json").read_text())
    del told["fingerprints"]  # as jobs of before have none
    (out / "parts" / "1-of-1" / "job.json").write_text(json.dumps(told))
    assert prediction_job.read(out / "parts" / "1-of-1") is not None
    list(merge(out, ["csv"]))


def test_a_video_among_pictures_is_in_its_place(clip: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png", "d.png"])
    list(predict_files(stub(), [tmp_path / "in", clip], tmp_path / "out", PredictionSettings(every=6)))
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(row["file"], row.get("frame")) for row in rows] == [
        ("clip.avi", 0), ("clip.avi", 6), ("in/a.png", None), ("in/d.png", None),
    ]  # fmt: skip


def test_a_folder_that_can_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a network disk that goes away while it is read take images with it in silence."""
    write_pictures(tmp_path / "in", ["a.png", "below/b.png", "shut/c.png"])
    really = os.scandir

    def scandir(folder: Any) -> Any:
        if os.path.basename(folder) == "shut":
            raise PermissionError(13, "Permission denied")
        return really(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    *_, last = predict_files(stub(), [tmp_path / "in"], tmp_path / "out")
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (2, 1)
    told = (tmp_path / "out" / "left_out.csv").read_text()
    assert "shut: this folder can't be read (Permission denied)" in told


def test_a_folder_with_nothing_but_what_was_drawn_before_has_no_picture(tmp_path: Path) -> None:
    file = write_pictures(tmp_path, ["a.png"]) / "a.png"
    list(predict_files(stub(), [tmp_path], tmp_path / "out"))
    file.unlink()
    with pytest.raises(WorkbenchError, match="There is no image or video"):
        list(predict_files(stub(), [tmp_path], tmp_path / "out", fresh=True))


@pytest.mark.parametrize("content", [b"", b"not a video", b"RIFF\0\0\0\0AVI LIST"])
def test_a_broken_video_is_refused_before_anything_is_written(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.avi").write_bytes(content)
    with pytest.raises(WorkbenchError, match="video"):
        list(predict_files(stub(), [tmp_path / "broken.avi"], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_video_whose_name_is_not_utf8_is_refused_and_does_not_end_the_process(tmp_path: Path, clip: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.avi"))
    shutil.copy(clip, file)
    with pytest.raises(WorkbenchError, match="not UTF-8"):
        list(predict_files(stub(), [file], tmp_path / "out"))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_picture_whose_name_is_no_text_is_left_out_and_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    shutil.copy(tmp_path / "in" / "a.png", tmp_path / "in" / os.fsdecode(b"bad\xff.png"))
    events = list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out"))
    (skipped,) = [event for event in events if isinstance(event, Skipped)]
    assert "rename it" in skipped.sentence
    assert "rename it" in (tmp_path / "out" / "left_out.csv").read_text("utf-8")


def test_a_picture_that_is_not_there_is_told_without_a_project(tmp_path: Path) -> None:
    write_pictures(tmp_path, ["a.png"])
    (tmp_path / "list.txt").write_text("a.png\ngone.png\n")
    *_, last = predict_files(stub(), [tmp_path / "list.txt"], tmp_path / "out")
    assert isinstance(last, PredictionsSaved)
    assert (last.images, last.skipped) == (1, 1)
    told = (tmp_path / "out" / "left_out.csv").read_text()
    assert "gone.png: the file is not there; put it back or check its name, and start over with --fresh" in told
    assert "project" not in told.splitlines()[1].replace(str(tmp_path), "")


def test_videos_in_a_folder_of_photographs_are_told_and_how_to_name_them(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = tmp_path / "in", tmp_path / "in" / "out"
    write_pictures(folder, ["a.png"])
    for name in ("day 1/ride.AVI", "day 2/ride.avi"):
        (folder / name).parent.mkdir()
        shutil.copy(clip, folder / name)
    (folder / "day 1" / "notes.txt").write_text("no video")

    def remark(*sources: Path, **told: bool) -> str:
        *_, last = predict_files(stub(), sources, out, PredictionSettings(formats=("json", "video")), **told)
        assert isinstance(last, PredictionsSaved)
        return last.remark

    pattern = folder / "**" / "*.AVI"
    assert f"2 videos in the folders are not predicted. To include them, open or name them, such as '{pattern}'." in (
        remark(folder)
    )
    assert "2 videos" in remark(folder), "gone on with, too"

    def commonpath(_: object) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", commonpath)
    assert f"such as '{folder / 'day 1' / '**' / '*.AVI'}'" in remark(folder, fresh=True), "on two drives of Windows"
    assert "1 video in the folders is" in remark(folder, folder / "day 1" / "ride.AVI", fresh=True)
    assert (out / "videos" / "ride.AVI.mp4").is_file(), "of a prediction"
    assert "1 video in" in remark(folder, folder / "day 1" / "ride.AVI", fresh=True)
    assert "in the folders" not in remark(folder, pattern, folder / "**" / "*.avi", fresh=True)


def test_a_table_says_which_image_each_yolo_file_is_of(tmp_path: Path, clip: Path) -> None:
    write_pictures(tmp_path / "in", ["anim.gif", "anim.webp", "below/b.png"])
    (tmp_path / "in" / "broken.png").write_bytes(b"no picture")
    list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out", PredictionSettings(formats=("yolo",))))
    table = (tmp_path / "out" / "yolo" / "images.csv").read_text(encoding="utf-8").splitlines()
    assert table == ["labels,image,frame", "anim.txt,anim.gif,", "anim~2.txt,anim.webp,", "below/b.txt,below/b.png,"]
    list(predict_files(stub(), [clip], tmp_path / "out", PredictionSettings(formats=("yolo",), every=6), fresh=True))
    table = (tmp_path / "out" / "yolo" / "images.csv").read_text(encoding="utf-8").splitlines()
    assert table[1:] == ["clip.avi/000000.txt,clip.avi,0", "clip.avi/000006.txt,clip.avi,6"]


@pytest.mark.parametrize(
    ("trained", "side", "overlap", "seen"),
    [
        (None, None, None, None),
        (Tiling(128, 0.3), None, None, Tiling(128, 0.3)),
        (Tiling(128, 0.3), 0, None, None),
        (Tiling(128, 0.3), 256, None, Tiling(256, 0.3)),
        (Tiling(128, 0.3), None, 0.5, Tiling(128, 0.5)),
        (None, 256, None, Tiling(256, 0.2)),
    ],
)
def test_tiles_are_those_of_the_training_unless_others_are_chosen(
    tmp_path: Path, trained: Tiling | None, side: int | None, overlap: float | None, seen: Tiling | None
) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    predictor = stub()
    predictor.tiling = trained
    settings = PredictionSettings(tiles=side, overlap=overlap, formats=("json",))
    list(predict_files(predictor, [tmp_path / "in"], tmp_path / "out", settings))
    assert predictor.tiling == seen


def test_tiles_that_cannot_be_are_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    with pytest.raises(WorkbenchError, match="at least 64 pixels, found 10"):
        list(predict_files(stub(), [tmp_path / "in"], tmp_path / "out", PredictionSettings(tiles=10)))
