"""What an export leaves: each file and what lies beside it; its example runs without this program and finds the same.

One export in all formats, which takes a quarter of a minute, serves all of it: so it stays in one file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference import small
from tests.inference.conftest import ALL
from workbench.core import images
from workbench.core.boxes import iou
from workbench.core.tiling import Tiling
from workbench.inference import exporters
from workbench.inference.events import ExportDone, Exported, ExportProgress
from workbench.inference.exporters import ExportSettings, onnx_file, picture_code
from workbench.inference.exporting.export import example, source_of
from workbench.inference.predict import Predictor

BESIDE = ("MODEL_CARD.md", "example.py", "model.json", "verification.json")
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


def test_every_format_gets_a_folder_with_file_report_card_and_example(exported: tuple[Path, list[object]]) -> None:
    folder, events = exported
    assert isinstance(events[0], ExportProgress)
    done = events[-1]
    assert isinstance(done, ExportDone)
    assert [result.format for result in done.results] == list(ALL)
    for result in done.results:
        about = json.loads((folder / result.format / "model.json").read_text(encoding="utf-8"))
        assert about["labels"] == ["cat", "Hündin", "鳥"]
        assert about["provenance"]["run"] == "first"
        more = ["model.cfg", "model.names"] if result.format == "darknet" else []
        assert sorted(path.name for path in result.folder.iterdir()) == sorted([*BESIDE, *more, result.file.name])
        assert result.bytes > 10_000
    assert sorted(path.name for path in folder.iterdir()) == sorted(ALL)  # the staging folders are gone


def test_every_file_agrees_with_the_program(exported: tuple[Path, list[object]]) -> None:
    results = [event for event in exported[1] if isinstance(event, Exported)]
    assert len(results) == len(ALL)
    for result in results:
        assert result.checked_images == 3
        assert "3 images only, as there were no more" in result.remark
        assert result.agreement is not None
        assert result.agreement.compared >= 100
        assert result.agreement.foreign == 0
        assert result.agreement.matched >= 0.98 * result.agreement.compared


def test_the_report_beside_each_file_says_who_ran_it_on_what_and_how_far_apart_it_was(
    exported: tuple[Path, list[object]], photographs: list[Path]
) -> None:
    library = {"safetensors": "safetensors", "state-dict": "torch", "torchscript": "torch", "pt2": "torch",
               "onnx": "onnxruntime"}  # fmt: skip
    for name in ALL:
        report = json.loads((exported[0] / name / "verification.json").read_text("utf-8"))
        assert report["verdict"] == "finds the same as the trained network"
        assert report["images"] == [file.name for file in photographs[:3]]
        assert report["noise"] is False
        assert report["matched"] == report["compared"] >= 100
        assert 0 <= report["worst_score_difference"] < 1e-4
        assert 0 <= report["worst_box_difference_px"] < 0.1
        assert 0.99 < report["lowest_iou"] <= 1
        assert set(report["program"]) == {"workbench", "torch"}
        assert name == "darknet" or {"python", library[name]} <= set(report["runtime"])
        file = exported[0] / name / exporters.load_all().get(name).file
        assert report["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_what_the_file_is_lies_inside_it_too_as_in_model_json(exported: tuple[Path, list[object]]) -> None:
    """Read by each file's own library."""
    import onnxruntime
    from safetensors import safe_open

    folder = exported[0]
    with safe_open(folder / "safetensors" / "model.safetensors", framework="np") as file:
        inside = [file.metadata()["model.json"]]
    inside.append(torch.load(folder / "state-dict" / "model.pt", weights_only=True)["model.json"])
    extra = {"model.json": ""}
    torch.jit.load(str(folder / "torchscript" / "model.torchscript"), _extra_files=extra)
    more = {"model.json": ""}
    torch.export.load(folder / "pt2" / "model.pt2", extra_files=more)
    session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"))
    plain = session.get_modelmeta().custom_metadata_map
    inside += [extra["model.json"], more["model.json"], plain["model.json"]]
    for name, text in zip(ALL, inside, strict=False):
        about = json.loads(text)
        assert about == json.loads((folder / name / "model.json").read_text("utf-8"))
        assert about["labels"] == ["cat", "Hündin", "鳥"]
        assert (about["input_px"], about["resize"], about["preprocessing"]["range"]) == (
            160, "stretch", "0..1 (divide by 255)",
        )  # fmt: skip
        assert "normalisation" in about["preprocessing"]
        assert len(about["anchors"]) == 6
        assert about["operating_point"] == {"confidence": 0.25, "nms": "darknet diou", "iou": 0.45, "most": 300}
        assert about["data"] == "5eed"
        assert about["licence"] == "CC-BY-4.0"
        assert about["version"]
    assert plain["labels"] == "cat\nHündin\n鳥"
    assert plain["licence"] == "CC-BY-4.0"


def test_the_exported_safetensors_opens_as_a_checkpoint(exported: tuple[Path, list[object]]) -> None:
    again = Predictor.open(exported[0] / "safetensors" / "model.safetensors", device="cpu")
    assert again.labels == ("cat", "Hündin", "鳥")


@dataclasses.dataclass(frozen=True)
class Example:
    """An export whose example.py is run: of which network, with which confidence in model.json."""

    folder: Path
    predictor: Predictor
    score: float


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
    for name, tiling, output in (
        ("letterboxed detections", None, "detections"), ("letterboxed decoded", None, "decoded"),
        ("tiled", Tiling(256), "decoded"),
    ):  # fmt: skip
        boxed, folder = letterboxed(), tmp_path_factory.mktemp("letterboxed")
        boxed.tiling = tiling
        write_onnx(boxed, folder, output)
        wanted[name] = Example(folder, boxed, score_of(boxed, dog, 10))
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
    dog = next(file for file in photographs if file.name == "dog.jpg")
    one, said = examples["letterboxed decoded"]
    assert_same(rows_of(said), one, dog)


def test_the_example_of_a_network_that_learnt_from_tiles_sees_the_photograph_in_them_too(
    examples: dict[str, tuple[Example, str]], photographs: list[Path]
) -> None:
    dog = next(file for file in photographs if file.name == "dog.jpg")
    one, said = examples["tiled"]
    assert_same(rows_of(said), one, dog)


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
