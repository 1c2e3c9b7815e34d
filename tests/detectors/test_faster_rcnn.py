"""Faster R-CNN's loss in fixed shapes, as on a graphics card, is that of torchvision's lists, as on the processor."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from tests.parity import torchvision_models as both
from workbench.detectors.parts import losses
from workbench.detectors.parts.detector import Detector, Targets

PX = 128
EVERYTHING = 1_000_000  # more than there is to draw


def settled() -> Detector:
    """Its features are of a trained network's size, and it draws everything."""
    detector = both.build("faster-rcnn", PX, width=0.25, proposals=100)
    for norm in detector.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    with torch.no_grad():
        detector.train()(both.pictures(PX, 4))
    detector.eval()
    net: Any = detector.get_submodule("net")
    net.train()
    for norm in detector.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.eval()
    for network in (net.rpn, net.roi_heads):
        network.fg_bg_sampler.batch_size_per_image = EVERYTHING
        network.fg_bg_sampler.positive_fraction = 0.5
    return detector


def crowded() -> Targets:
    """One box of each image, the largest, is a region to be ignored."""
    targets = both.boxes(PX)
    sides = targets.boxes[..., 2:] - targets.boxes[..., :2]
    return dataclasses.replace(targets, ignore=sides.prod(-1) == sides.prod(-1).amax(-1, keepdim=True))


def empty(boxes: int) -> Targets:
    return Targets(torch.zeros(2, boxes, 4), torch.full((2, boxes), -1), torch.zeros(2, boxes, dtype=torch.bool))


def first_empty() -> Targets:
    targets = both.boxes(PX)
    targets.labels[0] = -1
    return targets


CASES = {
    "boxes": lambda: both.boxes(PX), "crowds": crowded, "one image without boxes": first_empty,
    "padding": lambda: empty(8), "no rows": lambda: empty(0),
}  # fmt: skip


@pytest.fixture(scope="module")
def detector() -> Detector:
    return settled()


@pytest.mark.parametrize("case", CASES)
def test_if_everything_is_drawn_terms_and_gradients_are_the_same(
    case: str, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector.weigh_labels(torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0]))
    targets, found = CASES[case](), []
    with torch.no_grad():
        raw = detector(both.pictures(PX))
    for processor in ("cpu", "none"):
        monkeypatch.setattr(losses, "PROCESSOR", processor)
        leaves = tuple(level.clone().requires_grad_() for level in raw)
        terms = detector.loss(leaves, targets)
        weights = list(detector.get_submodule("net.roi_heads").parameters())
        total = sum(terms.values(), torch.zeros(()))
        gradients = torch.autograd.grad(total, [*leaves, *weights], allow_unused=True)
        found.append((terms, gradients))
    (terms, slopes), (fixed, fixed_slopes) = found
    assert list(terms) == list(fixed)
    for name, term in terms.items():
        torch.testing.assert_close(fixed[name], term, rtol=1e-5, atol=1e-6)
    assert terms["label"] > 0
    assert bool(terms["box"] > 0) is ("boxes" in case or "crowds" in case)
    for one, other in zip(fixed_slopes, slopes, strict=True):
        assert one is not None
        assert other is not None
        largest = max(float(other.abs().max()), 1e-9)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * largest)


def test_it_draws_another_sample_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = both.build("faster-rcnn", PX, width=0.25, proposals=100).train()
    monkeypatch.setattr(losses, "PROCESSOR", "none")
    raw = fresh(both.pictures(PX))
    values = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        values.append(torch.stack(list(fresh.loss(raw, both.boxes(PX)).values())).detach())
    assert values[0].isfinite().all()
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
