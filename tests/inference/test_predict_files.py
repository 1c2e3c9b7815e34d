"""Predicting files: what is written, what is skipped, and that stopping or failing loses nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from workbench.core import images
from workbench.core.detections import KINDS
from workbench.errors import WorkbenchError
from workbench.inference import sources
from workbench.inference.events import Predicted, PredictionsSaved, Skipped
from workbench.inference.predict import Predictor
from workbench.inference.predict_files import predict_files
from workbench.inference.sources import Frame


@pytest.fixture
def folder(photographs: list[Path], tmp_path: Path) -> Path:
    """Two photographs, one of them below, and a file that only pretends."""
    (tmp_path / "in" / "below").mkdir(parents=True)
    shutil.copy(photographs[0], tmp_path / "in" / "a.jpg")
    shutil.copy(photographs[1], tmp_path / "in" / "below" / "größe.jpg")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    return tmp_path / "in"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven frames, each of its own grey."""
    file = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for shade in range(7):
        writer.write(np.full((48, 64, 3), shade * 30, np.uint8))
    writer.release()
    return file


def test_a_folder_is_predicted_and_what_cannot_be_read_is_reported(
    predictor: Predictor, folder: Path, tmp_path: Path
) -> None:
    events = list(predict_files(predictor, [folder], tmp_path / "out", score=0.3))
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

    def count(**told: Any) -> int:
        *_, last = predict_files(predictor, photographs[:1], tmp_path, score=score, pictures=False, **told)
        assert isinstance(last, PredictionsSaved)
        return last.detections

    assert count() == of_kind["darknet diou"]
    assert count(kind="per label") == of_kind["per label"]
    assert count(kind="per label", iou=0.9) == len(found.detections(score, 0.9)) > of_kind["per label"]


def test_pictures_keep_their_names_and_size(predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    list(predict_files(predictor, [folder], tmp_path / "out", score=0.3))
    drawn = images.read(tmp_path / "out" / "pictures" / "below" / "größe.jpg")
    original = images.read(folder / "below" / "größe.jpg")
    assert drawn.shape == original.shape
    assert np.abs(drawn.astype(int) - original).max() > 100


def test_two_folders_with_the_same_names_both_keep_their_pictures(
    predictor: Predictor, photographs: list[Path], tmp_path: Path
) -> None:
    for part in ("x", "y"):
        (tmp_path / part / "same").mkdir(parents=True)
        shutil.copy(photographs[0], tmp_path / part / "same" / "a.jpg")
    list(predict_files(predictor, [tmp_path / "x" / "same", tmp_path / "y" / "same"], tmp_path / "out"))
    assert len(list((tmp_path / "out" / "pictures").rglob("*.jpg"))) == 2


def test_stopping_early_keeps_what_was_done(predictor: Predictor, folder: Path, tmp_path: Path) -> None:
    job = predict_files(predictor, [folder], tmp_path / "out")
    assert isinstance(next(job), Predicted)
    job.close()  # type: ignore[attr-defined]
    rows = json.loads((tmp_path / "out" / "predictions.json").read_text(encoding="utf-8"))
    assert [row["file"] for row in rows] == ["a.jpg"]


def test_an_empty_folder_gives_an_empty_list(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    events = list(predict_files(predictor, [tmp_path / "in"], tmp_path / "out"))
    assert len(events) == 1
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == []


@pytest.mark.parametrize("name", ["gone.jpg", "text.txt"])
def test_what_is_no_picture_by_its_name_is_refused(predictor: Predictor, tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(WorkbenchError):
        list(predict_files(predictor, [tmp_path / name], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_every_second_frame_of_a_video_in_order(predictor: Predictor, clip: Path, tmp_path: Path) -> None:
    found = [frame for frame in sources.frames([clip], every=2) if isinstance(frame, Frame)]
    assert [frame.index for frame in found] == [0, 2, 4, 6]
    assert [round(float(frame.image.mean()) / 30) for frame in found] == [0, 2, 4, 6]
    assert sources.count([clip], every=2) == 4
    list(predict_files(predictor, [clip], tmp_path, every=3))
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert [row["frame"] for row in rows] == [0, 3, 6]
    assert (tmp_path / "pictures" / "clip.avi-000003.jpg").is_file()


@pytest.mark.parametrize("content", [b"", b"not a video", b"RIFF\0\0\0\0AVI LIST"])
def test_a_broken_video_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.avi").write_bytes(content)
    with pytest.raises(WorkbenchError, match="video"):
        list(sources.frames([tmp_path / "broken.avi"]))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_video_whose_name_is_not_utf8_is_refused_and_does_not_end_the_process(tmp_path: Path, clip: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.avi"))
    shutil.copy(clip, file)
    with pytest.raises(WorkbenchError, match="not UTF-8"):
        list(sources.frames([file]))
