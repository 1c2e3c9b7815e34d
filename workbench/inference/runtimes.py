"""An exported file as a stranger runs it: in its own library, in a process that doesn't know this program.

A process for each file, also because a damaged file may bring its reader down.
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

from workbench.inference.exporters import Arrays

KINDS = ("onnx", "torchscript", "pt2", "state-dict", "safetensors")  # as runtime_child.OPENERS has them
PATIENCE = 600.0  # seconds that an answer may take: the largest network on the slowest machine takes 20


class NotRunnable(Exception):
    """The file could not be opened or run in its own library; the text says what the library said."""


class Apart:
    """A file opened as one of KINDS, until it is closed. `threads` 0: as the library likes. Not for two threads.

    `runs`: else it holds weights alone. `card` is the description that lies inside it, `versions` those of Python and
    the library. NotRunnable if it can't be opened.
    """

    def __init__(self, kind: str, file: Path, threads: int = 0) -> None:
        script = Path(__file__).with_name("runtime_child.py")
        # -I: neither this folder nor what PYTHONPATH names; -X: the library's own texts are UTF-8
        command = [sys.executable, "-I", "-X", "utf8", str(script), kind, str(file), str(threads)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment = {"OMP_WAIT_POLICY": "PASSIVE", **kept}  # two processes whose threads spin hold each other up
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        try:
            about, _ = self._read()
        except BaseException:
            self.close()
            raise
        self.card: str = about["card"]
        self.runs: bool = about["runs"]
        self.versions: dict[str, str] = about["versions"]

    def __enter__(self) -> Apart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # it has ended with something of ours unread
                _there(pipe).close()
        self._process.wait()

    def run(self, image: NDArray[np.float32]) -> Arrays:
        """What the file answers to `image` (B, 3, H, W)."""
        return tuple(self._asked({"do": "run"}, image=image)[1])

    def weights(self) -> dict[str, NDArray[Any]]:
        """The arrays in a file of weights alone, by name."""
        about, arrays = self._asked({"do": "weights"})
        return dict(zip(about["names"], arrays, strict=True))

    def times(self, image: NDArray[np.float32], warm: int, seconds: float, least: int, most: int) -> NDArray[Any]:
        """Milliseconds of each of `least` to `most` runs in about `seconds`, after `warm` that don't count."""
        asked = {"do": "time", "warm": warm, "seconds": seconds, "least": least, "most": most}
        times: NDArray[Any] = self._asked(asked, image=image)[1][0]
        return times

    def _asked(self, about: dict[str, Any], **arrays: NDArray[Any]) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        packed = io.BytesIO()
        np.savez(packed, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
        stream = _there(self._process.stdin)
        with contextlib.suppress(OSError):  # it has ended: _read says so
            stream.write(struct.pack("<q", packed.tell()) + packed.getvalue())
            stream.flush()
        return self._read()

    def _read(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        stream = _there(self._process.stdout)
        with self._patience():
            head = stream.read(8)
            data = stream.read(struct.unpack("<q", head)[0]) if len(head) == 8 else b""
        if not data:
            raise NotRunnable(f"the process that ran it ended with code {self._process.wait()}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            values = [arrays[str(number)] for number in range(len(arrays.files) - 1)]
        if "error" in about:
            raise NotRunnable(about["error"])
        return about, values

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        timer = threading.Timer(PATIENCE, self._process.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
