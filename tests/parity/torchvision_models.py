"""Our detectors beside torchvision's own models with the same weights: losses, and detections after NMS."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from workbench import detectors
from workbench.detectors.parts.detector import Detector, Targets

LABELS = 5
EVERYTHING = 1_000_000  # more than there is to draw


def build(name: str, px: int, calm: float = 1.0, **settings: Any) -> Detector:
    """With random weights; `calm` makes those of the label layers smaller, so that scores don't tie at 1."""
    torch.manual_seed(3)
    detector = detectors.build(name, detectors.load_all().get(name).settings_class(input_px=px, **settings), LABELS)
    with torch.no_grad():
        for out in detector.outs:
            detector.get_parameter(f"{out}.weight").mul_(calm)
    return detector


def same_weights(ours: Detector, theirs: nn.Module) -> None:
    """Copy ours; every name and shape must be theirs."""
    theirs.load_state_dict(ours.get_submodule("net").state_dict(), strict=True)


def draw_everything(network: nn.Module) -> None:
    """Make Faster R-CNN, ours or torchvision's, learn from all there is instead of a random sample."""
    for module in network.modules():
        sampler: Any = getattr(module, "fg_bg_sampler", None)
        if sampler is not None:
            sampler.batch_size_per_image = EVERYTHING
            sampler.positive_fraction = 0.5


def pictures(px: int, count: int = 2) -> Tensor:
    return torch.rand(count, 3, px, px, generator=torch.Generator().manual_seed(7))


def boxes(px: int, counts: tuple[int, ...] = (9, 4)) -> Targets:
    """Boxes of all sizes, some of them crowded, padded."""
    draw = np.random.default_rng(5)
    rows = np.zeros((len(counts), max(counts) + 2, 4), np.float32)
    labels = np.full(rows.shape[:2], -1)
    for i, count in enumerate(counts):
        side = np.exp(draw.uniform(np.log(12), np.log(px * 0.8), (count, 2)))
        corner = draw.uniform(0, 1, (count, 2)) * (px - side)
        rows[i, :count] = np.concatenate([corner, corner + side], axis=1)
        labels[i, :count] = draw.integers(LABELS, size=count)
    return Targets(torch.tensor(rows), torch.tensor(labels), torch.zeros(rows.shape[:2], dtype=torch.bool))


def as_lists(targets: Targets, first_label: int) -> list[dict[str, Tensor]]:
    """As torchvision takes them; `first_label` 1 where 0 is its background."""
    lists = []
    for rows, labels in zip(targets.boxes, targets.labels, strict=True):
        real = labels >= 0
        lists.append({"boxes": rows[real].clone(), "labels": labels[real] + first_label})
    return lists


def detections(
    ours: Detector, images: Tensor, *, score: float, iou: float, per_label: int, limit: int
) -> list[dict[str, Tensor]]:
    """Ours as torchvision's post-processing would have them: the best of each label, NMS, the best of all."""
    px, result = images.shape[-1], []
    with torch.no_grad():
        found = ours.candidates(ours(images))
    for boxes_, scores in zip(found.boxes.clamp(0, px), found.scores, strict=True):
        some: list[tuple[Tensor, Tensor, Tensor]] = []
        for label in range(scores.shape[1]):
            own = boxes_ if boxes_.ndim == 2 else boxes_[:, label]
            rows = (scores[:, label] > score).nonzero()[:, 0]
            best = scores[rows, label].argsort(descending=True)[:per_label]
            some.append((own[rows[best]], scores[rows[best], label], torch.full_like(rows[best], label)))
        rows_, values, labels = (torch.cat(column) for column in zip(*some, strict=True))
        keep = batched_nms(rows_, values, labels, iou)[:limit]
        result.append({"boxes": rows_[keep], "scores": values[keep], "labels": labels[keep]})
    return result


def worst(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]], first_label: int) -> tuple[float, float]:
    """The largest difference of a score and, in pixels, of a box; the labels must be the same in the same order."""
    score = place = 0.0
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine["scores"]) == len(other["scores"]) > 0
        assert torch.equal(mine["labels"] + first_label, other["labels"])
        score = max(score, float((mine["scores"] - other["scores"]).abs().max()))
        place = max(place, float((mine["boxes"] - other["boxes"]).abs().max()))
    return score, place
