"""The rules of YOLOv2's training, one by one, on a head of 4 x 4 cells of 32 pixels with anchors 32 x 32 and 64 x 64.

Zero outputs mean boxes of the anchors' size in the middle of each cell, objectness 0.5 and either label at 0.5.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from workbench.detectors.parts.detector import Targets
from workbench.detectors.parts.region_head import RegionHead, RegionRules

PAPER = RegionRules(warm_up_images=0)
LATER = replace(PAPER, sigmoid_squares=False)
ANCHORS = ((32.0, 32.0), (64.0, 64.0))
NOTHING = Targets(torch.zeros(1, 0, 4), torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 0, dtype=torch.bool))


def head(rules: RegionRules = PAPER) -> RegionHead:
    return RegionHead(2, ANCHORS, rules)


def truth(*boxes: tuple[float, float, float, float, int], ignore: tuple[int, ...] = ()) -> Targets:
    """One image; boxes as centre, sides, label."""
    rows = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h, _ in boxes]).view(1, -1, 4)
    flags = torch.tensor([[m in ignore for m in range(len(boxes))]])
    return Targets(rows, torch.tensor([[label for *_, label in boxes]]), flags)


def deltas(rules: RegionRules, wanted: Targets, raw: Tensor | None = None) -> Tensor:
    """Minus the gradient, as (row, column, anchor, 5 + labels)."""
    raw = (torch.zeros(1, 14, 4, 4) if raw is None else raw).requires_grad_()
    (slope,) = torch.autograd.grad(torch.stack(list(head(rules).loss((raw,), wanted).values())).sum(), raw)
    return -slope[0].view(2, 7, 4, 4).permute(2, 3, 0, 1)


def test_rule_11_the_papers_loss_squares_through_the_sigmoid() -> None:
    """Box 32 x 64 centred three quarters into cell (1, 1) in x: x 0.25 off, times p (1 - p) = 0.25; log 2 off in h."""
    found = deltas(PAPER, truth((56.0, 48, 32, 64, 1)))[1, 1, 0]
    assert found[:4].tolist() == pytest.approx([0.25 * 0.25, 0, 0, math.log(2)], abs=1e-6)


def test_rule_11_the_later_loss_drops_that_factor_and_weighs_small_boxes_more() -> None:
    """The same box covers 1/8 of the image's 128 x 128 pixels: weight 2 - 1/8."""
    found = deltas(LATER, truth((56.0, 48, 32, 64, 1)))[1, 1, 0]
    assert found[:4].tolist() == pytest.approx([1.875 * 0.25, 0, 0, 1.875 * math.log(2)], abs=1e-6)


@pytest.mark.parametrize(("rules", "background", "missed"), [(PAPER, -0.125, 0.625), (LATER, -0.5, 2.5)])
def test_rule_11_objectness_weighs_five_at_boxes_and_one_elsewhere(
    rules: RegionRules, background: float, missed: float
) -> None:  # fmt: skip
    found = deltas(replace(rules, rescore=False), truth((48.0, 48, 32, 32, 1)))[..., 4]
    assert found[1, 1, 0].item() == pytest.approx(missed)
    assert found[3, 3].tolist() == pytest.approx([background] * 2)


def test_rule_11_objectness_learns_one_unless_it_is_rescored() -> None:
    """The box is twice as high as its prediction: an overlap of 0.5, which the sigmoid has already."""
    box = truth((48.0, 48, 32, 64, 1))
    once, now = (deltas(replace(LATER, rescore=rescore), box)[1, 1, 0, 4].item() for rescore in (False, True))
    assert (once, now) == (pytest.approx(5 * 0.5), pytest.approx(0, abs=1e-6))


def test_rule_2_terms_are_means_over_images() -> None:
    """32 priors that see nothing cost half of 0.5 squared each, for one image as for three."""
    three = Targets(torch.zeros(3, 0, 4), torch.zeros(3, 0, dtype=torch.int64), torch.zeros(3, 0, dtype=torch.bool))
    for images, nothing in ((1, NOTHING), (3, three)):
        terms = head().loss((torch.zeros(images, 14, 4, 4),), nothing)
        assert terms["objectness"].item() == pytest.approx(32 * 0.125)


def test_rare_labels_weigh_more_at_their_boxes_and_nowhere_else() -> None:
    """On the box, its objectness and its labels; 0.25 into the cell and twice as high, so that each has a pull."""
    moved = []
    for weights in ([1.0, 1.0], [1.0, 3.0]):
        one, raw = head(LATER), torch.zeros(1, 14, 4, 4, requires_grad=True)
        one.label_weights.copy_(torch.tensor(weights))
        terms = one.loss((raw,), truth((40.0, 48, 40, 30, 1), (112, 112, 64, 64, 0)))
        (slope,) = torch.autograd.grad(torch.stack(list(terms.values())).sum(), raw)
        moved.append(slope[0].view(2, 7, 4, 4).permute(2, 3, 0, 1))
    ratio = moved[1][1, 1, 0] / moved[0][1, 1, 0]
    assert ratio[[0, 2, 3, 4, 5, 6]].tolist() == pytest.approx([3.0] * 6)
    moved[1][1, 1, 0] = moved[0][1, 1, 0]
    assert torch.equal(*moved)


