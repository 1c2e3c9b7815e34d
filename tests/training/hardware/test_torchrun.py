"""Two processes under torchrun, on the processor, train as one does; skipped where gloo is missing."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed
from PIL import Image as Picture

from tests.training.hardware.torchrun_child import CASES, LONG, WAIT, Still, last_step, steps
from tests.training.toys import make_request
from workbench import detectors
from workbench.cli import main
from workbench.training import run
from workbench.training.checkpoints import checkpoint
from workbench.training.events import Control, Finished, Progress
from workbench.training.hardware import torchrun
from workbench.training.hardware.runtime import Runtime

ROOT = Path(__file__).resolve().parents[3]
TWO = ("--standalone", "--nproc-per-node", "2")
pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of PyTorch trains in one process only"),
    pytest.mark.slow,
]


def begun(*arguments: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    """What torchrun starts by these arguments, in the folder `cwd`."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "torch.distributed.run", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def said_by(both: subprocess.Popen[str], expected: int = 0) -> str:
    """All that they say until they end."""
    said, _ = both.communicate(timeout=300)
    assert both.returncode == expected, said[-6000:]
    return said


@dataclass(frozen=True)
class Two:
    """What two processes leave in a folder. Having stopped, they wait: starting PyTorch takes longer than all else."""

    folder: Path
    both: subprocess.Popen[str]

    def left(self, *names: str) -> None:
        """Wait for these files."""
        while not all((self.folder / name).exists() for name in names):
            assert self.both.poll() is None, said_by(self.both)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """They have left their ten steps and a run that one of them stopped, and go on when they are told to."""
    folder = tmp_path_factory.mktemp("two")
    child = ["-m", "tests.training.hardware.torchrun_child", str(folder), "steps", "probe", "stop", WAIT, "go-on"]
    with begun(*TWO, *child) as both:
        found = Two(folder, both)
        found.left("stop-0", "stop-1")
        yield found
        both.terminate()  # if nobody told them: torchrun ends both


@pytest.fixture(scope="module")
def of_two(two: Two) -> dict[str, dict[str, torch.Tensor]]:
    return torch.load(two.folder / "steps.pt", weights_only=True)


@pytest.mark.parametrize("name", CASES)
def test_gradients_and_weights_after_some_steps_are_those_of_one_process(
    of_two: dict[str, dict[str, torch.Tensor]], name: str
) -> None:
    there, here = of_two[name], steps(name, Runtime())
    assert there.keys() == here.keys()
    assert sum(key.startswith(f"gradient {last_step(name)} ") for key in here) >= 4
    for key, value in here.items():
        scale = max(float(value.abs().max()), 1.0) if value.is_floating_point() else 1.0
        assert float((there[key] - value).abs().max()) <= 1e-6 * scale, key


def test_without_the_sum_of_gradients_the_weights_would_differ(of_two: dict[str, dict[str, torch.Tensor]]) -> None:
    class Half(Runtime):
        def own_slice(self, count: int) -> slice:
            return slice(0, count // 2)

    name = "yolov4-tiny"
    here = steps(name, Half())
    key = max((k for k in here if k.startswith("weight")), key=lambda k: float((here[k] - of_two[name][k]).abs().max()))
    assert float((here[key] - of_two[name][key]).abs().max()) > 1e-4


def test_all_take_as_many_images_at_a_time_as_the_one_with_the_least_memory(two: Two) -> None:
    """Each tries alone: else the other would wait for the gradients of one whose memory ran out. Before, none tried."""
    two.left("probe-0", "probe-1")
    single = "The memory of cpu:1 is too small for training on a single image. Choose a smaller"
    first, second = ((two.folder / f"probe-{rank}").read_text() for rank in (0, 1))
    assert first.startswith(f"[4, 'step'][2, 2] WorkbenchError: {single}")
    assert second.startswith(f"[4, 2, 2, 'step'][2, 2] AlreadyReported: {single}")


def test_another_version_in_one_of_them_is_refused_in_all(two: Two) -> None:
    """Values of one program were read by the other, and what came of it was a traceback or a training of two halves."""
    two.left("probe-0", "probe-1")
    sentence = "Not all processes are of the same program: number 1 is Workbench 0.1, and number 0 is Workbench 0.0."
    for rank, kind in ((0, "WorkbenchError"), (1, "AlreadyReported")):
        assert (
            (two.folder / f"probe-{rank}")
            .read_text()
            .endswith(f" {kind}: {sentence} Install the same on every machine.")
        )


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("[/__w/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:16792. This is", "has ended,"),
        ("failed to recv, got 0 bytes. Connection was likely closed. Did the remote server shut", "has ended,"),
        ("NCCL error in: x.cpp: ncclRemoteError: A call failed possibly due to a network error or a remote process"
         " exiting prematurely.", "has ended,"),
        ("[/__w/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 10800000ms for recv operation to complete",
         "has not answered for 3.0 h,"),
    ],
)  # fmt: skip
def test_that_another_process_is_gone_is_a_sentence_and_no_traceback_of_those_that_waited(
    words: str, what: str
) -> None:
    """The second was even told as a failure of this one's graphics card."""
    runtime = torchrun.Torchrun.__new__(torchrun.Torchrun)
    runtime.device, runtime._waits = torch.device("cuda:0"), True
    error = RuntimeError(words)
    found = runtime.explain(error)
    assert isinstance(found, torchrun.OtherEnded)
    assert found.sentence.startswith(f"Another of the processes that train together {what} and this training ends")
    assert runtime.failed_alone(error), "it must not wait for the others in the end"
    assert runtime.explain(RuntimeError("shape '[2]' is invalid")) is None


