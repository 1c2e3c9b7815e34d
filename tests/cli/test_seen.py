"""`workbench seen`: an image as it enters the network, in numbers and as a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.ui.window_driver import write_photographs
from workbench import console
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.training import recipes
from workbench.training.trainer_view.box_colours import MISSED
from workbench.training.trainer_view.network_input import make_input_sequence

Capture = pytest.CaptureFixture[str]
SMALL = ["--set", "input_px=64", "--set", "width=0.05", "--set", "batch=2", "--set", "hold_out=0"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a.png with two boxes in one cell of YOLOv1; b.png, c.png of the training; d.png of the test split."""
    monkeypatch.setenv("COLUMNS", "160")
    write_photographs(tmp_path / "photographs" / "some", ["a.png", "b.png", "c.png", "d.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        ids, label = [image.id for image in document.images()], document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, ids[0], label, (10, 10, 60 + k, 60)) for k in (0, 2))))
        document.do(edits.AddBoxes((Box(0, ids[1], label, (10, 10, 90, 90)),)))
        document.do(edits.SetState(tuple(ids), State.DONE))
        document.do(edits.SetSplit((ids[3],), Split.TEST))
    return tmp_path / "project"


def told(capsys: Capture, project: Path, *arguments: str) -> dict[str, Any]:
    assert main(["seen", str(project), *SMALL, *arguments, "--json"]) == console.DONE
    return json.loads(capsys.readouterr().out)


def test_it_tells_what_a_training_computes(project: Path, capsys: Capture) -> None:
    said = told(capsys, project, "--image", "b.png", "--detector", "yolov3", "--epoch", "3", "--set", "epochs=9")
    wanted = recipes.preset("quick-cpu").with_detector("yolov3")
    wanted = wanted.changed({"input_px": 64, "batch": 2, "hold_out": 0, "epochs": 9})
    with Document.open(project, read_only=True) as document:
        seen = make_input_sequence(document.snapshot(), wanted).in_epoch(1, 2)
    assert (said["image"], said["detector"], said["side"]) == ("some/b.png", "YOLOv3", 64)
    assert (said["step"], said["place"], said["steps"]) == (seen.step + 1, seen.place + 1, 14)
    assert [box["box"] for box in said["boxes"]] == np.round(seen.boxes.astype(float), 2).tolist()
    assert said["levels"] == [[2, 2], [4, 4], [8, 8]]
    assert sum(said["boxes"][0]["learnt_by"]) == 1
    assert said["boxes"][0]["why"] == ""


def test_a_picture_shows_what_nothing_learns_in_red(project: Path, capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "seen.png"
    said = told(capsys, project, "--image", "some/a.png", "--detector", "yolov1", "--as-it-is", "--out", str(file))
    assert [bool(box["why"]) for box in said["boxes"]].count(True) == 1
    assert (said["step"], said["picture"]) == (0, str(file))
    picture = cv2.imread(str(file))
    assert picture is not None
    assert picture.shape == (640, 640, 3)
    red = np.array([int(MISSED[k : k + 2], 16) for k in (5, 3, 1)])
    assert (picture == red).all(axis=2).sum() > 100
    assert main(["seen", str(project), *SMALL, "--image", "b.png", "--out", str(file)]) == console.DONE
    said_to_people = capsys.readouterr()
    assert "some/b.png in YOLOv4-tiny, 64 × 64 px, step" in said_to_people.err
    assert "cell" in said_to_people.out
    picture = cv2.imread(str(file))
    assert picture is not None
    assert (picture == red).all(axis=2).sum() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--image", "x.png"], console.FAILED, "There is no image called 'x.png'"),
        (["--image", "d.png"], console.FAILED, "some/d.png is not trained on: it is in the test split."),
        (["--image", "a.png", "--epoch", "101"], console.FAILED, "The training has 100 epochs."),
        (["--image", "a.png", "--out", "a.jpg"], console.MISUSED, "--out draws a PNG, and a.jpg is not named so."),
        (["--image", "a.png", "--set", "epoch=3"], console.MISUSED, "epoch"),
    ],
)
def test_what_cant_be_shown_is_told(
    project: Path, capsys: Capture, arguments: list[str], code: int, sentence: str
) -> None:
    assert main(["seen", str(project), *SMALL, *arguments]) == code
    told = " ".join(capsys.readouterr().err.split())
    assert sentence in told
    assert "Reading images" not in told, "which takes minutes, and is not needed to say this"


@pytest.mark.parametrize("name", ["a", "some/a", "some/a.png"])
def test_an_image_is_found_by_the_end_of_its_path_with_or_without_suffix(
    project: Path, capsys: Capture, name: str
) -> None:
    assert told(capsys, project, "--image", name) == told(capsys, project, "--image", "a.png")


def test_a_damaged_file_is_left_out_as_in_training(project: Path, capsys: Capture) -> None:
    before = told(capsys, project, "--image", "b.png", "--detector", "yolov3", "--set", "mosaic=0")
    (project.parent / "photographs" / "some" / "a.png").write_bytes(b"nothing")
    after = told(capsys, project, "--image", "b.png", "--detector", "yolov3", "--set", "mosaic=0")
    assert (before["steps"], after["steps"]) == (150, 100)
    assert replace(recipes.preset("quick-cpu")).training.epochs == 100


def test_a_large_image_is_seen_tile_by_tile(project: Path, capsys: Capture) -> None:
    """Both boxes of a.png lie in the first of eight tiles, none in the last."""
    tiled = ["--image", "a.png", "--tiles", "64", "--tile-overlap", "0", "--set", "mosaic=0"]
    fullest, whole = told(capsys, project, *tiled), told(capsys, project, *tiled, "--tile", "0")
    assert (fullest["tile"], fullest["tiles"], len(fullest["boxes"])) == (1, 8, 2)
    assert (whole["tile"], whole["tiles"], len(whole["boxes"])) == (0, 8, 2)
    assert fullest["boxes"][0]["box"] != whole["boxes"][0]["box"]
    assert told(capsys, project, *tiled, "--as-it-is", "--tile", "8")["boxes"] == []
    assert main(["seen", str(project), *SMALL, *tiled, "--as-it-is"]) == console.DONE
    assert "some/a.png, tile 1 of 8 in YOLOv4-tiny, 64 × 64 px, not augmented" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tile", "1"], "some/a.png has no tiles. Say how large they are with --tiles."),
        (["--tile", "1", "--tiles", "500"], "some/a.png is not larger than a tile of 500 px. Leave out --tile."),
        (
            ["--tile", "9", "--tiles", "64", "--tile-overlap", "0"],
            "some/a.png has 8 tiles. Choose a --tile from 1 to 8",
        ),
        (
            ["--tile", "7", "--tiles", "64", "--tile-overlap", "0"],
            "Tile 7 of some/a.png is not trained on: no box counts in this tile",
        ),
    ],
)
def test_a_tile_that_is_not_there_or_not_trained_on_is_told(
    project: Path, capsys: Capture, arguments: list[str], sentence: str
) -> None:
    assert main(["seen", str(project), *SMALL, "--image", "a.png", *arguments]) == console.FAILED
    assert sentence in " ".join(capsys.readouterr().err.split())