def test_rule_12_at_first_every_free_prior_is_held_near_its_anchor_with_weight_one_hundredth() -> None:
    raw = torch.zeros(1, 2, 7, 4, 4)
    raw[:, :, 2] = 0.5  # all 1.6 times too wide
    rules = replace(PAPER, warm_up_images=1)
    found = deltas(rules, truth((48.0, 48, 32, 32, 1)), raw.view(1, 14, 4, 4))[..., 2]
    assert found[1, 1, 0].item() == pytest.approx(-0.5)  # the box's own pull, alone
    assert found[1, 1, 1].item() == found[3, 3, 0].item() == pytest.approx(-0.005)
    aside = torch.zeros(1, 2, 7, 4, 4)
    aside[:, :, 0] = math.log(3)  # three quarters into each cell: 0.25 off its middle, times p (1 - p)
    found = deltas(rules, NOTHING, aside.view(1, 14, 4, 4))
    assert found[3, 3, 0, :2].tolist() == pytest.approx([-0.01 * 0.25 * 0.75 * 0.25, 0], abs=1e-7)


def test_rule_12_the_pull_ends_after_so_many_images_of_training() -> None:
    counting, raw = head(replace(PAPER, warm_up_images=2)), (torch.ones(1, 14, 4, 4),)
    warms_up = [counting.loss(raw, NOTHING)["warm-up"].item() > 0 for _ in range(4)]
    assert warms_up == [True, True, False, False]
    assert counting.seen.item() == 4


def test_rule_12_evaluation_is_not_counted() -> None:
    counting = head().eval()
    counting.loss(
        (torch.zeros(3, 14, 4, 4),),
        Targets(*(torch.cat([getattr(NOTHING, f)] * 3) for f in ("boxes", "labels", "ignore"))),
    )
    assert counting.seen.item() == 0


def test_rule_12_a_resumed_run_goes_on_counting() -> None:
    first, second = head(), head()
    first.loss((torch.zeros(1, 14, 4, 4),), NOTHING)
    second.load_state_dict(first.state_dict())
    assert second.seen.item() == 1


def test_rule_13_the_anchor_of_the_best_shape_answers_wherever_the_box_lies_in_the_cell() -> None:
    found = deltas(PAPER, truth((33.0, 33, 60, 50, 1), (100, 100, 20, 30, 0)))[..., 5:]
    assert found.abs().amax(-1).nonzero().tolist() == [[1, 1, 1], [3, 3, 0]]


def test_rule_13_a_prediction_that_overlaps_a_box_is_not_background() -> None:
    """The box equals the large prediction of cell (1, 1), whose neighbours overlap it by 1/3, but 60 % under 0.3."""
    wanted = truth((48.0, 48, 64, 64, 1))
    silent = (deltas(replace(PAPER, ignore_iou=0.3), wanted)[..., 1, 4] == 0).nonzero().tolist()
    assert silent == [[0, 1], [1, 0], [1, 2], [2, 1]]
    assert not (deltas(PAPER, wanted)[..., 1, 4] == 0).any()


def test_rule_13_objectness_learns_the_present_overlap_as_a_constant() -> None:
    """Box 32 x 48 against a prediction of 32 x 32: IoU 2/3. Through the sigmoid: 5 x (2/3 - 1/2) x 1/4."""
    found = deltas(PAPER, truth((48.0, 48, 32, 48, 1)))[1, 1, 0]
    assert found[4].item() == pytest.approx(5 * (2 / 3 - 1 / 2) / 4, rel=1e-5)
    assert found[3].item() == pytest.approx(math.log(1.5), rel=1e-5)  # of the box term alone


def test_rule_13_labels_exclude_each_other() -> None:
    """Softmax minus one-hot, at the prior that answers and nowhere else."""
    found = deltas(PAPER, truth((48.0, 48, 32, 32, 1)))[..., 5:]
    assert found[1, 1, 0].tolist() == pytest.approx([-0.5, 0.5])
    assert found.abs().sum().item() == pytest.approx(1.0)


def test_rule_5_of_boxes_that_share_a_prior_the_last_one_counts() -> None:
    both, last = (48.0, 48, 32, 40, 0), (50.0, 50, 32, 32, 1)
    assert torch.equal(deltas(PAPER, truth(both, last)), deltas(PAPER, truth(last)))


def test_an_ignore_region_keeps_the_warm_up_and_the_background_away() -> None:
    found = deltas(
        replace(PAPER, warm_up_images=9), truth((64.0, 64, 300, 300, 0), ignore=(0,)), torch.ones(1, 14, 4, 4)
    )
    assert not found.any()
