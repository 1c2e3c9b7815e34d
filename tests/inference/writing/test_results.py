"""What is written of predictions, in every format, by hand; what other programs read is read by them."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from tests.raising import interrupt
from workbench import formats
from workbench.core.decoding import video as videos
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.writing.result_parts import ResultRow
from workbench.inference.writing.results import ResultsInfo, Written, check_formats, writers
from workbench.inference.writing.results_video import Recorder

LABELS = (Label(7, "cat", "#ff0000", position=0), Label(3, "guinea pig", "#00ff00", position=1))
ROWS = (
    ResultRow("a.jpg", "a", 100, 50, ((1, 0.75, (10.0, 5.0, 30.0, 25.0)), (0, 0.5, (0.0, 0.0, 100.0, 50.0)))),
    ResultRow("sub/b.png", "sub/b", 200, 100),
    ResultRow("broken.png", "broken", skipped="broken.png: the picture is damaged"),
)


def write(name: str, folder: Path, rows: Sequence[ResultRow] = ROWS, **about: Any) -> Written:
    *counted, last = writers()[name](iter(rows), ResultsInfo(LABELS, **about), folder)
    assert counted == list(range(1, len(rows) + 1))
    assert isinstance(last, Written)
    assert all(file.exists() for file in last.files)
    return last


def test_json_names_labels_and_leaves_out_what_could_not_be_read(tmp_path: Path) -> None:
    write("json", tmp_path)
    one, two = json.loads((tmp_path / "predictions.json").read_text("utf-8"))
    assert one["detections"][0] == {"label": "guinea pig", "score": 0.75, "box": [10.0, 5.0, 30.0, 25.0]}
    assert two == {"file": "sub/b.png", "width": 200, "height": 100, "detections": []}


def test_csv_has_a_line_for_each_detection_and_one_for_nothing(tmp_path: Path) -> None:
    write("csv", tmp_path)
    rows = list(csv.reader((tmp_path / "predictions.csv").read_text("utf-8").splitlines()))
    assert rows[1:] == [
        ["a.jpg", "", "100", "50", "guinea pig", "0.75", "10.0", "5.0", "30.0", "25.0"],
        ["a.jpg", "", "100", "50", "cat", "0.5", "0.0", "0.0", "100.0", "50.0"],
        ["sub/b.png", "", "200", "100", "", "", "", "", "", ""],
    ]


def test_yolo_has_fractions_and_a_column_of_scores(tmp_path: Path) -> None:
    write("yolo", tmp_path)
    assert (tmp_path / "yolo/labels/a.txt").read_text() == "1 0.2 0.3 0.2 0.4 0.75\n0 0.5 0.5 1 1 0.5\n"
    assert (tmp_path / "yolo/labels/sub/b.txt").read_text() == ""
    assert not (tmp_path / "yolo/labels/broken.txt").exists()
    assert (tmp_path / "yolo/classes.txt").read_text() == "cat\nguinea pig\n"


def test_voc_is_read_back_as_boxes_with_their_scores_kept(tmp_path: Path) -> None:
    write("voc", tmp_path)
    reading = formats.load_all().get("voc").read(tmp_path / "voc")
    boxes = {image.name: image.boxes for image in reading.images}
    assert [box.label for box in boxes["a.jpg"]] == ["guinea pig", "cat"]
    assert boxes["a.jpg"][0].xyxy == (10.0, 5.0, 30.0, 25.0)
    assert json.loads(boxes["a.jpg"][0].extra)["voc"] == [["score", {}, "0.75", []]]


def test_coco_results_are_read_by_pycocotools_with_the_images_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write("coco", tmp_path)
    results = COCO(tmp_path / "predictions.coco.images.json").loadRes(str(tmp_path / "predictions.coco.json"))
    assert [(a["image_id"], a["category_id"], a["bbox"], a["score"]) for a in results.dataset["annotations"]] == [
        (1, 2, [10.0, 5.0, 20.0, 20.0], 0.75),
        (1, 1, [0.0, 0.0, 100.0, 50.0], 0.5),
    ]
    assert [image["file_name"] for image in results.dataset["images"]] == ["a.jpg", "sub/b.png"]


def truth(folder: Path, names: Sequence[str], labels: Sequence[str] = ("guinea pig", "cat", "fox")) -> Path:
    file = folder / "instances.json"
    images = [{"id": 40 + n, "file_name": name, "width": 1, "height": 1} for n, name in enumerate(names)]
    categories = [{"id": 90 + n, "name": name} for n, name in enumerate(labels)]
    file.write_text(json.dumps({"images": images, "annotations": [], "categories": categories}))
    return file


def test_coco_results_have_the_ids_of_a_file_that_is_named(tmp_path: Path) -> None:
    said = write("coco", tmp_path, ids=truth(tmp_path, ["x/a.jpg"]))
    results = json.loads((tmp_path / "predictions.coco.json").read_text())
    assert [(one["image_id"], one["category_id"]) for one in results] == [(40, 90), (40, 91)]
    assert said.remark.endswith("so left out of predictions.coco.json: 1 picture.")
    assert not (tmp_path / "predictions.coco.images.json").exists()


@pytest.mark.parametrize(
    ("names", "labels", "sentence"),
    [
        (["z.jpg"], ["cat", "guinea pig"], "contains none of these images"),
        (["a.jpg"], ["cat"], "no category 'guinea pig'"),
    ],
)
def test_a_coco_file_of_something_else_is_refused_and_nothing_is_written(
    tmp_path: Path, names: list[str], labels: list[str], sentence: str
) -> None:
    with pytest.raises(WorkbenchError, match=sentence):
        write("coco", tmp_path, ids=truth(tmp_path, names, labels))
    assert [file.name for file in tmp_path.iterdir()] == ["instances.json"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six dark frames at 12 a second, of odd size."""
    file = tmp_path_factory.mktemp("video") / "clip.avi"
    with_code = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 12, (97, 65))
    for shade in range(6):
        with_code.write(np.full((65, 97, 3), shade * 10, np.uint8))
    with_code.release()
    return file


