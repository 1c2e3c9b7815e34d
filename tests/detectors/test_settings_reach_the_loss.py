"""Every setting of a loss reaches it: the same outputs and boxes, one setting changed, and each term as by hand.

A table says for each setting which terms it moves; what they become is in losses_by_hand.py.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.detectors.losses_by_hand import BY_HAND
from tests.detectors.made_outputs import (
    CSP,
    NOTHING,
    PX,
    RETINA,
    SSD,
    TARGETS,
    V1,
    V2,
    V3,
    V4,
    C,
    Terms,
    answers,
    build,
    built_in,
    default,
    flat,
    levels,
    outputs,
)
from workbench import detectors
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.settings import rows


def terms(detector: Detector, raw: Raw, targets: Targets = TARGETS) -> Terms:
    torch.manual_seed(1)  # for what is drawn
    return {name: value.detach() for name, value in detector.loss(raw, targets).items()}


@dataclass(frozen=True)
class Case:
    """At `value`, the setting moves exactly the terms `moves`; `factors`: by how much, where that can be said."""

    setting: str
    value: Any
    moves: tuple[str, ...]
    factors: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.setting}={self.value}"


TABLE: dict[tuple[str, ...], tuple[Case, ...]] = {
    V1: (
        Case("rescore", False, ("objectness",)),
        Case("box_weight", 10.0, ("box",), {"box": 2.0}),
        Case("background_weight", 2.0, ("objectness",)),
    ),
    V2: (
        Case("rules", "2018", ("box", "objectness", "warm-up")),
        Case("rescore", False, ("objectness",)),
        Case("ignore_iou", 0.2, ("objectness",)),
        Case("warm_up_images", 0, ("warm-up",), {"warm-up": 0.0}),
    ),
    V3 + V4: (
        Case("ignore_iou", 0.1, ("objectness",)),
        Case("match_iou", 0.1, ("box", "objectness", "label")),
        Case("rescore", True, ("objectness",)),
        Case("label_smoothing", 0.2, ("label",)),
        Case("focal_gamma", 2.0, ("objectness", "label")),
        Case("focal_gamma", 0.5, ("objectness", "label")),
        Case("hard_negatives", 3.0, ("objectness",)),
        Case("hard_negatives", 1.0, ("objectness",)),
    ),
    V3: (Case("rules", "pjreddie", ("box", "objectness"), {"box": 4 / 3}),),
    V4: (
        Case("box_loss", "diou", ("box",)),
        Case("box_loss", "giou", ("box",)),
        Case("box_loss", "iou", ("box",)),
        Case("box_loss", "mse", ("box",)),
        Case("box_weight", 10.0, ("box",), {"box": 2.0}),
        Case("box_weight", 0.0, ("box",), {"box": 0.0}),
        Case("box_gradient", "darknet", ("box",)),
    ),
    CSP: (
        Case("objectness_weights", (8.0, 2.0, 0.8), ("objectness",), {"objectness": 2.0}),
        Case("objectness_weights", (4.0, 1.0, 3.0), ("objectness",)),
        Case("smooth_objectness", "none", ("objectness",)),
        Case("smooth_objectness", "all", ("objectness",)),
    ),
    SSD: (Case("match_iou", 0.35, ("box", "label")),),
    ("ssd300",): (Case("box_scales", (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05), ("box", "label")),),
    ("ssd512",): (Case("box_scales", (0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05), ("box", "label")),),
    ("ssdlite",): (
        Case("smallest_boxes", 0.1, ("box", "label")),
        Case("largest_boxes", 0.7, ("box", "label")),
    ),
    RETINA: (
        Case("anchor_scale", 2.0, ("box", "label")),
        Case("positive_iou", 0.75, ("box", "label")),
        Case("negative_iou", 0.2, ("label",)),
        Case("focal_gamma", 0.0, ("label",)),
        Case("focal_alpha", 0.5, ("label",)),
    ),
    ("fcos",): (
        Case("centre_radius", 0.5, ("box", "centre", "label")),
        Case("centre_radius", 1000.0, ("box", "centre", "label")),
    ),
}
CASES = [(name, case) for names, cases in TABLE.items() for name in names for case in cases]
LOSS_SETTINGS = {
    (name, row.name)
    for name in built_in()
    for row in rows(detectors.load_all().get(name).settings_class)
    if row.group == "Loss"
}
WITH_PRIOR = sorted(name for name, setting in LOSS_SETTINGS if setting == "objectness_prior")


@pytest.mark.parametrize("name", BY_HAND)
def test_by_default_every_term_is_as_by_hand(name: str) -> None:
    found, expected = terms(default(name), outputs(name)), BY_HAND[name](default(name), outputs(name))
    assert set(found) == set(expected)
    for term, value in found.items():
        assert value.item() == pytest.approx(expected[term].item(), rel=1e-4), term


@pytest.mark.parametrize(("name", "case"), CASES, ids=str)
def test_a_setting_moves_its_terms_to_what_they_are_by_hand_and_no_other(name: str, case: Case) -> None:
    changed, raw = build(name, **{case.setting: case.value}), outputs(name)
    before, after, expected = terms(default(name), raw), terms(changed, raw), BY_HAND[name](changed, raw)
    moved = {term for term in before if abs(after[term] - before[term]) > 5e-4 * abs(before[term])}
    assert moved == set(case.moves)
    for term, value in after.items():
        assert value.item() == pytest.approx(expected[term].item(), rel=1e-4, abs=1e-6), term
    for term, factor in case.factors.items():
        assert after[term].item() == pytest.approx(factor * before[term].item(), rel=1e-4), term


def test_no_setting_of_a_loss_is_missing_from_the_table() -> None:
    """A new one fails here until somebody says what it moves."""
    tabled = {(name, case.setting) for name, case in CASES} | {(name, "objectness_prior") for name in WITH_PRIOR}
    assert len(LOSS_SETTINGS) > 60
    assert LOSS_SETTINGS - tabled == set(), "add a Case of each to CASES"


@pytest.mark.parametrize("value", [0.02, 0.5])
@pytest.mark.parametrize("name", WITH_PRIOR)
def test_training_starts_at_the_objectness_prior(name: str, value: float) -> None:
    """What the last layers' biases alone say to an image without boxes: the cost of the prior, at each of the N."""
    detector = build(name, objectness_prior=value)
    raw: list[Tensor] = []
    for out, like in zip(detector.outs, outputs(name), strict=True):
        bias = detector.get_parameter(f"{out}.bias").detach()
        level = bias[None, :, None, None].expand(like.shape)
        raw.append(level.sigmoid() if name in CSP else level)
        assert bias.view(-1, 5 + C)[:, 4].sigmoid().tolist() == pytest.approx([value] * (len(bias) // (5 + C)))
    level = levels(tuple(raw), 5 + C)
    square = torch.tensor(value**2 / 2)
    each = square if name in V2 + CSP else -torch.log(torch.tensor(1 - value))
    weights = torch.tensor([4.0, 1.0, 0.4])[level] if name in CSP else torch.ones(len(level))
    found = terms(detector, tuple(raw), NOTHING)["objectness"]
    assert found.item() == pytest.approx((each * weights).sum().item(), rel=1e-3)


@pytest.mark.parametrize("name", V4)
def test_darknets_gradient_pulls_in_another_direction_at_the_same_priors(name: str) -> None:
    slopes = []
    for gradient in ("true", "darknet"):
        raw = tuple(level.clone().requires_grad_() for level in outputs(name))
        build(name, box_gradient=gradient, box_weight=1.0).loss(raw, TARGETS)["box"].backward()
        slopes.append(flat(tuple(level.grad for level in raw if level.grad is not None), 5 + C))
    true, darknet = slopes
    at = sorted(one.index for one in answers(default(name), getattr(default(name).settings, "match_iou")))  # noqa: B009
    assert true.any(1).nonzero()[:, 0].tolist() == darknet.any(1).nonzero()[:, 0].tolist() == at
    likeness = functional.cosine_similarity(true[at], darknet[at])
    assert likeness.min() < 0.99


def test_ssds_default_boxes_have_the_sides_that_were_asked_for() -> None:
    """The first box of a map is a square of its scale, the second one of the root of its and the next one's."""
    scales = (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05)
    zero = tuple(torch.zeros_like(level) for level in outputs("ssd300"))
    found = build("ssd300", box_scales=scales).candidates(zero).boxes[0]
    first = 0
    for scale, following, level in zip(scales, scales[1:], zero, strict=False):
        sides = found[first : first + 2, 2:] - found[first : first + 2, :2]
        whole, between = scale * PX, min((scale * following) ** 0.5, 1) * PX
        assert sides.flatten().tolist() == pytest.approx([whole, whole, between, between], rel=1e-4)
        first += level.shape[1] // (1 + C) * level.shape[2] * level.shape[3]
    assert first == len(found)


def test_ssdlites_default_boxes_grow_evenly_from_the_smallest_to_the_largest() -> None:
    zero = tuple(torch.zeros_like(level) for level in outputs("ssdlite"))
    found = build("ssdlite", smallest_boxes=0.1, largest_boxes=0.6).candidates(zero).boxes[0]
    first, sides = 0, []
    for level in zero[:6]:
        sides.append((found[first, 2] - found[first, 0]).item() / PX)
        first += level.shape[1] // (1 + C) * level.shape[2] * level.shape[3]
    assert sides == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], rel=1e-4)


