"""SSD's default boxes: laid over six or seven maps, matched by overlap, trained with the hardest negatives
(Liu et al., SSD, 2016, arXiv 1512.02325, section 2.2).

B = images, M = most boxes of an image, N = default boxes, C = labels. Label 0 of the outputs is the background.
Values and gradients are those of torchvision's SSD.compute_loss, except that an image without boxes still trains its
three worst negatives. No shape here depends on the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

from workbench.detectors.parts import anchor_matching, foreign, losses, matching
from workbench.detectors.parts.detector import Assignment, Candidates, LabelRows, Raw, Targets
from workbench.detectors.parts.explained import Explained, Roles, laid

VARIANCES = (10.0, 10.0, 5.0, 5.0)  # the inverse of the paper's code's 0.1, 0.1, 0.2, 0.2
NEGATIVES_PER_POSITIVE = 3.0
UNKNOWN = "Only the negatives that the network gets most wrong are learnt: choose weights to see them."
LARGEST_LOG_SIDE = 4.135166556742356  # log(1000 / 16): torchvision's bound


class DefaultBoxHead(nn.Module):
    """The part after the last convolutions, without parameters. `raw` is the levels' labels, then their boxes."""

    defaults: Tensor  # (N, 4) xyxy pixels
    label_weights: Tensor  # (C,), see Detector.weigh_labels

    def __init__(self, labels: int, px: int, generator: DefaultBoxGenerator, grids: foreign.Grids, iou: float) -> None:
        """`iou`: overlap above which a default box answers for a box."""
        super().__init__()
        self.label_count, self.iou, self.grids = labels, iou, grids
        self.per_cell: list[int] = generator.num_anchors_per_location()
        device = torch.empty(0).device
        self.register_buffer("defaults", foreign.spread(generator, grids, (px, px), device), persistent=False)
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    @property
    def need(self) -> None:
        """None: the default boxes are chosen by hand."""

    @property
    def rows(self) -> tuple[LabelRows, ...]:
        return tuple(LabelRows(each, before=1) for each in self.per_cell)

    def split(self, raw: Raw) -> tuple[Tensor, Tensor]:
        """Label logits (B, N, 1 + C) and box numbers (B, N, 4)."""
        levels = len(self.grids)
        return foreign.flat(raw[:levels], 1 + self.label_count), foreign.flat(raw[levels:], 4)

    def candidates(self, raw: Raw) -> Candidates:
        logits, numbers = self.split(raw)
        return Candidates(decode(numbers, self.defaults, VARIANCES), logits.softmax(-1)[..., 1:])

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        return foreign.assignment_of(self._match(targets), self.grids, self.per_cell)

    def positives(self, targets: Targets) -> Tensor:
        """See Detector."""
        return (self._match(targets) >= 0).sum()

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector. Without outputs the hardest negatives are unknown. `size` must be the head's own."""
        matches = self._match(targets)
        label = None if raw is None else self._label_loss(self.split(raw)[0], targets, matches)
        return foreign.explain_matches(
            laid("anchor", self.defaults, self.grids, self.per_cell), matches, self._roles(targets, matches, label),
            targets, lambda i, m: anchor_matching.why_none(targets, self.defaults, i, m, "default box"),
            UNKNOWN if label is None else "",
        )  # fmt: skip

    def _match(self, targets: Targets) -> Tensor:
        """(B, N) the box of each default box, or a negative number."""
        rule = partial(anchor_matching.match_defaults, threshold=self.iou)
        return anchor_matching.matches(targets.boxes, matching.real(targets), self.defaults, rule)

    def _label_loss(self, logits: Tensor, targets: Targets, matches: Tensor) -> Tensor:
        """(B, N) cross-entropy of each default box, for the background where it has no box."""
        there = padded(targets)[1].gather(1, matches.clamp(min=0))
        wanted = torch.where(matches >= 0, there + 1, 0)
        return functional.cross_entropy(logits.transpose(1, 2), wanted, reduction="none")

    @torch.no_grad()
    def _roles(self, targets: Targets, matches: Tensor, label: Tensor | None) -> Roles:
        """The role of every default box; without losses all negatives count."""
        positive = matches >= 0  # (B, N)
        _, share = matching.best_overlap(self.defaults.expand(len(matches), -1, 4), targets)
        ignored = ~positive & (share > matching.CROWD_SHARE)
        free = ~positive & ~ignored
        most = NEGATIVES_PER_POSITIVE * positive.sum(1).clamp(min=1)
        return Roles(positive, ignored, free if label is None else losses.hardest(label, free, most))

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        logits, numbers = self.split(raw)
        matches = self._match(targets)
        prior_targets = make_prior_targets(targets, matches, self.defaults, self.label_weights)
        box = functional.smooth_l1_loss(
            numbers, encode(prior_targets.boxes, self.defaults, VARIANCES), reduction="none"
        ).sum(-1)
        label = self._label_loss(logits, targets, matches)
        counted = self._roles(targets, matches, label).counted
        number = prior_targets.positive.sum().clamp(min=1)
        return {
            "box": torch.where(prior_targets.positive, box * prior_targets.weight, 0.0).sum() / number,
            "label": torch.where(counted, label * prior_targets.weight, 0.0).sum() / number,
        }


