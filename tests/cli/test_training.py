"""The commands from training to exported weights, on real photographs; Ctrl-C leaves a run that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.ui.window_driver import write_photographs
from workbench import console
from workbench.cli import cross_validation, main
from workbench.cli import training as train_command
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split
from workbench.inference import exporters
from workbench.training import recipes
from workbench.training.batches import dataset_loading
from workbench.training.checkpoints.header import read_header

pytestmark = pytest.mark.slow
Capture = pytest.CaptureFixture[str]
SMALL = ["--preset", "quick-cpu", "--set", "input_px=96", "--set", "width=0.125", "--batch", "4", "--precision", "fp32"]


@pytest.fixture(scope="module")
def cells(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs of blood cells with their labels: 8 to train on, 2 for validation, 2 for test."""
    project = tmp_path_factory.mktemp("cli") / "cells ü"
    assert main(["new", str(project), "--images", str(test_data / "data/bccd/BCCD/JPEGImages")]) == console.DONE
    assert main(["import", str(project), str(test_data / "data/bccd/BCCD")]) == console.DONE
    with Document.open(project) as document:
        ids = [image.id for image in document.images()]
        document.do(edits.RemoveImages(tuple(ids[12:])))
        for split, part in ((Split.TRAIN, ids[:8]), (Split.VALIDATION, ids[8:10]), (Split.TEST, ids[10:12])):
            document.do(edits.SetSplit(tuple(part), split))
    return project


def said(capsys: Capture) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def test_train_evaluate_predict_export(cells: Path, tmp_path: Path, capsys: Capture, test_data: Path) -> None:
    assert main(["train", str(cells), *SMALL, "--epochs", "2", "--name", "first", "--json"]) == console.DONE
    trained = said(capsys)
    assert (trained["run"], trained["epochs"], trained["stopped"]) == ("first", 2, False)
    folder = cells / "runs" / "first"
    assert {"settings.toml", "events.jsonl", "last.safetensors", "best.safetensors"} <= set(os.listdir(folder))

    assert main(["evaluate", str(cells), "--split", "test", "--json"]) == console.DONE
    evaluated = said(capsys)
    assert evaluated["images"] == 2
    assert 0 <= evaluated["ap50"] <= 1
    assert evaluated["nms"] == "darknet diou"  # as published for this detector
    assert main(["evaluate", str(cells), "--split", "test", "--nms", "soft", "--json"]) == console.DONE
    assert said(capsys)["nms"] == "soft"

    photographs = test_data / "data/bccd/BCCD/JPEGImages"
    pictures = [str(photographs / f"BloodImage_0000{n}.jpg") for n in (0, 1)]
    out = tmp_path / "found"
    command = ["predict", str(cells), *pictures, "--out", str(out), "--confidence", "0.001", "--json"]
    assert main(command) == console.DONE
    assert said(capsys)["images"] == 2
    entries = json.loads((out / "predictions.json").read_text())
    assert [entry["width"] for entry in entries] == [640, 640]
    assert len(list((out / "pictures").iterdir())) == 2

    weights = tmp_path / "weights"
    command = ["export", str(cells), str(weights), "--format", "safetensors", "--format", "torchscript", "--json"]
    assert main(command) == console.DONE
    assert [one["format"] for one in said(capsys)["files"]] == ["safetensors", "torchscript"]
    card = (weights / "torchscript" / "MODEL_CARD.md").read_text("utf-8")
    assert "On 2 images (test) with" in card, "as it was evaluated"
    assert "| RBC |" in card
    about = json.loads((weights / "torchscript" / "model.json").read_text("utf-8"))
    assert about["data"] == read_header(folder / "best.safetensors").data_digest != ""
    report = json.loads((weights / "torchscript" / "verification.json").read_text("utf-8"))
    assert len(report["images"]) == 8, "two for validation, and others"

    timed = ["benchmark", str(cells), "--format", "safetensors", "--batch", "2", "--seconds", "0", "--threads", "1"]
    assert main([*timed, "--json"]) == console.DONE
    told = json.loads(capsys.readouterr().out)
    assert [(row["format"], row["batch"], row["threads"]) for row in told["times"]] == [("workbench", 2, 1)]
    assert 0 < told["times"][0]["median_ms"] <= told["times"][0]["p95_ms"]
    assert told["not_timed"][0]["format"] == "safetensors"
    assert main(timed) == console.DONE
    printed = capsys.readouterr()
    assert "median ms" in printed.out
    assert "nothing to run" in printed.err


