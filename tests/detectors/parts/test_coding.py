"""Boxes to logits and back."""

from __future__ import annotations

import pytest
import torch

from workbench.detectors.parts import coding


def test_zero_logits_are_the_anchor_in_the_middle_of_the_cell() -> None:
    cells, strides, anchors = torch.tensor([[2.0, 1.0]]), torch.tensor([[32.0]]), torch.tensor([[20.0, 40.0]])
    box = coding.decode(torch.zeros(1, 4), cells, strides, anchors, torch.tensor([[1.0]]))
    assert box.tolist() == [[70.0, 28.0, 90.0, 68.0]]  # centre (80, 48)


def test_scale_x_y_widens_the_reach_of_a_cell_on_both_sides_alike() -> None:
    cells, one = torch.zeros(1, 2), torch.tensor([[1.0]])
    far = torch.tensor([[20.0, -20.0, 0.0, 0.0]])
    box = coding.decode(far, cells, one, torch.zeros(1, 2), torch.tensor([[1.05]]))
    torch.testing.assert_close(box[:, :2], torch.tensor([[1.025, -0.025]]))


@pytest.mark.parametrize("scale", [1.0, 1.05, 1.2, 2.0])
def test_decoding_what_was_encoded_gives_the_box(scale: float) -> None:
    draw = torch.Generator().manual_seed(4)
    centre, side = torch.rand(100, 2, generator=draw) * 0.98 + 0.01, torch.rand(100, 2, generator=draw) * 300 + 1
    cells, strides = torch.randint(0, 13, (100, 2), generator=draw).float(), torch.full((100, 1), 32.0)
    centre = (centre + cells) * 32
    boxes = torch.cat([centre - side / 2, centre + side / 2], dim=1)
    anchors, scales = torch.full((100, 2), 50.0), torch.full((100, 1), scale)
    where = cells, strides, anchors, scales
    logits = coding.logits_of(coding.encode(boxes, *where))
    torch.testing.assert_close(coding.decode(logits, *where), boxes, rtol=1e-5, atol=1e-3)
    activated = coding.encode(boxes, *where, activated=True)
    torch.testing.assert_close(coding.decode(activated, *where, activated=True), boxes, rtol=1e-5, atol=1e-3)


def test_centres_at_the_edges_of_a_cell_are_encoded_for_many_images_at_once() -> None:
    """A logit of 0 or 1 would be infinite; the boxes are (2 images, 1, 4), in cells at (0, 0) of 32 px."""
    where = torch.zeros(1, 2), torch.tensor([[32.0]]), torch.tensor([[10.0, 10.0]]), torch.tensor([[1.0]])
    boxes = torch.tensor([[[-5.0, -5.0, 5.0, 5.0]], [[27.0, 27.0, 37.0, 37.0]]])
    numbers = coding.logits_of(coding.encode(boxes, *where))
    torch.testing.assert_close(coding.decode(numbers, *where), boxes, rtol=0, atol=1e-3)


def test_activated_numbers_in_the_middle_are_the_anchor_in_the_middle_of_the_cell() -> None:
    """Scaled-YOLOv4: 2 s - 0.5 into the cell, (2 s)^2 times the anchor."""
    cells, strides, anchors = torch.tensor([[2.0, 1.0]]), torch.tensor([[32.0]]), torch.tensor([[20.0, 40.0]])
    numbers = torch.tensor([[0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 1.0, 0.0]])
    box = coding.decode(numbers, cells, strides, anchors, torch.tensor([[2.0]]), activated=True)
    assert box.tolist() == [[70.0, 28.0, 90.0, 68.0], [72.0, 16.0, 152.0, 16.0]]  # centres (80, 48) and (112, 16)
