"""`workbench predict` as it is typed: which operating point, shards and their merging, and what is refused in words."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference.stub import stub, write_head, write_pictures
from workbench import console
from workbench.cli import main
from workbench.cli import predict as command
from workbench.core.document import Document
from workbench.core.edits import AddLabels, ChangeLabel
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.events import PredictionsSaved
from workbench.inference.writing.result_parts import ResultParts, progress_of
from workbench.training import events

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def network(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a real checkpoint is part of test_training.py."""

    def open_stub(file: Path, _device: str, precision: str, *_: object) -> object:
        opened = stub()
        opened.checkpoint, opened.precision = file, precision
        return opened

    monkeypatch.setattr(command, "_open", open_stub)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In a run's folder."""
    file = tmp_path_factory.mktemp("run") / "best.safetensors"
    write_head(file)
    return file


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("pictures"), [f"{n}.png" for n in range(9)])


@pytest.fixture
def predict(checkpoint: Path, pictures: Path, tmp_path: Path, capsys: Capture) -> Callable[..., object]:
    """Runs it into tmp_path/out; what --json says, or the sentence of a refusal."""

    def run(*options: str, expected: int = console.DONE) -> object:
        words = ["predict", str(checkpoint), str(pictures), "--out", str(tmp_path / "out")]
        assert main([*words, "--json", *options]) == expected
        told = capsys.readouterr()
        return json.loads(told.out) if expected == console.DONE else told.err

    return run


def order(out: Path) -> dict[str, object]:
    """What was asked, as the job keeps it."""
    (job,) = out.glob("parts/*/job.json")
    return dict(json.loads(job.read_text())["order"])


def test_labels_of_a_project_that_were_renamed_since_are_called_as_they_are_now(
    pictures: Path, tmp_path: Path, capsys: Capture
) -> None:
    with Document.create(tmp_path / "p", pictures) as document:
        document.do(AddLabels((Label(0, "dog"),)))
        document.do(ChangeLabel(replace(document.labels()[0], name="Hund")))
    run = tmp_path / "p" / "runs" / "first"
    run.mkdir(parents=True)
    write_head(run / "best.safetensors")
    (run / "events.jsonl").write_text(events.to_json(events.Finished(1, 1, False, 0.5, 1.0, "")) + "\n")
    operating_point.write(run, OperatingPoint(0.4, (("dog", 0.6),)))
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "p"), str(pictures), "--out", str(out), "--format", "json"]) == console.DONE
    assert {found["label"] for one in json.loads((out / "predictions.json").read_text("utf-8"))
            for found in one["detections"]} == {"cat", "Hund"}  # fmt: skip
    assert order(out)["own"] == [["Hund", 0.6]]
    assert "Confidence 0.4 (Hund 0.6): the operating point kept" in " ".join(capsys.readouterr().err.split())


def test_the_operating_point_of_the_run_is_taken_unless_another_is_asked(
    predict: Callable[..., object], checkpoint: Path, tmp_path: Path
) -> None:
    predict()
    asked = order(tmp_path / "out")
    assert (asked["confidence"], asked["iou"], asked["kind"]) == (0.25, 0.45, "per label"), "as published"
    kept = OperatingPoint(0.42, (("dog", 0.6),), 0.7, "soft", 50, checkpoint.name)
    file = operating_point.write(checkpoint.parent, kept)
    try:
        predict("--fresh")
        asked = order(tmp_path / "out")
        assert (asked["confidence"], asked["own"], asked["iou"]) == (0.42, [["dog", 0.6]], 0.7)
        assert (asked["kind"], asked["limit"]) == ("soft", 50)
        predict("--fresh", "--confidence", "0.1", "--nms", "published")
        asked = order(tmp_path / "out")
        assert (asked["confidence"], asked["own"], asked["iou"]) == (0.1, [], 0.45)
        assert asked["kind"] == "per label"
    finally:
        file.unlink()