def test_a_stop_of_one_stops_both_and_one_goes_on_and_two_again(two: Two) -> None:
    registry = detectors.load_all()
    with registry.owned_by("tests"):
        registry.register("toy")(Still)
    try:
        _stopped_and_gone_on(two)
    finally:
        registry.unregister_owner("tests")


def _stopped_and_gone_on(two: Two) -> None:
    folder = two.folder
    said = [(folder / f"stop-{rank}").read_text().split() for rank in (0, 1)]
    assert said[0] == said[1]
    assert said[0][0] == "True"
    first = int(said[0][1])
    assert 0 < first < 150
    control = Control()
    for event in run.resume(folder / "run", control):
        if isinstance(event, Progress):
            assert event.step > first
            control.stop.set()
    assert isinstance(event, Finished)
    assert event.stopped
    (folder / WAIT).touch()
    said_by(two.both)
    assert (folder / "go-on-0").read_text() == (folder / "go-on-1").read_text() == "False 150"
    straight = make_request(folder / "straight", **LONG)
    list(run.train(straight))
    one, other = (checkpoint.load_state(f / "last.state.pt").detector for f in (folder / "run", straight.folder))
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, other[name], rtol=1e-4, atol=1e-5)


def test_of_two_machines_only_that_with_process_0_needs_the_project(tmp_path: Path) -> None:
    """Started as the help page says; here they are two folders."""
    here, there, photographs = (tmp_path / name for name in ("here", "there", "photographs"))
    for folder in (here, there, photographs):
        folder.mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Picture.fromarray(pixels).save(photographs / f"{number}.png")
        (photographs / f"{number}.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (photographs / "classes.txt").write_text("cell\n")
    project = str(here / "cells")
    assert main(["new", project, "--images", str(photographs)]) == main(["import", project, str(photographs)]) == 0
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    small = "--set input_px=64 --set width=0.05 --batch 2 --precision fp32 --epochs 1 --name both"
    started = []
    for number, folder in enumerate((here, there)):
        machine = ["--nnodes", "2", "--node-rank", str(number), "--master-addr", "127.0.0.1", "--master-port", port]
        command = ["--nproc-per-node", "1", "-m", "workbench", "train", "cells", *small.split()]
        started.append(begun(*machine, *command, cwd=folder))
    assert "in fp32" in said_by(started[0])
    assert "There is no" not in said_by(started[1])
    assert (here / "cells" / "runs" / "both" / "last.safetensors").is_file()
    assert list(there.iterdir()) == []


def test_what_one_process_can_not_do_is_said_once_and_ends_all(tmp_path: Path) -> None:
    said = said_by(begun(*TWO, "-m", "workbench", "train", str(tmp_path / "nothing")), expected=1)
    assert said.count(f"There is no project in {tmp_path / 'nothing'}") == 1


def test_a_process_alone_is_not_started_by_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with torchrun.join_processes() as runtime:
        assert (runtime.world, runtime.is_main, runtime.agree(2), runtime.gather("a")) == (1, True, 2, ["a"])


@pytest.mark.parametrize(
    ("images", "world", "parts"),
    [(4, 2, [(0, 2), (2, 4)]), (5, 2, [(0, 3), (3, 5)]), (7, 3, [(0, 3), (3, 5), (5, 7)])],
)
def test_a_batch_is_dealt_out_whole(images: int, world: int, parts: list[tuple[int, int]]) -> None:
    found = []
    for rank in range(world):
        runtime = torchrun.Torchrun.__new__(torchrun.Torchrun)
        runtime.rank, runtime.world = rank, world
        part = runtime.own_slice(images)
        found.append((part.start, part.stop))
    assert found == parts
