"""Clumsy use of the command line: each slip is a sentence and an exit code, never a traceback or a silent change."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from typer.core import TyperGroup
from typer.main import get_command

from workbench import console, plugins
from workbench.cli import ELSEWHERE, main
from workbench.cli.event_streams import print_lines
from workbench.cli.options import app
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split
from workbench.errors import WorkbenchError
from workbench.training.events import Event, Message, Started

Capture = pytest.CaptureFixture[str]
SMALL = ["--set", "input_px=96", "--set", "width=0.125", "--batch", "2", "--precision", "fp32", "--epochs", "1"]


@pytest.fixture
def project(tmp_path: Path, capsys: Capture) -> Path:
    """A project of two grey images with a box each, in no split."""
    source = tmp_path / "photographs ü"
    (source / "labels").mkdir(parents=True)
    for name in "ab":
        Picture.fromarray(np.full((96, 96, 3), 90, np.uint8)).save(source / f"{name}.png")
        (source / "labels" / f"{name}.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (source / "classes.txt").write_text("cell\n")
    assert main(["new", str(tmp_path / "p 🐆"), "--images", str(source)]) == console.DONE
    assert main(["import", str(tmp_path / "p 🐆"), str(source)]) == console.DONE, capsys.readouterr().err
    capsys.readouterr()
    return tmp_path / "p 🐆"


def test_few_images_are_told_the_recipe_that_is_made_for_them(project: Path, capsys: Capture) -> None:
    """The window takes it by itself; on a server ten images were trained by the other, and found little."""
    assert main(["train", str(project), *SMALL]) == console.DONE
    assert "From only 2 images, “Few images” learns more: --preset small-data" in capsys.readouterr().err
    assert main(["train", str(project), *SMALL, "--preset", "small-data"]) == console.DONE
    assert "--preset" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "estimate"])
def test_a_project_without_boxes_is_refused_before_pytorch_is_loaded(
    command: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Picture.fromarray(np.full((96, 96, 3), 90, np.uint8)).save(tmp_path / "a.png")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path)]) == console.DONE
    monkeypatch.setattr(plugins, "loaded", lambda: pytest.fail("plugins bring torch with them"))
    assert main([command, str(tmp_path / "p")]) == console.FAILED
    assert "has no boxes yet. Draw some, or import labels" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "--anchors", "projekt"], "--anchors must be one of project, published, not 'projekt'"),
        (["anchors", "--resize", "letterbx"], "darknet stretch, darknet letterbox, not 'letterbx'"),
        (["train", "--seed", "99999999999999999999"], "'seed' must be a whole number"),
        (
            ["evaluate", "--split", "banana"],
            "none, train, validation, test, all, held-out, folds, not 'banana'",
        ),
        (
            ["evaluate", "--nms", "iou"],
            "--nms must be one of published, per label, across labels, diou, darknet diou, soft",
        ),
        (
            ["train", "--set", "widht=0.1"],
            "Did you mean 'width'? All of yolov4-tiny's: workbench detectors yolov4-tiny",
        ),
        (["train", "--set", "Width=0.1"], "Did you mean 'width'?"),
        (["train", "--set", "epoch=3"], "Did you mean 'epochs'?"),
        (["train", "--detector", "darknet-cfg", "--set", "cfgs=a.cfg"], "Did you mean 'cfg'?"),
    ],
)
def test_a_wrong_word_is_refused_as_any_that_is_not_understood_and_not_replaced_by_a_default(
    project: Path, arguments: list[str], sentence: str, capsys: Capture
) -> None:
    """The exit code was 2 of some, and 1 of others, as if the training had failed."""
    assert main([arguments[0], str(project), *arguments[1:]]) == console.MISUSED
    assert sentence in capsys.readouterr().err.replace("\n", " ")
    assert not list((project / "runs").glob("*"))


def test_a_run_is_called_what_it_was_told_and_no_other_is_touched(project: Path, capsys: Capture) -> None:
    (project / "runs" / "mine").mkdir(parents=True)
    assert main(["train", str(project), *SMALL, "--name", "mine"]) == console.FAILED
    assert "There is a run called 'mine' already. Choose another name." in capsys.readouterr().err.replace("\n", " ")
    assert list((project / "runs" / "mine").iterdir()) == []


def test_a_training_that_is_refused_leaves_no_run(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--device", "toaster"]) == console.MISUSED
    assert "There is no device 'toaster'" in capsys.readouterr().err
    assert not list((project / "runs").glob("*"))


def test_a_resumed_run_refuses_another_recipe_and_a_finished_one_says_so(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--name", "r"]) == console.DONE, capsys.readouterr().err
    assert main(["train", str(project), "--resume", "r", "--epochs", "9"]) == console.MISUSED
    assert "keeps its recipe. Leave out --epochs" in capsys.readouterr().err
    events = (project / "runs" / "r" / "events.jsonl").read_bytes()
    for alone in (["--resume"], ["--resume", "--json"], ["--resume="], ["--resume", ""]):
        assert main(["train", str(project), *alone]) == console.FAILED
        assert "'r' is finished: there is nothing to resume" in capsys.readouterr().err, alone
    assert main(["train", str(project), "--resume", "r"]) == console.FAILED
    shown = capsys.readouterr()
    assert "is finished: there is nothing to resume" in shown.err
    assert "Training" not in shown.err
    assert shown.out == ""
    assert (project / "runs" / "r" / "events.jsonl").read_bytes() == events


@pytest.mark.parametrize("more", [[], ["--copy-images"]])
@pytest.mark.parametrize("splits", [{}, {"a.png": Split.TRAIN}])
def test_labels_without_splits_come_back_from_yolo(
    project: Path, tmp_path: Path, more: list[str], splits: dict[str, Split], capsys: Capture
) -> None:
    with Document.open(project) as document:
        for image in document.images():
            document.do(edits.SetSplit((image.id,), splits.get(image.path, Split.NONE)))
    out, again = tmp_path / "out", tmp_path / "again"
    assert main(["export-labels", str(project), str(out), "--format", "yolo", *more]) == console.DONE
    shown = [] if more else ["--images", str(tmp_path / "photographs ü")]
    assert main(["new", str(again), *shown]) == console.DONE
    assert main(["import", str(again), str(out)]) == console.DONE, capsys.readouterr().err
    with Document.open(again, read_only=True) as document:
        assert sum(document.label_counts().values()) == 2
        assert [label.name for label in document.labels()] == ["cell"]


def test_a_new_project_of_a_folder_without_images_says_so(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "empty")]) == console.DONE
    assert "There are no images in" in capsys.readouterr().err


def test_a_reader_that_leaves_early_is_no_failure(project: Path) -> None:
    quick = ("check", "--no-files")
    for name, *more in (quick, (*quick, "--json"), ("anchors", "--k", "1", "--format", "cfg"), ("images",)):
        command = [sys.executable, "-m", "workbench", name, str(project), *more]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stderr is not None
            child.stdout.close()
            said = child.stderr.read()
        assert "Traceback" not in said
        assert "BrokenPipe" not in said
        assert child.returncode in (console.DONE, console.PROBLEMS)


def test_a_reader_of_the_progress_that_leaves_early_has_broken_the_work_off(project: Path) -> None:
    command = [sys.executable, "-m", "workbench", "check", str(project)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        child.stdout.close()
    assert child.returncode == console.FAILED


@pytest.mark.parametrize(
    ("event", "resumes", "sentence"),
    [
        (
            Started("a", "", "fcos", "cpu", "fp32", 8, 2, 4, 9, 99),
            False,
            "was stopped, with a checkpoint. Go on with --resume",
        ),
        (Message("info", "one"), False, "was stopped, before its first step. Start it again"),  # its run is removed
        (Message("info", "one"), True, "was stopped, with a checkpoint. Go on with --resume"),
    ],
)
def test_a_reader_of_events_that_leaves_early_stops_the_training_with_a_word(
    event: Event, resumes: bool, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    def happening() -> Iterator[Event]:
        try:
            yield event
            yield Message("info", "two")
        finally:
            ended.append(True)

    ended: list[bool] = []
    events = happening()
    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(WorkbenchError, match=sentence):
        print_lines(events, resumes=resumes)
    assert ended


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_output_to_a_full_disk_is_a_sentence(project: Path) -> None:
    command = [sys.executable, "-m", "workbench", "check", str(project), "--no-files", "--json"]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == console.FAILED
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_command_says_stopped(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("workbench.health.examine", interrupted)
    assert main(["check", str(project)]) == console.INTERRUPTED
    assert "Stopped." in capsys.readouterr().err


def test_a_project_that_could_not_be_finished_does_not_block_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full.")

    (tmp_path / "photographs").mkdir()
    command = ["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs")]
    with monkeypatch.context() as patch:
        patch.setattr(Document, "add_folder", full)
        assert main(command) == console.FAILED
    assert list((tmp_path / "p").iterdir()) == []
    assert main(command) == console.DONE, capsys.readouterr().err


def test_a_run_killed_before_its_first_save_begins_again(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--name", "kil/led"]) == console.DONE
    assert "The run is called 'kil-led', as 'kil/led' can't be a folder's name." in capsys.readouterr().err
    folder = project / "runs" / "kil-led"
    (folder / "last.state.pt").unlink()
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(line for line in lines if '"Finished"' not in line))
    capsys.readouterr()
    assert main(["train", str(project), "--resume", "kil-led"]) == console.DONE
    assert "so it starts again" in capsys.readouterr().err
    assert (folder / "last.state.pt").is_file()


def test_a_folder_without_pictures_does_not_replace_earlier_predictions(
    project: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["train", str(project), *SMALL]) == console.DONE, capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "predictions.json").write_text("[1]")
    command = ["predict", str(project), str(tmp_path / "empty"), "--out", str(tmp_path / "found")]
    assert main(command) == console.FAILED
    assert "There is no image or video in" in capsys.readouterr().err
    assert (tmp_path / "found" / "predictions.json").read_text() == "[1]"
    shutil.rmtree(tmp_path / "found")


def test_beside_json_the_reason_for_what_is_left_out_is_still_said(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "zero.jpg").write_bytes(b"")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs"), "--json"]) == console.DONE
    shown = capsys.readouterr()
    assert json.loads(shown.out)["unreadable"] == 1
    assert "zero.jpg: the file is empty" in shown.err


def test_a_long_path_is_printed_whole(capsys: Capture) -> None:
    path = "/somewhere/[a]/" + "with a long name/" * 12
    console.print_result({"file": path, "images": 2}, as_json=False)
    assert capsys.readouterr().out == f"file    {path}\nimages  2\n"


def test_what_is_refused_shows_no_bar_and_one_is_one(project: Path, capsys: Capture) -> None:
    assert main(["train", str(project), *SMALL, "--device", "toaster"]) == console.MISUSED
    assert "Training" not in capsys.readouterr().err
    assert main(["train", str(project), *SMALL]) == console.DONE
    shown = capsys.readouterr().err
    assert "1 epoch, on" in shown
    assert "Training  " in shown  # the bar of what was done stays


def test_a_number_that_does_not_exist_is_a_dash(capsys: Capture) -> None:
    console.print_result({"ap_small": None}, as_json=False)
    assert capsys.readouterr().out.split() == ["ap", "small", "-"]


@pytest.mark.parametrize("command", ["train", "import-weights"])
def test_a_flag_that_is_a_detectors_setting_is_told_as_set(command: str, capsys: Capture) -> None:
    assert main([command, "p", "--input-px", "96"]) == console.MISUSED
    assert "--set input_px=VALUE" in capsys.readouterr().err
    assert main([command, "p", "--banana", "96"]) == console.MISUSED
    assert "--set" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (["train", "p", "--lr", "1"], "--learning-rate"),
        (["train", "p", "--imgsz", "96"], "--set input_px=VALUE"),
        (["train", "p", "--model", "ssd300"], "--detector"),
        (["evaluate", "p", "--model", "a"], "--run"),
        (["predict", "p", "--conf", "0.3"], "--confidence"),
        (["export", "p", "to", "--confidence", "0.3"], "--set score=VALUE"),
    ],
)
def test_a_flag_of_another_program_is_told_as_what_it_is_here(arguments: list[str], flag: str, capsys: Capture) -> None:
    assert main(arguments) == console.MISUSED
    assert f"(Possible options: {flag})" in capsys.readouterr().err


def test_the_names_that_are_told_are_flags() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    flags = {flag for command in group.commands.values() for one in command.params for flag in one.opts}
    assert {flag for known in ELSEWHERE.values() for flag in known} <= flags


def test_what_a_file_holds_does_not_reach_the_terminal_as_control_characters(
    project: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "dog.jpg").write_bytes(b"\x1b[31m\xff\xd8 no cfg\x07")
    (tmp_path / "a.names").write_text("cell\n")
    (tmp_path / "a.weights").write_bytes(bytes(64))
    command = ["import-weights", str(tmp_path / "a.weights"), str(project), "--detector", "darknet-cfg"]
    assert main([*command, "--labels", str(tmp_path / "a.names"), "--set", f"cfg={tmp_path / 'dog.jpg'}"]) == (
        console.FAILED
    )
    said = capsys.readouterr().err.strip()
    assert "dog.jpg: This is not a Darknet cfg: it isn't text." in said
    assert said.replace("\n", "").isprintable()


def test_a_refused_export_leaves_no_folder(project: Path, tmp_path: Path, capsys: Capture) -> None:
    small = ["--set", "width=0.05", "--batch", "2", "--precision", "fp32", "--epochs", "1"]
    assert main(["train", str(project), "--detector", "ssd300", *small]) == console.DONE, capsys.readouterr().err
    command = ["export", str(project), str(tmp_path / "made" / "out"), "--format", "darknet"]
    assert main(command) == console.FAILED
    assert "not a Darknet network" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
    (tmp_path / "made").mkdir()
    assert main(command) == console.FAILED
    assert list((tmp_path / "made").iterdir()) == []  # what was there before stays


def test_the_settings_of_a_detector_are_listed(capsys: Capture) -> None:
    assert main(["detectors", "yolov4-tiny", "--json"]) == console.DONE
    about = json.loads(capsys.readouterr().out)
    assert about["title"] == "YOLOv4-tiny"
    width = about["settings"]["width"]
    assert (width["kind"], width["default"], width["low"], width["high"]) == ("float", 1.0, 0.05, 4.0)
    assert "channels" in width["help"]
    assert about["settings"]["resize"]["default"] is None
    assert main(["detectors", "yolov4-tiny"]) == console.DONE
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    shown = {line[0]: line[1] for line in lines if len(line) > 1 and line[0] in about["settings"]}
    assert (shown["input_px"], shown["width"], shown["resize"], shown["rescore"]) == ("416", "1.0", "auto", "no")
    assert set(shown) == set(about["settings"])
    assert main(["detectors", "yolov4-tin"]) == console.FAILED
    assert "Did you mean 'yolov4-tiny'?" in capsys.readouterr().err


def test_a_name_with_control_characters_is_shown_without_them(capsys: Capture) -> None:
    assert main(["check", "no\x1b[31mwhere\a"]) == console.FAILED
    assert "no?[31mwhere?" in capsys.readouterr().err


def test_a_name_of_a_file_with_control_characters_is_shown_without_them(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "z\x1b[31m.jpg").write_bytes(b"")
    assert main(["new", str(tmp_path / "p"), "--images", str(tmp_path / "photographs")]) == console.DONE
    assert main(["check", str(tmp_path / "p")]) == console.PROBLEMS
    shown = capsys.readouterr()
    assert "z?[31m.jpg: the file is empty" in shown.err
    assert "z?[31m.jpg can't be read" in shown.out
    assert "\x1b" not in shown.out + shown.err


def test_a_folder_in_the_place_of_a_command_is_told_what_it_lacks(
    project: Path, tmp_path: Path, capsys: Capture
) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert main([str(folder)]) == console.FAILED
        assert f"There is no project in {folder}" in capsys.readouterr().err
    assert main([str(project), "--json"]) == console.MISUSED
    assert "is a project: alone it opens the window" in capsys.readouterr().err
    assert main(["nowhere"]) == console.MISUSED
