"""Every detector's box coding is undone by its decoding; and SSD's default boxes are as many as published.

Each inverse goes through what a network gives: numbers coded by the textbook's formula are put where the network puts
its outputs, and candidates() must find the boxes there.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import networks
from workbench import detectors
from workbench.detectors.parts import coding, default_boxes
from workbench.detectors.parts.detector import Detector, Raw

PX, C = 128, 2
CSP = ("yolov4-csp",)
WITH_CELLS = (
    "yolov2", "yolov2-tiny", "yolo9000", "yolov3", "yolov3-spp", "yolov3-tiny", "yolov4", "yolov4-tiny",
    "yolov4-tiny-3l", "yolov4-csp",
)  # fmt: skip
# scale_x_y of the cfgs, from the level of stride 8 to that of 32; 1 where a cfg names none
SCALES = {
    "yolov4": (1.2, 1.1, 1.05), "yolov4-csp": (2.0, 2.0, 2.0), "yolov4-tiny": (1.05, 1.05),
    "yolov4-tiny-3l": (1.05, 1.05, 1.05),
}  # fmt: skip
WITH_BOXES = ("ssd300", "ssd512", "ssdlite", "retinanet", "retinanet-v2")
FIRST_WEIGHTS, SECOND_WEIGHTS = (1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)  # torchvision's of Faster R-CNN


def build(name: str, px: int = PX, **settings: Any) -> Detector:
    kind = detectors.load_all().get(name).settings_class
    return networks.build(name, dataclasses.replace(kind(input_px=px, width=0.05), **settings), C).eval()


@functools.cache
def pyramid(name: str) -> tuple[Detector, Raw]:
    """A detector on torchvision's modules, and outputs of zero in its shapes."""
    detector = build(name)
    with torch.no_grad():
        return detector, tuple(torch.zeros_like(level) for level in detector(torch.zeros(1, 3, PX, PX)))


def drawn(count: int, *, seed: int = 1) -> tuple[Tensor, Tensor]:
    """(count, 2) centres within the image and sides from 4 pixels to its whole."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.rand(count, 2, generator=draw, dtype=torch.float64) * PX
    sides = torch.exp(torch.rand(count, 2, generator=draw, dtype=torch.float64) * 3.4) * 4
    return centres, sides


def xyxy(centres: Tensor, sides: Tensor) -> Tensor:
    return torch.cat([centres - sides / 2, centres + sides / 2], dim=-1)


def same(found: Tensor, expected: Tensor) -> None:
    """Within 1e-4 of the box's longer side, or of a pixel."""
    longer = (expected[..., 2:] - expected[..., :2]).amax(-1, keepdim=True).clamp(min=1)
    assert ((found - expected).abs() / longer).max() < 1e-4


def scale(name: str, level: int, strides: tuple[int, ...]) -> float:
    scales = SCALES.get(name, (1.0,) * len(strides))
    return scales[sorted(strides).index(strides[level])]


@pytest.mark.parametrize("name", WITH_CELLS)
def test_boxes_coded_in_cells_are_found_as_candidates(name: str) -> None:
    """One box in each prior: its centre somewhere in the cell, its sides a factor of the anchor's."""
    detector = build(name)
    need = detector.anchor_need
    assert need is not None
    raw, expected = [], []
    for level, (stride, mask) in enumerate(zip(need.strides, need.masks, strict=True)):
        draw, cells, s = torch.Generator().manual_seed(level), PX // stride, scale(name, level, need.strides)
        shape = (cells, cells, len(mask), 2)
        inside = torch.rand(shape, generator=draw) * 0.96 + 0.02
        factor = torch.rand(shape, generator=draw) * 3.5 + 0.1
        row, column = torch.meshgrid(torch.arange(cells), torch.arange(cells), indexing="ij")
        corner = torch.stack([column, row], dim=-1)[:, :, None]
        anchors = torch.tensor([detector.anchors[anchor] for anchor in mask])
        expected.append(xyxy((corner + inside) * stride, factor * anchors).reshape(-1, 4))
        place = (inside + (s - 1) / 2) / s
        numbers = [place, factor.sqrt() / 2] if name in CSP else [torch.logit(place), factor.log()]
        rest = torch.zeros(*shape[:3], 1 + C)
        level_raw = torch.cat([*numbers, rest], dim=-1)  # (row, column, anchor, 5 + C)
        raw.append(level_raw.permute(2, 3, 0, 1).reshape(1, -1, cells, cells))
    same(detector.candidates(tuple(raw)).boxes[0], torch.cat(expected))


