"""SSD300 and SSDlite give the losses and detections of torchvision's own models with the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.detection import ssd300_vgg16, ssdlite320_mobilenet_v3_large

from tests import networks
from tests.parity import torchvision_models as both
from workbench.detectors.parts.default_boxes import DefaultBoxHead
from workbench.detectors.parts.detector import Detector, Targets

CASES: dict[str, tuple[int, Any, dict[str, Any]]] = {
    "ssd300": (300, ssd300_vgg16, {"score": 0.01, "iou": 0.45, "per_label": 400, "limit": 200}),
    "ssdlite": (320, ssdlite320_mobilenet_v3_large, {"score": 0.001, "iou": 0.55, "per_label": 300, "limit": 300}),
}


@pytest.fixture(scope="module", params=CASES)
def pair(request: pytest.FixtureRequest) -> tuple[Detector, Any]:
    """Label layers so that scores neither tie at 1 nor are all alike; batch norms as after a step."""
    px, make, _ = CASES[request.param]
    ours = both.build(request.param, px, calm=0.02 if request.param == "ssd300" else 1.0)
    norms = [module for module in ours.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            ours.train()(both.pictures(px, 4))
    with networks.unfilled():
        theirs = make(weights=None, weights_backbone=None, num_classes=both.LABELS + 1)
    both.same_weights(ours, theirs)
    return ours.eval(), theirs.eval()


def test_the_default_boxes_are_torchvisions(pair: tuple[Detector, Any]) -> None:
    ours, theirs = pair
    assert isinstance(ours.head, DefaultBoxHead)
    images = both.pictures(ours.settings.input_px, 1)
    list_, _ = theirs.transform([*images])
    with torch.no_grad():
        maps = list(theirs.backbone(list_.tensors).values())
    assert torch.equal(ours.head.defaults, theirs.anchor_generator(list_, maps)[0])
    assert len(ours.head.defaults) == {"ssd300": 8732, "ssdlite": 3234}[ours.name]


def test_the_losses_are_torchvisions(pair: tuple[Detector, Any]) -> None:
    ours, theirs = pair
    px = ours.settings.input_px
    ours.eval()
    theirs.train()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # as ours
    expected = theirs([*both.pictures(px)], both.as_lists(both.boxes(px), 1))
    terms = ours.loss(ours(both.pictures(px)), both.boxes(px))
    torch.testing.assert_close(terms["box"], expected["bbox_regression"], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(terms["label"], expected["classification"], rtol=1e-5, atol=1e-5)
    assert terms["box"] > 0
    sum(terms.values()).backward()  # type: ignore[union-attr]
    sum(expected.values()).backward()
    gradients = dict(theirs.named_parameters())
    for name, parameter in ours.get_submodule("net").named_parameters():
        assert parameter.grad is not None
        largest = float(gradients[name].grad.abs().max())
        torch.testing.assert_close(parameter.grad, gradients[name].grad, rtol=1e-3, atol=1e-4 * max(largest, 1e-3))
    ours.zero_grad()
    theirs.zero_grad()


def test_the_detections_are_torchvisions(pair: tuple[Detector, Any]) -> None:
    ours, theirs = pair[0].eval(), pair[1].eval()
    px = ours.settings.input_px
    with torch.no_grad():
        expected = theirs([*both.pictures(px)])
    found = both.detections(ours, both.pictures(px), **CASES[ours.name][2])
    score, place = both.worst(found, expected, 1)
    print(f"{ours.name}: scores within {score:.1e}, boxes within {place:.1e} px")
    assert score < 1e-5
    assert place < 1e-5 * px


def test_an_image_without_boxes_teaches_its_worst_negatives(pair: tuple[Detector, Any]) -> None:
    """torchvision takes three times none of them."""
    ours, px = pair[0], pair[0].settings.input_px
    nothing = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))
    with torch.no_grad():
        raw = ours(both.pictures(px, 1))
        logits, _ = ours.head.split(raw)  # type: ignore[attr-defined]
        worst = (-logits[0].log_softmax(-1)[:, 0]).sort(descending=True).values[:3]
        assert ours.loss(raw, nothing)["label"].item() == pytest.approx(worst.sum().item(), rel=1e-5)
