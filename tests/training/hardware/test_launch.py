"""Two processes that one starts, follows, pauses and stops; they end when it does."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest
import torch.distributed

from tests.training.toys import make_snapshot
from workbench.core.storage.lock import Lock, is_held
from workbench.errors import WorkbenchError
from workbench.training import recipes, run
from workbench.training.events import Control, Event, Failed, Finished, Paused, Progress, Saved, Started
from workbench.training.hardware import launch, process_flags
from workbench.training.records import record, runs
from workbench.training.request import RunRequest

SLEEP = "import time; time.sleep(600)"
pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this build of PyTorch trains in one process only"),
    pytest.mark.slow,
]


def request_in(folder: Path, **changes: object) -> RunRequest:
    settings = {"input_px": 64, "width": 0.1, "processes": 2, "epochs": 2, "batch": 4, "device": "cpu", **changes}
    recipe = recipes.default_recipe("yolov4-tiny").changed({"precision": "fp32", **settings})
    return RunRequest(folder / "runs" / "two", make_snapshot(folder / "images"), recipe)


@dataclass(frozen=True)
class Stopped:
    """A run of two processes that was paused and stopped, and what was heard of it."""

    folder: Path
    seen: list[Event]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    request = request_in(tmp_path_factory.mktemp("stopped"), epochs=100_000, evaluate_every=0)
    control, seen = Control(), list[Event]()
    for event in run.train(request, control):
        seen.append(event)
        if isinstance(event, Progress) and not control.pause.is_set():
            control.pause.set()
        if isinstance(event, Paused) and event.paused:
            control.stop.set()
    return Stopped(request.folder, seen)


def test_its_events_are_those_of_a_training_and_a_stop_leaves_no_flag(stopped: Stopped) -> None:
    folder, seen = stopped.folder, stopped.seen
    assert [event.device for event in seen if isinstance(event, Started)] == ["2 x cpu"]
    assert any(isinstance(event, Paused) for event in seen)
    assert isinstance(seen[-1], Finished)
    assert seen[-1].stopped
    assert any(isinstance(event, Saved) for event in seen)
    assert runs.info(folder).state == "stopped"
    assert not [
        name for name in (process_flags.STOP, process_flags.PAUSE, process_flags.LAUNCHER) if (folder / name).exists()
    ]


def test_what_the_processes_refuse_is_raised_and_leaves_no_run(tmp_path: Path) -> None:
    request = request_in(tmp_path, batch=1)
    with pytest.raises(WorkbenchError, match="can't be divided among 2 processes"):
        list(run.train(request))
    runs.remove_unstarted(request.folder)
    assert not request.folder.exists()


def test_a_pytorch_of_windows_that_can_not_start_them_is_told_and_leaves_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its torchrun ended without a word, and what it had said stood in a file of the run."""
    words = "RuntimeError: use_libuv was requested but PyTorch was built without libuv support"
    code = f"import sys; sys.stderr.write({words!r}); sys.exit(1)"

    def started(_folder: Path, _processes: int, _resume: bool, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=log)

    monkeypatch.setattr(launch, "_started", started)
    request = request_in(tmp_path)
    with pytest.raises(WorkbenchError, match="can't start several processes.* Train in one process"):
        list(run.train(request))
    runs.remove_unstarted(request.folder)
    assert not request.folder.exists()


STARTER = """
import sys; from pathlib import Path; from workbench.training import run
for event in run.resume(Path(sys.argv[1])):
    print(type(event).__name__, getattr(event, "resumed_step", ""), flush=True)
"""


SIGNALLED = """
import sys; from pathlib import Path; from workbench import console; from workbench.training import run
from workbench.training.events import Control
control = Control()
with console.stop_on_signal(control.stop):
    for event in run.resume(Path(sys.argv[1]), control):
        print(type(event).__name__, getattr(event, "stopped", ""), flush=True)
"""


