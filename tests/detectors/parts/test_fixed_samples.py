"""Samples in fixed shapes are torchvision's: what NMS leaves, what is drawn, and what is pooled for a box."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, nms

from workbench.detectors.parts import fixed_samples

Nms = Callable[[Tensor, Tensor, float], Tensor]


def boxes_around(centres: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """Squares and rectangles of some 40 pixels, moved at random."""
    centres = centres + torch.randn(centres.shape, generator=generator) * spread
    halves = 20 * (torch.randn(centres.shape, generator=generator) * 0.15).exp()
    return torch.cat([centres - halves, centres + halves], dim=-1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["few objects", "every cell"])
@pytest.mark.parametrize("way", [fixed_samples.exact_nms, fixed_samples.nms_in_rounds])
def test_nms_leaves_what_torchvisions_leaves(way: Nms, kind: str, seed: int) -> None:
    """A trained network's proposals crowd around its objects; an untrained one's are its anchors, in any order."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "few objects":
        centres = (torch.rand(2, 12, 1, 2, generator=generator) * 400).expand(-1, -1, 60, -1).reshape(2, -1, 2)
        boxes = boxes_around(centres, 4, generator)
    else:
        cells = torch.cartesian_prod(torch.arange(27), torch.arange(27)).float() * 4
        boxes = boxes_around(cells.expand(2, -1, -1), 0.5, generator)
    boxes = torch.stack([one[torch.randperm(boxes.shape[1], generator=generator)] for one in boxes])
    there = torch.rand(boxes.shape[:2], generator=generator) < 0.9
    left = way(boxes, there, 0.7)
    order = torch.arange(boxes.shape[1], 0, -1).float()
    for one, real, kept in zip(boxes, there, left, strict=True):
        assert torch.equal(kept.nonzero()[:, 0], real.nonzero()[:, 0][nms(one[real], order[real], 0.7)])


def test_behind_a_chain_that_is_too_long_no_two_boxes_overlap() -> None:
    low = torch.arange(200.0)[:, None] * torch.tensor([1.0, 0.0])  # each overlaps only the next one by .7
    boxes = torch.cat([low, low + torch.tensor([6.0, 6.0])], dim=1)[None]
    left = fixed_samples.nms_in_rounds(boxes, torch.ones(1, 200, dtype=torch.bool), 0.7)[0]
    exact = nms(boxes[0], torch.arange(200, 0, -1).float(), 0.7)
    assert left.nonzero()[:, 0].tolist() == [one for one in exact.tolist() if one < fixed_samples.ROUNDS]


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [(3, 90, (3, 13)), (50, 40, (4, 12)), (50, 5, (4, 5)), (0, 90, (0, 16)), (0, 0, (0, 0)), (2, 0, (2, 0))],
)
def test_as_many_are_drawn_as_by_torchvision(positives: int, negatives: int, expected: tuple[int, int]) -> None:
    role = torch.zeros(2, 100, dtype=torch.int64)
    role[:, :positives], role[:, positives : positives + negatives] = 1, 2
    masks = fixed_samples.draw(role == 1, role == 2, 16, 0.25)
    rows, positive, negative = fixed_samples.gathered(*masks, 16)
    assert rows.shape == positive.shape == negative.shape == (2, 16)
    drawn = role.gather(1, rows)
    for image in range(2):
        assert (int(positive[image].sum()), int(negative[image].sum())) == expected
        assert drawn[image][positive[image]].eq(1).all()
        assert drawn[image][negative[image]].eq(2).all()
        counted = rows[image][positive[image] | negative[image]]
        assert len(counted.unique()) == sum(expected), "none twice"


def test_each_is_drawn_as_often_as_any_other() -> None:
    torch.manual_seed(0)
    positive = torch.arange(20).expand(2000, -1) < 8
    of = [mask.float().mean(0) for mask in fixed_samples.draw(positive, ~positive, 8, 0.25)]
    torch.testing.assert_close(of[0], torch.where(positive[0], 2 / 8, 0.0), atol=0.05, rtol=0)
    torch.testing.assert_close(of[1], torch.where(positive[0], 0.0, 6 / 12), atol=0.05, rtol=0)


def test_an_image_with_fewer_boxes_than_are_to_be_drawn_gives_all() -> None:
    positive = torch.tensor([[True, False, False]])
    rows, few, many = fixed_samples.gathered(*fixed_samples.draw(positive, ~positive, 16, 0.5), 16)
    assert (sorted(rows[0].tolist()), int(few.sum()), int(many.sum())) == ([0, 1, 2], 1, 2)


def test_what_is_pooled_and_its_gradient_are_torchvisions() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 3, 128 >> level, 128 >> level, generator=generator) for level in range(4)]
    corner = torch.rand(2, 60, 1, generator=generator) * torch.tensor([60.0, 400.0])
    side = (torch.rand(2, 60, 1, generator=generator) * 6.2).exp() * torch.tensor([1.0, 1.3])
    boxes = torch.cat([corner, (corner + side)], dim=-1).clamp(max=512)
    theirs = MultiScaleRoIAlign(["0", "1", "2", "3"], (7, 7), 2)
    wanted = torch.randn(120, 3, 7, 7, generator=generator)
    found = []
    for way in ("ours", "theirs"):
        own = [one.clone().requires_grad_() for one in maps]
        if way == "ours":
            pooled = fixed_samples.pool(own, boxes, 4, (7, 7))
        else:
            named = OrderedDict(zip("0123", own, strict=True))
            pooled = theirs(named, list(boxes), [(512, 512)] * 2)
        found.append((pooled.detach(), torch.autograd.grad((pooled * wanted).sum(), own)))
    assert torch.equal(found[0][0], found[1][0])
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert other.abs().sum() > 0
        torch.testing.assert_close(one, other)
