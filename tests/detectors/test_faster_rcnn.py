"""Faster R-CNN's loss is that of torchvision's own networks, also without boxes and with regions to be ignored, and on
a graphics card the same as on the processor.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from tests.parity import torchvision_models as both
from workbench.detectors.parts import losses
from workbench.detectors.parts.detector import Detector, Targets

PX = 128
TERMS = {
    "proposal": "loss_objectness", "proposal box": "loss_rpn_box_reg",
    "box": "loss_box_reg", "label": "loss_classifier",
}  # fmt: skip


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
    both.draw_everything(detector)
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


def in_a_crowd(places: Tensor, targets: Targets, image: int) -> Tensor:
    """(N,) whether more than half of a place (N, 4) lies in an ignored box of the image."""
    share = torch.zeros(len(places))
    for box in targets.boxes[image, targets.ignore[image] & (targets.labels[image] >= 0)]:
        common = (torch.minimum(places[:, 2:], box[2:]) - torch.maximum(places[:, :2], box[:2])).clamp(min=0).prod(1)
        share = torch.maximum(share, common / (places[:, 2:] - places[:, :2]).prod(1))
    return share > 0.5


def torchvisions(net: Any, maps: list[Tensor], targets: Targets, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """What torchvision's two networks say, except that no background is drawn from regions to be ignored."""
    features = OrderedDict(zip(("0", "1", "2", "3", "pool"), maps, strict=True))
    images = ImageList(torch.empty(2, 3, PX, PX), [(PX, PX)] * 2)
    boxes = both.as_lists(dataclasses.replace(targets, labels=targets.labels.masked_fill(targets.ignore, -1)), 1)
    plain = net.rpn.assign_targets_to_anchors

    def without_crowds(anchors: list[Tensor], lists: list[dict[str, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
        labels, matched = plain(anchors, lists)
        for i, some in enumerate(labels):
            some[(some == 0) & in_a_crowd(anchors[i], targets, i)] = -1
        return labels, matched

    with monkeypatch.context() as patch:
        patch.setattr(net.rpn, "assign_targets_to_anchors", without_crowds)
        proposals, terms = net.rpn(images, features, boxes)
    for i, some in enumerate(proposals):
        on_none = box_iou(some, boxes[i]["boxes"]).amax(1) < 0.5 if len(boxes[i]["boxes"]) else torch.ones(len(some))
        proposals[i] = some[~(in_a_crowd(some, targets, i) & on_none.bool())]
    return terms | net.roi_heads(features, proposals, images.image_sizes, boxes)[1]


def gradients(terms: dict[str, Tensor], net: Any, maps: list[Tensor]) -> tuple[Tensor | None, ...]:
    weights = [*net.rpn.parameters(), *net.roi_heads.parameters()]
    return torch.autograd.grad(sum(terms.values(), torch.zeros(())), [*maps, *weights], allow_unused=True)


@pytest.mark.parametrize("processor", ["cpu", "none"])
@pytest.mark.parametrize("case", CASES)
def test_if_everything_is_drawn_terms_and_gradients_are_torchvisions(
    case: str, processor: str, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`processor` "none": as on a graphics card."""
    targets, net = CASES[case](), detector.get_submodule("net")
    any_net: Any = net
    with torch.no_grad():
        normalised = detector.get_submodule("normalise")(both.pictures(PX))
        maps = [level.detach() for level in any_net.backbone(normalised).values()]
    leaves = [level.clone().requires_grad_() for level in maps]
    expected = torchvisions(net, leaves, targets, monkeypatch)
    slopes = gradients(expected, net, leaves)
    monkeypatch.setattr(losses, "PROCESSOR", processor)
    leaves = [level.clone().requires_grad_() for level in maps]
    objectness, numbers = any_net.rpn.head(leaves)
    terms = detector.loss((*leaves[:4], *objectness, *numbers), targets)
    assert len(terms) == len(expected)
    for name, value in terms.items():
        torch.testing.assert_close(value, expected[TERMS[name]], rtol=1e-5, atol=1e-6)
    assert terms["label"] > 0
    assert bool(terms["box"] > 0) is ("boxes" in case or "crowds" in case)
    for one, other in zip(gradients(terms, net, leaves), slopes, strict=True):
        assert one is not None
        assert other is not None
        largest = max(float(other.abs().max()), 1e-9)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * largest)


def test_a_region_to_be_ignored_changes_every_term(detector: Detector) -> None:
    """Or the case "crowds" above would not show that it is left out."""
    with torch.no_grad():
        raw = detector(both.pictures(PX))
        ignoring = detector.loss(raw, crowded())
        without = dataclasses.replace(crowded(), labels=crowded().labels.masked_fill(crowded().ignore, -1))
        negatives = detector.loss(raw, without)
    for name in ("proposal", "label"):
        assert abs(ignoring[name] - negatives[name]) > 1e-3 * negatives[name]


@pytest.mark.parametrize("processor", ["cpu", "none"])
def test_it_draws_another_sample_in_each_step(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = both.build("faster-rcnn", PX, width=0.25, proposals=100).train()
    monkeypatch.setattr(losses, "PROCESSOR", processor)
    raw = fresh(both.pictures(PX))
    values = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        values.append(torch.stack(list(fresh.loss(raw, both.boxes(PX)).values())).detach())
    assert values[0].isfinite().all()
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
