"""The rules of Darknet's training that ports get wrong, one by one, on a head of 4 x 4 cells that fits in the head.

One level of stride 32 over 128 x 128 pixels with anchors 32 x 32 and 64 x 64, unless said otherwise; zero outputs mean
boxes of the anchors' size in the middle of each cell, objectness and every label at 0.5.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.yolo_head import Rules, YoloHead

PAPER = Rules("coordinates", 1.0)
ANCHORS = ((32.0, 32.0), (64.0, 64.0))


def head(rules: Rules = PAPER, labels: int = 2) -> YoloHead:
    return YoloHead(labels, ANCHORS, (32,), ((0, 1),), (1.0,), rules)


def two_levels(rules: Rules = PAPER) -> YoloHead:
    """64 x 64 pixels: the large anchor on 2 x 2 cells of 32, the small one on 4 x 4 cells of 16."""
    return YoloHead(2, ANCHORS, (32, 16), ((1,), (0,)), (1.0, 1.0), rules)


def truth(*boxes: tuple[float, float, float, float, int], ignore: tuple[int, ...] = ()) -> Targets:
    """One image; boxes as centre, sides, label."""
    rows = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h, _ in boxes]).view(1, -1, 4)
    flags = torch.tensor([[m in ignore for m in range(len(boxes))]])
    return Targets(rows, torch.tensor([[label for *_, label in boxes]]), flags)


def deltas(rules: Rules, wanted: Targets, raw: Tensor | None = None) -> Tensor:
    """Minus the gradient, as (row, column, anchor, 5 + labels)."""
    raw = (torch.zeros(1, 14, 4, 4) if raw is None else raw).requires_grad_()
    torch.stack(list(head(rules).loss((raw,), wanted).values())).sum().backward()
    assert raw.grad is not None
    return -raw.grad[0].view(2, 7, 4, 4).permute(2, 3, 0, 1)


def with_value(at: tuple[int, int, int, int], value: float) -> Tensor:
    """Zero outputs but for one: (anchor, number, row, column)."""
    raw = torch.zeros(1, 2, 7, 4, 4)
    raw[0][at] = value
    return raw.view(1, 14, 4, 4)


def test_rule_2_terms_are_sums_over_cells_and_means_over_images() -> None:
    """32 priors at 0.5 cost 32 ln 2, for one image as for three."""
    nothing = Targets(torch.zeros(3, 0, 4), torch.zeros(3, 0, dtype=torch.int64), torch.zeros(3, 0, dtype=torch.bool))
    terms = head().loss((torch.zeros(3, 14, 4, 4),), nothing)
    assert terms["objectness"].item() == pytest.approx(32 * math.log(2), rel=1e-5)
    assert terms["box"].item() == terms["label"].item() == 0


def test_rule_5_the_cell_of_the_centre_answers_by_row_and_column() -> None:
    """x is the column and y the row; a centre on a cell's left edge belongs to the cell right of it."""
    moved = deltas(PAPER, truth((96.0, 40.0, 32, 32, 0)))
    assert (moved[..., 4] > 0).nonzero().tolist() == [[1, 3, 0]]


def test_rule_5_a_centre_on_the_far_edge_belongs_to_the_last_cell() -> None:
    moved = deltas(PAPER, truth((128.0, 128.0, 32, 32, 0)))
    assert (moved[..., 4] > 0).nonzero().tolist() == [[3, 3, 0]]


def test_rule_5_boxes_below_a_pixel_are_dropped() -> None:
    assert not (deltas(PAPER, truth((40, 40, 0.9, 20, 0)))[..., 4] > 0).any()


@pytest.mark.parametrize(("add", "expected"), [(True, 0.25 - 0.125), (False, -0.125)])
def test_rule_5_boxes_that_share_a_prior_add_up_or_the_last_one_counts(add: bool, expected: float) -> None:
    """Centres at 3/4 and 3/8 of the cell, predictions at 1/2, weight 2 - 1/16."""
    both = truth((56, 48, 32, 32, 0), (44, 48, 32, 32, 1))
    moved = deltas(replace(PAPER, add_boxes=add), both)
    assert moved[1, 1, 0, 0].item() == pytest.approx(expected * (2 - 1 / 16), rel=1e-4)


