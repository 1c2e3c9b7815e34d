"""Detectors that compare every prior with every box do that for as many images at a time as memory is to be taken."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workbench import detectors
from workbench.detectors.parts import matching
from workbench.detectors.parts.detector import Assignment, Targets

SIDE, BOXES = 128, 200
NAMES = ["fcos", "retinanet", "faster-rcnn", "ssd300"]


class Largest(TorchDispatchMode):
    """The most numbers in a tensor that was computed."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


def three_images() -> Targets:
    """Of each size some boxes, of which some are ignore regions."""
    draw = torch.Generator().manual_seed(1)
    middle = torch.rand(3, BOXES, 2, generator=draw) * SIDE
    sides = torch.exp(torch.rand(3, BOXES, 2, generator=draw) * 3) * 6
    boxes = torch.cat([middle - sides / 2, middle + sides / 2], dim=-1).clamp(0, SIDE)
    return Targets(boxes, torch.zeros(3, BOXES, dtype=torch.int64), torch.rand(3, BOXES, generator=draw) < 0.2)


@pytest.mark.parametrize("name", NAMES)
def test_priors_are_matched_with_the_boxes_of_as_many_images_as_memory_is_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FCOS compared the points of a whole batch with all boxes, in eight numbers each: 1.9 GB for 16 images of 200
    boxes at 800 px, now 0.4.
    """
    settings = detectors.load_all().get(name).settings_class(input_px=SIDE, width=0.25)
    detector, targets = detectors.build(name, settings, 1, None), three_images()
    with Largest() as of_batch:
        expected = detector.assignment(targets, (SIDE, SIDE))
    monkeypatch.setattr(matching, "AT_ONCE", 1)
    with Largest() as of_image:
        found = detector.assignment(targets, (SIDE, SIDE))
    assert of_image.numbers * 3 == of_batch.numbers
    assert len(found.image)
    assert vars_of(found) == vars_of(expected)


def vars_of(found: Assignment) -> list[list[int]]:
    return [getattr(found, field.name).tolist() for field in fields(found)]


def test_the_best_overlap_is_sought_among_as_many_boxes_as_memory_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """For Faster R-CNN's 160,000 anchors at 800 px it took 1.7 GB of 16 images, now 0.7."""
    targets, draw = three_images(), torch.Generator().manual_seed(2)
    boxes = torch.rand(3, 500, 4, generator=draw).mul(SIDE).sort(-1).values
    expected = matching.best_overlap(boxes, targets)
    monkeypatch.setattr(matching, "AT_ONCE", 3 * 500 * 7)
    with Largest() as some:
        found = matching.best_overlap(boxes, targets)
    assert some.numbers == 3 * 500 * 7
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