def test_sources_are_looked_at_before_a_word_is_said_and_a_run_nobody_judged_is_told(
    checkpoint: Path, pictures: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = ["--out", str(tmp_path / "out"), "--no-pictures"]
    assert main(["predict", str(checkpoint), str(tmp_path / "nope"), *out]) == console.FAILED
    assert capsys.readouterr().err.splitlines() == [f"workbench: {tmp_path / 'nope'} does not exist. Check the name."]
    assert main(["predict", str(checkpoint), str(pictures), *out]) == console.DONE
    assert "Predicting with best.safetensors, at" in capsys.readouterr().err
    (checkpoint.parent / "events.jsonl").write_text("")
    assert main(["predict", str(checkpoint), str(pictures), *out]) == console.DONE
    told = capsys.readouterr().err
    (checkpoint.parent / "events.jsonl").unlink()
    assert "Confidence 0.25: these weights were not evaluated on validation images yet." in told
    assert f"Predicting with {checkpoint.parent.name}, best, at" in told


def test_shards_are_merged_into_what_one_process_writes(
    predict: Callable[..., object], tmp_path: Path, capsys: Capture
) -> None:
    whole = predict("--format", "json")
    assert isinstance(whole, dict)
    assert whole["images"] == 9
    one = (tmp_path / "out" / "predictions.json").read_bytes()
    for shard in ("1/2", "2/2"):
        predict("--format", "json", "--shard", shard, "--fresh")
    (tmp_path / "out" / "predictions.json").unlink()
    assert main(["predict", "--merge", "--out", str(tmp_path / "out"), "--format", "json"]) == console.DONE
    assert "predictions.json" in capsys.readouterr().out
    assert (tmp_path / "out" / "predictions.json").read_bytes() == one


def interrupt_first_batch(patch: pytest.MonkeyPatch) -> None:
    """One Ctrl-C while the first of three batches is written."""
    appended = ResultParts.append

    def interrupted(self: ResultParts, *batch: object) -> None:
        appended(self, *batch)  # type: ignore[arg-type]
        if self.done.pictures == 4:
            os.kill(os.getpid(), signal.SIGINT)

    patch.setattr(ResultParts, "append", interrupted)


@pytest.mark.parametrize(
    ("more", "told"),
    [([], "kept: the same command continues it."), (["--fresh"], "the same command without --fresh continues it.")],
)
def test_after_ctrl_c_it_is_said_how_to_go_on(
    more: list[str], told: str, checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:  # fmt: skip
    """With --fresh the same command began anew, and hours of work were lost."""
    interrupt_first_batch(monkeypatch)
    words = ["predict", str(checkpoint), str(pictures), "--out", str(tmp_path / "out"), *more]
    assert main(words) == console.INTERRUPTED
    assert told in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_keeps_what_was_done_and_the_same_command_goes_on(
    predict: Callable[..., object], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        interrupt_first_batch(patched)
        told = predict("--format", "csv", expected=console.INTERRUPTED)
    assert "Stopping after this batch, which is kept. Press Ctrl-C again to abort." in str(told)
    assert progress_of(tmp_path / "out" / "parts" / "1-of-1").pictures == 4
    assert not (tmp_path / "out" / "predictions.csv").exists()
    told = predict("--format", "csv")
    assert isinstance(told, dict)
    assert told["images"] == 9


def test_what_was_found_fast_is_not_gone_on_with_exactly(predict: Callable[..., object], tmp_path: Path) -> None:
    predict("--fast")
    assert order(tmp_path / "out")["precision"] == "fast"
    assert "the precision (fast then, exact now)" in str(predict(expected=console.FAILED))


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (["--shard", "3/2"], console.MISUSED, "--shard takes I/N, such as 1/8"),
        (["--shard", "two"], console.MISUSED, "--shard takes I/N, such as 1/8"),
        (["--format", "xml"], console.MISUSED, "--format must be one of json, coco"),
        (["--nms", "hard"], console.MISUSED, "--nms must be one of published"),
        (["--tiles", "10", "--tile-overlap", "0.3"], console.MISUSED, "expected at least 64 pixels, found 10"),
        (["--tiles", "10", "--overlap", "0.3"], console.MISUSED, "at least 64 pixels, found 10"),  # its former name
        (["--webcam", "0"], console.MISUSED, "A webcam can't be combined"),
        (["--frames", "5"], console.MISUSED, "--frames is for --webcam. Leave it out; --every takes fewer frames of"),
        (["--merge"], console.FAILED, "There is nothing to merge in"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    predict: Callable[..., object], options: list[str], code: int, sentence: str
) -> None:
    assert sentence in str(predict(*options, expected=code))


def typed_in(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))


@pytest.mark.parametrize("text", [b"0.png\r\n\n3.png\n./gone.png\n", b"./0.png\0003.png\0gone.png\0"])
def test_paths_are_read_from_standard_input(
    text: bytes, checkpoint: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(pictures)
    typed_in(monkeypatch, text)
    words = ["predict", str(checkpoint), "-", "--out", str(tmp_path / "out"), "--format", "json", "--json"]
    assert main(words) == console.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["left_out"]) == (2, 1)
    assert [row["file"] for row in json.loads((tmp_path / "out" / "predictions.json").read_text())] == [
        "0.png",
        "3.png",
    ]
    typed_in(monkeypatch, text)
    assert main(words) == console.DONE, "the same command goes on, or has nothing left to do"
    capsys.readouterr()
    typed_in(monkeypatch, b"5.png\n")
    assert main(words) == console.FAILED
    assert "the sources" in capsys.readouterr().err


def test_a_standard_input_without_paths_is_a_sentence(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    words = ["predict", str(checkpoint), "-", "--out", str(tmp_path / "out")]
    typed_in(monkeypatch, b"\n")
    assert main(words) == console.FAILED
    assert "Standard input named no image or video." in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", None)
    assert main(words) == console.FAILED
    assert "There is no standard input to read paths from." in capsys.readouterr().err
    with pytest.raises(WorkbenchError, match="can't all read standard input"):
        command._check_shared((Path("a.png"), Path("-")))


def test_without_sources_it_says_how(checkpoint: Path, capsys: Capture) -> None:
    assert main(["predict", str(checkpoint)]) == console.MISUSED
    assert "workbench predict PROJECT photographs/" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--shard", "1/2"], ["--format", "coco", "--coco-ids", "ids.json"]])
def test_what_a_webcam_would_leave_out_in_silence_is_refused(
    more: list[str], checkpoint: Path, capsys: Capture
) -> None:
    assert main(["predict", str(checkpoint), "--webcam", "93", *more]) == console.MISUSED
    assert "Leave them out beside --webcam." in capsys.readouterr().err


def test_a_webcam_that_is_not_there_is_a_sentence(checkpoint: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["predict", str(checkpoint), "--webcam", "93", "--out", str(tmp_path / "out")]) == console.FAILED
    assert "There is no webcam 93" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_all_files_that_were_written_are_told_in_one_column(capsys: Capture) -> None:
    saved = PredictionsSaved(Path("/f/predictions.json"), 1, 4, 0, (Path("/f/predictions.json"), Path("/f/pictures")))
    command._say(saved, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12].strip() for line in lines] == ["file", "images", "detections", "left out", "also"]
    assert lines[-1][12:] == "/f/pictures"


def test_what_the_help_says_of_torchrun_chooses_a_run() -> None:
    """Without the `--`, torchrun refuses `--run` as ambiguous, on Python 3.11."""
    from torch.distributed.run import parse_args

    help_page = (Path(__file__).parents[2] / "resources" / "help" / "predicting.md").read_text(encoding="utf-8")
    told = re.search(r"`(-m -- workbench predict [^`]*--run NAME)`", help_page)
    assert told is not None
    parsed = parse_args(["--nproc-per-node", "2", *told[1].split()])
    assert parsed.module
    assert parsed.training_script == "workbench"
    assert parsed.training_script_args == ["predict", "PROJECT", "photographs/", "--run", "NAME"]
