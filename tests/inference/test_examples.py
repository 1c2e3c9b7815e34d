"""The example beside each exported file runs without this program and finds what the program finds."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.inference import small
from tests.inference.conftest import ALL
from workbench.core import images
from workbench.core.boxes import iou
from workbench.inference import exporters
from workbench.inference.export import example, source_of
from workbench.inference.exporters import ExportSettings, onnx_file, picture_code
from workbench.inference.predict import Predictor

RUNNING = ("torchscript", "pt2", "onnx")
RUNNER = """
import contextlib, io, json, runpy, sys
sys.modules["workbench"] = None
told = []
for script, photo in json.loads(sys.argv[1]):
    sys.argv = [script, photo]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            print(end.code)
    told.append(printed.getvalue())
print(json.dumps(told))
"""


@dataclasses.dataclass(frozen=True)
class Example:
    """An export whose example.py is run: of which network, with which confidence in model.json."""

    folder: Path
    predictor: Predictor
    score: float
    output: str = "detections"


@pytest.fixture(scope="module")
def examples(
    exported: tuple[Path, list[object]], predictor: Predictor, photographs: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Example, str]]:  # fmt: skip
    """By name, what each example.py prints in a fresh Python that can't see this program, on a copy of its folder.

    In one Python, as importing torch takes longer than all of them.
    """
    dog = next(file for file in photographs if file.name == "dog.jpg")
    wanted = {name: Example(exported[0] / name, predictor, score_of(predictor, dog, 30)) for name in ALL}
    boxed = letterboxed()
    for output in ("detections", "decoded"):
        folder = tmp_path_factory.mktemp("letterboxed")
        write_onnx(boxed, folder, output)
        wanted[f"letterboxed {output}"] = Example(folder, boxed, score_of(boxed, dog, 10), output)
    scripts = [str(copied(one, tmp_path_factory.mktemp("run"))) for one in wanted.values()]
    run = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", RUNNER, json.dumps([[script, str(dog)] for script in scripts])],
        capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return {name: (one, said) for (name, one), said in zip(wanted.items(), json.loads(run.stdout), strict=True)}


def letterboxed() -> Predictor:
    """Of another network, without NMS in rounds."""
    boxed = small.predictor("yolov3-tiny")
    return Predictor(boxed.detector, boxed.labels, 64, "letterbox", device="cpu")


def write_onnx(predictor: Predictor, folder: Path, output: str) -> None:
    member = exporters.load_all().get("onnx")()
    source = source_of(predictor, ExportSettings(output=output))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "_new_exporter", onnx_file._old_exporter)  # in a tenth of the time
        member.write(source, folder / member.file)
    (folder / "model.json").write_text(source.card.to_json(), "utf-8")
    (folder / "example.py").write_text(example(member, source.card), "utf-8")


def score_of(predictor: Predictor, photograph: Path, place: int) -> float:
    """Of the detection at this place, so that about as many are printed."""
    found = predictor.candidates([images.read(photograph)])[0]
    return float(np.round(found.scores[found.select(0, 0.45)[place]], 3))


def copied(one: Example, folder: Path) -> Path:
    for file in one.folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    about = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps({**about, "score": one.score}), "utf-8")
    return folder / "example.py"


Rows = list[tuple[str, float, list[float]]]


def rows_of(said: str) -> Rows:
    rows = re.findall(r"^(\S+) ([\d.]+) (\[.*\])$", said, re.MULTILINE)
    return [(label, float(score), json.loads(box)) for label, score, box in rows]


def assert_same(rows: Rows, one: Example, photograph: Path) -> None:
    kind, level = one.predictor.detector.published_nms
    found = one.predictor.candidates([images.read(photograph)])[0].detections(one.score, level, kind)
    assert len(found) >= 5
    assert abs(len(rows) - len(found)) <= 1  # one may lie on the threshold
    matched = 0
    for label, confidence, box in rows:
        same = [i for i in range(len(found)) if one.predictor.labels[found.labels[i]] == label]
        overlap = iou(np.array([box], float), found.boxes[same].astype(float))[0]
        matched += bool((overlap >= 0.98)[np.abs(found.scores[same] - confidence) < 0.01].any())
    assert matched >= 0.98 * len(rows)


@pytest.mark.parametrize("name", [*RUNNING, "letterboxed detections"])
def test_the_example_runs_without_this_program_and_finds_the_same(
    name: str, examples: dict[str, tuple[Example, str]], photographs: list[Path]
) -> None:
    dog = next(file for file in photographs if file.name == "dog.jpg")
    one, said = examples[name]
    assert_same(rows_of(said), one, dog)


@pytest.mark.parametrize("content", [b"", b"no photograph"])
def test_the_example_says_of_a_file_that_it_is_no_photograph(
    predictor: Predictor, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = source_of(predictor, ExportSettings()).card
    (tmp_path / "model.json").write_text(card.to_json(), "utf-8")
    (tmp_path / "a.jpg").write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["example.py", str(tmp_path / "a.jpg")])
    with pytest.raises(SystemExit, match="does not read this file as a photograph"):
        exec(compile(picture_code(card, ""), "example.py", "exec"), {"__file__": str(tmp_path / "example.py")})


@pytest.mark.parametrize("words", [[], ["nowhere.jpg"]])
def test_the_example_says_what_it_wants(
    predictor: Predictor, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = example(exporters.load_all().get("onnx")(), source_of(predictor, ExportSettings()).card)
    assert "It needs: pip install opencv-python-headless numpy onnxruntime" in code
    monkeypatch.setattr(sys, "argv", ["example.py", *words])
    with pytest.raises(SystemExit, match=r"python example\.py PHOTO"):
        exec(compile(code, "example.py", "exec"), {"__file__": "example.py"})


def test_the_example_of_decoded_boxes_thins_them_out_itself(
    examples: dict[str, tuple[Example, str]], photographs: list[Path]
) -> None:
    """The best label of each prior instead of every label: the highest detection is the same."""
    dog = next(file for file in photographs if file.name == "dog.jpg")
    one, said = examples["letterboxed decoded"]
    best, rows = one.predictor.candidates([images.read(dog)])[0].detections(one.score, 0.45), rows_of(said)
    assert 5 <= len(rows) <= len(best)
    assert max(rows, key=lambda row: row[1])[0] == one.predictor.labels[best.labels[0]]


@pytest.mark.parametrize("name", ["safetensors", "state-dict"])
def test_weights_alone_are_listed_by_their_example(name: str, examples: dict[str, tuple[Example, str]]) -> None:
    """And it says that the network is not in the file."""
    one, said = examples[name]
    shapes = {key: tuple(tensor.shape) for key, tensor in one.predictor.detector.state_dict().items()}
    assert json.loads(said[: said.index("\n}") + 2])["labels"] == ["cat", "Hündin", "鳥"]
    assert [line for line in said.splitlines() if line.startswith("coarse_out.weight")] == [
        f"coarse_out.weight {shapes['coarse_out.weight']}"
    ]
    assert "The network itself is not in the file" in (one.folder / "example.py").read_text("utf-8")
    card = (one.folder / "MODEL_CARD.md").read_text("utf-8")
    assert "`python example.py` lists the weights" in card
    assert "export as ONNX" in card


def test_darknet_s_example_finds_the_same_in_opencv_4_and_says_that_5_can_t(
    examples: dict[str, tuple[Example, str]], photographs: list[Path]
) -> None:
    import cv2

    dog = next(file for file in photographs if file.name == "dog.jpg")
    one, said = examples["darknet"]
    code = (one.folder / "example.py").read_text("utf-8")
    assert "It needs: pip install 'opencv-python-headless<5' numpy" in code
    if hasattr(cv2.dnn, "readNetFromDarknet"):
        assert len(rows_of(said)) >= 5
        assert_some_are_among(rows_of(said), one, dog)
    else:
        assert "reads no Darknet files any more: pip install 'opencv-python-headless<5'" in said


def assert_some_are_among(rows: Rows, one: Example, photograph: Path) -> None:
    """The best label of each prior: each row is a candidate of the network."""
    found = one.predictor.candidates([images.read(photograph)])[0]
    for label, confidence, box in rows:
        overlap = iou(np.array([box], float), found.boxes.astype(float))[0]
        near = (overlap >= 0.98) & (np.abs(found.scores - confidence) < 0.01)
        assert one.predictor.labels.index(label) in found.labels[near]
