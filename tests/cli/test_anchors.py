"""The command about anchors: its numbers, its formats that can be pasted, its picture."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import anchors, console
from workbench.anchors.plot import HEIGHT, WIDTH, _beyond, draw_plot
from workbench.cli import main
from workbench.core.document import Document

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def cells(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = tmp_path_factory.mktemp("anchors") / "cells"
    assert main(["new", str(project), "--images", str(test_data / "data/bccd/BCCD/JPEGImages")]) == console.DONE
    assert main(["import", str(project), str(test_data / "data/bccd/BCCD")]) == console.DONE
    return project


def out(arguments: list[str], capsys: Capture) -> str:
    capsys.readouterr()
    assert main(["anchors", *arguments]) == console.DONE
    return capsys.readouterr().out


def test_json_has_the_numbers_of_the_engine_and_of_published_sets(cells: Path, capsys: Capture) -> None:
    told = json.loads(out([str(cells), "--k", "4", "--published", "yolov3", "--published", "ssd300", "--json"], capsys))
    with Document.open(cells, read_only=True) as document:
        sizes = anchors.sizes_and_rows(anchors.training_images(document.snapshot()), 416)[0]
    step = anchors.rate_anchors(sizes, told["anchors"])
    assert told["mean_iou"] == pytest.approx(step.mean_iou, abs=1e-5)
    assert told["ratio_recall"] == pytest.approx(step.ratio_recall, abs=1e-5)
    numbers = [side for size in told["anchors"] for side in size] + [told["mean_iou"], told["recall"]]
    assert all(len(repr(number).partition(".")[2]) <= 6 for number in numbers), "none that only a computer needs"
    for name, one in told["published"].items():
        rated = anchors.rate_anchors(sizes, anchors.PUBLISHED[name].at(416))
        assert one["mean_iou"] == pytest.approx(rated.mean_iou, abs=1e-5)
        assert one["mean_iou"] < told["mean_iou"]


def test_text_compares_and_explains(cells: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["anchors", str(cells), "--k", "3", "--published", "yolov2-voc"]) == console.DONE
    shown = capsys.readouterr()
    assert "YOLOv2, VOC" in shown.out + shown.err
    assert "best possible recall" in shown.out + shown.err
    lines = shown.out.splitlines()
    head = next(row for row, line in enumerate(lines) if line.startswith("anchor"))
    assert lines[head].split() == ["anchor", "width", "px", "height", "px", "boxes", "share", "%"]
    rows = [line.split() for line in lines[head + 1 : head + 4]]
    with Document.open(cells, read_only=True) as document:
        boxes = len(anchors.sizes_and_rows(anchors.training_images(document.snapshot()), 416)[0])
    assert sum(int(row[3].replace(",", "")) for row in rows) == boxes
    assert sum(float(row[4]) for row in rows) == pytest.approx(100, abs=0.2)
    ends = [line.index(row[3]) + len(row[3]) for line, row in zip(lines[head + 1 :], rows, strict=False)]
    assert len(set(ends)) == 1, "numbers stand right under each other"


def test_each_format_can_be_pasted(cells: Path, capsys: Capture) -> None:
    told = json.loads(out([str(cells), "--k", "3", "--format", "json"], capsys))
    sizes = np.array(told["anchors"])
    assert (told["input_px"], told["resize"]) == (416, "stretch")
    assert 0.9 < told["ratio_recall"] <= 1
    code = out([str(cells), "--k", "3", "--format", "python"], capsys)
    assert ast.literal_eval(ast.parse(code).body[0].value) == [tuple(size) for size in sizes.tolist()]  # type: ignore[attr-defined]
    line = out([str(cells), "--k", "3", "--format", "cfg"], capsys)
    assert line.startswith("anchors = ")
    numbers = np.array([float(text) for text in line.partition("=")[2].split(",")]).reshape(-1, 2)
    np.testing.assert_allclose(numbers, sizes, atol=0.51)


def test_a_scale_widens_the_anchors(cells: Path, capsys: Capture) -> None:
    plain, scaled = (
        json.loads(out([str(cells), "--k", "3", "--scale", scale, "--json"], capsys)) for scale in ("0", "0.9")
    )
    assert "scale 0.9" in scaled["source"]
    assert scaled["mean_iou"] < plain["mean_iou"]
    assert scaled["anchors"][-1][0] > plain["anchors"][-1][0]


def test_a_plot_is_drawn(cells: Path, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "nine anchors.png"
    shown = json.loads(out([str(cells), "--k", "9", "--plot", str(file), "--published", "yolov3", "--json"], capsys))
    assert shown["plot"] == str(file)
    with Image.open(file) as image:
        assert image.size == (WIDTH, HEIGHT)
        colours = image.getcolors(maxcolors=WIDTH * HEIGHT)
    assert colours is not None
    assert max(colours)[1] == (255, 255, 255)  # a light ground
    assert len(colours) > 500


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("x.jpg", console.MISUSED, "--plot draws a PNG, and x.jpg is not named so. Call it x.png."),
        ("nowhere/x.png", console.FAILED, "for x.png. Make it, or choose another."),
    ],
)
def test_what_cannot_become_a_png_is_refused_and_nothing_made(
    name: str, code: int, sentence: str, cells: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["anchors", str(cells), "--plot", str(tmp_path / name)]) == code
    assert sentence in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.iterdir())


def test_boxes_beyond_the_frame_are_named() -> None:
    assert _beyond(np.zeros((0, 2))) == ""
    assert _beyond(np.array([[0.66, 0.87]])) == ", 1 beyond the frame (0.66 x 0.87 px)"
    assert _beyond(np.array([[400.0, 400], [0.66, 0.87], [1, 2]])) == (
        ", 3 beyond the frame (0.66 x 0.87 and 400 x 400 px)"
    )


@pytest.mark.parametrize("count", [1, 3, 30_000])
@pytest.mark.parametrize("k", [1, 50])
def test_few_and_many_boxes_and_anchors_are_drawn(count: int, k: int, tmp_path: Path) -> None:
    sizes = np.random.default_rng(0).lognormal(3, 1, (count, 2))
    centres = np.random.default_rng(1).lognormal(3, 1, (k, 2))
    curve = list(anchors.curve(sizes, 2))
    empty, drawn = tmp_path / "empty.png", tmp_path / "drawn.png"
    draw_plot(drawn, "some", sizes, anchors.rate_anchors(sizes, centres), curve, {"others": [(9, 9)]})
    draw_plot(empty, "some", sizes[:0], anchors.rate_anchors(sizes, centres), curve, {"others": [(9, 9)]})
    with Image.open(drawn) as one, Image.open(empty) as other:
        assert one.size == other.size
        assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--published", "yolov9"], "--published must be one of yolov2-voc"),
        (["--format", "cfg", "--published", "yolov3"], "--published compares sets in a table, which --format has no"),
        (["--format", "xml"], "--format must be one of text, cfg, json, python, not 'xml'"),
    ],
)
def test_what_does_not_exist_is_said(arguments: list[str], sentence: str, cells: Path, capsys: Capture) -> None:
    assert main(["anchors", str(cells), *arguments]) == console.MISUSED
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_in_tiles_boxes_keep_their_pixels(cells: Path, capsys: Capture) -> None:
    """The photographs are 640 x 480: as a whole they shrink to 416, in tiles of 416 nothing does."""
    whole, tiled = (
        json.loads(out([str(cells), "--k", "1", "--size", "416", "--resize", "letterbox", *more, "--json"], capsys))
        for more in ([], ["--tiles", "416"])
    )
    assert tiled["anchors"][0][0] == pytest.approx(whole["anchors"][0][0] * 640 / 416, rel=0.05)
    assert (whole["tiles"], tiled["tiles"]) == (0, 416)
