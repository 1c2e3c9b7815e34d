"""example.py reads images of more than 8 bits, cuts tiles, and merges what was found in them, as the program does."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.detections import Candidates
from workbench.core.tiling import Tiling, candidates_in_tiles
from workbench.inference import exporters
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.exporters import Card, example_code, picture_code

LABELS = ("cat", "Hündin", "鳥")
CARD = Card("toy", LABELS, 100, "stretch", 0.3, 0.5, "per label", label_scores={"cat": 0.6})
TILES = Tiling(100, 0.25)
Found = tuple[np.ndarray, np.ndarray, np.ndarray]


def run(code: str, card: Card, photograph: Path, monkeypatch: pytest.MonkeyPatch, **around: Any) -> tuple[str, Any]:
    """What these lines of an example print, and the names that they leave."""
    (photograph.parent / "model.json").write_text(card.to_json(), "utf-8")
    monkeypatch.setattr(sys, "argv", ["example.py", str(photograph)])
    names = {"__file__": str(photograph.parent / "example.py"), **around}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, "example.py", "exec"), names)
    return out.getvalue(), names


# --- more than 8 bits ---


def sixteen_bits(file: Path, channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 5000, (40, 60, channels)).astype(np.uint16)
    assert cv2.imwrite(str(file), values)


def floats(file: Path) -> None:
    values = np.random.default_rng(1).uniform(-100, 5000, (40, 60)).astype(np.float32)
    values[0, 0] = np.nan
    Image.fromarray(values).save(file)


def turned(file: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    values = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(values).save(file, exif=exif)


WRITERS = {
    "grey.png": lambda file: sixteen_bits(file, 1), "colours.png": lambda file: sixteen_bits(file, 3),
    "grey.tif": lambda file: sixteen_bits(file, 1), "floats.tif": floats, "turned.jpg": turned,
}  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_it_sees_images_of_more_than_8_bits_by_the_window_of_the_training(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    WRITERS[name](tmp_path / name)
    card = replace(CARD, window=(200.0, 4095.0))
    _, names = run(picture_code(card, ""), card, tmp_path / name, monkeypatch)
    expected = images.read(tmp_path / name, IntensityWindow(200.0, 4095.0))
    assert np.array_equal(names["image"], expected)
    assert expected.std() > 20


# --- tiles ---


def scene(width: int, height: int) -> np.ndarray:
    """Rectangles, each with a red of its own, on green noise."""
    draw = np.random.default_rng(3)
    picture = np.zeros((height, width, 3), np.uint8)
    for colour in range(1, 60):
        w, h = draw.integers(8, 70, 2)
        x, y = draw.integers(0, width), draw.integers(0, height)
        picture[y : y + h, x : x + w, 0] = 4 * colour
    picture[..., 1] = draw.integers(0, 100, (height, width))
    return picture


def found_in(view: np.ndarray) -> Found:
    """Each rectangle's visible part with a confidence that depends on the view, and a second, larger box around it."""
    edge = np.array([view.shape[1], view.shape[0]] * 2)
    rows: list[tuple[float, ...]] = []
    for colour in np.unique(view[..., 0])[1:].tolist():
        down, across = np.nonzero(view[..., 0] == colour)
        box = np.array([across.min(), down.min(), across.max() + 1, down.max() + 1])
        larger = np.minimum(np.add(box, (0, 0, 3, 2)), edge)
        score = 0.1 + 0.8 * ((61 * colour + int(view[0, 0, 1])) % 100) / 100
        rows += [(*box, score, colour % 3), (*larger, score - 0.05, (colour + colour // 8) % 3)]
    boxes, scores, labels = np.split(np.array(rows), [4, 5], axis=1)
    return boxes.astype(np.float32), scores[:, 0].astype(np.float32), labels[:, 0].astype(np.int64)


def decoded_in(view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes, scores, labels = found_in(view)
    return boxes, np.eye(3, dtype=np.float32)[labels] * scores[:, None]


def rows_of(said: str) -> list[tuple[str, float, list[float]]]:
    rows = re.findall(r"^(\S+) ([\d.]+) (\[.*\])$", said, re.MULTILINE)
    return sorted((label, float(score), json.loads(box)) for label, score, box in rows)


@pytest.mark.parametrize("size", [(330, 260), (330, 90), (100, 80)])
@pytest.mark.parametrize("kind", ["per label", "across labels", "diou", "darknet diou"])
@pytest.mark.parametrize("output", ["detections", "decoded"])
def test_it_cuts_tiles_and_merges_what_is_in_them_as_the_program_does(
    output: str, kind: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = scene(*size)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    card = replace(CARD, output=output, nms_kind=kind, tiles=TILES.side, tile_overlap=TILES.overlap)
    running = "found, scale, pad = network(image), 1, 0\n"
    code = example_code(card, "", "", running)
    said, _ = run(code, card, tmp_path / "photo.png", monkeypatch, network=found_in if card.nms else decoded_in)
    (candidates,) = candidates_in_tiles(
        lambda views: [Candidates.of_arrays(*found_in(view)) for view in views], [picture], TILES
    )
    point = OperatingPoint(card.score, (("cat", 0.6),), card.iou, kind)  # type: ignore[arg-type]
    expected = point.detections(candidates, LABELS)
    assert len(expected) >= 5
    assert rows_of(said) == sorted(
        (LABELS[label], round(float(score), 4), [float(side) for side in box])
        for box, score, label in zip(expected.boxes, expected.scores, expected.labels, strict=True)
    )


@pytest.mark.parametrize("output", ["detections", "decoded", "raw"])
@pytest.mark.parametrize("name", ["onnx", "torchscript", "pt2", "darknet"])
def test_the_lines_of_each_format_fit_into_each_kind_of_example(name: str, output: str) -> None:
    member = exporters.load_all().get(name)()
    for tiles in (0, 100):
        code = member.code(replace(CARD, output=output, resize="darknet letterbox", batch=2, tiles=tiles))
        compile(code, "example.py", "exec")
        assert ("def find(image)" in code) == (tiles > 0 and (output != "raw" or name == "darknet"))


@pytest.mark.parametrize("name", ["torchscript", "pt2"])
def test_torchvision_is_there_also_for_decoded_boxes_as_faster_rcnns_proposals_pass_its_nms(name: str) -> None:
    member = exporters.load_all().get(name)()
    for output in ("detections", "decoded", "raw"):
        assert ("import torchvision" in member.code(replace(CARD, output=output))) == (output != "raw")
