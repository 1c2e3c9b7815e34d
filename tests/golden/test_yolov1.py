"""YOLOv1 and its tiny relative against the arrays that Darknet computed: forward and the gradients at the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.golden.darknet_arrays import Case, worst_delta, worst_forward
from workbench.detectors.parts.detection_head import DetectionHead, DetectionRules
from workbench.detectors.parts.detector import Targets


@pytest.fixture(
    scope="module", params=["yolov1-tiny", pytest.param("yolov1", marks=pytest.mark.slow)]
)  # 272 million weights
def case(request: pytest.FixtureRequest, test_data: Path) -> Case:
    return Case(test_data, request.param, request.param)


def targets(case: Case) -> Targets:
    """Darknet's truth holds a box per cell: flag, one-hot label, place in the cell, sides as shares of the image."""
    truth = torch.tensor(case.arrays["truth"])  # (B, 49, 25)
    place = torch.arange(49)
    corner = torch.stack([place % 7, place // 7], dim=-1)
    centre, half = (truth[..., 21:23] + corner) / 7, truth[..., 23:25] / 2
    labels = torch.where(truth[..., 0] == 1, truth[..., 1:21].argmax(-1), -1)
    boxes = torch.cat([centre - half, centre + half], dim=-1) * case.px
    return Targets(boxes, labels, torch.zeros_like(labels, dtype=torch.bool))


def head(case: Case, rules: DetectionRules = DetectionRules()) -> DetectionHead:  # noqa: B008
    return DetectionHead(case.labels, 7, 2, case.px, rules)


def test_the_network_computes_what_darknet_computes(case: Case, figures: dict[str, float]) -> None:
    figures["forward"] = worst_forward(case, case.detector())
    assert figures["forward"] < 1e-4


def test_the_loss_pulls_where_darknets_pulls(case: Case, figures: dict[str, float]) -> None:
    figures["gradient"] = worst_delta(case, head(case).loss, targets(case))
    assert figures["gradient"] < 1e-5


@pytest.mark.parametrize(
    "other", [DetectionRules(rescore=False), DetectionRules(box_weight=1.0), DetectionRules(background_weight=1.0)]
)
def test_other_rules_pull_elsewhere(test_data: Path, other: DetectionRules) -> None:
    case = Case(test_data, "yolov1-tiny", "yolov1-tiny")
    assert worst_delta(case, head(case, other).loss, targets(case)) > 1e-3


def test_boxes_are_the_squares_of_what_darknet_gives_and_scores_its_products(case: Case) -> None:
    """Darknet's layout: 49 x 20 labels, 49 x 2 confidences, 49 x 2 boxes. It decodes them as written out here."""
    flat = case.arrays["head0_raw"].reshape(-1)
    labels, confidence, boxes = flat[:980].reshape(49, 20), flat[980:1078].reshape(49, 2), flat[1078:].reshape(98, 4)
    found = head(case).candidates(case.raw("head"))
    for cell, second in ((0, 0), (10, 1), (48, 1)):
        x, y, w, h = boxes[2 * cell + second]
        x, y, w, h = (x + cell % 7) / 7, (y + cell // 7) / 7, w * w, h * h
        expected = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * case.px
        np.testing.assert_allclose(found.boxes[0, 2 * cell + second].numpy(), expected, rtol=1e-5, atol=1e-3)
        product = np.maximum(confidence[cell, second], 0) * np.maximum(labels[cell], 0)
        np.testing.assert_allclose(found.scores[0, 2 * cell + second].numpy(), np.minimum(product, 1), atol=1e-6)
