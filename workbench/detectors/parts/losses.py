"""Losses for boxes (CIoU and relatives, YOLOv3's coordinates, Darknet's own gradient) and for probabilities.

P = pairs of prediction and truth. Boxes are xyxy. Each function returns one value per pair; weighting and summing are
the caller's. Sources: GIoU arXiv 1902.09630, DIoU and CIoU arXiv 1911.08287, YOLOv3 arXiv 1804.02767, focal loss arXiv
1708.02002, hard examples arXiv 1604.03540.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

IOU_LOSSES = ("ciou", "diou", "giou", "iou")
PROCESSOR = "cpu"  # see _product
EPS = 1e-9
ALPHA_EPS = 1e-6  # Darknet's, in the denominator of CIoU's alpha


def iou_loss(predicted: Tensor, truth: Tensor, kind: str) -> Tensor:
    """1 - IoU, GIoU, DIoU or CIoU of boxes (..., 4) with boxes (..., 4) -> (...). Differentiable by autograd."""
    sides, truth_sides = predicted[..., 2:] - predicted[..., :2], truth[..., 2:] - truth[..., :2]
    common = _product(_overlap(predicted, truth).clamp(min=0))
    union = _product(sides) + _product(truth_sides) - common
    iou = common / union.clamp(min=EPS)
    if kind == "iou":
        return 1 - iou
    hull = torch.maximum(predicted[..., 2:], truth[..., 2:]) - torch.minimum(predicted[..., :2], truth[..., :2])
    if kind == "giou":
        area = _product(hull).clamp(min=EPS)
        return 1 - iou + (area - union) / area
    apart = ((predicted[..., :2] + predicted[..., 2:] - truth[..., :2] - truth[..., 2:]) / 2).square().sum(-1)
    loss = 1 - iou + apart / hull.square().sum(-1).clamp(min=EPS)
    if kind == "diou":
        return loss
    aspect = 4 / math.pi**2 * (_angle(truth_sides) - _angle(sides)).square()
    with torch.no_grad():
        alpha = aspect / (1 - iou + aspect + ALPHA_EPS)
    return loss + alpha * aspect


def _product(sides: Tensor) -> Tensor:
    """(..., 2) -> (...), without prod(), whose gradient makes torch wait for the graphics card to say whether a side is
    0.

    On the processor prod() stays: the gradient differs in the last digit, and with it every training so far.
    """
    return sides.prod(-1) if sides.device.type == PROCESSOR else sides[..., 0] * sides[..., 1]


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    return torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])


def _angle(sides: Tensor) -> Tensor:
    return torch.atan(sides[..., 0] / sides[..., 1].clamp(min=EPS))


def coordinate_loss(numbers: Tensor, encoded: Tensor, area: Tensor, *, activated: bool = False) -> Tensor:
    """YOLOv3's box term: cross-entropy of x and y, half the squared error of log w and log h, times 2 - area.

    numbers, encoded (..., 4); area (...): the true box's share of the image, so small boxes weigh up to twice as much
    (rules 16, 17). For `activated` numbers: half the squared error of all four.
    """
    centre = pull(numbers[..., :2], encoded[..., :2], activated).sum(-1)
    side = (numbers[..., 2:] - encoded[..., 2:]).square().sum(-1) / 2
    return (centre + side) * (2 - area)


def pull(numbers: Tensor, wanted: Tensor, activated: bool) -> Tensor:
    """The cost of a probability that is not the one wanted: the cross-entropy of a logit.

    `activated` numbers are probabilities themselves. Their cost is half the squared error, whose gradient is the
    difference, as Darknet has it; its logistic activation then multiplies that by p (1 - p).
    """
    if activated:
        return (numbers - wanted).square() / 2
    return functional.binary_cross_entropy_with_logits(numbers, wanted, reduction="none")


FOCAL_ALPHA = 0.25  # the paper's, of positives; negatives count 1 - alpha


def focal_weight(probability: Tensor, wanted: Tensor, gamma: float, alpha: float = FOCAL_ALPHA) -> Tensor:
    """Focal loss's factor on cross-entropy: easy examples, already nearly right, count less (equation 5)."""
    side = alpha * wanted + (1 - alpha) * (1 - wanted)
    error = probability * (1 - wanted) + (1 - probability) * wanted
    # below 1 the power's slope at 0 is infinite, and in float32 the probability is exactly 1 from a logit of 17 on
    return side * (error if gamma >= 1 else error.clamp(min=1e-6)) ** gamma


