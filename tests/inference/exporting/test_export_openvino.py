"""OpenVINO opens the exported ONNX file as the help says, and finds the same. Skipped where it isn't installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.inference import small
from workbench.inference.exporters import ExportSettings
from workbench.inference.exporters.onnx_file import Onnx
from workbench.inference.exporting.export import source_of
from workbench.inference.exporting.graph import compare
from workbench.inference.exporting.verification import noise_samples

openvino = pytest.importorskip("openvino", reason="openvino is not installed: pip install openvino")


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov4-tiny"])  # NMS as an operation, and in rounds of a matrix
def test_openvino_finds_what_the_network_finds(name: str, tmp_path: Path) -> None:
    source = source_of(small.predictor(name), ExportSettings())
    file = tmp_path / "model.onnx"
    Onnx().write(source, file)
    compiled = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for sample in noise_samples(source.card.input_px):
        answer = compiled({"image": sample.image})
        found = tuple(np.asarray(answer[output]) for output in ("boxes", "scores", "labels"))
        agreed = compare(source.graph, torch.from_numpy(sample.image), found, source.card.score)
        assert agreed.holds
        assert agreed.compared >= 10
