"""The commands about weights from elsewhere: what is published, importing, and beginning a training from a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import typer

from tests.ui.window_driver import write_photographs
from workbench import console, detectors
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.detectors.parts import darknet
from workbench.training.checkpoints import published_weights
from workbench.training.records import record, runs

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, *command: str, code: int = console.FAILED) -> str:
    """What is said of a command that can't be done."""
    assert main(list(command)) == code
    said: str = capsys.readouterr().err
    return said


def test_published_weights_are_listed_with_their_licences(capsys: Capture) -> None:
    assert main(["weights", "--json"]) == console.DONE
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == set(published_weights.published())
    for one in listed.values():
        assert one["url"].startswith("https://download.pytorch.org/")
        assert "BSD" in one["licence"]
        assert one["here"] is False
    assert main(["weights"]) == console.DONE
    assert "ssd300_vgg16_coco-b556d3b4.pth" in capsys.readouterr().out


def test_of_one_detector_it_is_said_where_they_are_and_nothing_is_fetched(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_weights, "download", lambda _: pytest.fail("it was fetched"))
    assert main(["weights", "fcos", "--json"]) == console.DONE
    said = json.loads(capsys.readouterr().out)
    assert said["url"].endswith("fcos_resnet50_fpn_coco-99b0c9b7.pth")
    assert said["here"] is False
    assert main(["weights", "fcos"]) == console.DONE
    shown = capsys.readouterr()
    assert (shown.out + shown.err).count(said["url"]) == 1
    assert "Fetch them: workbench weights fcos --download" in shown.err
    monkeypatch.setattr(typer, "confirm", lambda _, err: False)
    assert main(["weights", "fcos", "--download"]) == console.DONE
    assert "Nothing was fetched." in capsys.readouterr().err


@pytest.mark.parametrize("stdin", [io.StringIO(""), None])
def test_a_question_that_nobody_answers_is_a_sentence(
    stdin: io.StringIO | None, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under cron, systemd or Slurm there is no terminal; a program that reads --json must not find the question."""
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["weights", "fcos", "--download", "--json"]) == console.FAILED
    shown = capsys.readouterr()
    assert shown.out.strip() == ""
    assert "Fetch it without one: workbench weights fcos --download --yes" in shown.err

    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=Mock(side_effect=KeyboardInterrupt)))
    assert main(["weights", "fcos", "--download"]) == console.INTERRUPTED
    assert "Stopped." in capsys.readouterr().err


def test_weights_nobody_publishes_are_refused(capsys: Capture) -> None:
    said = refused(capsys, "weights", "yolov2", "--download")
    assert "torchvision publishes no weights of yolov2" in said
    assert "ssd300" in said
    assert "such as Darknet's" in said
    assert "Did you mean 'yolov3'?" in refused(capsys, "weights", "yolov33")
    assert "Name the detector" in refused(capsys, "weights", "--download", code=console.MISUSED)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "platelet"))))
        ids = tuple(image.id for image in document.images())
        first = document.labels()[0].id
        document.do(edits.AddBoxes(tuple(Box(0, image, first, (20, 10, 90, 70)) for image in ids)))
        document.do(edits.SetState(ids, State.DONE))
    return tmp_path / "project"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Darknet's weights of a small YOLOv3-tiny with 80 labels."""
    kind = detectors.load_all().get("yolov3-tiny")
    detector = detectors.build("yolov3-tiny", kind.settings_class(input_px=64, width=0.1), 80)
    darknet.write(detector, tmp_path / "small.weights")
    return tmp_path / "small.weights"


SMALL = ("--set", "width=0.1", "--set", "input_px=64")


def test_weights_become_a_run_of_the_project(project: Path, file: Path, tmp_path: Path, capsys: Capture) -> None:
    names = tmp_path / "80.names"
    names.write_text("\n".join(f"thing {i}" for i in range(80)), "utf-8")
    command = ["import-weights", str(file), str(project), "--detector", "yolov3-tiny", "--labels", str(names), *SMALL]
    assert main([*command, "--json"]) == console.DONE
    said = json.loads(capsys.readouterr().out)
    (run,) = runs.runs(project / "runs")
    assert (run.name, run.state) == (said["run"], "finished")
    again = refused(capsys, "train", str(project), "--resume", run.name)
    assert again.count("workbench:") == 1
    assert f"is finished: there is nothing to resume. A new run can start from its weights: --weights {run.best}" in (
        again
    )
    run.folder.rename(run.folder.with_name("a run"))  # what is told can be pasted
    best = project / "runs" / "a run" / "best.safetensors"
    assert f"--weights '{best}'" in refused(capsys, "train", str(project), "--resume", "a run")
    pictures = [str(path) for path in sorted((tmp_path / "photographs").iterdir())]
    assert "workbench import-weights" in refused(capsys, "predict", str(file), *pictures)
    assert "import-weights 'my net.weights' 'my net.safetensors'" in refused(capsys, "predict", "my net.weights", "a")
    assert main(["predict", str(project), *pictures, "--out", str(tmp_path / "out"), "--json"]) == console.DONE
    assert json.loads(capsys.readouterr().out)["images"] == 2


def test_a_cfg_that_is_not_named_is_asked_for_by_its_setting(
    project: Path, file: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "a.names").write_text("cell\n", "utf-8")
    command = ["import-weights", str(file), str(project), "--detector", "darknet-cfg"]
    assert "(setting cfg, group Network)" in refused(capsys, *command, "--labels", str(tmp_path / "a.names"))


def test_weights_that_do_not_fit_are_refused_and_leave_nothing(
    project: Path, file: Path, tmp_path: Path, capsys: Capture
) -> None:
    names = tmp_path / "three.names"
    names.write_text("a\nb\nc\n", "utf-8")
    command = ["import-weights", str(file), str(project), "--detector", "yolov3-tiny"]
    assert "--labels FILE" in refused(capsys, *command, *SMALL)
    assert "small.weights" in refused(capsys, *command, "--labels", str(names), *SMALL)
    said = refused(capsys, *command, "--labels", str(tmp_path / "no.names"), *SMALL)
    assert "no.names: there is no such file." in said
    said = refused(capsys, "import-weights", str(tmp_path / "no.weights"), *command[2:], *SMALL)
    assert "no.weights: there is no such file." in said
    assert "There is no detector" in refused(capsys, *command[:-1], "yolov33", "--labels", str(names))
    assert not runs.runs(project / "runs")


@pytest.mark.slow
def test_a_training_begins_from_darknets_file_and_the_run_remembers(project: Path, file: Path, capsys: Capture) -> None:
    command = ["train", str(project), "--detector", "yolov3-tiny", *SMALL, "--epochs", "1", "--weights", str(file)]
    assert main([*command, "--json", "--name", "begun"]) == console.DONE
    capsys.readouterr()
    (run,) = runs.runs(project / "runs")
    messages = [event.sentence for event in runs.read_events(run.folder) if hasattr(event, "sentence")]
    assert any(one.startswith("Begun from small.weights: 59 of 59 tensors") for one in messages), messages
    assert "what belongs to labels, which starts fresh" in " ".join(messages)
    assert record.read_request(run.folder).start == file


def test_published_weights_that_were_not_fetched_are_asked_for(project: Path, capsys: Capture) -> None:
    said = refused(capsys, "train", str(project), "--detector", "ssd300", "--weights", "published")
    assert "Fetch them: workbench weights ssd300 --download" in said
    said = refused(capsys, "train", str(project), "--detector", "yolov3-tiny", "--weights", "missing.weights")
    assert "missing.weights" in said
    assert not runs.runs(project / "runs")
