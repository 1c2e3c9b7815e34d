"""A child process for what may crash, fill the memory or block the window: one JSON line each way at a time.

A process boundary limits crashes and memory; it is not a sandbox. The child ends when its parent does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

_LOOK = 0.1
"""Seconds between checks whether to stop."""


class ChildEnded(Exception):
    """The child has ended, by itself or stopped; nothing more will come from it."""


def no_console_flags() -> int:
    """What Popen is told so that Windows opens no console for a process of ours: a black window, for each of them,
    where the program itself was started without one, as by pythonw.
    """
    import subprocess  # not in the child

    flag: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return flag


class ChildProcess:
    """A running child. Its creator must close it; not thread-safe."""

    def __init__(
        self,
        module: str | Sequence[str],
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Start `module` (a list: a command, for tests). It is ended soon after `stopped` says so."""
        import subprocess  # not in the child

        # -P: don't import a cv2.py from the folder in which the program was started
        command = [sys.executable, "-P", "-m", module] if isinstance(module, str) else list(module)
        self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | dict(environment or {}),
            creationflags=no_console_flags(),
        )
        self._closed = threading.Event()
        # daemon: a program that ends without closing this does not wait for it
        self._watching = threading.Thread(target=self._watch, args=(stopped,), name="watches a child", daemon=True)
        self._watching.start()

    def _watch(self, stopped: Callable[[], bool]) -> None:
        while not self._closed.wait(_LOOK):
            if stopped():
                self.kill()
                return

    def send(self, message: object) -> None:
        """Write one line to its input; ChildEnded if it has ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ChildEnded from error

    def receive(self, seconds: float | None = None) -> Any:
        """Its next message; ChildEnded if it has ended, or was ended because it said nothing for `seconds`."""
        assert self._process.stdout is not None
        watchdog = threading.Timer(seconds, self.kill) if seconds is not None else None
        if watchdog is not None:
            watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            if watchdog is not None:
                watchdog.cancel()
                watchdog.join()
        if not line.endswith(b"\n"):
            raise ChildEnded
        return json.loads(line)

    def kill(self) -> None:
        """End it at once; from any thread."""
        self._process.kill()

    def close(self) -> None:
        """End it, whatever it is doing."""
        self._closed.set()
        self.kill()
        # closing flushes what a dead child did not read; that error is nothing new
        with contextlib.suppress(OSError), self._process:
            pass
        self._watching.join()


# --- in the child ---

_speech: TextIO | None = None
_heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()


def begin(cleaning: Callable[[], None] = lambda: None) -> None:
    """Call this first in the child: from then on it ends with its parent, wherever it is, after `cleaning`.

    What libraries print is discarded, so that it is not taken for messages; Ctrl-C is left to the parent.

    Its input is moved away from where libraries look for it: on Windows, querying a pipe that is being read waits until
    something arrives, and NumPy's libraries do so while loading (numpy/numpy#24290).
    """
    global _speech
    _speech = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    received = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def listen() -> None:
        rest = b""
        while data := os.read(received, 1 << 16):  # not sys.stdin, whose lock would be held when Python ends
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _heard.put(line)
        try:
            cleaning()
        finally:
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()


def send(message: object) -> None:
    """Write one line to the parent; the child ends if nobody listens any more."""
    assert _speech is not None, "begin() comes first"
    try:
        _speech.write(json.dumps(message, ensure_ascii=False) + "\n")
        _speech.flush()
    except OSError:
        os._exit(1)


def receive() -> Any:
    """The parent's next message."""
    return json.loads(_heard.get())


def limit_memory(size: int) -> None:
    """Limit memory to `size` bytes above present use, if possible (Linux): libraries reserve gigabytes at first."""
    if sys.platform == "linux":
        import resource

        taken = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = taken + size
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
