"""Which anchors a detector takes, in which order and on which level."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from workbench import detectors
from workbench.detectors.parts.detector import Detector, Targets

TINY = ("yolov3-tiny", "yolov4-tiny")


def build(
    name: str, masks: str = "fixed", px: int = 416, anchors: tuple[tuple[float, float], ...] | None = None
) -> Detector:
    kind = detectors.load_all().get(name)
    plain: Any = kind.settings_class(input_px=px, width=0.05)
    settings = dataclasses.replace(plain, masks=masks, match_iou=1.0)
    return detectors.build(name, settings, 1, anchors)


def test_published_anchors_keep_their_share_of_the_image() -> None:
    assert build("yolov4-tiny", px=416).anchors[0] == (10, 14)
    assert build("yolov4-tiny", px=832).anchors[0] == (20, 28)


def test_given_anchors_are_taken_as_they_are_but_for_the_order() -> None:
    given = tuple((w, 20.0) for w in (60.0, 50.0, 40.0, 30.0, 20.0, 10.0))
    assert build("yolov4-tiny", px=64, anchors=given).anchors == tuple(reversed(given))


@pytest.mark.parametrize("name", TINY)
def test_each_anchor_is_used_once_unless_the_published_masks_are_asked_for(name: str) -> None:
    fixed, published = build(name).anchor_need, build(name, "published").anchor_need
    assert fixed is not None
    assert published is not None
    assert fixed.masks == ((3, 4, 5), (0, 1, 2))
    assert published.masks == ((3, 4, 5), (1, 2, 3))
    assert fixed.strides == published.strides == (32, 16)


@pytest.mark.parametrize("name", TINY)
def test_with_the_published_masks_the_smallest_boxes_are_never_learnt_and_others_are_learnt_twice(name: str) -> None:
    detector = build(name, "published")
    boxes = torch.tensor([[[96.0, 96, 106, 110], [100, 100, 181, 182]]])  # anchors 0 and 3
    targets = Targets(boxes, torch.tensor([[0, 0]]), torch.zeros(1, 2, dtype=torch.bool))
    found = detector.assignment(targets, (416, 416))
    assert found.target.tolist() == [1, 1]
    assert found.level.tolist() == [0, 1]
