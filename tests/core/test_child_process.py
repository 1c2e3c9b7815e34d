"""A child process says one JSON line at a time, whatever libraries print, and never outlives its parent."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from workbench.core.child_process import ChildEnded, ChildProcess

BEGIN = "import os, sys, time; from workbench.core import child_process as child; child.begin()\n"


@contextlib.contextmanager
def running(code: str, *arguments: str, **named: bool) -> Iterator[ChildProcess]:
    stopped = named.get("stopped", False)
    with contextlib.closing(
        ChildProcess((sys.executable, "-c", BEGIN + code), *arguments, stopped=lambda: stopped)
    ) as one:
        yield one


def test_what_is_told_is_answered_and_prints_of_libraries_go_nowhere() -> None:
    code = (
        "print('hello'); os.system('echo hello'); child.send([child.receive(), sys.argv[1]]); child.send({'ü': None})"
    )
    with running(code, "näme 🐕\n") as one:
        one.send("a\nb")
        assert one.receive() == ["a\nb", "näme 🐕\n"]
        assert one.receive() == {"ü": None}
        with pytest.raises(ChildEnded):
            one.receive()
        with pytest.raises(ChildEnded):
            for _ in range(100):  # a pipe takes a little before it notices
                one.send("is there anybody?")
                time.sleep(0.05)


def test_a_silent_one_is_ended_after_its_time() -> None:
    with running("child.send(1); time.sleep(60)") as one:
        assert one.receive(30) == 1
        begin = time.monotonic()
        with pytest.raises(ChildEnded):
            one.receive(0.2)
        assert time.monotonic() - begin < 20


def test_it_ends_soon_after_it_is_no_longer_wanted() -> None:
    with running("time.sleep(60)", stopped=True) as one:
        begin = time.monotonic()
        with pytest.raises(ChildEnded):
            one.receive()
        assert time.monotonic() - begin < 20


def test_it_ends_with_its_parent_wherever_it_is_and_cleans_up(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.touch()
    inner = "import os, time; from workbench.core import child_process as child\n"
    inner += f"child.begin(lambda: os.unlink({str(left)!r})); child.send(os.getpid()); time.sleep(60)"
    outer = (
        f"import os, sys; from workbench.core.child_process import ChildProcess\n"
        f"print(ChildProcess((sys.executable, '-c', {inner!r}))"
    )
    outer += ".receive(), flush=True); os._exit(1)"
    done = subprocess.run([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, check=False)
    process = int(done.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(process).wait(20)
    assert not left.exists()


def test_it_ends_with_its_parent_also_where_it_can_not_clean_up() -> None:
    """Windows deletes no open file."""
    inner = "import os, time; from workbench.core import child_process as child\n"
    inner += "child.begin(lambda: os.unlink(os.devnull + '/no file')); child.send(os.getpid()); time.sleep(60)"
    outer = (
        f"import os, sys; from workbench.core.child_process import ChildProcess\n"
        f"print(ChildProcess((sys.executable, '-c', {inner!r}))"
    )
    outer += ".receive(), flush=True); os._exit(1)"
    done = subprocess.run([sys.executable, "-c", outer], stdout=subprocess.PIPE, text=True, check=False)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(20)


def test_libraries_find_no_pipe_for_their_input_while_it_is_listened_to() -> None:
    """On Windows they would wait as they ask about it, and NumPy's do so as they are loaded: the child would hang."""
    with running("import stat; child.send(stat.S_ISFIFO(os.fstat(0).st_mode)); child.send(child.receive())") as one:
        assert one.receive() is False
        one.send("and yet it hears")
        assert one.receive() == "and yet it hears"


def test_a_program_ends_that_did_not_close_its_child() -> None:
    code = (
        "import sys, time; from workbench.core.child_process import ChildProcess\n"
        "kept = ChildProcess((sys.executable, '-c', 'input()'))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_it_ends_by_itself_without_a_word_about_its_input() -> None:
    code = BEGIN + "child.send(1)"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        assert process.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits what is asked for")
def test_more_memory_than_allowed_is_not_had() -> None:
    code = "child.limit_memory(200_000_000)\ntry: bytes(300_000_000)\nexcept MemoryError: child.send('none')"
    with running(code) as one:
        assert one.receive() == "none"


def test_no_process_opens_a_console_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the window was started without one, each would be a black window."""
    from workbench.inference.exporting import runtimes
    from workbench.training.hardware import launch

    class ToldError(Exception):
        pass

    def popen(*_: object, creationflags: int = 0, **__: object) -> None:
        raise ToldError(creationflags)

    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "Popen", popen)
    for start in (
        lambda: ChildProcess("none"),
        runtimes._start_process,
        lambda: launch._started(tmp_path, 2, False, io.BytesIO()),
    ):
        with pytest.raises(ToldError, match=str(0x08000000)):
            start()