def test_a_video_is_drawn_on_at_its_own_speed(tmp_path: Path, clip: Path) -> None:
    rows = [ResultRow("clip.avi", "clip.avi", 97, 65, ((0, 0.9, (20.0, 30.0, 60.0, 50.0)),), n) for n in (0, 2, 4)]
    said = write("video", tmp_path, rows, videos=(("clip.avi", clip),), every=2)
    assert said.files == (tmp_path / "videos" / "clip.avi.mp4",)
    assert videos.frame_rate(said.files[0]) == pytest.approx(6, abs=0.01)
    frames = list(videos.frames(said.files[0]))
    assert len(frames) == 3
    edge = frames[1].image[40, 18:23].astype(int)  # the left edge of the box, in red
    assert (edge[:, 0] - edge[:, 2]).max() > 80
    assert [file.name for file in (tmp_path / "videos").iterdir()] == ["clip.avi.mp4"]


def test_a_video_that_was_replaced_meanwhile_is_refused(tmp_path: Path, clip: Path) -> None:
    rows = [ResultRow("clip.avi", "clip.avi", 97, 65, (), n) for n in (0, 9)]
    with pytest.raises(WorkbenchError, match="has changed since"):
        write("video", tmp_path, rows, videos=(("clip.avi", clip),))
    assert not list(tmp_path.rglob("*.mp4"))


def test_where_no_video_is_that_is_said(tmp_path: Path) -> None:
    assert "no video" in write("video", tmp_path).remark


def test_a_recording_keeps_the_pace_at_which_frames_came(tmp_path: Path) -> None:
    """Ten a second: what comes after half a second is shown until then."""
    picture = np.zeros((48, 64, 3), np.uint8)
    with Recorder(tmp_path / "a.mp4", 10) as recorder:
        recorder.write_until(0.0, picture)
        recorder.write_until(0.5, picture)
        recorder.write_until(0.52, picture)
        recorder.write_until(0.6, picture)
    assert len(list(videos.frames(tmp_path / "a.mp4"))) == 6


def test_a_recording_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Recorder(tmp_path / "a.mp4", 10) as recorder:
        recorder.write(np.zeros((48, 64, 3), np.uint8))
        interrupt()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="its system limits no file's size")
def test_a_recording_for_which_there_is_no_room_is_told_and_the_one_before_stays(tmp_path: Path) -> None:
    import resource

    (tmp_path / "a.mp4").write_bytes(b"of before")
    noise = np.random.default_rng(0).integers(0, 256, (20, 120, 160, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with (
            pytest.raises(WorkbenchError, match=r"a\.mp4 could not be written completely.*Make room"),
            Recorder(tmp_path / "a.mp4", 10) as recorder,
        ):
            for picture in noise:
                recorder.write(picture)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"of before"


def test_a_format_that_is_none_is_told_with_all_there_are() -> None:
    assert check_formats(["csv", "json", "csv"]) == ("csv", "json")
    with pytest.raises(WorkbenchError, match="json, coco, yolo, voc, csv, pictures, video, not 'xml'"):
        check_formats(["xml"])
