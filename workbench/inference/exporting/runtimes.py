"""An exported file run as anyone would: in its own library, in a process without this program.

Each export has a new process, which runs one file after the other: importing torch takes longer than most files. A
damaged file may crash it; the next file then gets another.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.child_process import no_console_flags
from workbench.inference.exporters import Arrays

PATIENCE = 600.0  # seconds for an answer: the largest network on the slowest machine takes 20


class NotRunnable(Exception):
    """The file could not be opened or run in its own library; the text is the library's message."""


class RuntimeProcess:
    """A Python process that opens files of any kind in their own libraries. It starts with the first file and lives
    until closed.

    `patience`: seconds that an answer may take, after which the process is ended. Not for use by two threads.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RuntimeProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def number(self) -> int | None:
        """The system's id of the running process; None before the first file and after its end."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process and wait for it."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # it has ended without reading everything
                _there(pipe).close()
        process.wait()

    def ask(self, about: dict[str, Any], **arrays: NDArray[Any]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """The answer to a question that runtime_child knows. NotRunnable if none comes."""
        packed = io.BytesIO()
        np.savez(packed, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
        process = self._process = self._process or _start_process()
        stream = _there(process.stdin)
        with contextlib.suppress(OSError):  # it has ended: _read says so
            stream.write(struct.pack("<q", packed.tell()) + packed.getvalue())
            stream.flush()
        return self._read(process)

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        stream = _there(process.stdout)
        with self._patient(process):
            head = stream.read(8)
            data = stream.read(struct.unpack("<q", head)[0]) if len(head) == 8 else b""
        if not data:
            code = process.wait()
            self.close()
            raise NotRunnable(f"the process that ran it ended with code {code}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            values = [arrays[str(number)] for number in range(len(arrays.files) - 1)]
        if "error" in about:
            raise NotRunnable(about["error"])
        return about, values

    @contextlib.contextmanager
    def _patient(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        timer = threading.Timer(self.patience, process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _start_process() -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("runtime_child.py")
    # -I: neither this folder nor what PYTHONPATH names; -X: the library's own texts are UTF-8
    command = [sys.executable, "-I", "-X", "utf8", str(script)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **kept}  # two processes with spinning threads slow each other down
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        creationflags=no_console_flags(),
    )  # fmt: skip


class ExportedFile:
    """A model file, open in its own library in another process until it is closed. Not for use by two threads.

    `kind` is a key of runtime_child.OPENERS; `threads` 0 leaves their number to the library. A given `process` closes
    the file it had before; by default the file gets a separate process. `runs` is False if the file contains only
    weights. `card` is the description inside the file, `versions` those of Python and the library.
    NotRunnable if it can't be opened.
    """

    def __init__(self, kind: str, file: Path, threads: int = 0, process: RuntimeProcess | None = None) -> None:
        self._own = process is None
        self._process = process or RuntimeProcess()
        try:
            about, _ = self._process.ask({"do": "open", "kind": kind, "file": str(file), "threads": threads})
        except BaseException:
            self.close()
            raise
        self.card: str = about["card"]
        self.runs: bool = about["runs"]
        self.versions: dict[str, str] = about["versions"]

    def __enter__(self) -> ExportedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process if it is this file's own."""
        if self._own:
            self._process.close()

    def run(self, image: NDArray[np.float32]) -> Arrays:
        """The file's outputs for `image` (B, 3, H, W)."""
        return tuple(self._process.ask({"do": "run"}, image=image)[1])

    def weights(self) -> dict[str, NDArray[Any]]:
        """The arrays in a file of only weights, by name."""
        about, arrays = self._process.ask({"do": "weights"})
        return dict(zip(about["names"], arrays, strict=True))

    def times(self, image: NDArray[np.float32], warm: int, seconds: float, least: int, most: int) -> NDArray[Any]:
        """Milliseconds of each of `least` to `most` runs in about `seconds`, after `warm` untimed ones."""
        asked = {"do": "time", "warm": warm, "seconds": seconds, "least": least, "most": most}
        times: NDArray[Any] = self._process.ask(asked, image=image)[1][0]
        return times


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
