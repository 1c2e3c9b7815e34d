"""The speed of a trained detector in each file format on this machine: latency and throughput, in the format's library.

Temporary files are written and run without this program, on the processor. The network is timed with decoding, top-k
and NMS, without reading and resizing images.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core import formatting
from workbench.core.extras import install_command
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.inference.exporters import Exporter, ExportSettings, Source
from workbench.inference.exporting.export import source_of
from workbench.inference.exporting.runtimes import ExportedFile, NotRunnable, RuntimeProcess
from workbench.inference.exporting.verification import make_samples, noise_samples
from workbench.inference.predict import Predictor

PROGRAM = "workbench"  # the row of this program itself, without export
LIMIT = 120.0  # seconds per format: writing the largest network as ONNX takes 40 on two cores
WARM, LEAST, MOST = 3, 5, 500  # untimed runs, and the least and most timed ones


@dataclass(frozen=True, slots=True)
class Benchmarked:
    """`runs` of `batch` images each, on `threads`: milliseconds per run, and images per second."""

    format: str
    library: str
    batch: int
    threads: int
    runs: int
    median_ms: float
    p95_ms: float
    images_per_second: float


@dataclass(frozen=True, slots=True)
class NotBenchmarked:
    """A format without numbers, and the reason."""

    format: str
    sentence: str


@dataclass(frozen=True, slots=True)
class BenchmarkProgress:
    """What is being measured: `done` of `total`."""

    sentence: str
    done: int
    total: int


def benchmark(
    predictor: Predictor,
    formats: Sequence[str] | None = None,
    batches: Sequence[int] = (1, 8),
    images: Sequence[Path] = (),
    threads: int = 0,
    seconds: float = 3.0,
    limit: float = LIMIT,
) -> Iterator[BenchmarkProgress | Benchmarked | NotBenchmarked]:
    """Time this program and each of `formats` (None: all) with each batch for about `seconds`.

    `threads` 0: as many as torch uses, for all of them. `limit`: seconds that a format may take altogether; its
    remaining batches are not timed. `predictor` must be on the CPU.
    """
    members = exporters.load_all()
    chosen = {name: members.get(name)() for name in (members.names() if formats is None else formats)}
    threads = threads or torch.get_num_threads()
    inputs = [sample.image for sample in make_samples(predictor, images) or noise_samples(predictor.input_px)]
    pictures = {
        batch: np.concatenate([inputs[i % len(inputs)] for i in range(batch)]) for batch in dict.fromkeys(batches)
    }
    total, done = len(pictures) * (1 + len(chosen)), 0
    for batch, picture in pictures.items():
        yield BenchmarkProgress(f"This program, {formatting.count(batch, 'image')} at a time", done, total)
        yield _timed(PROGRAM, f"torch {torch.__version__}", batch, threads, _own(predictor, picture, threads, seconds))
        done += 1
    sources: dict[int, Source] = {}  # by batch: what one format has prepared is used by the next
    for name, member in chosen.items():
        why, end = _why_not(member), monotonic() + limit
        if why:
            yield NotBenchmarked(name, why)
            done += len(pictures)
            continue
        for batch, picture in pictures.items():
            yield BenchmarkProgress(
                f"{member.title}, {formatting.count(batch, 'image')} at a time: writing and timing it", done, total
            )
            if batch not in sources:
                sources[batch] = source_of(predictor, ExportSettings(batch=batch, size="fixed"))
            yield _of_format(name, member, sources[batch], picture, TimeBudget(threads, seconds, limit, end))
            done += 1


def _why_not(member: Exporter) -> str:
    missing = exporters.missing_packages(member)
    if missing:
        return f"needs {', '.join(missing)}. Install with: {install_command('[export]')}"
    if not exporters.is_runnable(member):
        return "contains only the weights: there is nothing to run."
    return "" if getattr(member, "runtime", "") else "has no library of its own that could be timed separately."


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """How a format is timed: about `seconds` per row on `threads`, until `end` on the monotonic clock at the latest."""

    threads: int
    seconds: float
    limit: float
    end: float

    @property
    def left(self) -> float:
        return self.end - monotonic()


def _of_format(
    name: str, member: Exporter, source: Source, picture: NDArray[np.float32], budget: TimeBudget
) -> Benchmarked | NotBenchmarked:
    """Write a temporary file and run it in its own library, in a separate process."""
    images = formatting.count(len(picture), "image")
    late = NotBenchmarked(
        name, f"with {images} at a time: it took more than {budget.limit:g} s. A higher --limit waits longer."
    )
    if budget.left <= 0:
        return late
    with tempfile.TemporaryDirectory(prefix="workbench-benchmark-") as folder:
        file = Path(folder) / member.file
        try:
            member.write(source, file)
            if budget.left <= 0:
                return late
            with RuntimeProcess(budget.left) as process:
                exported = ExportedFile(member.runtime, file, budget.threads, process)  # type: ignore[attr-defined]
                times = exported.times(picture, WARM, min(budget.seconds, budget.left), LEAST, MOST)
                versions = exported.versions.items()
                library = ", ".join(f"{name} {version}" for name, version in versions if name != "python")
        except (WorkbenchError, NotRunnable) as error:
            return late if budget.left <= 0 else NotBenchmarked(name, f"with {images} at a time: {error}")
        except Exception as error:  # exporters raise dozens of types
            return NotBenchmarked(name, f"could not be written for {images}: {_first(error)}")
    return _timed(name, library, len(picture), budget.threads, times)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _own(predictor: Predictor, picture: NDArray[np.float32], threads: int, seconds: float) -> NDArray[np.float64]:
    """Milliseconds of the program's own network, up to the best pairs before NMS."""
    squares = np.ascontiguousarray(picture.transpose(0, 2, 3, 1) * np.float32(255))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for _ in range(WARM):
            predictor.best(squares)
        took: list[float] = []
        end = time.perf_counter() + seconds
        while len(took) < MOST and (time.perf_counter() < end or len(took) < LEAST):
            begun = time.perf_counter()
            predictor.best(squares)
            took.append(1000 * (time.perf_counter() - begun))
    finally:
        torch.set_num_threads(before)
    return np.array(took)


def _timed(name: str, library: str, batch: int, threads: int, times: NDArray[np.float64]) -> Benchmarked:
    """Throughput is over all runs, including slow ones."""
    median, p95 = (float(value) for value in np.percentile(times, [50, 95]))
    return Benchmarked(
        name, library, batch, threads, len(times), median, p95, float(1000 * batch * len(times) / times.sum())
    )
