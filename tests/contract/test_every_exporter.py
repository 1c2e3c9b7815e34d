"""Every exporter writes every detector as a file that finds the same, run as a stranger runs it; or says it can't.

Each detector once, in all formats. torch's exporters take ten seconds for a network with NMS, so that all formats but
TorchScript take the boxes and scores of every prior here, and ONNX is written by the old exporter, the program's second
way. What is in WHOLE has NMS and the first way with each format. With WORKBENCH_FULL_PROMISES=1 all have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import members
from tests.contract.test_every_detector import build
from tests.inference import small
from tests.inference.quick import quick_exporters
from workbench import detectors
from workbench.inference import exporters
from workbench.inference.exporters import DECODED, ExportSettings, Source, Unsuitable, onnx_file
from workbench.inference.exporting.export import source_of
from workbench.inference.exporting.runtimes import RuntimeProcess
from workbench.inference.exporting.verification import Verification, noise_samples, verify
from workbench.inference.predict import Predictor

FAMILY = "detectors"
PX = 64
WITH_NMS = "torchscript"
WHOLE = ("yolov2-tiny",)  # yolov3-tiny in inference/exporting/test_verification.py, yolov4-tiny in test_exported.py


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with quick_exporters():
        yield


def written_and_verified(name: str, source: Source, folder: Path, process: RuntimeProcess) -> Verification:
    member = exporters.load_all().get(name)()
    member.write(source, folder / member.file)
    return verify(name, member, folder / member.file, source, noise_samples(source.card.input_px)[:1], process)


def assert_same(name: str, verified: Verification) -> None:
    found = verified.agreement
    assert found is not None, f"{name} can't be read back"
    assert found.matched == found.compared > 0, name
    assert not found.foreign, name
    assert found.largest_score_gap < 1e-3, name


def is_whole(name: str) -> bool:
    return name in WHOLE or os.environ.get("WORKBENCH_FULL_PROMISES") == "1"


def sources_of(predictor: Predictor) -> dict[bool, Source]:
    """By whether NMS is in it."""
    whole = source_of(predictor, ExportSettings())
    quick = whole if is_whole(predictor.detector.name) else source_of(predictor, ExportSettings(output=DECODED))
    return {True: whole, False: quick}


@pytest.mark.slow
def test_every_format_of_a_detector_finds_what_it_finds(
    name: str, tmp_path: Path, process: RuntimeProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_whole(name):
        monkeypatch.setattr(onnx_file, "_new_exporter", onnx_file._old_exporter)
    sources = sources_of(small.lively(build(name, width=0.05), PX))
    refused = set()
    for format in members.of("exporters"):
        try:
            assert_same(format, written_and_verified(format, sources[format == WITH_NMS], tmp_path, process))
        except Unsuitable:
            refused.add(format)
    assert refused == (set() if detectors.load_all().get(name).darknet else {"darknet"})
