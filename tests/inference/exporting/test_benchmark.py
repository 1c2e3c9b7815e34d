"""Timing: each format in its own process with the batch that was asked for; what can't be timed is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.inference import exporters
from workbench.inference.exporting import benchmark
from workbench.inference.exporting.benchmark import Benchmarked, NotBenchmarked
from workbench.inference.predict import Predictor


def test_formats_are_timed_and_those_that_can_t_be_are_named(
    predictor: Predictor, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporters.load_all().get("pt2"), "needs", ("no_such_package",))
    monkeypatch.setattr(benchmark, "WARM", 0)
    monkeypatch.setattr(benchmark, "LEAST", 2)
    names = ["torchscript", "pt2", "safetensors"]
    events = list(benchmark.benchmark(predictor, names, [2], photographs[:1], threads=1, seconds=0))
    timed = [event for event in events if isinstance(event, Benchmarked)]
    assert [(row.format, row.batch, row.threads, row.runs) for row in timed] == [
        ("workbench", 2, 1, benchmark.LEAST), ("torchscript", 2, 1, benchmark.LEAST),
    ]  # fmt: skip
    assert all(0 < row.median_ms <= row.p95_ms for row in timed)
    assert timed[1].library.startswith("torch ")
    missing = {event.format: event.sentence for event in events if isinstance(event, NotBenchmarked)}
    assert set(missing) == {"pt2", "safetensors"}
    assert "needs no_such_package. Install with: " in missing["pt2"]


def test_a_format_that_takes_too_long_is_left_out_and_says_so(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row takes all the time there is by writing; the second is then not begun."""
    clock = [0.0]

    def slow(_: object, source: exporters.Source, file: Path) -> str:
        clock[0] += 61.0
        return ""

    monkeypatch.setattr(benchmark, "monotonic", lambda: clock[0])
    monkeypatch.setattr(exporters.load_all().get("torchscript"), "write", slow)
    monkeypatch.setattr(benchmark, "_own", lambda *_: np.array([1.0]))
    events = list(benchmark.benchmark(predictor, ["torchscript"], [1, 2], threads=1, limit=60.0))
    told = [event.sentence for event in events if isinstance(event, NotBenchmarked)]
    assert told == [
        f"with {images} at a time: it took more than 60 s. A higher --limit waits longer."
        for images in ("1 image", "2 images")
    ]
    assert clock[0] == 61


def test_median_p95_and_throughput_by_hand() -> None:
    times = np.array([10.0] * 19 + [30.0])
    row = benchmark._timed("onnx", "onnxruntime 1", 4, 2, times)
    assert row.median_ms == 10
    assert row.p95_ms == pytest.approx(11)  # a twentieth of the way from the 19th of 20 to the last
    assert row.images_per_second == pytest.approx(4 * 20 / 0.22)