def test_rule_16_centre_and_label_by_cross_entropy_and_sides_by_half_the_squared_error() -> None:
    """Not a squared error through the sigmoid, whose delta would be a quarter of this."""
    moved = deltas(PAPER, truth((40, 56, 48, 32, 1)))[1, 1, 0]
    weight = 2 - 48 * 32 / 128**2
    expected = [-0.25 * weight, 0.25 * weight, math.log(1.5) * weight, 0.0, 0.5, -0.5, 0.5]
    assert moved.tolist() == pytest.approx(expected, abs=1e-6)


def test_rule_17_small_boxes_weigh_up_to_twice_and_alexeyabs_darknet_takes_three_quarters() -> None:
    paper, other = (deltas(replace(PAPER, box_weight=w), truth((40, 48, 32, 32, 0)))[1, 1, 0, 0] for w in (1.0, 0.75))
    assert paper.item() == pytest.approx(-0.25 * (2 - 1 / 16))
    assert other.item() == pytest.approx(0.75 * paper.item())


def test_rule_18_only_the_level_with_the_best_anchor_is_trained() -> None:
    """A port that picks the best anchor level by level gives every box several positives."""
    raw = (torch.zeros(1, 7, 2, 2, requires_grad=True), torch.zeros(1, 7, 4, 4, requires_grad=True))
    torch.stack(list(two_levels().loss(raw, truth((20, 20, 30, 30, 0))).values())).sum().backward()
    assert raw[0].grad is not None
    assert raw[1].grad is not None
    assert not (raw[0].grad[0, 4] < 0).any()
    assert (raw[1].grad[0, 4] < 0).nonzero().tolist() == [[1, 1]]


def test_rule_18_a_box_whose_best_anchor_no_level_uses_has_no_positive() -> None:
    unused = YoloHead(2, ANCHORS, (32,), ((1,),), (1.0,), PAPER)
    assert len(unused.assignment(truth((40, 40, 20, 20, 0)), (128, 128)).image) == 0
    assert len(unused.assignment(truth((40, 40, 60, 60, 0)), (128, 128)).image) == 1


def test_rule_19_predictions_close_to_a_box_are_not_background() -> None:
    """The box sits on cell (1, 1); in cell (1, 2) the prediction is moved onto it and gets no objectness delta."""
    raw = with_value((0, 0, 1, 2), -4.0)
    moved = deltas(PAPER, truth((63, 48, 32, 32, 0)), raw)
    assert moved[1, 1, 0, 4].item() == 0.5
    assert moved[1, 2, 0, 4].item() == 0.0
    assert moved[1, 3, 0, 4].item() == -0.5


def test_rule_19_alexeyabs_darknet_ignores_only_where_some_label_is_likely() -> None:
    raw = with_value((0, 0, 1, 2), -4.0)
    raw.view(2, 7, 4, 4)[0, 5:, 1, 2] = -2.0  # both labels at 0.12
    wanted = truth((63, 48, 32, 32, 0))
    assert deltas(PAPER, wanted, raw.clone())[1, 2, 0, 4].item() == 0.0
    assert deltas(replace(PAPER, ignore_label=0.25), wanted, raw.clone())[1, 2, 0, 4].item() == -0.5


def test_rule_19_the_boxes_of_one_image_do_not_excuse_predictions_in_another() -> None:
    box = truth((63, 48, 32, 32, 0))
    pair = Targets(torch.cat([box.boxes, box.boxes]), torch.tensor([[0], [-1]]), torch.zeros(2, 1, dtype=torch.bool))
    raw = torch.cat([with_value((0, 0, 1, 2), -4.0)] * 2).requires_grad_()
    head().loss((raw,), pair)["objectness"].backward()
    assert raw.grad is not None
    assert raw.grad[:, 4, 1, 2].tolist() == [0.0, 0.25]  # the mean of two images halves 0.5


