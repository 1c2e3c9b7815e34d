"""Small untrained detectors whose features and scores differ from place to place, as those of a trained one."""

from __future__ import annotations

import torch

from tests import networks
from workbench import detectors
from workbench.detectors.parts.blocks import settle_norms
from workbench.detectors.parts.detector import Detector
from workbench.inference.predict import Predictor

BUILT_IN = [name for name, _ in detectors.load_all() if detectors.detectors.owner(name) == "built in"]
DARKNETS = [name for name in BUILT_IN if detectors.load_all().get(name).darknet]
TORCHVISIONS = [name for name in BUILT_IN if name not in DARKNETS]
LABELS = ("a", "b", "c")


def build(name: str, px: int = 64, labels: int = len(LABELS)) -> Detector:
    kind = detectors.load_all().get(name)
    return networks.build(name, kind.settings_class(input_px=px, width=0.05), labels)


def predictor(name: str, px: int = 64) -> Predictor:
    return lively(build(name, px), px)


def lively(detector: Detector, px: int) -> Predictor:
    """Fresh output layers answer the same everywhere, and fresh norms do nothing."""
    for layer in detector.outs:
        torch.nn.init.normal_(detector.get_parameter(f"{layer}.weight"), std=0.2)
    settle_norms(detector, 0)
    detector(torch.rand(4, 3, px, px))
    return Predictor(detector.eval(), LABELS, px, "stretch", device="cpu")
