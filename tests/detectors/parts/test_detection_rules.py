"""YOLOv1's rules one by one, on a grid of 2 x 2 cells with two boxes each over 100 x 100 pixels and two labels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.detectors.parts.detection_head import DetectionHead, DetectionRules
from workbench.detectors.parts.detector import Targets

LABELS, CONFIDENCES, BOXES = slice(0, 8), slice(8, 16), slice(16, 48)


def head(rules: DetectionRules = DetectionRules()) -> DetectionHead:  # noqa: B008
    return DetectionHead(2, 2, 2, 100, rules)


def truth(*boxes: tuple[float, float, float, float, int], ignore: tuple[int, ...] = ()) -> Targets:
    """One image; boxes as centre, sides, label."""
    rows = torch.tensor([[x - w / 2, y - h / 2, x + w / 2, y + h / 2] for x, y, w, h, _ in boxes]).view(1, -1, 4)
    flags = torch.tensor([[m in ignore for m in range(len(boxes))]])
    return Targets(rows, torch.tensor([[label for *_, label in boxes]]), flags)


def outputs(
    first: tuple[float, ...] = (0.5, 0.5, 0.5, 0.5), second: tuple[float, ...] = (0.5, 0.5, 0.4, 0.4)
) -> Tensor:
    """Labels 0.25, confidences 0.5, and the same two boxes in every cell."""
    return torch.cat([torch.full((8,), 0.25), torch.full((8,), 0.5), torch.tensor([*first, *second] * 4)])[None]


def deltas(wanted: Targets, raw: Tensor | None = None, rules: DetectionRules = DetectionRules()) -> Tensor:  # noqa: B008
    leaf = (outputs() if raw is None else raw).requires_grad_()
    torch.stack(list(head(rules).loss((leaf,), wanted).values())).sum().backward()
    assert leaf.grad is not None
    return -leaf.grad[0]


def test_a_box_is_its_place_in_the_cell_and_the_squares_of_its_sides() -> None:
    found = head().candidates((outputs(first=(0.5, 1.0, 0.5, -0.5)),))
    assert found.boxes.shape == (1, 8, 4)
    assert found.boxes[0, 0].tolist() == pytest.approx([12.5, 37.5, 37.5, 62.5])  # centre (25, 50), sides 25
    assert found.boxes[0, 6].tolist() == pytest.approx([62.5, 87.5, 87.5, 112.5])  # cell (1, 1)
    assert found.scores[0, 0].tolist() == pytest.approx([0.125, 0.125])


def test_two_negative_numbers_make_no_detection() -> None:
    raw = outputs()
    raw[:, :16] *= -1
    assert head().candidates((raw,)).scores.abs().sum() == 0


def test_rule_10_labels_are_pulled_linearly_and_only_where_an_object_is() -> None:
    moved = deltas(truth((75, 25, 25, 25, 1)))[LABELS].view(4, 2)
    assert moved.tolist() == [[0.0, 0.0], [-0.25, 0.75], [0.0, 0.0], [0.0, 0.0]]


def test_every_label_is_its_own_and_has_its_own_weight() -> None:
    """Objects of both labels in the upper cells; those of the second count three times."""
    both = head()
    both.label_weights.copy_(torch.tensor([1.0, 3.0]))
    leaf = outputs().requires_grad_()
    torch.stack(list(both.loss((leaf,), truth((25, 25, 25, 25, 0), (75, 25, 25, 25, 1))).values())).sum().backward()
    assert leaf.grad is not None
    moved = -leaf.grad[0, LABELS].view(4, 2)
    assert moved.tolist() == [[0.75, -0.25], [-0.75, 2.25], [0.0, 0.0], [0.0, 0.0]]


def test_rule_10_coordinates_weigh_five_and_sides_by_their_roots() -> None:
    moved = deltas(truth((65, 25, 36, 25, 1)))[BOXES].view(4, 2, 4)
    assert moved[1, 0].tolist() == pytest.approx([5 * (0.3 - 0.5), 0.0, 5 * (0.6 - 0.5), 0.0], abs=1e-5)
    moved[1, 0] = 0
    assert not moved.any()


def test_rule_8_the_responsible_box_learns_its_overlap_and_all_others_learn_0_at_half_weight() -> None:
    moved = deltas(truth((75, 25, 25, 50, 1)))[CONFIDENCES].view(4, 2)
    expected = [[-0.25, -0.25], [0.0, -0.25], [-0.25, -0.25], [-0.25, -0.25]]  # IoU 1/2, and 1/2 is what it says
    torch.testing.assert_close(moved, torch.tensor(expected), rtol=0, atol=1e-6)
    certain = deltas(truth((75, 25, 25, 50, 1)), rules=DetectionRules(rescore=False))[CONFIDENCES].view(4, 2)
    assert certain[1].tolist() == [0.5, -0.25]


def test_rule_9_the_box_of_the_best_overlap_answers() -> None:
    moved = deltas(truth((75, 25, 16, 16, 1)))[BOXES].view(4, 2, 4)
    assert moved[1].any(-1).tolist() == [False, False]  # the second fits to the pixel
    moved = deltas(truth((75, 25, 14, 14, 1)))[BOXES].view(4, 2, 4)
    assert moved[1].any(-1).tolist() == [False, True]


def test_rule_9_where_no_box_meets_the_true_one_the_nearest_numbers_answer() -> None:
    raw = outputs(first=(3.0, 0.5, 0.1, 0.1), second=(2.9, 0.5, 0.1, 0.1))
    moved = deltas(truth((60, 25, 4, 4, 0)), raw)[BOXES].view(4, 2, 4)
    assert moved[1].any(-1).tolist() == [False, True]


def test_rule_5_of_two_boxes_in_a_cell_the_first_is_learnt() -> None:
    both = truth((70, 25, 25, 25, 0), (80, 25, 25, 25, 1))
    assert torch.equal(deltas(both), deltas(truth((70, 25, 25, 25, 0))))
    found = head().assignment(both, (100, 100))
    assert (found.target.tolist(), found.row.tolist(), found.column.tolist()) == ([0], [0], [1])


def test_the_cell_of_a_box_that_is_not_learnt_is_named_by_row_and_column() -> None:
    both = truth((70, 25, 25, 25, 0), (80, 25, 25, 25, 1))
    told = {(0, 1): "another box has its cell: row 1, column 2 of 2 × 2"}
    assert head().explained(None, both, (100, 100)).reasons == told
    known = head().explained((outputs(),), both, (100, 100))
    assert (known.reasons, known.prior.tolist(), known.positive.flatten().nonzero().tolist()) == (told, [2], [[2]])


def test_sides_may_be_learnt_from_negative_numbers() -> None:
    """Their squares are what counts; a port with a square root of the output gives NaN here."""
    moved = deltas(truth((75, 25, 25, 25, 1)), outputs(first=(0.5, 0.5, -0.5, -0.5)))[BOXES].view(4, 2, 4)
    assert moved[1, 0].tolist() == pytest.approx([0.0, 0.0, 5.0, 5.0])


def test_an_ignore_region_silences_the_confidences_inside_it() -> None:
    moved = deltas(truth((25, 50, 50, 100, 0), ignore=(0,)))[CONFIDENCES].view(4, 2)
    assert moved.tolist() == [[0.0, 0.0], [-0.25, -0.25], [0.0, 0.0], [-0.25, -0.25]]