def outputs(network: Any, images: Tensor) -> Raw:
    """The outputs of a network with torchvision's names for its parts: of its label layers, then of its box layers."""
    maps = list(network.backbone(images).values())
    labels, boxes = network.head.classification_head.module_list, network.head.regression_head.module_list
    return (
        *(layer(features) for layer, features in zip(labels, maps, strict=True)),
        *(layer(features) for layer, features in zip(boxes, maps, strict=True)),
    )


def padded(targets: Targets) -> tuple[Tensor, Tensor]:
    """Boxes (B, M, 4) and labels (B, M), M at least 1, so that index 0 is always there."""
    if targets.boxes.shape[1]:
        return targets.boxes.float(), targets.labels.clamp(min=0)
    boxes = targets.boxes.new_zeros(len(targets.boxes), 1, 4).float()
    return boxes, targets.labels.new_zeros(len(targets.boxes), 1)


@dataclass(frozen=True)
class PriorTargets:
    """What each prior learns. A prior without a box has its own place, an arbitrary label and a weight of 1."""

    positive: Tensor  # (B, N) whether it has a box
    boxes: Tensor  # (B, N, 4) xyxy
    labels: Tensor  # (B, N)
    weight: Tensor  # (B, N) of the label, see Detector.weigh_labels


def make_prior_targets(targets: Targets, matches: Tensor, priors: Tensor, label_weights: Tensor) -> PriorTargets:
    """What each prior learns. matches (B, N): the index of its box or a negative number; priors (N,
    4); label_weights (C,).
    """
    positive, index = matches >= 0, matches.clamp(min=0)
    boxes, labels = padded(targets)
    truth = boxes.gather(1, index[..., None].expand(-1, -1, 4))
    there = labels.gather(1, index)
    weight = torch.where(positive, label_weights[there], 1.0)
    return PriorTargets(positive, torch.where(positive[..., None], truth, priors), there, weight)


def encode(boxes: Tensor, anchors: Tensor, weights: Sequence[float]) -> Tensor:
    """xyxy boxes (..., 4) -> place and log size relative to anchors (..., 4), times weights (R-CNN's coding)."""
    centres, sides = (anchors[..., :2] + anchors[..., 2:]) / 2, anchors[..., 2:] - anchors[..., :2]
    moved = ((boxes[..., :2] + boxes[..., 2:]) / 2 - centres) / sides
    grown = ((boxes[..., 2:] - boxes[..., :2]) / sides).clamp(min=1e-9).log()
    return torch.cat([moved, grown], dim=-1) * _row(weights, boxes)


def decode(numbers: Tensor, anchors: Tensor, weights: Sequence[float]) -> Tensor:
    """The inverse of encode(); no side grows beyond 62.5 anchors."""
    centres, sides = (anchors[..., :2] + anchors[..., 2:]) / 2, anchors[..., 2:] - anchors[..., :2]
    plain = numbers / _row(weights, numbers)
    middle = plain[..., :2] * sides + centres
    halves = plain[..., 2:].clamp(max=LARGEST_LOG_SIDE).exp() * sides / 2
    return torch.cat([middle - halves, middle + halves], dim=-1)


def _row(weights: Sequence[float], like: Tensor) -> Tensor:
    return torch.cat([torch.full((1,), weight, device=like.device) for weight in weights])
