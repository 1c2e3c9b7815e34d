"""Which anchor answers for which box: torchvision's rules, for all images of a batch at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torchvision.models.detection._utils import Matcher, SSDMatcher
from torchvision.ops import box_iou

from workbench.detectors.parts import anchor_matching, matching

Rule = Callable[[Tensor], Tensor]
RULES: dict[str, tuple[Rule, Any]] = {
    "two thresholds": (
        partial(anchor_matching.match, high=0.5, low=0.4, keep_best=True),
        Matcher(0.5, 0.4, allow_low_quality_matches=True),
    ),
    "one threshold": (
        partial(anchor_matching.match, high=0.5, low=0.5, keep_best=False),
        Matcher(0.5, 0.5, allow_low_quality_matches=False),
    ),
    "default boxes": (partial(anchor_matching.match_defaults, threshold=0.5), SSDMatcher(0.5)),
}


def some(images: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (B, 9, 4) of which some are padding, which are real, and anchors (N, 4)."""
    draw = torch.Generator().manual_seed(2)
    corner = torch.rand(images, 9, 2, generator=draw) * 200
    boxes = torch.cat([corner, corner + torch.rand(images, 9, 2, generator=draw) * 90 + 2], dim=-1)
    real = torch.rand(images, 9, generator=draw) < 0.8
    middle = torch.cartesian_prod(torch.arange(0, 256, 16), torch.arange(0, 256, 16)).float()
    anchors = torch.cat([torch.cat([middle - side, middle + side], dim=1) for side in (12.0, 30.0)])
    return boxes, real, anchors


@pytest.mark.parametrize("at_once", [2**24, 9 * 512 * 2, 1])
@pytest.mark.parametrize("name", RULES)
def test_a_batch_is_matched_as_torchvision_does_each_image(
    name: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "AT_ONCE", at_once)
    rule, theirs = RULES[name]
    boxes, real, anchors = some(5)
    found = anchor_matching.matches(boxes, real, anchors, rule)
    for image in range(5):
        there = real[image].nonzero()[:, 0]
        expected = theirs(box_iou(boxes[image, there], anchors))
        assert torch.equal(found[image], torch.where(expected >= 0, there[expected.clamp(min=0)], expected))
    assert (found >= 0).any()


def test_overlaps_are_torchvisions_to_the_bit() -> None:
    boxes, _, anchors = some(3)
    found = matching.pairwise_iou(boxes, anchors[None])
    assert torch.equal(found, torch.stack([box_iou(one, anchors) for one in boxes]))


class Calls(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", RULES)
def test_more_images_take_no_more_calls(name: str) -> None:
    """On a graphics card each call takes microseconds, however small: in SSD's batch of 32 images 1,800 of them."""
    counts = []
    for images in (2, 32):
        given = some(images)
        with Calls() as calls:
            anchor_matching.matches(*given, RULES[name][0])
        counts.append(calls.count)
    assert counts[0] == counts[1]
