"""A network that answers perfectly, in an image with a hundred objects and more: NMS must get to see all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import batched_nms, box_iou

from workbench import detectors
from workbench.core.detections import MOST, Candidates
from workbench.detectors.parts.detector import Candidates as Pairs
from workbench.detectors.parts.detector import Targets

EACH_LEVEL = 1_000  # of RetinaNet and FCOS, as published and in torchvision
OVERLAP, ENOUGH = 0.5, 0.25


def crowd(count: int, side: int, room: int) -> Tensor:
    """(count, 4) boxes of about `side` px that do not overlap, in a square of `room`."""
    random, columns = np.random.default_rng(1), int(np.ceil(np.sqrt(count)))
    step = room / columns
    centres = np.stack(np.meshgrid(np.arange(columns), np.arange(columns)), -1).reshape(-1, 2)[:count] * step + step / 2
    centres += random.uniform(-0.1, 0.1, (count, 2)) * (step - side)
    half = side * random.uniform(0.85, 1.0, (count, 2)) / 2
    return torch.from_numpy(np.concatenate([centres - half, centres + half], 1)).float()


def found_of(objects: Tensor, boxes: Tensor) -> int:
    return int((box_iou(objects, boxes).max(dim=1).values > 0.9).sum())


@pytest.mark.parametrize(("count", "side"), [(50, 70), (90, 50), (200, 38)])
@pytest.mark.parametrize("name", ["retinanet", "fcos", "ssd512", "faster-rcnn", "yolov3", "yolov4"])
def test_as_many_objects_of_a_crowd_are_found_as_by_the_published_cut(name: str, count: int, side: int) -> None:
    """Every prior that the loss teaches answers with its object, one object a little surer than the next."""
    kind, room = detectors.load_all().get(name), 512
    detector = detectors.build(name, kind.settings_class(input_px=room, width=0.1), 1).eval()
    objects = crowd(count, side, room)
    nothing = torch.zeros(1, count)
    taught = detector.assignment(Targets(objects[None], nothing.long(), nothing.bool()), (room, room))
    random = torch.Generator().manual_seed(0)
    sure = 0.5 + 0.5 * torch.rand(count, generator=random)
    scores = sure[taught.target] - 0.05 * torch.rand(len(taught.target), generator=random)
    boxes = objects[taught.target]

    pairs, values, labels = Pairs(boxes[None], scores[None, :, None]).best(MOST)
    ours = Candidates.of_arrays(pairs[0].numpy(), values[0].numpy(), labels[0].numpy()).detections(ENOUGH, OVERLAP)

    by_level = [(taught.level == level).nonzero()[:, 0] for level in taught.level.unique()]
    rows = torch.cat([rows[scores[rows].argsort(descending=True)[:EACH_LEVEL]] for rows in by_level])
    kept = rows[batched_nms(boxes[rows], scores[rows], torch.zeros(len(rows)), OVERLAP)]
    there = len(taught.target.unique())  # an object that no prior answers for can't be found
    assert found_of(objects, torch.from_numpy(ours.boxes)) >= min(found_of(objects, boxes[kept]), there)
