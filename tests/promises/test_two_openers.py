"""Two programs on one project: one edits, the other is told who does, a dead one is in nobody's way."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises import edited_projects, processes
from tests.promises.form import times
from workbench.cli.options import project_of
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.files import atomic_write
from workbench.core.project import Box
from workbench.errors import ReadOnly, WorkbenchError

# Starting Python for each owner takes half a second: one process imports all and forks who holds the project.
_OWNERS = """
import os, signal, sys
from pathlib import Path
from workbench.core.document import Document
for _ in sys.stdin:
    child = os.fork()
    if not child:
        document = Document.open(Path(sys.argv[1]))
        print(os.getpid(), "reads" if document.read_only else "edits", flush=True)
        signal.pause()
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


class Owners:
    """Processes that hold a project open, one at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def open(self) -> tuple[int, str]:
        """The process, and whether it "edits" or "reads"."""
        processes.tell(self._process, "open")
        pid, how = processes.hear(self._process).split()
        return int(pid), how

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert processes.hear(self._process) == "gone"


@contextlib.contextmanager
def owners_of(folder: Path) -> Iterator[Owners]:
    with processes.python("-c", _OWNERS, str(folder)) as process:
        yield Owners(process)


def test_a_living_owner_is_named_and_a_dead_one_is_in_nobodys_way(tmp_path: Path) -> None:
    folder, count = edited_projects.make(tmp_path / "p"), times(10, 50)
    refused = free = 0
    with owners_of(folder) as owners:
        for _ in range(count):
            pid, how = owners.open()
            free += how == "edits"  # the one before it was killed
            with Document.open(folder) as second:
                words = rf"being edited by process {pid} on {socket.gethostname()} since {time.strftime('%Y-%m-%d')}"
                assert words in second.why_read_only
                assert len(second.labels()) == 3
                with pytest.raises(ReadOnly, match=f"process {pid}"):
                    second.do(edits.ChangeSetting("a", 1))
                refused += second.read_only
            owners.kill(pid)
    with Document.open(folder) as last:
        free += not last.read_only
    print(f"\nliving owner: refused {refused} of {count}; dead owner: the next start edits {free} of {count + 1}")
    assert (refused, free) == (count, count + 1)


def test_the_same_owners_tell_of_a_lock_that_is_only_a_file(tmp_path: Path) -> None:
    """The control: a file that says who holds the project stays when its owner is killed."""
    folder = edited_projects.make(tmp_path / "p")
    lock = folder / "naive.lock"
    free = 0
    with owners_of(folder) as owners:
        for _ in range(3):
            pid, _ = owners.open()
            free += not lock.exists()
            lock.write_text(str(pid))
            owners.kill(pid)
    assert free < 3


# --- two writers ---

_WRITER = "import sys; from tests.promises import test_two_openers as here; here.write(*sys.argv[1:])"


def write(how: str, folder: str, name: str, count: str) -> None:
    """`count` edits of one writer, in its own process."""
    way = {"window": _as_window, "command line": _as_command_line, "file": _as_file}[how]
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        way(Path(folder), f"{name} {number}")


def _add(document: Document, note: str) -> None:
    document.do(edits.AddBoxes((Box(0, 1, 1, (0, 0, 5, 5), note=note),)))


def _as_window(folder: Path, note: str) -> None:
    """Opens for a few edits, as a person would, and again when it was told that another process edits."""
    while True:
        with Document.open(folder) as document:
            if not document.read_only:
                _add(document, note)
                return
        time.sleep(0.001 * random.random())


def _as_command_line(folder: Path, note: str) -> None:
    while True:
        try:
            with project_of(folder, write=True) as document:
                _add(document, note)
            return
        except WorkbenchError as error:
            if "being edited by" not in error.sentence:
                raise
        time.sleep(0.001 * random.random())


def _as_file(folder: Path, note: str) -> None:
    """The control: each writing is whole, and yet takes back what the other wrote in between."""
    file = folder / "labels.json"
    there = json.loads(file.read_text()) if file.exists() else []
    time.sleep(0.0005)  # a person's edit
    atomic_write(file, json.dumps([*there, note]), sync=False)


def run_two(folder: Path, hows: tuple[str, str], count: int) -> None:
    with contextlib.ExitStack() as ended:
        writers = [
            ended.enter_context(processes.python("-c", _WRITER, how, str(folder), name, str(count)))
            for how, name in zip(hows, "ab", strict=True)
        ]
        assert [processes.hear(writer) for writer in writers] == ["ready", "ready"]
        for writer in writers:
            processes.tell(writer, "go")
        for writer in writers:
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0]


@pytest.mark.slow
def test_two_writers_lose_nothing_of_each_other(tmp_path: Path) -> None:
    folder, count = edited_projects.make(tmp_path / "p"), times(40, 300)
    run_two(folder, ("window", "command line"), count)
    with Document.open(folder) as document:
        there = {box.note for box in document.boxes(1)}
    print(f"\ntwo writers: {len(there)} of {2 * count} edits are there")
    assert there == {f"{name} {number}" for name in "ab" for number in range(count)}


def test_two_writers_of_one_json_file_lose_edits(tmp_path: Path) -> None:
    count = times(150, 300)
    run_two(tmp_path, ("file", "file"), count)
    there = json.loads((tmp_path / "labels.json").read_text())
    print(f"\ntwo writers of a JSON file: {len(there)} of {2 * count} edits are there")
    assert len(there) < 2 * count
