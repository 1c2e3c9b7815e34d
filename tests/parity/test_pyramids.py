"""RetinaNet, FCOS and Faster R-CNN give the losses and detections of torchvision's own models with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection

from tests import networks
from tests.parity import torchvision_models as both
from workbench.detectors.parts.detector import Detector
from workbench.inference.predict import Predictor

PX = 160
RETINA = {"score": 0.05, "iou": 0.5, "per_label": 10_000, "limit": 300}
# torchvision's function, what its labels begin with, its post-processing, how much larger label weights are made,
# so that scores differ
CASES: dict[str, tuple[Any, int, dict[str, Any], float]] = {
    "retinanet": (detection.retinanet_resnet50_fpn, 0, RETINA, 20.0),
    "retinanet-v2": (detection.retinanet_resnet50_fpn_v2, 0, RETINA, 2.0),
    "fcos": (detection.fcos_resnet50_fpn, 0, {"score": 0.2, "iou": 0.6, "per_label": 10_000, "limit": 100}, 20.0),
    "faster-rcnn": (
        detection.fasterrcnn_resnet50_fpn, 1, {"score": 0.05, "iou": 0.5, "per_label": 10_000, "limit": 100}, 1.0
    ),
}  # fmt: skip
TERMS = {
    "box": ("bbox_regression", "loss_box_reg"),
    "label": ("classification", "loss_classifier"),
    "centre": ("bbox_ctrness",),
    "proposal": ("loss_objectness",),
    "proposal box": ("loss_rpn_box_reg",),
}


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest) -> tuple[Detector, Any]:
    """Batch norms as after a step, so that the features are of a trained network's size; then fixed on both sides."""
    make, first, _, louder = CASES[request.param]
    ours = both.build(request.param, PX)
    norms = [module for module in ours.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        ours.train()(both.pictures(PX, 4))
        for out in ours.outs:
            ours.get_parameter(f"{out}.weight").mul_(louder)
            if first == 0:
                ours.get_parameter(f"{out}.bias").zero_()
    with networks.unfilled():
        theirs = make(weights=None, weights_backbone=None, num_classes=both.LABELS + first, min_size=PX, max_size=PX)
    both.same_weights(ours, theirs)
    for model in (ours, theirs):
        both.draw_everything(model)
        for module in model.train().modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    return ours, theirs


def test_the_losses_and_gradients_are_torchvisions(pair: tuple[Detector, Any]) -> None:
    ours, theirs = pair
    expected = theirs([*both.pictures(PX)], both.as_lists(both.boxes(PX), CASES[ours.name][1]))
    terms = ours.loss(ours(both.pictures(PX)), both.boxes(PX))
    assert len(terms) == len(expected)
    for name, value in terms.items():
        other = next(expected[key] for key in TERMS[name] if key in expected)
        torch.testing.assert_close(value, other, rtol=1e-5, atol=1e-5)
        assert value > 0
    sum(terms.values()).backward()  # type: ignore[union-attr]
    sum(expected.values()).backward()
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.get_submodule("net").named_parameters():
        assert parameter.grad is not None
        largest = float(gradients[name].grad.abs().max())
        torch.testing.assert_close(parameter.grad, gradients[name].grad, rtol=1e-3, atol=1e-3 * max(largest, 1e-6))
    ours.zero_grad()
    theirs.zero_grad()


def test_the_detections_are_torchvisions(pair: tuple[Detector, Any]) -> None:
    ours, theirs = pair[0].eval(), pair[1].eval()
    with torch.no_grad():
        expected = theirs([*both.pictures(PX)])
    found = both.detections(ours, both.pictures(PX), **CASES[ours.name][2])
    score, place = both.worst(found, expected, CASES[ours.name][1])
    print(f"{ours.name}: {[len(one['scores']) for one in found]}, scores {score:.1e}, boxes {place:.1e} px")
    assert score < 1e-5
    assert place < 1e-5 * PX


SEEN = 20  # the best of each image: random weights answer with thousands of alike boxes, of which we keep 1,000


def test_what_a_user_sees_is_what_torchvision_finds(pair: tuple[Detector, Any]) -> None:
    """The whole way: a picture in bytes, Predictor, the threshold and NMS of the sliders."""
    ours, theirs = pair[0].eval(), pair[1].eval()
    pixels = [(image.permute(1, 2, 0) * 255).round().byte() for image in both.pictures(PX)]
    with torch.no_grad():
        expected = theirs([one.permute(2, 0, 1).float() / 255 for one in pixels])
    predictor = Predictor(ours, tuple("abcde"), PX, ours.resize, device="cpu")
    for found, other in zip(predictor.candidates([one.numpy() for one in pixels]), expected, strict=True):
        seen = found.detections(CASES[ours.name][2]["score"], CASES[ours.name][2]["iou"])
        assert len(seen.scores) >= 5
        label = other["labels"].numpy() - CASES[ours.name][1]
        for box, score, own in [*zip(seen.boxes, seen.scores, seen.labels, strict=True)][:SEEN]:
            alike = (label == own) & (np.abs(other["scores"].numpy() - score) < 1e-4)  # nearly equal ones change places
            assert np.abs(other["boxes"].numpy()[alike] - box).max(axis=1).min() < 0.02  # pixels