def test_proposals_bound_what_the_second_network_sees_and_nothing_else() -> None:
    few = build("faster-rcnn", proposals=10)
    raw = outputs("faster-rcnn")
    assert few.candidates(raw).boxes.shape[1] == 10
    assert default("faster-rcnn").candidates(raw).boxes.shape[1] == 1000
    before, after = terms(default("faster-rcnn"), raw), terms(few, raw)
    moved = {term for term in before if abs(after[term] - before[term]) > 5e-4 * abs(before[term])}
    assert moved == {"box", "label"}


@pytest.mark.parametrize("name", built_in())
def test_a_labels_weight_multiplies_its_boxes_and_another_labels_does_nothing(name: str) -> None:
    alone = Targets(TARGETS.boxes, torch.ones_like(TARGETS.labels), TARGETS.ignore)
    detector = copy.deepcopy(default(name))
    before = terms(detector, outputs(name), alone)
    detector.weigh_labels(torch.tensor([1.0, 3.0, 1.0]))
    after = terms(detector, outputs(name), alone)
    detector.weigh_labels(torch.tensor([7.0, 1.0, 5.0]))
    others = terms(detector, outputs(name), alone)
    assert after["box"].item() == pytest.approx(3 * before["box"].item(), rel=1e-4)
    assert after["label"] > before["label"] * 1.01, (
        f"label_weights of 3 make the loss of labels {after['label']:.4g} of {before['label']:.4g}: all that teaches a"
        " box's label is to be multiplied, and Label balance would do nothing where the background outweighs it so"
    )
    for term, value in others.items():
        assert value.item() == pytest.approx(before[term].item(), rel=1e-5), term


@pytest.mark.parametrize(
    ("name", "scale", "shapes"), [("retinanet", 4.0, 9), ("retinanet", 1.0, 9), ("faster-rcnn", 2.0, 3)]
)
def test_the_smallest_anchors_of_a_level_are_squares_of_so_many_of_its_cells(
    name: str, scale: float, shapes: int
) -> None:
    detector: Any = build(name, anchor_scale=scale)
    first, step = 0, 8 if shapes == 9 else 4
    for height, width in detector.grids:
        each = detector.defaults[first + shapes // 3]
        assert (each[2:] - each[:2]).tolist() == [scale * step] * 2
        first, step = first + height * width * shapes, 2 * step
    assert first == len(detector.defaults)
