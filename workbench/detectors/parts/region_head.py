"""YOLOv2's head: how its outputs become boxes, and the two losses published for it (YOLO9000, section 2).

B = images, M = most boxes of an image, N = priors, C = labels. "Rule n" is a rule of Darknet's training, as listed in
the reference. Grid, anchors and matching are those of the later heads with a single level; the loss differs, and
labels exclude each other. Terms are sums over priors, averaged over images (rule 2), computed in float32 and
with shapes that do not depend on the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from workbench.detectors.parts import coding, losses, matching, priors
from workbench.detectors.parts.detector import Candidates, Raw, Targets
from workbench.detectors.parts.explained import Pairs, Roles
from workbench.detectors.parts.yolo_head import Rules, YoloHead

STRIDE = 32


@dataclass(frozen=True)
class RegionRules:
    """The loss's settings; the defaults are those of cfg/yolov2.cfg."""

    sigmoid_squares: bool = True  # rule 11: squared error through the sigmoid; False = cross-entropy, small boxes more
    rescore: bool = True  # rule 13: objectness learns the box's current IoU; False = learns 1
    ignore_iou: float = 0.6  # rule 13: a prediction that overlaps a box by more is not background
    warm_up_images: int = 12800  # rule 12
    object_weight: float = 5.0
    background_weight: float = 1.0
    warm_up_weight: float = 0.01


@dataclass(frozen=True)
class MatchedPriors:
    """The one prior that answers for each box."""

    boxes: Tensor  # (B, M, 4) what it should predict, xyxy pixels; a harmless box where not counted
    labels: Tensor  # (B, M) int64, at least 0
    slots: Tensor  # (B, M) the prior's index among the N; N - 1 where none answers
    counted: Tensor  # (B, M) bool: of the boxes that share a prior, only the last (rule 5)
    weight: Tensor  # (B, M) of the box's label
    positive: Tensor  # (B, N) bool


