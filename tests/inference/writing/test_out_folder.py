"""Results take the place of results alone: photographs, videos and labels beside them stay, and are predicted once."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.generators import close
from tests.inference.stub import stub, write_pictures
from workbench.errors import WorkbenchError
from workbench.inference.events import Predicted, PredictionsSaved
from workbench.inference.pictures.listing import Shard
from workbench.inference.pictures.webcam import predict_webcam
from workbench.inference.predict_files import PredictionSettings, merge, predict_files
from workbench.inference.writing.results_video import Recorder


def predict(source: Path, out: Path, *formats: str, fresh: bool = False) -> PredictionsSaved:
    *_, last = predict_files(
        stub(), [source], out, PredictionSettings(formats=formats or ("json", "pictures")), fresh=fresh
    )
    assert isinstance(last, PredictionsSaved)
    return last


@pytest.mark.parametrize("source", ["pictures", "pictures/a.png", "pictures/*.png", "link", "pictures/below"])
@pytest.mark.parametrize("fresh", [False, True])
def test_photographs_in_a_folder_called_pictures_are_not_replaced(tmp_path: Path, source: str, fresh: bool) -> None:
    write_pictures(tmp_path / "pictures", ["a.png", "below/b.png"])
    (tmp_path / "link").symlink_to("pictures", target_is_directory=True)
    with pytest.raises(WorkbenchError, match="replace the pictures to predict.*--out"):
        predict(tmp_path / source, tmp_path, fresh=fresh)
    assert sorted(file.name for file in (tmp_path / "pictures").iterdir()) == ["a.png", "below"]
    assert predict(tmp_path / source, tmp_path, "json").images > 0, "JSON replaces none of them"
    with pytest.raises(WorkbenchError, match="replace the pictures to predict.*--out"):
        predict(tmp_path / source, tmp_path, fresh=True)


def test_a_video_in_a_folder_called_videos_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "videos" / "ride.mp4"
    with Recorder(file, 10) as recorder:
        recorder.write(np.zeros((48, 64, 3), np.uint8))
    before = file.read_bytes()
    with pytest.raises(WorkbenchError, match="replace the pictures to predict"):
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
    [
        ("voc", "voc/Annotations/a.xml"),
        ("yolo", "yolo/labels/a.txt"),
        ("pictures", "pictures/a.jpg"),
        ("json", "predictions.json"),
        ("csv", "predictions.csv"),
        ("coco", "predictions.coco.images.json"),
    ],
)
def test_labels_and_pictures_that_were_there_before_are_not_replaced(tmp_path: Path, format: str, theirs: str) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    (tmp_path / theirs).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / theirs).write_text("a day's work")
    with pytest.raises(WorkbenchError, match="not from a prediction.*--out"):
        predict(tmp_path / "in", tmp_path, format, fresh=True)
    assert (tmp_path / theirs).read_text() == "a day's work"
    with pytest.raises(WorkbenchError, match="not from a prediction.*--out"):
        list(predict_webcam(stub(), 0, tmp_path, PredictionSettings(formats=(format,)), threading.Event()))


@pytest.mark.parametrize("format", ["voc", "yolo"])
def test_labels_beside_earlier_results_are_not_replaced_by_further_formats(tmp_path: Path, format: str) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    predict(tmp_path / "in", tmp_path, "json")
    theirs = tmp_path / format / "a.txt"
    theirs.parent.mkdir()
    theirs.write_text("a day's work")
    with pytest.raises(WorkbenchError, match="not from a prediction"):
        list(merge(tmp_path, [format]))
    with pytest.raises(WorkbenchError, match="not from a prediction"):
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
    with pytest.raises(WorkbenchError, match="replace the pictures to predict"):
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


ALL = ("json", "csv", "coco", "yolo", "voc", "pictures")


def names_in(out: Path) -> set[str]:
    """The files in it but for the parts."""
    there = (file.relative_to(out) for file in out.rglob("*") if file.is_file())
    return {name.as_posix() for name in there if name.parts[0] != "parts"}


def of_image(place: str) -> set[str]:
    return {f"pictures/{place}.jpg", f"yolo/labels/{place}.txt", f"voc/Annotations/{place}.xml"}


ONE_FILE = {"predictions.json", "predictions.csv", "predictions.coco.json", "predictions.coco.images.json"}


@pytest.mark.parametrize("shards", [1, 2])
def test_begun_anew_nothing_of_the_earlier_job_is_left_and_nothing_of_a_person_goes(
    tmp_path: Path, shards: int
) -> None:
    out = tmp_path / "out"
    write_pictures(tmp_path / "old", ["a.png", "a.jpg", "below/b.png", "img1.png", "img01.png"])
    write_pictures(tmp_path / "new", ["a.png", "c.png", "img1.png"])
    predict(tmp_path / "old", out, *ALL)
    assert of_image("below/b") <= names_in(out)
    theirs = {"notes.txt", "yolo/labels/mine.txt", "voc/Annotations/below/mine.xml", "pictures/c.png", "yolo/a.txt"}
    for name in theirs:
        (out / name).write_text("by hand")

    for number in range(1, shards + 1):
        settings = PredictionSettings(formats=ALL, shard=Shard(number, shards))
        list(predict_files(stub(), [tmp_path / "new"], out, settings, fresh=True))
        if number < shards:
            assert of_image("below/b") <= names_in(out), "until there is something in their place"
    if shards > 1:
        list(merge(out, ALL))
    now = set().union(*(of_image(place) for place in ("a", "c", "img1")))
    assert names_in(out) == theirs | now | ONE_FILE | {"yolo/classes.txt", "yolo/images.csv"}
    assert not (out / "pictures" / "below").exists()
    assert all((out / name).read_text() == "by hand" for name in theirs)

    predict(tmp_path / "new", out, "json", fresh=True)
    assert names_in(out) == theirs | {"predictions.json"}
    assert json.loads((out / "parts" / "folders.json").read_text()) == ["pictures", "predictions.json", "voc", "yolo"]
    assert not (out / "parts" / "earlier").exists()


def test_what_a_job_that_was_broken_off_drew_goes_too_and_the_same_job_goes_on_with_its_own(tmp_path: Path) -> None:
    write_pictures(tmp_path / "old", [f"{number}.png" for number in range(12)])
    write_pictures(tmp_path / "new", ["x.png"])
    working = predict_files(stub(), [tmp_path / "old"], tmp_path / "out")
    next(event for event in working if isinstance(event, Predicted))
    close(working)
    assert "pictures/0.jpg" in names_in(tmp_path / "out")
    with open(next((tmp_path / "out" / "parts" / "1-of-1").glob("part-*")), "ab") as part:
        part.write(b"half a line")
    predict(tmp_path / "new", tmp_path / "out", fresh=True)
    predict(tmp_path / "new", tmp_path / "out", "csv")
    assert names_in(tmp_path / "out") == {"pictures/x.jpg", "predictions.json", "predictions.csv"}


def test_pictures_that_were_drawn_and_are_predicted_now_stay(tmp_path: Path) -> None:
    write_pictures(tmp_path / "in", ["a.png"])
    predict(tmp_path / "in", tmp_path / "out")
    assert predict(tmp_path / "out", tmp_path / "out", "json", fresh=True).images == 1
    assert names_in(tmp_path / "out") == {"pictures/a.jpg", "predictions.json"}


def test_what_predictions_wrote_that_kept_no_list_stays(tmp_path: Path) -> None:
    write_pictures(tmp_path / "old", ["a.png"])
    write_pictures(tmp_path / "new", ["b.png"])
    predict(tmp_path / "old", tmp_path / "out", "json", "yolo")
    (tmp_path / "out" / "parts" / "folders.json").unlink()
    predict(tmp_path / "new", tmp_path / "out", "json", fresh=True)
    predict(tmp_path / "old", tmp_path / "out", "json", fresh=True)
    predict(tmp_path / "new", tmp_path / "out", "json", fresh=True)
    stays = {"yolo/labels/a.txt", "yolo/classes.txt", "yolo/images.csv"}
    assert names_in(tmp_path / "out") == stays | {"predictions.json"}
    predict(tmp_path / "old", tmp_path / "out", "json", "yolo", fresh=True)
    predict(tmp_path / "new", tmp_path / "out", "json", fresh=True)
    assert names_in(tmp_path / "out") == {"predictions.json"}, "now it is known"


def test_an_annotated_video_of_the_earlier_job_goes_and_that_of_this_one_stays(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with Recorder(tmp_path / f"{name}.mp4", 10) as recorder:
            recorder.write(np.zeros((48, 64, 3), np.uint8))
    write_pictures(tmp_path / "in", ["c.png"])
    out = tmp_path / "out"
    list(
        predict_files(
            stub(), [tmp_path / "a.mp4", tmp_path / "in"], out, PredictionSettings(formats=("video", "pictures"))
        )
    )
    assert names_in(out) == {"videos/a.mp4", "pictures/a.mp4/000000.jpg", "pictures/in/c.jpg"}
    (out / "videos" / "in").mkdir()
    (out / "videos" / "in" / "c.mp4").write_text("by hand: c was a picture")
    (out / "videos" / "a.mp4.unfinished.mkv").write_text("of a webcam, it would be")
    predict(tmp_path / "b.mp4", out, "video", fresh=True)
    assert names_in(out) == {"videos/b.mp4", "videos/in/c.mp4"}


def test_what_an_earlier_prediction_has_drawn_below_the_source_is_no_picture_to_predict(tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "in", ["a.png", "pictures/b.png"])
    first = source / "predictions of in"
    assert predict(source, first).images == 2
    second = tmp_path / "second"
    assert predict(source, second, "json").images == 2
    assert {row["file"] for row in json.loads((second / "predictions.json").read_text())} == {"a.png", "pictures/b.png"}
    assert predict(first / "pictures", tmp_path / "third", "json").images == 2, "named: these are meant"
    assert predict(first / "pictures" / "pictures", tmp_path / "fourth", "json").images == 1
