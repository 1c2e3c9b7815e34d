"""Trains on several graphics cards of this machine from a process that does not train itself, such as the window's.

torchrun is started as a child (cli/torchrun_worker.py); its events are passed on, and stop and pause are passed to it.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psutil

from workbench.core.child_process import no_console_flags
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.training import events
from workbench.training.events import Control, Event, Failed, Finished, Started
from workbench.training.hardware import process_share
from workbench.training.hardware.process_flags import LAUNCHER, PAUSE, STOP
from workbench.training.records import record, runs
from workbench.training.request import RunRequest

LOG = "processes.log"  # what the processes say besides events
LOOK_EVERY = 0.1  # seconds between two looks at what is asked for
_NO_LIBUV = "without libuv support"  # torchrun's words in a PyTorch built without it (pytorch/pytorch#139990)
PATIENCE = 120.0  # seconds for an orderly end, which writes a checkpoint
_FIRST = "Root Cause"  # the last part of what torchrun says: which process failed first, and how
_KILLED = -9  # exit code, of SIGKILL
_ERROR = r"[\w.]*(?:Error|Exception)\b.*"  # the line of a traceback that says what it was


def train_together(request: RunRequest, control: Control, processes: int) -> Iterator[Event]:
    """Train as requested, in so many processes: an alternative to run.train()."""
    folder = request.folder
    process_share.part_of(request.recipe.training.batch, 0, processes)
    folder.mkdir(parents=True, exist_ok=True)
    launcher = Lock(folder, LAUNCHER)
    if not launcher.held:  # flags and record are those of a training that runs
        raise WorkbenchError(launcher.why(f"the run {folder.name}"))
    try:
        _clear_flags(folder)
        if not request.resume:
            record.write_request(request)
        with open(folder / LOG, "ab") as log:
            before = log.tell()
            yield from _forward_events(_started(folder, processes, request.resume, log), folder, control, before)
    except _Refused:
        if not request.resume:  # nothing was started, so there is nothing to keep
            for name in (runs.RECIPE, record.DATA, runs.ABOUT, LOG):
                (folder / name).unlink(missing_ok=True)
        raise
    finally:
        _clear_flags(folder)
        launcher.release()
        (folder / LAUNCHER).unlink(missing_ok=True)


def _clear_flags(folder: Path) -> None:
    for name in (STOP, PAUSE):
        (folder / name).unlink(missing_ok=True)


class _Refused(WorkbenchError):
    """The processes refused to start."""


def _started(folder: Path, processes: int, resume: bool, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
        "-m", "workbench.cli.torchrun_worker", str(folder), "go-on" if resume else "begin",
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, creationflags=no_console_flags(),
        env={**os.environ, "PYTHONSAFEPATH": "1"},  # import no cv2.py from the folder in which the program was started
        start_new_session=True,  # a terminal's Ctrl-C is for this process, which passes it on
    )  # fmt: skip


def _forward_events(child: subprocess.Popen[bytes], folder: Path, control: Control, before: int) -> Iterator[Event]:
    """`before`: bytes that the log held already."""
    lines: queue.Queue[bytes | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child, lines), name="processes")
    reader.start()
    begun, last = False, None
    try:
        for event in _read_events(lines, folder, control):
            begun, last = begun or isinstance(event, Started), event
            if isinstance(event, Failed) and not begun:
                raise _Refused(event.sentence)
            yield event
    finally:
        _end(child, folder)
        reader.join()
        assert child.stdout is not None
        child.stdout.close()
    if isinstance(last, Failed):
        _recorded(folder, last)
    if isinstance(last, Finished | Failed):
        return
    output = (folder / LOG).read_bytes()[before:].decode("utf-8", "replace")
    if not begun and _NO_LIBUV in output:
        raise _Refused(
            "This PyTorch can't start several processes, as none can yet that is made for Windows. Train in one"
            " process, or under Linux (WSL)."
        )
    why = end_reason(output) or f"The processes ended unexpectedly, with code {child.returncode}."
    told = f"{why} See their output: {folder / LOG}"
    if not begun and runs.has_started(folder):  # a run that was to go on is what it was
        raise WorkbenchError(told)
    yield _recorded(folder, Failed(told))


def _recorded(folder: Path, event: Failed) -> Failed:
    """The event, in the run's record: there the main process may have written only what another's end did to it."""
    marks = [one for one in runs.outline(folder) if isinstance(one, Started | Finished | Failed)]
    if marks and isinstance(marks[-1], Failed) and marks[-1].sentence == event.sentence:  # not that of an earlier start
        return event
    with contextlib.suppress(WorkbenchError), contextlib.closing(record.EventLog(folder)) as log:
        return log.add(event)
    return event


def end_reason(output: str) -> str:
    """What torchrun says about the process that failed first, or about its own failure, in sentences; "" if nothing."""
    if _FIRST not in output:
        errors = re.findall(rf"^{_ERROR}$", output, re.MULTILINE)
        return f"The processes could not be started: {_short(errors[-1])}" if errors else ""
    first = output.rpartition(_FIRST)[2]
    rank, code = (re.search(rf"{name}\s*: (-?\d+)", first) for name in ("rank", "exitcode"))
    if rank is None or code is None:
        return ""
    if int(code[1]) == _KILLED:
        return (
            f"Process {rank[1]} was killed, as systems do where memory runs out. Resume the run, in fewer processes if"
            " it happens again."
        )
    errors = re.findall(rf"^\[rank{rank[1]}\]: ({_ERROR})$", output, re.MULTILINE)
    return f"Process {rank[1]} failed: {_short(errors[-1])}" if errors else ""


def _short(error: str) -> str:
    return f"{error[:200].rstrip('.')}."


def _read_events(lines: queue.Queue[bytes | None], folder: Path, control: Control) -> Iterator[Event]:
    """The events until the output ends; meanwhile requests are passed on."""
    while True:
        _forward_requests(folder, control)
        try:
            line = lines.get(timeout=LOOK_EVERY)
        except queue.Empty:
            continue
        if line is None:
            return
        try:
            event = events.from_json(line.decode("utf-8", "replace"))
        except WorkbenchError:  # a line printed by a library
            continue
        yield event


def _end(child: subprocess.Popen[bytes], folder: Path) -> None:
    """Ask it to stop and wait; if that takes too long, kill it and its children, which hold its output open."""
    if child.poll() is None:
        (folder / STOP).touch()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        started = psutil.Process(child.pid).children(recursive=True)
        child.kill()
        for process in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        child.wait()


def _read(child: subprocess.Popen[bytes], lines: queue.Queue[bytes | None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        lines.put(line)
    lines.put(None)


def _forward_requests(folder: Path, control: Control) -> None:
    """Pass on what is asked for."""
    if control.stop.is_set():
        (folder / STOP).touch()
    if control.pause.is_set():
        (folder / PAUSE).touch()
    else:
        (folder / PAUSE).unlink(missing_ok=True)