@pytest.mark.parametrize("activated", [False, True])
@pytest.mark.parametrize("s", [1.0, 1.05, 1.2, 2.0])
def test_yolos_coding_of_boxes_anywhere_is_undone(s: float, activated: bool) -> None:
    """At each of 500 boxes' own cell, among anchors of all sizes that the form can reach (sides up to four anchors)."""
    centres, sides = drawn(500)
    stride = torch.full((500, 1), 16.0, dtype=torch.float64)
    cells = (centres / stride).floor()
    anchors = sides * (0.3 + 2 * torch.rand(500, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    where = cells, stride, anchors, torch.full_like(stride, s)
    numbers = coding.encode(xyxy(centres, sides), *where, activated=activated)
    assert ((numbers[:, :2] >= 0) & (numbers[:, :2] <= 1)).all()
    if activated:
        assert ((numbers[:, 2:] > 0) & (numbers[:, 2:] < 1)).all()
    decoded = coding.decode(numbers if activated else coding.logits_of(numbers), *where, activated=activated)
    same(decoded, xyxy(centres, sides))


@pytest.mark.parametrize("name", ["yolov1", "yolov1-tiny"])
def test_boxes_of_yolov1s_cells_are_found_as_candidates(name: str) -> None:
    """Per cell two boxes: place in the cell, square roots of the sides' shares; labels and confidences come before."""
    detector = build(name)
    draw = torch.Generator().manual_seed(2)
    inside, share = torch.rand(7, 7, 2, 2, generator=draw), torch.rand(7, 7, 2, 2, generator=draw) * 0.9 + 0.02
    row, column = torch.meshgrid(torch.arange(7), torch.arange(7), indexing="ij")
    corner = torch.stack([column, row], dim=-1)[:, :, None]
    expected = xyxy((corner + inside) / 7 * PX, share * PX).reshape(-1, 4)
    numbers = torch.cat([inside, share.sqrt()], dim=-1)
    raw = torch.cat([torch.zeros(49 * C + 98), numbers.flatten()])[None]
    same(detector.candidates((raw,)).boxes[0], expected)


def levelled(numbers: Tensor, like: Raw, count: int) -> Raw:
    """(N, count), in the order level, row, column, prior -> as the network gives them."""
    levels, first = [], 0
    for level in like:
        rows, columns = level.shape[2:]
        size = level.shape[1] // count * rows * columns
        part = numbers[first : first + size].view(rows, columns, -1)
        levels.append(part.permute(2, 0, 1)[None].float())
        first += size
    assert first == len(numbers)
    return tuple(levels)


@pytest.mark.parametrize("name", WITH_BOXES)
def test_boxes_coded_against_default_boxes_are_found_as_candidates(name: str) -> None:
    """R-CNN's coding: the centre's way in sides of the default box, the log of the sides' ratio, times 1 / variance."""
    detector, zero = pyramid(name)
    half = len(zero) // 2
    defaults = detector.candidates(zero).boxes[0].double()
    middle, whole = (defaults[:, :2] + defaults[:, 2:]) / 2, defaults[:, 2:] - defaults[:, :2]
    centres, sides = drawn(len(defaults))
    sides = torch.minimum(sides, 50 * whole)  # nothing grows beyond 62.5 default boxes
    weights = torch.tensor(SECOND_WEIGHTS if name.startswith("ssd") else FIRST_WEIGHTS)
    numbers = torch.cat([(centres - middle) / whole, (sides / whole).log()], dim=1) * weights
    found = detector.candidates((*zero[:half], *levelled(numbers, zero[half:], 4))).boxes[0]
    same(found, xyxy(centres, sides))


@pytest.mark.parametrize("weights", [FIRST_WEIGHTS, SECOND_WEIGHTS])
def test_the_coding_that_the_loss_teaches_is_the_one_that_is_decoded(weights: tuple[float, ...]) -> None:
    centres, sides = drawn(500)
    boxes, anchors = xyxy(centres, sides), xyxy(*drawn(500, seed=2))
    same(default_boxes.decode(default_boxes.encode(boxes, anchors, weights), anchors, weights), boxes)


def test_fcos_distances_are_found_as_candidates() -> None:
    """In strides, from points that stand on the grid's lines, as torchvision has them."""
    detector, zero = pyramid("fcos")
    points, strides = [], []
    for level, one in enumerate(zero[:5]):
        rows, columns = one.shape[2:]
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        points.append(torch.stack([column, row], dim=-1).view(-1, 2) * 8 * 2**level)
        strides.append(torch.full((rows * columns, 1), 8.0 * 2**level))
    point, stride = torch.cat(points), torch.cat(strides)
    distances = torch.rand(len(point), 4, generator=torch.Generator().manual_seed(6)) * 90 + 1
    expected = torch.cat([point - distances[:, :2], point + distances[:, 2:]], dim=1)
    coded = levelled(distances / stride, zero[5:10], 4)
    same(detector.candidates((*zero[:5], *coded, *zero[10:])).boxes[0], expected)


def coder_and_weights(stage: str) -> tuple[Any, tuple[float, ...]]:
    net: Any = pyramid("faster-rcnn")[0].get_submodule("net")
    return (net.rpn.box_coder, FIRST_WEIGHTS) if stage == "first" else (net.roi_heads.box_coder, SECOND_WEIGHTS)


@pytest.mark.parametrize("stage", ["first", "second"])
def test_faster_rcnns_box_coders_undo_themselves_and_have_the_published_weights(stage: str) -> None:
    """encode() and decode() as our loss and candidates() call them: lists of boxes, one per image."""
    coder, weights = coder_and_weights(stage)
    centres, sides = drawn(300)
    boxes, anchors = xyxy(centres, sides).float(), xyxy(*drawn(300, seed=2)).float()
    (first, second) = coder.encode([boxes[:100], boxes[100:]], [anchors[:100], anchors[100:]])
    decoded = coder.decode(torch.cat([first, second]), [anchors[:100], anchors[100:]])
    same(decoded[:, 0].double(), boxes.double())
    middle, whole = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    by_hand = torch.cat([(centres - middle) / whole, (sides / whole).log()], dim=1) * torch.tensor(weights)
    torch.testing.assert_close(torch.cat([first, second]).double(), by_hand, rtol=1e-3, atol=1e-3)


def test_faster_rcnns_first_numbers_become_the_proposals_that_are_looked_at() -> None:
    """A box coded at the anchor of the highest objectness is the first proposal, and zero numbers leave it alone."""
    detector, zero = pyramid("faster-rcnn")
    net: Any = detector.get_submodule("net")
    wanted = torch.tensor([20.0, 30.0, 90.0, 100.0])
    raw = [level.clone() for level in zero]
    objectness, numbers = raw[4:9], raw[9:14]
    side, middle = 64.0, (4 * 16.0, 4 * 16.0)  # second anchor (square) of row 4, column 4, on the map of stride 8
    row, column, stride = 8, 8, 8
    assert objectness[1].shape[2] == PX // stride
    objectness[1][0, 1, row, column] = 9.0
    cx, cy, w, h = 55.0, 65.0, 70.0, 70.0
    coded = torch.tensor([(cx - middle[0]) / side, (cy - middle[1]) / side, *torch.tensor([w / side, h / side]).log()])
    numbers[1][0, 4:8, row, column] = coded
    net.roi_heads.box_predictor.bbox_pred.weight.data.zero_()
    net.roi_heads.box_predictor.bbox_pred.bias.data.zero_()
    found = detector.candidates(tuple(raw)).boxes[0, 0]
    for label in range(C):
        torch.testing.assert_close(found[label], wanted, rtol=0, atol=1e-2)


@pytest.mark.parametrize(("name", "px", "count"), [("ssd300", 300, 8732), ("ssd512", 512, 24564)])
def test_ssds_default_boxes_are_as_many_as_published(name: str, px: int, count: int) -> None:
    """And as many outputs does the network give: four numbers for each box, one per label and for the background."""
    detector = build(name, px)
    with torch.no_grad():
        raw = detector(torch.zeros(1, 3, px, px))
    half = len(raw) // 2
    assert sum(level.numel() for level in raw[half:]) == 4 * count
    assert sum(level.numel() for level in raw[:half]) == (1 + C) * count
    assert detector.candidates(raw).boxes.shape == (1, count, 4)
