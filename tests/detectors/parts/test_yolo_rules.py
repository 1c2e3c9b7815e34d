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
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from workbench.detectors.parts import losses
from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.yolo_head import Rules, YoloHead

PAPER = Rules("mse", 1.0)
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


def test_rows_and_columns_of_a_wide_input_are_its_own() -> None:
    """96 x 64 pixels: two rows of three cells, each with a box of either anchor's size in its middle."""
    found = head().candidates((torch.zeros(1, 14, 2, 3),))
    centres = (found.boxes[0, :, :2] + found.boxes[0, :, 2:]) / 2
    assert sorted(map(tuple, centres.tolist())) == [(x, y) for x in (16, 48, 80) for y in (16, 48) for _ in ANCHORS]
    sides = found.boxes[0, :, 2:] - found.boxes[0, :, :2]
    assert sorted(map(tuple, sides.tolist())) == [(32, 32)] * 6 + [(64, 64)] * 6
    assert found.scores.tolist() == [[[0.25, 0.25]] * 12], "objectness times label"
    for x, y, size in ((80.0, 40.0, (64, 96)), (40.0, 80.0, (96, 64))):
        answers = head().assignment(truth((x, y, 32, 32, 0)), size)
        assert (answers.row.tolist(), answers.column.tolist()) == ([y // 32], [x // 32])


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
    rules, box = Rules("ciou", 1.0, darknet_gradient=True), truth((40, 48, 32, 32, 0))
    free = deltas(rules, box, raw.clone())[1, 1, 0, :4]
    cut = deltas(replace(rules, largest_delta=(0.1,)), box, raw.clone())[1, 1, 0, :4]
    assert free.abs().max() > 0.1
    torch.testing.assert_close(cut, free.clamp(-0.1, 0.1))
    heavy = deltas(replace(rules, largest_delta=(0.1,), box_weight=2.0), box, raw.clone())[1, 1, 0, :4]
    torch.testing.assert_close(heavy, (2 * free).clamp(-0.1, 0.1))


def test_rule_28_of_activated_outputs_darknets_pull_has_no_factor_for_the_sides() -> None:
    """The same prediction, twice as wide as its anchor: exp(t) is 2 for the width, which new_coords leave out."""
    rules, box = Rules("ciou", 1.0, darknet_gradient=True), truth((40, 48, 40, 24, 0))
    wide = torch.full((1, 2, 7, 4, 4), 0.5)
    wide[0, 0, 2, 1, 1] = math.sqrt(2) / 2
    plain = deltas(rules, box, with_value((0, 2, 1, 1), math.log(2)))[1, 1, 0, :4]
    activated = deltas(replace(rules, activated=True), box, wide.view(1, 14, 4, 4))[1, 1, 0, :4]
    torch.testing.assert_close(plain, activated * torch.tensor([1.0, 1.0, 2.0, 1.0]))


def test_an_ignore_region_is_never_a_positive_and_silences_predictions_mostly_inside_it() -> None:
    """The region covers the left half: predictions of 32 x 32 there are spared, those on the right are not."""
    for rules in (PAPER, replace(PAPER, smooth_objectness=(True,))):
        moved = deltas(rules, truth((32, 64, 64, 128, 0), ignore=(0,)))[:, :, 0, 4]
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
    boxes = last(torch.ones(1, 8, 4, 4))[0].view(2, 7, 4, 4)[:, :4]
    assert 0 < boxes.abs().max() < 0.2, "near the anchors, whatever an image shows"


def test_anchors_are_laid_in_the_middle_of_their_cells() -> None:
    one = head()
    laid = one.layout(one.spread([(4, 4)]))
    assert laid.boxes[[0, 1, 2]].tolist() == [[0, 0, 32, 32], [-16, -16, 48, 48], [32, 0, 64, 32]]


def test_rule_27_smoothed_labels_are_taught_a_little_less_than_certain() -> None:
    """0.1: 0.95 and 0.05 instead of 1 and 0, from outputs of 0.5."""
    moved = deltas(replace(PAPER, label_smoothing=0.1), truth((48, 48, 32, 32, 0)))
    assert moved[1, 1, 0, 5:].tolist() == pytest.approx([0.45, -0.45])


def test_rule_27_smooth_objectness_pulls_near_predictions_to_their_overlap_and_leaves_positives_alone() -> None:
    """Of rule 19's picture: the near prediction is off by 1.58 of 32 pixels."""
    raw = with_value((0, 0, 1, 2), -4.0)
    moved = deltas(replace(PAPER, smooth_objectness=(True,)), truth((63, 48, 32, 32, 0)), raw)
    assert moved[1, 2, 0, 4].item() == pytest.approx((32 - 1.5755) / (32 + 1.5755) - 0.5, abs=1e-4)
    assert moved[1, 1, 0, 4].item() == -0.5
    assert moved[1, 3, 0, 4].item() == -0.5


def test_rescored_objectness_learns_the_present_overlap() -> None:
    """The box is moved by 15 of 32 pixels against its prediction: IoU 17 / 47."""
    moved = deltas(replace(PAPER, rescore=True), truth((63, 48, 32, 32, 0)))
    assert moved[1, 1, 0, 4].item() == pytest.approx(17 / 47 - 0.5, abs=1e-6)
    assert moved[1, 3, 0, 4].item() == -0.5


def test_focal_loss_is_torchvisions() -> None:
    raw = torch.randn(1, 14, 4, 4, generator=torch.Generator().manual_seed(1))
    one = head(replace(PAPER, focal_gamma=2.0, ignore_iou=1.0))
    loss = one.loss((raw,), truth((48, 48, 32, 32, 1)))
    numbers = raw[0].view(2, 7, 4, 4)
    wanted = torch.zeros(2, 4, 4)
    wanted[0, 1, 1] = 1
    expected = sigmoid_focal_loss(numbers[:, 4], wanted, 0.25, 2.0, reduction="sum")
    assert loss["objectness"].item() == pytest.approx(expected.item(), rel=1e-4)
    expected = sigmoid_focal_loss(numbers[0, 5:, 1, 1], torch.tensor([0.0, 1.0]), 0.25, 2.0, reduction="sum")
    assert loss["label"].item() == pytest.approx(expected.item(), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_focal_loss_of_what_is_certain_has_a_gradient(gamma: float) -> None:
    """float32 takes a logit of 20 for certain, where the slope of error ** 0.3 is infinite."""
    logits = torch.tensor([-90.0, -20.0, 0.3, 20.0, 90.0], requires_grad=True)
    for wanted in (torch.zeros(5), torch.ones(5)):
        each = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        loss = each * losses.focal_weight(logits.sigmoid(), wanted, gamma)
        (slope,) = torch.autograd.grad(loss.sum(), logits)
        assert slope.isfinite().all()
        expected = sigmoid_focal_loss(logits.detach(), wanted, 0.25, gamma)
        assert torch.allclose(loss, expected, atol=1e-6)


def test_hard_negatives_leave_the_worst_backgrounds_and_every_positive() -> None:
    """Three of 31, per image, whether or not it has a positive."""
    raw = torch.randn(1, 14, 4, 4, generator=torch.Generator().manual_seed(1))
    rules = replace(PAPER, negatives_per_positive=3.0, ignore_iou=1.0)
    moved = deltas(rules, truth((48, 48, 32, 32, 1)), raw.clone())[..., 4]
    everything = deltas(replace(rules, negatives_per_positive=0.0), truth((48, 48, 32, 32, 1)), raw.clone())[..., 4]
    worst = everything.clone().flatten().sort().values[:3]
    assert (moved > 0).nonzero().tolist() == [[1, 1, 0]]
    assert moved[moved < 0].sort().values.tolist() == worst.tolist()
    nothing = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))
    assert (deltas(rules, nothing, raw.clone())[..., 4] < 0).sum() == 3
    two = deltas(rules, truth((48, 48, 32, 32, 1), (112, 112, 64, 64, 0)), raw.clone())[..., 4]
    assert ((two > 0).sum(), (two < 0).sum()) == (2, 6)


def test_rare_labels_weigh_more_at_their_boxes_and_nowhere_else() -> None:
    """A label's weight goes on its own output, the box and the objectness (Darknet's counters_per_class)."""
    plain, heavy = head(), head()
    heavy.label_weights.copy_(torch.tensor([1.0, 3.0]))
    raw = torch.zeros(1, 14, 4, 4)
    moved = []
    for one in (plain, heavy):
        leaf = raw.clone().requires_grad_()
        sum(one.loss((leaf,), truth((40, 48, 32, 32, 1), (112, 112, 64, 64, 0))).values()).backward()  # type: ignore[union-attr]
        assert leaf.grad is not None
        moved.append(-leaf.grad[0].view(2, 7, 4, 4).permute(2, 3, 0, 1))
    ratio = moved[1][1, 1, 0] / moved[0][1, 1, 0]
    assert ratio[[0, 4, 5, 6]].tolist() == [3.0, 3.0, 1.0, 3.0]
    moved[1][1, 1, 0] = moved[0][1, 1, 0]
    assert torch.equal(*moved)


def test_rule_28_activated_outputs_are_pulled_by_differences() -> None:
    """Outputs in 0..1 as they are: objectness and labels by what is missing, no cross-entropy's 1 / (p (1 - p))."""
    rules = replace(PAPER, activated=True)
    one = YoloHead(2, ANCHORS, (32,), ((0, 1),), (2.0,), rules)
    raw = torch.full((1, 14, 4, 4), 0.25, requires_grad=True)
    sum(one.loss((raw,), truth((48, 48, 32, 32, 1))).values()).backward()  # type: ignore[union-attr]
    assert raw.grad is not None
    moved = -raw.grad[0].view(2, 7, 4, 4).permute(2, 3, 0, 1)
    weight = 2 - 1 / 16
    assert moved[1, 1, 0].tolist() == pytest.approx([0.25 * weight] * 4 + [0.75, -0.25, 0.75])
    assert moved[1, 2, 0].tolist() == pytest.approx([0.0] * 4 + [-0.25, 0.0, 0.0])


@pytest.mark.parametrize("box", ["diou", "giou", "iou", "mse"])
@pytest.mark.parametrize("activated", [False, True])
def test_the_box_gradient_is_the_derivative_of_its_loss(box: str, activated: bool) -> None:
    """By finite differences; for CIoU see test_box_losses."""
    raw = torch.rand(1, 14, 4, 4, generator=torch.Generator().manual_seed(3)) * 0.6 + 0.2
    one = YoloHead(2, ANCHORS, (32,), ((0, 1),), (1.2,), Rules(box, 1.0, activated=activated))
    wanted, step = truth((44, 52, 40, 26, 1)), 1e-2
    leaf = raw.clone().requires_grad_()
    one.loss((leaf,), wanted)["box"].backward()
    assert leaf.grad is not None
    for number in range(4):
        around = []
        for sign in (-1, 1):
            moved = raw.clone()
            moved.view(2, 7, 4, 4)[0, number, 1, 1] += sign * step
            around.append(one.loss((moved,), wanted)["box"].item())
        slope = (around[1] - around[0]) / (2 * step)
        assert leaf.grad.view(2, 7, 4, 4)[0, number, 1, 1].item() == pytest.approx(slope, rel=1e-2, abs=2e-3)