def test_they_go_on_where_they_stopped_and_end_in_order_when_whoever_started_them_is_killed(stopped: Stopped) -> None:
    folder, last = stopped.folder, stopped.seen[-1]
    assert isinstance(last, Finished)
    with subprocess.Popen([sys.executable, "-c", STARTER, str(folder)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        said = list(itertools.takewhile(lambda line: "Progress" not in line, parent.stdout))
        assert f"Started {last.step}\n" in said
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 2
        parent.send_signal(signal.SIGKILL)
    assert not list(_alive(children, until=time.monotonic() + 60))
    assert runs.info(folder).state == "stopped"
    assert runs.info(folder).step > last.step, "one of them wrote a checkpoint in the end"


def _alive(processes: list[psutil.Process], until: float) -> Iterator[psutil.Process]:
    _, alive = psutil.wait_procs(processes, timeout=max(until - time.monotonic(), 0))
    yield from alive


def test_flags_are_files(tmp_path: Path) -> None:
    flag = process_flags.FileFlag(tmp_path / process_flags.PAUSE)
    assert not flag.is_set()
    (tmp_path / process_flags.PAUSE).touch()
    assert flag.wait(5)
    (tmp_path / process_flags.PAUSE).unlink()
    time.sleep(2 * process_flags.LOOK_EVERY)
    assert not flag.is_set()


def test_a_look_for_whoever_started_them_does_not_hold_up_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every two seconds they all waited for 40 ms."""
    for name in ("LOOK_EVERY", "PARENT_EVERY"):
        monkeypatch.setattr(process_flags, name, -1.0)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))
    launcher, flag = Lock(tmp_path, process_flags.LAUNCHER), process_flags.StopFlag(tmp_path)
    assert not flag.is_set()
    launcher.release()
    assert flag.is_set()


def test_who_goes_on_with_a_run_that_is_trained_does_not_stop_it(tmp_path: Path) -> None:
    """It was refused, and took the file away by which those that train it know that they are still wanted."""
    request, control = request_in(tmp_path), Control()
    request.folder.mkdir(parents=True)
    launcher = Lock(request.folder, process_flags.LAUNCHER)
    (request.folder / process_flags.PAUSE).touch()
    with pytest.raises(WorkbenchError, match="The run two is in use by process"):
        list(launch.train_together(dataclasses.replace(request, resume=True), control, 2))
    assert is_held(request.folder, process_flags.LAUNCHER)
    assert (request.folder / process_flags.PAUSE).exists()
    launcher.release()


def test_the_record_tells_which_process_was_killed_and_not_what_became_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was "an error in Workbench: Connection closed by peer". A file of a name as OpenCV's, where the program was
    started, is none of theirs.
    """
    (tmp_path / "cv2.py").write_text("raise ImportError")
    monkeypatch.chdir(tmp_path)
    request = request_in(tmp_path, epochs=100_000, evaluate_every=0)
    killed = False
    for event in run.train(request, Control()):
        if isinstance(event, Progress) and not killed:
            killed = True
            for child in psutil.Process().children(recursive=True):
                if child.environ().get("RANK") == "1":
                    child.kill()
    assert killed
    assert isinstance(event, Failed)
    assert event.sentence.startswith("Process 1 was killed")
    found = runs.info(request.folder)
    assert (found.state, found.sentence, found.resumable) == ("failed", event.sentence, True)
    assert "error in Workbench" not in (request.folder / runs.EVENTS).read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="PyTorch can't start several processes there")
@pytest.mark.parametrize("session", [True, False])
def test_a_signal_to_all_stops_them_in_order(tmp_path: Path, session: bool) -> None:
    """Ctrl-C in a terminal reaches its whole group of processes, and SLURM's SIGTERM each process of a job, whatever
    its session: they were ended in the middle of a step, and the run had failed.
    """
    request = request_in(tmp_path, epochs=100_000, evaluate_every=0)
    request.folder.mkdir(parents=True)
    record.write_request(request)
    command = [sys.executable, "-c", SIGNALLED, str(request.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        assert any(line.startswith("Progress") for line in child.stdout)
        if session:
            os.killpg(child.pid, signal.SIGINT)
        else:
            for one in [*(tree := psutil.Process(child.pid)).children(recursive=True), tree]:
                one.send_signal(signal.SIGTERM)
        rest = child.stdout.read()
    assert rest.splitlines()[-1].split()[:2] == ["Finished", "True"]
    assert (runs.info(request.folder).state, runs.info(request.folder).resumable) == ("stopped", True)


def test_a_run_that_fails_again_for_the_same_reason_has_failed(tmp_path: Path) -> None:
    """Killed twice, it was "interrupted" the second time, without a reason."""
    failed = Failed("Process 0 was killed.")
    begun = Started("two", str(tmp_path), "toy", "cpu", "fp32", 6, 2, 3, 6, 100)
    with contextlib.closing(record.EventLog(tmp_path)) as log:
        log.add(begun)
    for _ in range(2):
        launch._recorded(tmp_path, failed)
        launch._recorded(tmp_path, failed)
        with contextlib.closing(record.EventLog(tmp_path)) as log:
            log.add(begun)
    launch._recorded(tmp_path, failed)
    kinds = [type(event) for event in runs.read_events(tmp_path)]
    assert kinds == [Started, Failed] * 3
    assert (runs.info(tmp_path).state, runs.info(tmp_path).sentence) == ("failed", failed.sentence)


def test_processes_that_do_not_stop_are_killed_with_all_that_they_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
    monkeypatch.setattr(launch, "PATIENCE", 0.5)
    child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    begun = psutil.Process(child.pid)
    while not begun.children():
        time.sleep(0.05)
    both = [begun, *begun.children()]
    launch._end(child, tmp_path)
    assert child.stdout is not None
    assert child.stdout.read() == b""  # nobody holds it open any more
    child.stdout.close()
    assert (tmp_path / process_flags.STOP).exists()
    assert not list(_alive(both, until=time.monotonic() + 10))


def test_processes_that_die_before_a_run_goes_on_leave_it_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their end was written into its record as the run's, which had been stopped."""
    request = dataclasses.replace(request_in(tmp_path), resume=True)
    request.folder.mkdir(parents=True)
    with contextlib.closing(record.EventLog(request.folder)) as log:
        log.add(Started("two", str(tmp_path), "toy", "cpu", "fp32", 6, 2, 3, 6, 100))
        log.add(Finished(3, 1, True, 0.5, 1.0, str(request.folder)))
    code = f"import sys; sys.stderr.write({TABLE.format(-9)!r}); sys.exit(1)"

    def started(_folder: Path, _processes: int, _resume: bool, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=log)

    monkeypatch.setattr(launch, "_started", started)
    with pytest.raises(WorkbenchError, match=r"^Process 1 was killed.* See their output"):
        list(launch.train_together(request, Control(), 2))
    assert runs.info(request.folder).state == "stopped"


TABLE = """[rank0]: RuntimeError: Connection closed by peer
[rank1]: Traceback (most recent call last):
[rank1]:     raise ValueError("an Error: within")
[rank1]: torch.AcceleratorError: CUDA error: unspecified launch failure
[1]:
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 12550)  (SIGTERM)
-------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-29_11:27:38
  rank      : 1 (local_rank: 1)
  exitcode  : {} (pid: 12551)
"""


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (TABLE.format(1), "Process 1 failed: torch.AcceleratorError: CUDA error: unspecified launch failure."),
        (TABLE.format(-9), "Process 1 was killed, as systems do where memory runs out. Resume the run, in fewer"),
        (TABLE.format(1).replace("[rank1]", "[rank2]"), ""),
        ("[rank1]: ValueError: but nothing of torchrun's", ""),
        (
            "Traceback ...\nRuntimeError: use_libuv was requested but PyTorch was built without libuv",
            "The processes could not be started: RuntimeError: use_libuv was requested but PyTorch was built without",
        ),
    ],
)
def test_which_process_failed_first_and_how_is_told_by_what_torchrun_says(said: str, why: str) -> None:
    found = launch.end_reason(said)
    assert found.startswith(why) if why else not found
