"""What a training would cost, and what is odd about it, said by `estimate` and before `train` begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ui.window_driver import write_photographs
from workbench import console
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State

Capture = pytest.CaptureFixture[str]
SMALL = ["--set", "input_px=64", "--set", "width=0.05", "--batch", "2", "--precision", "fp32", "--device", "cpu"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Six images to train on and two to validate, each with a box of 'cell'; 'dog' has none."""
    write_photographs(tmp_path / "photographs", [f"{number}.png" for number in range(8)])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "dog"))))
        ids = [image.id for image in document.images()]
        label = document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, image, label, (4, 4, 40, 40 + image)) for image in ids)))
        document.do(edits.SetState(tuple(ids), State.DONE))
        document.do(edits.SetSplit(tuple(ids[:6]), Split.TRAIN))
        document.do(edits.SetSplit(tuple(ids[6:]), Split.VALIDATION))
    return tmp_path / "project"


def test_an_estimate_says_time_memory_and_disk_and_trains_nothing(project: Path, capsys: Capture) -> None:
    assert main(["estimate", str(project), *SMALL, "--epochs", "100", "--json"]) == console.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["steps"], said["images"], said["validation_images"], said["batch"]) == (300, 6, 2, 2)
    assert 0 < said["low"] < said["seconds"] < said["high"]
    assert said["cache"] == 3 * 64 * 64 * 8
    assert {one["name"]: one["now"] for one in said["differences"]} == {
        "input_px": 64, "width": 0.05, "batch": 2, "device": "cpu", "precision": "fp32",
    }  # fmt: skip
    assert "unused label" in {one["kind"] for one in said["findings"]}
    assert not (project / "runs").exists()


def test_an_estimate_for_a_person_has_the_changes_the_findings_and_the_numbers(project: Path, capsys: Capture) -> None:
    assert main(["estimate", str(project), *SMALL, "--epochs", "100"]) == console.DONE
    said = capsys.readouterr()
    assert "5 settings differ from “Quick, on a processor”: Input px: 320 → 64" in said.err
    assert "warning: 1 label without a box: 'dog'." in said.err
    assert "steps of 2 images, made of noise" in said.err
    lines = dict(line.split(maxsplit=1) for line in said.out.splitlines())
    assert {"time", "steps", "evaluations", "memory", "images", "checkpoints"} <= set(lines)
    assert "on cpu in fp32" in lines["time"]


def test_a_training_says_first_what_is_odd_and_what_was_changed(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--epochs", "1"]) == console.DONE
    said = capsys.readouterr().err
    begun = said.index("Training yolov4-tiny (")
    assert 0 <= said.index("6 settings differ from") < begun
    assert 0 <= said.index("warning: 1 label without a box") < begun
    assert 0 <= said.index("warning: The run has only 3 steps") < begun
    assert main(["train", str(project), *SMALL, "--epochs", "1", "--json"]) == console.DONE
    assert "settings differ" not in capsys.readouterr().err


def test_a_training_that_could_learn_nothing_does_not_begin(project: Path, capsys: Capture) -> None:
    for command in ("train", "estimate"):
        assert main([command, str(project), *SMALL, "--states", "verified"]) == console.FAILED
        assert "None of the 8 images is verified" in capsys.readouterr().err
    assert main(["train", str(project), *SMALL, "--learning-rate", "0"]) == console.FAILED
    assert "The learning rate is 0, so nothing can be learnt. Choose another." in capsys.readouterr().err
    assert not (project / "runs").exists() or not list((project / "runs").iterdir())


def test_what_belongs_to_a_run_is_no_option_of_an_estimate(project: Path, capsys: Capture) -> None:
    assert main(["estimate", str(project), "--resume", "a"]) == console.MISUSED
    assert "No such option" in capsys.readouterr().err
