"""A small untrained detector whose scores are spread out, as a predictor and as a saved checkpoint; a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from workbench import detectors
from workbench.core.project import Label
from workbench.detectors.parts.detector import Detector
from workbench.detectors.yolov4_tiny import YoloV4TinySettings
from workbench.inference.exporters import ExportSettings
from workbench.inference.exporting.export import export
from workbench.inference.predict import Predictor
from workbench.settings import to_dict

ALL = ("safetensors", "state-dict", "torchscript", "pt2", "onnx", "darknet")  # formats
LABELS = ("cat", "Hündin", "鳥")


@pytest.fixture(scope="session")
def detector() -> Detector:
    torch.manual_seed(0)
    built = detectors.build("yolov4-tiny", YoloV4TinySettings(width=0.25, input_px=160), labels=3)
    for name, parameter in built.named_parameters():
        if name.startswith(("coarse_out", "fine_out")):  # fresh ones answer 0.5 % everywhere
            torch.nn.init.normal_(parameter.data, std=0.3)
    for module in built.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # fresh ones do nothing, and folding them would prove nothing
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight.data, 0.8, 1.2)
            torch.nn.init.normal_(module.bias.data, std=0.1)
    return built.eval()


@pytest.fixture(scope="session")
def predictor(detector: Detector) -> Predictor:
    return Predictor(detector, LABELS, 160, "stretch", device="cpu")


@pytest.fixture(scope="session")
def checkpoint(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from workbench.training.checkpoints.checkpoint import CheckpointHeader, save_detector

    labels = tuple(Label(i + 1, name, position=i) for i, name in enumerate(LABELS))
    header = CheckpointHeader(
        "yolov4-tiny",
        to_dict(detector.settings),
        labels,
        detector.anchors,
        160,
        "stretch",
        data_digest="5eed",
        provenance={"run": "first", "images": 40, "time": "2026-11-20T10:00:00+0000"},
    )
    file = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_detector(file, detector.state_dict(), header)
    return file


@pytest.fixture(scope="session")
def photographs(test_data: Path) -> list[Path]:
    return sorted((test_data / "images").glob("*.jpg"))


@pytest.fixture(scope="session")
def exported(
    checkpoint: Path, photographs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[object]]:
    """The checkpoint in every format, and what was told meanwhile. Not to be changed."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, list(export(checkpoint, folder, ALL, photographs[:3], ExportSettings(licence="CC-BY-4.0")))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven frames, each of its own grey."""
    file = tmp_path_factory.mktemp("video") / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for shade in range(7):
        writer.write(np.full((48, 64, 3), shade * 30, np.uint8))
    writer.release()
    return file