def hardest(loss: Tensor, eligible: Tensor, most: Tensor) -> Tensor:
    """(B, N) bool: in each row the `most` (B,) eligible entries with the highest loss (online hard example mining)."""
    ranked = torch.where(eligible, loss, -math.inf).argsort(dim=1, descending=True)
    rank = torch.empty_like(ranked).scatter_(1, ranked, torch.arange(loss.shape[1], device=loss.device).expand_as(loss))
    return eligible & (rank < most[:, None])


def with_gradient(value: Tensor, logits: Tensor, delta: Tensor) -> Tensor:
    """A tensor with the values `value` (...), whose gradient with respect to `logits` (..., 4) is -`delta` (..., 4)."""
    lever = (logits * delta.detach()).sum(-1)
    return value.detach() - (lever - lever.detach())


@torch.no_grad()
def darknet_ciou_delta(
    predicted: Tensor, truth: Tensor, side_factors: Tensor | float = 1.0, largest: Tensor | float = math.inf
) -> Tensor:
    """Darknet's CIoU step for the four numbers, which is not CIoU's gradient (rules 23, 24): (..., 4), unweighted.

    predicted and truth: xyxy as shares of the image. Three deviations of its `dx_box_iou` are kept: the centre's
    derivative is used for t_x and t_y (no sigmoid, no cell, no scale_x_y); the overlap's derivative by w and h is not
    halved; the aspect's lacks 1 / (w^2 + h^2). `side_factors` (..., 2), exp(t) in YOLOv4 and 1 with new_coords,
    multiply w and h. Results are clamped to `largest` (..., 1), NaN becomes 0.
    """
    sides, truth_sides = predicted[..., 2:] - predicted[..., :2], truth[..., 2:] - truth[..., :2]
    low, high = _overlap_slopes(predicted, truth, sides, truth_sides)  # by the low and the high edges, (..., 2) each
    apart = (truth[..., :2] + truth[..., 2:] - predicted[..., :2] - predicted[..., 2:]) / 2
    hull = torch.maximum(predicted[..., 2:], truth[..., 2:]) - torch.minimum(predicted[..., :2], truth[..., :2])
    diagonal = hull.square().sum(-1, keepdim=True)  # C
    reach_low, reach_high = (predicted[..., :2] < truth[..., :2]).float(), (predicted[..., 2:] > truth[..., 2:]).float()
    distance = apart.square().sum(-1, keepdim=True)  # S
    # d(-S / C) by the centre as in Darknet: its second part has the opposite sign of the true derivative
    by_centre = (2 * apart * diagonal - 2 * hull * (reach_high - reach_low) * distance) / diagonal.square()
    by_side = 2 * hull * (reach_high + reach_low) / 2 * distance / diagonal.square()
    aspect_slope = 8 / math.pi**2 * (_angle(truth_sides) - _angle(sides))
    alpha = _alpha(predicted, truth, sides, truth_sides)
    by_aspect = (alpha * aspect_slope)[..., None] * torch.stack([sides[..., 1], -sides[..., 0]], dim=-1)
    steps = torch.cat([low + high + by_centre, (high - low + by_side + by_aspect) * side_factors], dim=-1)
    steps = torch.nan_to_num(steps, nan=0.0, posinf=0.0, neginf=0.0)
    bound = largest.to(steps.dtype) if isinstance(largest, Tensor) else steps.new_full((), largest)
    return steps.clamp(-bound, bound)


def _overlap_slopes(predicted: Tensor, truth: Tensor, sides: Tensor, truth_sides: Tensor) -> tuple[Tensor, Tensor]:
    """d IoU by the box's left and top, and by its right and bottom edges; zero where the boxes do not overlap."""
    inner = _overlap(predicted, truth)  # (..., 2)
    meets = (inner > 0).all(-1, keepdim=True)
    across = inner.flip(-1)  # moving a vertical edge sweeps the other axis' overlap
    common = inner.prod(-1, keepdim=True)
    union = sides.prod(-1, keepdim=True) + truth_sides.prod(-1, keepdim=True) - common
    grow = sides.flip(-1)  # d area by the high edge
    common_low = -across * (predicted[..., :2] > truth[..., :2])
    common_high = across * (predicted[..., 2:] < truth[..., 2:])
    low = (union * common_low - common * (-grow - common_low)) / union.square()
    high = (union * common_high - common * (grow - common_high)) / union.square()
    return torch.where(meets, low, 0.0), torch.where(meets, high, 0.0)


def _alpha(predicted: Tensor, truth: Tensor, sides: Tensor, truth_sides: Tensor) -> Tensor:
    common = _overlap(predicted, truth).clamp(min=0).prod(-1)
    iou = common / (sides.prod(-1) + truth_sides.prod(-1) - common).clamp(min=EPS)
    aspect = 4 / math.pi**2 * (_angle(truth_sides) - _angle(sides)).square()
    return aspect / (1 - iou + aspect + ALPHA_EPS)
