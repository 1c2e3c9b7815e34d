"""Box losses against torchvision's and against a hand's calculation."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision.ops
from torch import Tensor

from workbench.detectors.parts import losses


def pairs(count: int = 200) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    corner, side = torch.rand(2, count, 2, generator=draw) * 60, torch.rand(2, count, 2, generator=draw) * 50 + 1
    both = torch.cat([corner, corner + side], dim=-1)
    return both[0], both[1]


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        ("ciou", torchvision.ops.complete_box_iou_loss),
        ("diou", torchvision.ops.distance_box_iou_loss),
        ("giou", torchvision.ops.generalized_box_iou_loss),
    ],
)
def test_values_and_gradients_are_torchvisions(kind: str, reference: object) -> None:
    predicted, truth = pairs()
    ours, theirs = predicted.clone().requires_grad_(), predicted.clone().requires_grad_()
    value, expected = losses.iou_loss(ours, truth, kind), reference(theirs, truth)  # type: ignore[operator]
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
    value.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-3, atol=1e-5)


def test_overlap_of_a_third_by_hand() -> None:
    """Two 2 x 2 boxes, one moved by 1: IoU 1/3, hull 3 x 2, distance 1 of a diagonal of 13; equal aspects."""
    a, b = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])
    assert losses.iou_loss(a, b, "iou").item() == pytest.approx(2 / 3)
    assert losses.iou_loss(a, b, "giou").item() == pytest.approx(2 / 3)
    assert losses.iou_loss(a, b, "diou").item() == pytest.approx(2 / 3 + 1 / 13)
    assert losses.iou_loss(a, b, "ciou").item() == pytest.approx(2 / 3 + 1 / 13)


@pytest.mark.parametrize("kind", losses.IOU_LOSSES)
def test_a_box_upon_itself_costs_nothing_and_pulls_nowhere(kind: str) -> None:
    box = torch.tensor([[3.0, 4, 10, 20]], requires_grad=True)
    loss = losses.iou_loss(box, box.detach(), kind)
    loss.sum().backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert box.grad is not None
    assert box.grad.isfinite().all()


def test_darknets_pull_on_sides_is_twice_the_overlaps_slope() -> None:
    """A square inside a square with the same centre: IoU = w h / 1, so d IoU / dw = h; Darknet takes 2 h (rule 24)."""
    predicted, truth = torch.tensor([[0.25, 0.25, 0.75, 0.75]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    delta = losses.darknet_ciou_delta(predicted, truth)
    torch.testing.assert_close(delta, torch.tensor([[0.0, 0.0, 1.0, 1.0]]))


def test_darknets_pull_multiplies_sides_by_their_factors_and_leaves_the_centre_alone() -> None:
    predicted, truth = torch.tensor([[0.2, 0.3, 0.6, 0.5]]), torch.tensor([[0.3, 0.3, 0.8, 0.9]])
    plain = losses.darknet_ciou_delta(predicted, truth)
    raised = losses.darknet_ciou_delta(predicted, truth, torch.tensor([[7.389056, 7.389056]]))
    torch.testing.assert_close(raised, plain * torch.tensor([1.0, 1.0, 7.389056, 7.389056]))


def test_darknets_pull_towards_a_box_that_is_not_met_by_hand() -> None:
    """Two unit squares, 2 apart: S = 4, hull 3 x 1 with C = 10, and only the box's left edge is the hull's.

    x: (2 * 2 * 10 + 2 * 3 * 4) / 100, the second part with Darknet's sign; w: 2 * 3 / 2 * 4 / 100.
    """
    delta = losses.darknet_ciou_delta(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[2.0, 0, 3, 1]]))
    torch.testing.assert_close(delta, torch.tensor([[0.64, 0.0, 0.12, 0.0]]))


def test_darknets_pull_of_the_aspect_by_hand() -> None:
    """0.5 x 0.25 in the middle of a unit square: IoU 1/8, whose part is 2 h and 2 w; the aspect's lacks a divisor."""
    delta = losses.darknet_ciou_delta(torch.tensor([[0.25, 0.375, 0.75, 0.625]]), torch.tensor([[0.0, 0, 1, 1]]))
    apart = math.atan(1) - math.atan(2)
    aspect = 4 / math.pi**2 * apart**2
    slope = aspect / (1 - 1 / 8 + aspect) * 8 / math.pi**2 * apart
    torch.testing.assert_close(delta, torch.tensor([[0.0, 0.0, 2 * 0.25 + slope * 0.25, 2 * 0.5 - slope * 0.5]]))


def test_darknets_pull_is_finite_for_boxes_without_size() -> None:
    nowhere = torch.zeros(1, 4)
    assert losses.darknet_ciou_delta(nowhere, nowhere).isfinite().all()


def test_a_given_gradient_replaces_that_of_the_value() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]], requires_grad=True)
    loss = losses.with_gradient(torch.tensor([7.0]), logits, torch.tensor([[0.5, 0.0, -1.0, 2.0]]))
    loss.sum().backward()
    assert loss.item() == 7.0
    assert logits.grad is not None
    assert logits.grad.tolist() == [[-0.5, 0.0, 1.0, -2.0]]


def test_cious_gradient_is_its_derivative_with_alpha_held() -> None:
    """Central differences in double precision; alpha is a constant by CIoU's definition (arXiv 1911.08287, eq. 12)."""
    predicted, truth = (boxes.double() for boxes in pairs(50))

    def aspect(boxes: Tensor) -> Tensor:
        sides, wanted = boxes[:, 2:] - boxes[:, :2], truth[:, 2:] - truth[:, :2]
        return 4 / math.pi**2 * ((wanted[:, 0] / wanted[:, 1]).atan() - (sides[:, 0] / sides[:, 1]).atan()) ** 2

    leaf = predicted.clone().requires_grad_()
    losses.iou_loss(leaf, truth, "ciou").sum().backward()
    assert leaf.grad is not None
    iou = 1 - losses.iou_loss(predicted, truth, "iou")
    alpha = aspect(predicted) / (1 - iou + aspect(predicted) + losses.ALPHA_EPS)
    for number in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[number] = 1e-6
        ends = [losses.iou_loss(b, truth, "diou") + alpha * aspect(b) for b in (predicted - step, predicted + step)]
        slope = (ends[1] - ends[0]) / 2e-6
        torch.testing.assert_close(leaf.grad[:, number], slope, rtol=1e-5, atol=1e-8)