def test_a_format_that_fails_ends_with_an_error_and_the_others_are_written(
    cells: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> str:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(exporters.load_all().get("onnx"), "write", failing)
    command = [
        "export",
        str(cells),
        str(tmp_path / "w"),
        "--run",
        "first",
        "--format",
        "onnx",
        "--format",
        "state-dict",
    ]
    assert main([*command, "--set", "licence=CC0-1.0"]) == console.FAILED
    told = capsys.readouterr().err
    assert "onnx was not exported: The export as ONNX failed: no such operation" in told.replace("\n", " ")
    assert sorted(path.name for path in (tmp_path / "w").iterdir()) == ["state-dict"]
    about = json.loads((tmp_path / "w" / "state-dict" / "model.json").read_text("utf-8"))
    assert about["licence"] == "CC0-1.0"
    assert main([*command, "--set", "outputs=raw"]) == console.MISUSED
    assert "Did you mean 'output'?" in capsys.readouterr().err


def test_thermal_images_in_yolo_txt_import_train_and_evaluate(test_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The cheetah data: wrong paths in data.yaml, empty label files, splits as folders."""
    project, source = tmp_path / "cheetah", test_data / "data" / "cheetah" / "data"
    assert main(["new", str(project), "--images", str(source)]) == console.DONE
    assert main(["import", str(project), str(source)]) == console.DONE
    assert main(["anchors", str(project), "--size", "96", "--use"]) == console.DONE
    assert main(["train", str(project), *SMALL, "--epochs", "1", "--evaluate-every", "0"]) == console.DONE
    capsys.readouterr()
    assert main(["evaluate", str(project), "--split", "test", "--json"]) == console.DONE
    evaluated = said(capsys)
    assert evaluated["images"] == 14
    assert set(evaluated["per_label"]) == {"cheetah", "human"}


def test_ctrl_c_leaves_a_checkpoint_that_resume_continues(cells: Path, capsys: Capture) -> None:
    command = [sys.executable, "-m", "workbench", "train", str(cells), *SMALL, "--epochs", "400", "--name", "stopped"]
    with subprocess.Popen([*command, "--json-events"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line)
            if event["event"] == "Progress" and event["step"] >= 2:
                break
        child.send_signal(signal.SIGINT)
        tail = [json.loads(line) for line in child.stdout]
    assert child.returncode == console.INTERRUPTED
    finished = tail[-1]
    assert (finished["event"], finished["stopped"]) == ("Finished", True)
    assert (cells / "runs" / "stopped" / "last.safetensors").is_file()

    command = [sys.executable, "-m", "workbench", "train", str(cells), "--resume", "stopped", "--json-events"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as again:
        assert again.stdout is not None
        started = json.loads(again.stdout.readline())
        for line in again.stdout:
            event = json.loads(line)
            if event["event"] == "Progress":
                break
        again.send_signal(signal.SIGTERM)
        again.stdout.read()
    assert started["resumed_step"] == finished["step"]
    assert event["step"] > finished["step"]
    assert again.returncode == console.INTERRUPTED


def test_ctrl_c_while_the_images_are_read_leaves_no_run_and_names_none_to_resume(
    cells: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """It said how to go on with a run that had been removed."""
    before, real = set((cells / "runs").glob("*")), dataset_loading.load_datasets

    def interrupted(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return (yield from real(*given))

    monkeypatch.setattr(dataset_loading, "load_datasets", interrupted)
    assert main(["train", str(cells), *SMALL]) == console.INTERRUPTED
    told = " ".join(capsys.readouterr().err.split())
    assert "no run was kept: the same command begins it again. Stopped." in told
    assert "--resume" not in told
    assert set((cells / "runs").glob("*")) == before


def test_commands_without_a_run_say_what_to_do(tmp_path: Path, test_data: Path, capsys: Capture) -> None:
    assert main(["new", str(tmp_path / "p"), "--images", str(test_data / "images")]) == console.DONE
    for command in (["evaluate"], ["export", str(tmp_path / "w")], ["predict", str(test_data / "images")]):
        assert main([command[0], str(tmp_path / "p"), *command[1:]]) == console.FAILED
        assert "There is no run in" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "p")]) == console.FAILED
    assert "workbench:" in capsys.readouterr().err


def test_what_is_edited_while_a_command_gets_ready_counts_as_not_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photographs(tmp_path / "photographs", ["a.png"])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    edited: list[float] = []
    monkeypatch.setattr(train_command, "_check_before", lambda *_, **__: edited.append(time.time()))
    monkeypatch.setattr(train_command, "_recipe", lambda _: (recipes.preset("quick-cpu"), None))
    options = {"anchors": "project", "as_json": True, "json_events": False}
    given = {"project": tmp_path / "project", "resume": None, "name": "a", **options}
    request = train_command._request(given, cross_validation.read_project(tmp_path / "project"))
    assert 0 < request.data_time < edited[0]
