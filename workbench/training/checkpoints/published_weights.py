"""Weights that torchvision publishes: which there are, and their download once the user has agreed to it.

This is the only place in the program that uses the network, and only when told to, file by file.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from workbench import detectors
from workbench.core.files import atomic_path
from workbench.detectors.parts.detector import Pretrained
from workbench.errors import Refused, WorkbenchError

CHUNK = 1 << 20  # bytes
PATIENCE = 30.0  # seconds without a byte


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """Bytes so far."""

    done: int
    total: int


def published() -> dict[str, Pretrained]:
    """The published weights by the detector's name."""
    return {name: kind.pretrained for name, kind in detectors.load_all() if kind.pretrained is not None}


def for_detector(detector: str) -> Pretrained:
    """The weights published for this detector. WorkbenchError if there are none."""
    found = detectors.load_all().get(detector).pretrained
    if found is None:
        names = ", ".join(published())
        raise WorkbenchError(f"No weights are published for '{detector}'. They are for {names}.")
    return found


def kept_file(weights: Pretrained) -> Path:
    """The path of the downloaded file, there or not: in the user's cache, under its own name."""
    folder = Path(platformdirs.user_cache_dir("workbench", appauthor=False)) / "weights"
    return folder / weights.url.rpartition("/")[2]


def download(weights: Pretrained) -> Iterator[DownloadProgress]:
    """Fetch the file; it is put in its place once its checksum is right. Closing the generator early leaves nothing."""
    file, digest, done = kept_file(weights), hashlib.sha256(), 0
    try:
        with (
            urllib.request.urlopen(weights.url, timeout=PATIENCE) as answer,
            atomic_path(file) as temporary,
            open(temporary, "xb") as out,
        ):
            total = int(answer.headers.get("Content-Length") or weights.megabytes * 1e6)
            for block in _blocks(answer):
                digest.update(block)
                out.write(block)
                done += len(block)
                yield DownloadProgress(done, max(total, done))
            expected = file.stem.rpartition("-")[2]
            if not digest.hexdigest().startswith(expected):
                raise Refused(file.name, "this is not the published file: its checksum is wrong. Try again.")
    except (_Broken, urllib.error.URLError) as error:
        raise WorkbenchError(
            f"{weights.url} could not be fetched: {_why(error)}. Without a network, copy the file"
            f" from another machine to {file}.",
            error,
        ) from error


def _why(error: Exception) -> str:
    """The system's message without the number that Python puts before it."""
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or str(reason)


class _Broken(Exception):
    """The connection ended before the file did."""


def _blocks(answer: IO[bytes]) -> Iterator[bytes]:
    try:
        while block := answer.read(CHUNK):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_why(error) or type(error).__name__) from error
