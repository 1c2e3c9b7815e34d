"""Results take the place of results alone: photographs, videos and labels beside them stay, and are predicted once."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.inference.stub import stub, write_pictures
from workbench.errors import WorkbenchError
from workbench.inference.events import PredictionsSaved
from workbench.inference.predict_files import Asked, merge, predict_files
from workbench.inference.results_video import Recorder
from workbench.inference.webcam import predict_webcam


def predict(source: Path, out: Path, *formats: str, fresh: bool = False) -> PredictionsSaved:
    *_, last = predict_files(stub(), [source], out, Asked(formats=formats or ("json", "pictures")), fresh=fresh)
    assert isinstance(last, PredictionsSaved)
    return last


@pytest.mark.parametrize("source", ["pictures", "pictures/a.png", "pictures/*.png", "link", "pictures/below"])
@pytest.mark.parametrize("fresh", [False, True])
def test_photographs_in_a_folder_called_pictures_are_not_replaced(tmp_path: Path, source: str, fresh: bool) -> None:
    write_pictures(tmp_path / "pictures", ["a.png", "below/b.png"])
    (tmp_path / "link").symlink_to("pictures", target_is_directory=True)
    with pytest.raises(WorkbenchError, match="replace what is to be predicted.*--out"):
        predict(tmp_path / source, tmp_path, fresh=fresh)
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == ["a.png", "below"]
    assert predict(tmp_path / source, tmp_path, "json").images > 0, "JSON replaces none of them"
    with pytest.raises(WorkbenchError, match="replace what is to be predicted.*--out"):
        predict(tmp_path / source, tmp_path, fresh=True)


def test_a_video_in_a_folder_called_videos_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "videos" / "ride.mp4"
    with Recorder(file, 10) as recorder:
        recorder.write(np.zeros((48, 64, 3), np.uint8))
    before = file.read_bytes()
    with pytest.raises(WorkbenchError, match="replace what is to be predicted"):
        predict(file, tmp_path, "json", "video")
    assert file.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_video_into_a_folder_whose_name_is_no_text_is_refused_and_does_not_end_the_process(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    out = Path(os.fsdecode(os.fsencode(tmp_path) + b"/out\xff"))
    with pytest.raises(WorkbenchError, match="not valid text. Rename it"):
        predict(tmp_path / "in", out, "json", "video")
    assert predict(tmp_path / "in", out).images == 1


@pytest.mark.parametrize(
    ("format", "theirs"),
    [("voc", "voc/Annotations/a.xml"), ("yolo", "yolo/labels/a.txt"), ("pictures", "pictures/a.jpg")],
)
def test_labels_and_pictures_that_were_there_before_are_not_replaced(tmp_path: Path, format: str, theirs: str) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    (tmp_path / theirs).parent.mkdir(parents=True)
    (tmp_path / theirs).write_text("a day's work")
    with pytest.raises(WorkbenchError, match="of no prediction.*--out"):
        predict(tmp_path / "in", tmp_path, format, fresh=True)
    assert (tmp_path / theirs).read_text() == "a day's work"
    with pytest.raises(WorkbenchError, match="of no prediction.*--out"):
        list(predict_webcam(stub(), 0, tmp_path, Asked(formats=(format,)), threading.Event()))


@pytest.mark.parametrize("format", ["voc", "yolo"])
def test_labels_beside_earlier_results_are_not_replaced_by_further_formats(tmp_path: Path, format: str) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    predict(tmp_path / "in", tmp_path, "json")
    theirs = tmp_path / format / "a.txt"
    theirs.parent.mkdir()
    theirs.write_text("a day's work")
    with pytest.raises(WorkbenchError, match="of no prediction"):
        list(merge(tmp_path, [format]))
    with pytest.raises(WorkbenchError, match="of no prediction"):
        predict(tmp_path / "in", tmp_path, format, fresh=True)
    theirs.unlink()
    list(merge(tmp_path, [format]))
    assert os.listdir(theirs.parent)
    list(merge(tmp_path, [format, "csv"]))
    predict(tmp_path / "in", tmp_path, "json", format)
    (tmp_path / "parts" / "folders.json").unlink()  # a prediction of before has none
    predict(tmp_path / "in", tmp_path, "json")
    list(merge(tmp_path, [format]))


def test_a_video_is_not_replaced_by_what_is_drawn_later(tmp_path: Path) -> None:
    file = tmp_path / "videos" / "ride.mp4"
    with Recorder(file, 10) as recorder:
        recorder.write(np.zeros((48, 64, 3), np.uint8))
    before = file.read_bytes()
    predict(file, tmp_path, "json")
    with pytest.raises(WorkbenchError, match="replace what is to be predicted"):
        list(merge(tmp_path, ["video"]))
    assert file.read_bytes() == before


def test_pictures_drawn_into_a_folder_within_the_source_are_no_pictures_to_predict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`workbench predict PROJECT .` among the photographs, again and again."""
    monkeypatch.chdir(write_pictures(tmp_path / "in", ["a.png", "below/b.png"]))
    out = Path("predictions")
    assert predict(Path(), out).images == 2
    assert (predict(Path(), out).new, predict(Path(), out, "json").new) == (0, 0)
    assert predict(Path(), out, fresh=True).new == 2
    write_pictures(tmp_path / "in", ["c.png"])
    predict(Path("../in"), out, fresh=True)
    assert [row["file"] for row in json.loads((out / "predictions.json").read_text())] == [
        "a.png",
        "below/b.png",
        "c.png",
    ]


def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    (tmp_path / "out" / "parts" / "1-of-1" / "lock").mkdir(parents=True)  # nor can this, whoever one is
    with pytest.raises(WorkbenchError, match="can't be written. Choose another --out"):
        predict(tmp_path / "in", tmp_path / "out")
