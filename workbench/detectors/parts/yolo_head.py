"""YOLO's head with anchors (v3 and v4): raw outputs to boxes, targets to positives, and the loss by Darknet's rules.

B = images, M = most boxes of an image, N = priors, K = (level, anchor) pairs, C = labels. "Rule n" is that of Darknet's
training, as gathered in the reference; what a detector does differently from another is in its `Rules`.

All loss terms are sums over priors, averaged over images (rule 2): a mean over priors would change the balance between
the terms. Everything is computed in float32 (also under autocast, which narrows only convolutions and products of
matrices, of which there are none here) and with shapes that do not depend on the data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.detectors import AnchorNeed
from workbench.detectors.parts import coding, losses, matching, priors
from workbench.detectors.parts.detector import Assignment, Candidates, Raw, Targets

CROWD_SHARE = 0.5  # a prediction with more than this share of itself inside an ignore region is not called background


@dataclass(frozen=True)
class Rules:
    """What the loss does where the detectors differ.

    `box`: "coordinates" (YOLOv3), one of losses.IOU_LOSSES by autograd, or "darknet ciou" (Darknet's own gradient).
    """

    box: str
    box_weight: float
    objectness_weight: tuple[float, ...] = ()  # per level; empty = 1
    label_weight: float = 1.0
    ignore_iou: float = 0.7  # rule 19: a prediction overlapping a box by more is not called background,
    ignore_label: float = 0.0  # if some label of it also has more than this probability (Darknet by AlexeyAB: 0.25)
    match_iou: float = 1.0  # rule 22: further anchors above this shape IoU answer too; 1 = only the best
    add_boxes: bool = True  # rule 5: boxes that share a prior add up; False = the last one alone counts
    largest_delta: float = math.inf  # of Darknet's own box gradient (its max_delta)


class YoloHead(nn.Module):
    """The part after the last convolutions; holds no parameters. `scales` is scale_x_y per level."""

    anchors: Tensor

    def __init__(
        self, labels: int, anchors: priors.Anchors, strides: tuple[int, ...], masks: priors.Masks,
        scales: tuple[float, ...], rules: Rules,
    ) -> None:  # fmt: skip
        super().__init__()
        self.label_count, self.strides, self.masks, self.scales, self.rules = labels, strides, masks, scales, rules
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32), persistent=False)

    @property
    def need(self) -> AnchorNeed:
        return AnchorNeed(len(self.anchors), self.strides, self.masks)

    def channels(self, level: int) -> int:
        """Outputs of the last convolution of a level: per anchor x, y, w, h, objectness and one per label."""
        return len(self.masks[level]) * (5 + self.label_count)

    def start(self, convolutions: Sequence[nn.Conv2d], objectness: float) -> None:
        """First weights of the last convolutions: boxes near their anchors, objectness at the given probability.

        Darknet starts these like every other layer, at objectness 0.5; thousands of priors then have to unlearn first.
        """
        for convolution in convolutions:
            nn.init.normal_(convolution.weight, std=0.01)
            assert convolution.bias is not None
            bias = torch.zeros_like(convolution.bias).view(-1, 5 + self.label_count)
            bias[:, 4] = math.log(objectness / (1 - objectness))
            convolution.bias.data.copy_(bias.flatten())

    def flat(self, raw: Raw) -> tuple[Tensor, priors.Priors]:
        """raw (B, A * (5 + C), H, W) per level -> (B, N, 5 + C) float32 and the N priors. Free in channels_last."""
        parts = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, 5 + self.label_count) for level in raw]
        grids = [(level.shape[2], level.shape[3]) for level in raw]
        return torch.cat(parts, dim=1).float(), self.spread(grids)

    def spread(self, grids: Sequence[tuple[int, int]]) -> priors.Priors:
        return priors.spread(self.anchors.float(), self.strides, self.masks, self.scales, grids)

    def candidates(self, raw: Raw) -> Candidates:
        logits, grid = self.flat(raw)
        scores = logits[..., 4:5].sigmoid() * logits[..., 5:].sigmoid()
        return Candidates(coding.decode_all(logits, grid), scores)

    def match(self, targets: Targets, grid: priors.Priors) -> matching.Matches:
        return matching.match(targets, grid, self.anchors.float(), self.rules.match_iou)

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        """One row per positive at network input `size` (H, W), by image, then box, then level."""
        grid = self.spread([(size[0] // stride, size[1] // stride) for stride in self.strides])
        matches = self.match(targets, grid)
        image, box, pair = matches.taken.nonzero(as_tuple=True)
        table, slots = grid.pairs, matches.slots[image, box, pair]
        cell = (slots - table.first[pair]) // table.per_cell[pair]
        row, column = cell // table.columns[pair], cell % table.columns[pair]
        return Assignment(image, table.level[pair], row, column, table.place[pair], box)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        logits, grid = self.flat(raw)
        matches = self.match(targets, grid)
        near = matches.slots.reshape(len(logits), -1).clamp(max=len(grid) - 1)  # (B, M * K)
        picked = logits.gather(1, near[..., None].expand(-1, -1, logits.shape[-1]))
        picked = picked.view(*matches.slots.shape, 5 + self.label_count)  # (B, M, K, 5 + C)
        owner, labels = self._slots(matches, targets, len(grid))
        terms = {
            "box": self._box(picked[..., :4], targets, matches, owner, labels, grid),
            "objectness": self._objectness(logits, targets, matches, grid),
            "label": self._label(picked[..., 5:], owner, labels),
        }
        return {name: term / len(logits) for name, term in terms.items()}

    def _slots(self, matches: matching.Matches, targets: Targets, count: int) -> tuple[Tensor, Tensor]:
        labels = matching.slot_labels(matches, targets.labels, count, self.label_count)
        return matching.owners(matches, count), labels

    def _label(self, logits: Tensor, owner: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of every label at every positive slot, each slot once (rules 16, 20). logits (B, M, K, C)."""
        loss = functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none").sum(-1)
        return self.rules.label_weight * torch.where(owner, loss, 0.0).sum()

    def _objectness(
        self, logits: Tensor, targets: Targets, matches: matching.Matches, grid: priors.Priors
    ) -> Tensor:  # fmt: skip
        """Cross-entropy to 1 at positives and to 0 elsewhere, but for ignored priors (rules 19, 21)."""
        with torch.no_grad():
            positive = logits.new_zeros(len(logits), len(grid) + 1)
            positive = positive.scatter_(1, matches.slots.flatten(1), 1.0)[:, :-1]
            iou, share = matching.best_overlap(coding.decode_all(logits, grid), targets)
            ignored = (iou > self.rules.ignore_iou) & (logits[..., 5:].amax(-1).sigmoid() > self.rules.ignore_label)
            weight = (positive > 0) | ~(ignored | (share > CROWD_SHARE))
        loss = functional.binary_cross_entropy_with_logits(logits[..., 4], positive, reduction="none")
        return (torch.where(weight, loss, 0.0) * self._objectness_weight(grid, logits)).sum()

    def _objectness_weight(self, grid: priors.Priors, like: Tensor) -> Tensor | float:
        if not self.rules.objectness_weight:
            return 1.0
        parts = []
        for weight, stride, mask in zip(self.rules.objectness_weight, self.strides, self.masks, strict=True):
            cells = (grid.height // stride) * (grid.width // stride)
            parts.append(like.new_full((cells * len(mask),), weight))
        return torch.cat(parts)

    def _box(
        self, logits: Tensor, targets: Targets, matches: matching.Matches, owner: Tensor, labels: Tensor,
        grid: priors.Priors,
    ) -> Tensor:  # fmt: skip
        """The box term over positives; logits (B, M, K, 4)."""
        near = matches.slots.clamp(max=len(grid) - 1)
        cells, strides, anchors, scales = grid.cells[near], grid.strides[near], grid.anchors[near], grid.scales[near]
        counted = matches.taken if self.rules.add_boxes else owner
        predicted = coding.decode(logits, cells, strides, anchors, scales)
        truth = torch.where(counted[..., None], targets.boxes.float()[:, :, None], _unit(predicted))
        if self.rules.box == "coordinates":
            area = (truth[..., 2:] - truth[..., :2]).prod(-1) / (grid.width * grid.height)
            loss = losses.coordinate_loss(logits, coding.encode(truth, cells, strides, anchors), area)
        elif self.rules.box == "darknet ciou":
            loss = self._darknet(logits, predicted, truth, grid)
        else:
            loss = losses.iou_loss(predicted, truth, self.rules.box)
        loss = torch.where(counted, loss, 0.0)
        if self.rules.match_iou < 1:  # rule 22: what several boxes of different labels ask of one prior is averaged
            loss = loss / labels.sum(-1).clamp(min=1)
        return self.rules.box_weight * loss.sum()

    def _darknet(self, logits: Tensor, predicted: Tensor, truth: Tensor, grid: priors.Priors) -> Tensor:
        whole = predicted.new_tensor([grid.width, grid.height, grid.width, grid.height])
        largest = self.rules.largest_delta / max(self.rules.box_weight, 1e-9)  # Darknet cuts after weighting
        delta = losses.darknet_ciou_delta(logits, predicted / whole, truth / whole, largest)
        return losses.with_gradient(losses.iou_loss(predicted, truth, "ciou"), logits, delta)


def _unit(like: Tensor) -> Tensor:
    """A harmless box for pairs that do not answer: its loss is discarded but must be finite for the gradient."""
    zero = torch.zeros_like(like[..., :2])
    return torch.cat([zero, zero + 1], dim=-1)