def test_rule_20_a_prior_shared_by_two_labels_is_taught_both_and_each_once() -> None:
    moved = deltas(PAPER, truth((48, 48, 32, 32, 0), (48, 48, 32, 32, 1), (48, 48, 32, 32, 1)))
    assert moved[1, 1, 0, 5:].tolist() == [0.5, 0.5]


def test_rule_20_labels_are_taught_only_where_a_box_is() -> None:
    moved = deltas(PAPER, truth((48, 48, 32, 32, 0)))
    assert moved[1, 1, 0, 5:].tolist() == [0.5, -0.5]
    assert moved[..., 5:].abs().sum().item() == 1.0


def test_rule_21_objectness_is_taught_one_and_not_the_overlap() -> None:
    """The prediction is off by half a cell; its objectness at 0.5 still gets the whole way to 1."""
    moved = deltas(PAPER, truth((63, 48, 32, 32, 0)))
    assert moved[1, 1, 0, 4].item() == 0.5


def test_rule_22_every_anchor_above_the_match_iou_answers_in_the_same_cell() -> None:
    """A 48 x 48 box overlaps 32 x 32 by 0.44 and 64 x 64 by 0.56."""
    box = truth((48, 48, 48, 48, 0))
    assert (deltas(PAPER, box)[..., 4] > 0).nonzero().tolist() == [[1, 1, 1]]
    several = deltas(replace(PAPER, match_iou=0.4), box)
    assert (several[..., 4] > 0).nonzero().tolist() == [[1, 1, 0], [1, 1, 1]]


def test_rule_22_what_two_labels_ask_of_one_prior_is_averaged() -> None:
    both = truth((56, 48, 32, 32, 0), (44, 48, 32, 32, 1))
    moved = deltas(replace(PAPER, match_iou=0.9), both)
    assert moved[1, 1, 0, 0].item() == pytest.approx((0.25 - 0.125) / 2 * (2 - 1 / 16), rel=1e-4)


def test_rule_24_darknets_pull_is_cut_after_weighting() -> None:
    raw = with_value((0, 2, 1, 1), 3.0)
    free = deltas(Rules("darknet ciou", 1.0), truth((40, 48, 32, 32, 0)), raw.clone())[1, 1, 0, :4]
    cut = deltas(Rules("darknet ciou", 1.0, largest_delta=0.1), truth((40, 48, 32, 32, 0)), raw.clone())[1, 1, 0, :4]
    assert free.abs().max() > 0.1
    torch.testing.assert_close(cut, free.clamp(-0.1, 0.1))


def test_an_ignore_region_is_never_a_positive_and_silences_predictions_mostly_inside_it() -> None:
    """The region covers the left half: predictions of 32 x 32 there are spared, those on the right are not."""
    moved = deltas(PAPER, truth((32, 64, 64, 128, 0), ignore=(0,)))[:, :, 0, 4]
    assert moved[:, :2].abs().max().item() == 0.0
    assert moved[:, 2:].max().item() == -0.5


def test_a_box_inside_an_ignore_region_is_still_learnt() -> None:
    moved = deltas(PAPER, truth((48, 48, 32, 32, 0), (64, 64, 128, 128, 0), ignore=(1,)))
    assert moved[1, 1, 0, 4].item() == 0.5


def test_objectness_can_weigh_differently_per_level() -> None:
    raw = torch.zeros(1, 7, 2, 2), torch.zeros(1, 7, 4, 4)
    nothing = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))
    loss = two_levels(replace(PAPER, objectness_weight=(4.0, 0.5))).loss(raw, nothing)["objectness"]
    assert loss.item() == pytest.approx((4 * 4 + 16 * 0.5) * math.log(2), rel=1e-5)


def test_training_starts_at_the_objectness_that_was_asked_for() -> None:
    one = head()
    last = torch.nn.Conv2d(8, one.channels(0), 1)
    one.start([last], 0.01)
    raw = last(torch.zeros(1, 8, 4, 4))
    scores = raw[0].view(2, 7, 4, 4).sigmoid()
    torch.testing.assert_close(scores[:, 4], torch.full((2, 4, 4), 0.01))
    torch.testing.assert_close(scores[:, 5:], torch.full((2, 2, 4, 4), 0.5))
