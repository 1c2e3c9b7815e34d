"""What a command refuses before PyTorch is loaded: a misspelt word must not cost the seconds which that takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from tests.inference.stub import write_head
from workbench import console, detectors
from workbench.cli import main, weights
from workbench.core import files
from workbench.errors import WorkbenchError

Capture = pytest.CaptureFixture[str]
MISTAKES = {
    "evaluate P": "There is no run in P yet",
    "evaluate P --run nope": "There is no run called 'nope'",
    "evaluate P --run nope.safetensors": "nope.safetensors: this checkpoint is not there any more",
    "evaluate P --split nope": "--split must be one of",
    "evaluate P --nms nope": "--nms must be one of",
    "evaluate P --device gpu": "There is no device 'gpu'. Choose auto, cpu, cuda",
    "predict P photos": "There is no run in P yet",
    "predict P photos --run nope": "There is no run called 'nope'",
    "predict nope photos": "There is no project in nope",
    "predict nope.safetensors photos": "nope.safetensors: this checkpoint is not there any more",
    "predict foreign.safetensors photos": "this checkpoint needs the detector 'my-net', which neither this Workbench",
    "predict real.safetensors nope": "nope does not exist",
    "predict real.safetensors photos --nms nope": "--nms must be one of",
    "predict real.safetensors photos --shard 9/8": "--shard takes I/N",
    "predict real.safetensors photos --out photos/a.png/x": "photos/a.png can't be written to: Not a directory",
    "predict real.safetensors photos --coco-ids nope": "--coco-ids is for --format coco",
    "predict real.safetensors photos --format coco --coco-ids nope": "nope: there is no such file",
    "compare P a b": "There is no run called 'a'",
    "benchmark P": "There is no run in P yet",
    "benchmark P --format nope": "There is no export format called 'nope'",
    "export P out": "There is no run in P yet",
    "export P out --format nope": "There is no export format called 'nope'",
    "export P out --run real.safetensors --set score=x": "'score' must be a number",
    "export P photos/a.png --run real.safetensors": "photos/a.png can't be written to: Not a directory",
    "point P --nms nope": "--nms must be one of",
    "seen P --image nope": "There is no image called 'nope'",
    "seen P --image a --preset nope": "There is no preset called 'nope'",
    "seen P --image a --detector yolov4tiny": "Did you mean 'yolov4-tiny'?",
    "seen P --image a --out a.jpg": "--out draws a PNG",
    "train P --preset nope": "There is no preset called 'nope'",
    "train P --preset nope.toml": "nope.toml: there is no such file",
    "train P --detector yolov4tiny": "Did you mean 'yolov4-tiny'?",
    "train P --set nope": "--set takes NAME=VALUE",
    "train P --epochs -1": "'epochs' must be a whole number from 1",
    "train P --device 0": "There is no device '0'",
    "train P --anchors nope": "--anchors must be one of",
    "train P --weights nope": "'nope' is neither a file nor a run of this project. There is no run yet.",
    "train P --name taken": "There is a run called 'taken' already",
    "train P --resume nope": "There is no run called 'nope'",
    "train P --resume ../..": "There is no run called '../..'",
    "estimate P --detector nope": "There is no detector called 'nope'. There are: faster-rcnn",
    "estimate P --weights nope": "'nope' is neither a file nor a run",
    "weights nope": "There is no detector called 'nope'",
    "detectors nope": "There is no detector called 'nope'",
    "import-weights nope.weights P --detector yolov4": "nope.weights: there is no such file",
    "import-weights photos/a.png nope --detector yolov4": "There is no project in nope",
    "import-weights photos/a.png P --detector nope": "There is no detector called 'nope'",
}
RUN = """
import json, os, sys
from workbench.cli import main
os.environ.pop("TORCHELASTIC_RUN_ID", None)
os.environ["RANK"] = "1"  # as a Kubernetes operator gives it a pod, without torchrun
for line, expected in json.load(sys.stdin).items():
    sys.stderr.write(f"\\n@ {line}\\n")
    code = main(line.split())
    assert "torch" not in sys.modules, f"{line}: PyTorch was loaded"
    assert code == expected, f"{line}: {code}"
"""


def code_of(sentence: str) -> int:
    """Of what is wrong whatever is on the disk it is another one than of what is not there."""
    is_misuse = sentence.startswith("--") or "must be" in sentence or "no device" in sentence
    return console.MISUSED if is_misuse else console.FAILED


def test_mistakes_are_refused_before_pytorch_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Picture.fromarray(np.full((96, 96, 3), 90, np.uint8)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n")
    (tmp_path / "photos" / "classes.txt").write_text("cell\n")
    assert main(["new", "P", "--images", "photos"]) == main(["import", "P", "photos"]) == console.DONE
    (tmp_path / "P" / "runs" / "taken").mkdir(parents=True)
    write_head(tmp_path / "foreign.safetensors", "my-net")
    write_head(tmp_path / "real.safetensors", "yolov4-tiny")
    codes = {line: code_of(sentence) for line, sentence in MISTAKES.items()}
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(codes), capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = dict(part.split("\n", 1) for part in done.stderr.replace(f"{tmp_path}/", "").split("\n@ ")[1:])
    wrong = {line: said[line] for line, sentence in MISTAKES.items() if sentence not in said[line].replace("\n", " ")}
    assert not wrong


@pytest.mark.parametrize(("rank", "said"), [("0", "Stopped.\n"), ("1", "")])
def test_that_several_processes_were_stopped_is_said_once(
    rank: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Each of eight said it."""

    def interrupted(as_json: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "_list", interrupted)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "7")
    monkeypatch.setenv("RANK", rank)
    assert main(["weights"]) == console.INTERRUPTED
    assert capsys.readouterr().err == said
    stop = threading.Event()
    with console.stop_on_signal(stop, "" if rank == "1" else "Stopping.", patient=True):
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.is_set()
    assert bool(capsys.readouterr().err) == bool(said)


def test_the_sources_name_the_detectors_that_are_there_once_pytorch_is_loaded() -> None:
    every = detectors.load_all()
    own = {name for name in every.names() if every.owner(name) == "built in"}
    assert set(detectors.built_in_names()) == own


def test_a_full_disk_is_found_though_an_empty_file_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None: ...

        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())
    with pytest.raises(WorkbenchError, match="can't be written to: the disk is full. Make room"):
        files.check_writable(tmp_path / "runs" / "new")