class RegionHead(YoloHead):
    """The part after the last convolution, without parameters; it only holds the number of images trained on.

    `seen` is part of the state, so that a resumed run ends the warm-up where an uninterrupted one does.
    """

    seen: Tensor

    def __init__(self, labels: int, anchors: priors.Anchors, region: RegionRules) -> None:
        everything = (tuple(range(len(anchors))),)
        super().__init__(labels, anchors, (STRIDE,), everything, (1.0,), Rules("mse", 1.0))
        self.region = region
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def candidates(self, raw: Raw) -> Candidates:
        logits, grid = self.flat(raw)
        scores = logits[..., 4:5].sigmoid() * logits[..., 5:].softmax(-1)
        return Candidates(coding.decode_all(logits, grid), scores)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """In training mode, also counts the images as seen."""
        logits, grid = self.flat(raw)
        answers = self._match_priors(targets, grid)
        picked = logits.gather(1, answers.slots[..., None].expand(-1, -1, logits.shape[-1]))  # (B, M, 5 + C)
        roles, free = self._judged_by(logits, targets, answers, grid)
        terms = {
            "box": self._box_term(picked, answers, grid),
            "objectness": self._objectness_term(picked, answers, grid) + self._background_term(logits, roles.negative),
            "label": self._label_term(picked[..., 5:], answers),
            "warm-up": self._warm_up_term(logits, free),
        }
        if self.training:
            self.seen += len(logits)
        return {name: term / len(logits) for name, term in terms.items()}

    @torch.no_grad()
    def _judged_by(
        self, logits: Tensor, targets: Targets, answers: MatchedPriors, grid: priors.Priors
    ) -> tuple[Roles, Tensor]:  # fmt: skip
        """The role of every prior; and (B, N) which are neither a box's nor in an ignore region."""
        iou, share = matching.best_overlap(coding.decode_all(logits, grid), targets)
        free = ~answers.positive & (share <= matching.CROWD_SHARE)
        if targets.pictures is not None:  # where the objects in them are is not known
            free = free & (targets.pictures < 0)[:, None]
        background = free & (iou <= self.region.ignore_iou)
        return Roles(answers.positive, ~answers.positive & ~background, background), free

    def _roles(self, outputs: Tensor, targets: Targets, grid: priors.Priors) -> Roles:
        return self._judged_by(outputs, targets, self._match_priors(targets, grid), grid)[0]

    def pairs(self, targets: Targets, grid: priors.Priors) -> Pairs:
        matched = self._match_priors(targets, grid)
        image, box = matched.counted.nonzero(as_tuple=True)
        return image, matched.slots[image, box], box

    def _match_priors(self, targets: Targets, grid: priors.Priors) -> MatchedPriors:
        """Rule 13: the anchor of the best shape in the cell of the box's centre."""
        found = self.match(targets, grid)  # (B, M, anchors), of which at most one is taken
        slots = found.slots.int().amin(-1, keepdim=True).long()  # of int64 Apple's cards gave 0 (PyTorch, #191104)
        one = matching.Matches(found.taken.any(-1, keepdim=True), slots)
        counted = matching.owners(one, len(grid))
        positive = torch.zeros(len(targets.boxes), len(grid) + 1, dtype=torch.bool, device=targets.boxes.device)
        positive = positive.scatter_(1, one.slots[..., 0], True)[:, :-1]
        harmless = torch.arange(4, device=targets.boxes.device).div(2, rounding_mode="floor").float()  # 0, 0, 1, 1
        boxes = torch.where(counted, targets.boxes.float(), harmless)
        slots = one.slots[..., 0].clamp(max=len(grid) - 1)
        labels = targets.labels.clamp(min=0)
        return MatchedPriors(boxes, labels, slots, counted[..., 0], self.label_weights[labels], positive)

    def _pull(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """The cost of sigmoid(logits) not being `wanted`, by either published loss (rule 11)."""
        if self.region.sigmoid_squares:
            return (logits.sigmoid() - wanted).square() / 2
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")

    def _coordinates(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """(..., 4) -> (...): loss of the centre's place in the cell plus half the squared error of the log sides."""
        return self._pull(logits[..., :2], wanted[..., :2]).sum(-1) + (
            (logits[..., 2:4] - wanted[..., 2:]).square().sum(-1) / 2
        )

    def _box_term(self, picked: Tensor, answers: MatchedPriors, grid: priors.Priors) -> Tensor:
        encoded = coding.encode(answers.boxes, *grid.at(answers.slots))
        loss = self._coordinates(picked, encoded)
        if not self.region.sigmoid_squares:
            area = (answers.boxes[..., 2:] - answers.boxes[..., :2]).prod(-1)
            loss = loss * (2 - area / (grid.width * grid.height))
        return torch.where(answers.counted, loss * answers.weight, 0.0).sum()

    def _objectness_term(self, picked: Tensor, answers: MatchedPriors, grid: priors.Priors) -> Tensor:
        """At positives: towards the prior's current IoU, taken as a constant, or towards 1."""
        wanted = torch.ones_like(picked[..., 4])
        if self.region.rescore:
            with torch.no_grad():
                predicted = coding.decode(picked[..., :4], *grid.at(answers.slots))
                wanted = 1 - losses.iou_loss(predicted, answers.boxes, "iou")
        loss = self._pull(picked[..., 4], wanted)
        return self.region.object_weight * torch.where(answers.counted, loss * answers.weight, 0.0).sum()

    def _background_term(self, logits: Tensor, background: Tensor) -> Tensor:
        loss = self._pull(logits[..., 4], torch.zeros_like(logits[..., 4]))
        return self.region.background_weight * torch.where(background, loss, 0.0).sum()

    def _label_term(self, logits: Tensor, answers: MatchedPriors) -> Tensor:
        """Cross-entropy over the labels; a box has exactly one. logits (B, M, C)."""
        loss = -logits.log_softmax(-1).gather(-1, answers.labels[..., None])[..., 0]
        return torch.where(answers.counted, loss * answers.weight, 0.0).sum()

    def _warm_up_term(self, logits: Tensor, free: Tensor) -> Tensor:
        """Rule 12: at first, every prior without a box is pulled to its anchor in the middle of its cell."""
        middle = torch.arange(4, device=logits.device).lt(2).float() / 2  # 0.5, 0.5, 0, 0
        loss = self._coordinates(logits, middle.expand_as(logits[..., :4]))
        weight = (self.seen < self.region.warm_up_images).float() * self.region.warm_up_weight
        return weight * torch.where(free, loss, 0.0).sum()
