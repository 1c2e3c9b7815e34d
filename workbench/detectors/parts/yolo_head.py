"""YOLO's head with anchors (v3, v4, Scaled-YOLOv4): raw outputs to boxes, targets to positives, and Darknet's loss.

B = images, M = most boxes of an image, N = priors, K = (level, anchor) pairs, C = labels. "Rule n" is a rule of
Darknet's training, as listed in the reference; where detectors differ, it is in their `Rules`.

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

from workbench.detectors import AnchorNeed
from workbench.detectors.parts import coding, losses, matching, priors
from workbench.detectors.parts.detector import Assignment, Candidates, LabelRows, Raw, Targets
from workbench.detectors.parts.explained import Explained, Layout, Pairs, Roles, explain, laid

UNKNOWN = "Which cells are ignored depends on what the network predicts: choose weights to see them."


@dataclass(frozen=True)
class Rules:
    """What the loss does where the detectors differ. Tuples hold a value per level; empty means the default for all.

    `box`: "mse" (YOLOv3's coordinates) or one of losses.IOU_LOSSES. `darknet_gradient`: CIoU with Darknet's gradient.
    """

    box: str
    box_weight: float
    darknet_gradient: bool = False
    largest_delta: tuple[float, ...] = ()  # of Darknet's own box gradient (its max_delta); empty = no bound
    activated: bool = False  # rule 28: the outputs have been through a sigmoid, see coding
    objectness_weight: tuple[float, ...] = ()  # empty = 1
    smooth_objectness: tuple[bool, ...] = ()  # rule 27: ignored predictions learn their IoU, positives nothing
    rescore: bool = False  # objectness of positives learns the current IoU instead of 1
    label_weight: float = 1.0
    label_smoothing: float = 0.0  # rule 27
    focal_gamma: float = 0.0  # 0 = off
    negatives_per_positive: float = 0.0  # hardest ones, per image; 0 = all
    ignore_iou: float = 0.7  # rule 19: a prediction that overlaps a box by more is not background,
    ignore_label: float = 0.0  # if some label of it also has more than this probability (Darknet by AlexeyAB: 0.25)
    match_iou: float = 1.0  # rule 22: further anchors above this shape IoU answer too; 1 = only the best
    add_boxes: bool = True  # rule 5: boxes that share a prior add up; False = the last one alone counts


@dataclass(frozen=True)
class _Answers:
    """Which prior answers for which box, and what it predicts. Slots are as in matching, but clamped to N - 1."""

    matches: matching.Matches
    picked: Tensor  # (B, M, K, 5 + C) the outputs of the answering priors
    owner: Tensor  # (B, M, K) bool: each slot once
    labels: Tensor  # (B, M, K, C) bool: the labels of all boxes in the slot
    counted: Tensor  # (B, M, K) bool: the pairs whose boxes are learnt
    weight: Tensor  # (B, M, 1) of the box's label
    truth: Tensor  # (B, M, K, 4) xyxy; a harmless box where the pair does not answer
    predicted: Tensor  # (B, M, K, 4) xyxy
    slots: Tensor  # (B, M, K)


class YoloHead(nn.Module):
    """The part after the last convolutions, without parameters. `scales` is scale_x_y per level."""

    anchors: Tensor
    label_weights: Tensor  # (C,), see Detector.weigh_labels

    def __init__(
        self, labels: int, anchors: priors.Anchors, strides: tuple[int, ...], masks: priors.Masks,
        scales: tuple[float, ...], rules: Rules,
    ) -> None:  # fmt: skip
        super().__init__()
        self.label_count, self.strides, self.masks, self.scales, self.rules = labels, strides, masks, scales, rules
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32), persistent=False)
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    @property
    def need(self) -> AnchorNeed:
        return AnchorNeed(len(self.anchors), self.strides, self.masks)

    @property
    def rows(self) -> tuple[LabelRows, ...]:
        """Per anchor: x, y, w, h, objectness and one row per label."""
        return tuple(LabelRows(len(mask), before=5) for mask in self.masks)

    def channels(self, level: int) -> int:
        """The number of outputs of a level's last convolution."""
        return self.rows[level].count(self.label_count)

    def start(self, convolutions: Sequence[nn.Module], objectness: float) -> None:
        """First weights of the last convolutions: boxes near their anchors, objectness at the given probability.

        Darknet starts these like every other layer, at objectness 0.5, which thousands of priors must first unlearn.
        """
        for convolution in convolutions:
            assert isinstance(convolution, nn.Conv2d)
            assert convolution.bias is not None
            nn.init.normal_(convolution.weight, std=0.01)
            bias = torch.zeros_like(convolution.bias).view(-1, 5 + self.label_count)
            bias[:, 4] = math.log(objectness / (1 - objectness))
            convolution.bias.data.copy_(bias.flatten())

    # --- from outputs to boxes ---

    def flat(self, raw: Raw) -> tuple[Tensor, priors.Priors]:
        """raw (B, A * (5 + C), H, W) per level -> (B, N, 5 + C) float32 and the N priors. Free in channels_last."""
        parts = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, 5 + self.label_count) for level in raw]
        grids = [(level.shape[2], level.shape[3]) for level in raw]
        return torch.cat(parts, dim=1).float(), self.spread(grids)

    def spread(self, grids: Sequence[tuple[int, int]]) -> priors.Priors:
        return priors.spread(self.anchors.float(), self.strides, self.masks, self.scales, grids)

    def candidates(self, raw: Raw) -> Candidates:
        outputs, grid = self.flat(raw)
        probability = self._probability(outputs[..., 4:])
        boxes = coding.decode_all(outputs[..., :4], grid, activated=self.rules.activated)
        return Candidates(boxes, probability[..., :1] * probability[..., 1:])

    def _probability(self, outputs: Tensor) -> Tensor:
        return outputs if self.rules.activated else outputs.sigmoid()

    # --- from targets to positives ---

    def match(self, targets: Targets, grid: priors.Priors) -> matching.Matches:
        return matching.match(targets, grid, self.anchors.float(), self.rules.match_iou)

    def _counted(self, matches: matching.Matches, count: int) -> Tensor:
        """(B, M, K) bool: the pairs whose boxes are learnt (rule 5)."""
        return matches.taken if self.rules.add_boxes else matching.owners(matches, count)

    def pairs(self, targets: Targets, grid: priors.Priors) -> Pairs:
        """Every pair of a prior and a box it learns, sorted by image, then box, then level."""
        matches = self.match(targets, grid)
        image, box, pair = self._counted(matches, len(grid)).nonzero(as_tuple=True)
        return image, matches.slots[image, box, pair], box

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        """One row per pair of a positive and a box that it learns, at network input `size` (H, W)."""
        grid = self._at(size)
        image, slots, box = self.pairs(targets, grid)
        layout, slots = self.layout(grid), slots.cpu()
        return Assignment(
            image.cpu(), layout.level[slots], layout.row[slots], layout.column[slots], layout.anchor[slots], box.cpu()
        )

    def _at(self, size: tuple[int, int]) -> priors.Priors:
        return self.spread([(size[0] // stride, size[1] // stride) for stride in self.strides])

    def layout(self, grid: priors.Priors) -> Layout:
        """Anchors centred in their cells."""
        middle, halves = (grid.cells + 0.5) * grid.strides, grid.anchors / 2
        grids = tuple((grid.height // stride, grid.width // stride) for stride in self.strides)
        boxes = torch.cat([middle - halves, middle + halves], dim=1)
        return laid("anchor", boxes, grids, [len(mask) for mask in self.masks])

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector. Without outputs only the positives are known."""
        outputs, grid = (None, self._at(size)) if raw is None else self.flat(raw)
        roles = None if outputs is None else self._roles(outputs, targets, grid)
        pairs, real = self.pairs(targets, grid), matching.real(targets)
        note = UNKNOWN if roles is None else ""
        return explain(
            self.layout(grid), pairs, roles, targets, real, lambda i, m: self._why(targets, grid, i, m), note
        )

    def _roles(self, outputs: Tensor, targets: Targets, grid: priors.Priors) -> Roles:
        return self._judged(outputs, targets, self._answers(outputs, targets, grid), grid)[0]

    def _why(self, targets: Targets, grid: priors.Priors, image: int, box: int) -> str:
        """Why a box to be found has no positive."""
        if self.match(targets, grid).taken[image, box].any():
            return "another box has its cell and anchor"
        sides = targets.boxes[image, box, 2:] - targets.boxes[image, box, :2]
        width, height = self.anchors[matching.shape_iou(sides.float(), self.anchors.float()).argmax()].tolist()
        return f"its best anchor, {width:.0f} × {height:.0f} px, belongs to no level"

    def _answers(self, outputs: Tensor, targets: Targets, grid: priors.Priors) -> _Answers:
        matches = self.match(targets, grid)
        slots = matches.slots.clamp(max=len(grid) - 1)
        flat = slots.reshape(len(outputs), -1, 1).expand(-1, -1, outputs.shape[-1])
        picked = outputs.gather(1, flat).view(*slots.shape, outputs.shape[-1])
        predicted = coding.decode(picked[..., :4], *grid.at(slots), activated=self.rules.activated)
        owner, counted = matching.owners(matches, len(grid)), self._counted(matches, len(grid))
        truth = torch.where(counted[..., None], targets.boxes.float()[:, :, None], _unit(predicted))
        labels = matching.slot_labels(matches, targets.labels, len(grid), self.label_count)
        weight = self.label_weights[targets.labels.clamp(min=0)][..., None]
        return _Answers(matches, picked, owner, labels, counted, weight, truth, predicted, slots)

    # --- the loss ---

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        outputs, grid = self.flat(raw)
        answers = self._answers(outputs, targets, grid)
        terms = {
            "box": self._box(answers, grid),
            "objectness": self._objectness(outputs, targets, answers, grid),
            "label": self._label(answers),
        }
        return {name: term / len(outputs) for name, term in terms.items()}

    def _label(self, answers: _Answers) -> Tensor:
        """Every label at every positive slot, each slot once (rules 16, 20); labels present count by their weight."""
        numbers, there = answers.picked[..., 5:], answers.labels.float()  # (B, M, K, C)
        smoothing = self.rules.label_smoothing
        loss = losses.pull(numbers, there * (1 - smoothing) + smoothing / 2, self.rules.activated)
        if self.rules.focal_gamma:
            loss = loss * losses.focal_weight(self._probability(numbers), there, self.rules.focal_gamma)
        loss = (loss * torch.where(answers.labels, self.label_weights, 1.0)).sum(-1)
        return self.rules.label_weight * torch.where(answers.owner, loss, 0.0).sum()

    def _objectness(self, outputs: Tensor, targets: Targets, answers: _Answers, grid: priors.Priors) -> Tensor:
        """Towards 1 at positives and 0 elsewhere, except for ignored priors (rules 19, 21)."""
        roles, loss, weight = self._judged(outputs, targets, answers, grid)
        return (torch.where(roles.counted, loss, 0.0) * weight).sum()

    def _judged(
        self, outputs: Tensor, targets: Targets, answers: _Answers, grid: priors.Priors
    ) -> tuple[Roles, Tensor, Tensor]:  # fmt: skip
        """The role of every prior, and (B, N) each: the loss of its objectness, and its weight."""
        rules = self.rules
        with torch.no_grad():
            weight = self._at_slots(answers, answers.weight.expand_as(answers.predicted[..., 0]), len(grid))
            positive = weight > 0
            boxes = coding.decode_all(outputs[..., :4], grid, activated=rules.activated)
            iou, share = matching.best_overlap(boxes, targets)
            likely = self._probability(outputs[..., 5:]).amax(-1) > rules.ignore_label
            found, crowd = (iou > rules.ignore_iou) & likely, share > matching.CROWD_SHARE
            wanted = self._rescored(answers, grid) if rules.rescore else positive.float()
            ignored = ~positive & (found | crowd)
            if any(rules.smooth_objectness):
                smooth = priors.by_level(rules.smooth_objectness, grid.levels).bool()
                wanted = torch.where(smooth, torch.where(found, iou, 0.0), wanted)
                ignored = torch.where(smooth, ~positive & crowd, ignored)
            negative = ~positive & ~ignored
        loss = losses.pull(outputs[..., 4], wanted, rules.activated)
        if rules.focal_gamma:
            loss = loss * losses.focal_weight(self._probability(outputs[..., 4]), wanted, rules.focal_gamma)
        if rules.negatives_per_positive:
            most = rules.negatives_per_positive * positive.sum(1).clamp(min=1)
            negative = losses.hardest(loss.detach(), negative, most)
        weight = torch.where(positive, weight, 1.0)
        if rules.objectness_weight:
            weight = weight * priors.by_level(rules.objectness_weight, grid.levels)
        return Roles(positive, ignored, negative), loss, weight

    def _at_slots(self, answers: _Answers, values: Tensor, count: int) -> Tensor:
        """(B, M, K) values above 0 of pairs that answer -> (B, N): the largest in each prior's slot, else 0."""
        table = values.new_zeros(len(values), count + 1)
        return table.scatter_reduce_(1, answers.matches.slots.flatten(1), values.flatten(1), "amax")[:, :-1]

    def _rescored(self, answers: _Answers, grid: priors.Priors) -> Tensor:
        iou = 1 - losses.iou_loss(answers.predicted, answers.truth, "iou")
        return self._at_slots(answers, torch.where(answers.counted, iou, 0.0), len(grid))

    def _box(self, answers: _Answers, grid: priors.Priors) -> Tensor:
        """The box term over positives."""
        rules, predicted, truth = self.rules, answers.predicted, answers.truth
        if rules.box == "mse":
            area = (truth[..., 2:] - truth[..., :2]).prod(-1) / (grid.width * grid.height)
            encoded = coding.encode(truth, *grid.at(answers.slots), activated=rules.activated)
            loss = losses.coordinate_loss(answers.picked[..., :4], encoded, area, activated=rules.activated)
        elif rules.darknet_gradient:
            loss = self._darknet(answers, grid)
        else:
            loss = losses.iou_loss(predicted, truth, rules.box)
        loss = torch.where(answers.counted, loss * answers.weight, 0.0)
        if rules.match_iou < 1:  # rule 22: what boxes of different labels ask of the same prior is averaged
            loss = loss / answers.labels.sum(-1).clamp(min=1)
        return rules.box_weight * loss.sum()

    def _darknet(self, answers: _Answers, grid: priors.Priors) -> Tensor:
        rules, numbers = self.rules, answers.picked[..., :4]
        whole = torch.stack([numbers.new_full((), side) for side in (grid.width, grid.height)]).repeat(2)
        factors = 1.0 if rules.activated else numbers[..., 2:].detach().exp()
        largest: Tensor | float = math.inf
        if rules.largest_delta:  # Darknet clamps after weighting
            bounds = priors.by_level(rules.largest_delta, grid.pairs.level)
            largest = (bounds / max(rules.box_weight, 1e-9))[:, None]  # (K, 1)
        delta = losses.darknet_ciou_delta(answers.predicted / whole, answers.truth / whole, factors, largest)
        return losses.with_gradient(losses.iou_loss(answers.predicted, answers.truth, "ciou"), numbers, delta)


def _unit(like: Tensor) -> Tensor:
    """A harmless box for pairs that do not answer: its loss is discarded but must be finite for the gradient."""
    zero = torch.zeros_like(like[..., :2])
    return torch.cat([zero, zero + 1], dim=-1)
