"""RetinaNet: a feature pyramid, nine anchors per cell, and the focal loss, which can train them all at once (Lin,
Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection, 2017, arXiv 1708.02002, sections 3 and 4).

The network is torchvision's on ResNet-50. Version 2 has group norms in its heads and pulls boxes by GIoU. Values and
gradients of the loss are those of torchvision's RetinaNet.compute_loss. As there, and unlike the paper: version 1 makes
its sixth map from the fifth instead of the backbone's last, and pulls boxes by L1 instead of smooth L1; and each box's
best anchors answer for it however little they overlap.

When a run starts from weights with the published settings, version 1's batch norms are frozen as in torchvision, which
also freezes the backbone's first two blocks; here they are trained.
There an image's shorter side is 800 pixels, the longer at most 1,333, and batches are padded with the mean colour;
here the longer side is input_px, in a square padded with grey. There version 2 was trained with shorter sides of 480 to
800 pixels, drawn for each image (multiscale); here with one side, unless the training's `sizes` varies it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import (
    RetinaNet_ResNet50_FPN_V2_Weights,
    RetinaNet_ResNet50_FPN_Weights,
    retinanet_resnet50_fpn,
    retinanet_resnet50_fpn_v2,
)

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import anchor_matching, foreign, matching, priors
from workbench.detectors.parts.default_boxes import decode, encode, make_prior_targets
from workbench.detectors.parts.detector import Assignment, Candidates, Detector, LabelRows, Pretrained, Raw, Targets
from workbench.detectors.parts.explained import Explained, laid
from workbench.detectors.parts.losses import focal_weight, iou_loss
from workbench.detectors.parts.narrow import narrow
from workbench.errors import WorkbenchError
from workbench.settings import setting

LEVELS = 5
FINEST = 8  # pixels per cell of the first map
SIZES = 3  # of anchors per cell
ANCHORS = 3 * SIZES  # per cell: each size in three shapes
WEIGHTS = (1.0,) * 4  # of the box coding: unweighted
LABELS, BOXES = "head.classification_head.cls_logits", "head.regression_head.bbox_reg"


@dataclass(frozen=True)
class RetinaNetSettings(foreign.ForeignSettings):
    """Settings of RetinaNet."""

    anchor_scale: float = setting(
        4.0, "Side of each level's smallest anchors, in its cells of 8 to 128 pixels: 4 gives anchors from 32 to 812"
        " pixels, 2 from 16 to 406. Smaller for small objects; those much larger than the largest are learnt badly.",
        low=0.5, high=16.0,
    )  # fmt: skip
    positive_iou: float = setting(
        0.5, "Anchors that overlap a box by at least this are trained on it, and so is each box's best anchor.",
        low=0.05, high=0.95, group="Loss",
    )  # fmt: skip
    negative_iou: float = setting(
        0.4, "Anchors that overlap every box by less than this are background; those in between are ignored.",
        low=0.0, high=0.95, group="Loss",
    )  # fmt: skip
    focal_gamma: float = setting(
        2.0, "Focal loss: predictions that are nearly right count less, by their error to this power (Lin 2017, arXiv"
        " 1708.02002); 0: off.",
        low=0.0, high=5.0, group="Loss",
    )  # fmt: skip
    focal_alpha: float = setting(
        0.25, "Weight of positives, the paper's alpha; negatives weigh 1 - alpha.", low=0.0, high=1.0, group="Loss"
    )


@register("retinanet")
class RetinaNet(Detector):
    """Outputs: the levels' labels (9 x C channels each), then their boxes (9 x 4)."""

    name = "retinanet"
    title = "RetinaNet"
    paper = "Lin, Goyal, Girshick, He, Dollar: Focal Loss for Dense Object Detection, 2017, arXiv 1708.02002"
    summary = "A pyramid of maps on ResNet-50: good on objects of all sizes, if you have a graphics card and time."
    settings_class: ClassVar[type[DetectorSettings]] = RetinaNetSettings
    published: ClassVar[Mapping[str, Any]] = {  # torchvision's: 26 epochs, falling after 16 and 22
        "epochs": 26, "learning_rate": 0.01, "batch": 16, "momentum": 0.9, "weight_decay": 0.0001, "warm_up": 1000,
        "schedule": "step", "step_at": (0.615, 0.846), "input_px": 800,
    }  # fmt: skip
    published_start: ClassVar[Mapping[str, Any]] = {"frozen_norms": True}  # torchvision's FrozenBatchNorm2d
    published_resize = "letterbox"  # torchvision keeps proportions
    published_nms = ("per label", 0.5)  # torchvision's
    pretrained: ClassVar[Pretrained | None] = foreign.pretrained(
        RetinaNet_ResNet50_FPN_Weights.COCO_V1, background=False, norm_eps=0.0
    )
    loss_per_positive = True
    smaller_by = "a larger input side or a smaller anchor_scale"
    larger_by = "a smaller input side or a larger anchor_scale"
    outs = (f"net.{LABELS}",)
    backbone_parts = ("net.backbone.body",)
    build: ClassVar[Callable[..., Any]] = staticmethod(retinanet_resnet50_fpn)
    box_loss: ClassVar[str] = "l1"
    defaults: Tensor
    label_weights: Tensor

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, RetinaNetSettings)
        if settings.negative_iou > settings.positive_iou:
            raise WorkbenchError("negative_iou must not be above positive_iou.")
        # anchors around a smaller or larger box learn background
        self.smallest_px = settings.anchor_scale * FINEST * settings.negative_iou**0.5
        if settings.negative_iou > 0:
            largest = settings.anchor_scale * FINEST * 2 ** (LEVELS - 1) * 2 ** ((SIZES - 1) / SIZES)
            self.largest_px = largest / settings.negative_iou**0.5
        self.normalise = foreign.Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.net = self.build(weights=None, weights_backbone=None, num_classes=labels)
        self.net.anchor_generator = foreign.anchors_of_levels(settings.anchor_scale, FINEST, LEVELS, SIZES)
        narrow(self.net, settings.width, (LABELS, BOXES))
        if settings.frozen_norms:
            foreign.freeze_norms(self.net)
        self.grids = foreign.map_sizes(self.net.backbone, settings.input_px)
        self.register_buffer("defaults", self._spread(self.grids, torch.empty(0).device), persistent=False)
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    def _spread(self, grids: foreign.Grids, device: torch.device) -> Tensor:
        rows, columns = grids[0]
        return foreign.spread(self.net.anchor_generator, grids, (rows * FINEST, columns * FINEST), device)

    def _anchors(self, raw: Raw) -> Tensor:
        grids = foreign.grids_of(raw[:LEVELS])
        return self.defaults if grids == self.grids else self._spread(grids, raw[0].device)

    def forward(self, images: Tensor) -> Raw:
        maps = list(self.net.backbone(self.normalise(images)).values())
        labels, boxes = self.net.head.classification_head, self.net.head.regression_head
        return (
            *(labels.cls_logits(labels.conv(features)) for features in maps),
            *(boxes.bbox_reg(boxes.conv(features)) for features in maps),
        )

    def candidates(self, raw: Raw) -> Candidates:
        boxes = decode(foreign.flat(raw[LEVELS:], 4), self._anchors(raw), WEIGHTS)
        return Candidates(boxes, foreign.flat(raw[:LEVELS], self.label_count).sigmoid())

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        grids = foreign.halved(size, FINEST, LEVELS)
        anchors = self._spread(grids, targets.boxes.device)
        return foreign.assignment_of(self._match(targets, anchors), grids, (ANCHORS,) * LEVELS)

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector. Nothing here depends on outputs."""
        grids = foreign.halved(size, FINEST, LEVELS) if raw is None else foreign.grids_of(raw[:LEVELS])
        anchors = self._spread(grids, targets.boxes.device)
        matches = self._match(targets, anchors)
        roles = anchor_matching.roles(targets, matches, anchors)
        return foreign.explain_matches(
            laid("anchor", anchors, grids, (ANCHORS,) * LEVELS), matches, roles, targets,
            lambda i, m: anchor_matching.why_none(targets, anchors, i, m),
        )  # fmt: skip

    @property
    def anchor_need(self) -> None:
        """Shapes are fixed, and sizes up to a factor: as published 32 to 512 pixels times 1, 2^(1/3), 2^(2/3)."""

    def label_rows(self) -> dict[str, LabelRows]:
        return {self.outs[0]: LabelRows(ANCHORS)}

    def _match(self, targets: Targets, anchors: Tensor) -> Tensor:
        """(B, N) the box of each anchor, BACKGROUND or BETWEEN."""
        assert isinstance(self.settings, RetinaNetSettings)
        high, low = self.settings.positive_iou, self.settings.negative_iou
        rule = partial(anchor_matching.match, high=high, low=low, keep_best=True)
        return anchor_matching.matches(targets.boxes, matching.real(targets), anchors, rule)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Per image, divided by its positives, then averaged over images."""
        assert isinstance(self.settings, RetinaNetSettings)
        anchors = self._anchors(raw)
        matches = self._match(targets, anchors)
        prior_targets = make_prior_targets(targets, matches, anchors, self.label_weights)
        number = prior_targets.positive.sum(1).clamp(min=1)
        box = self._box_loss(foreign.flat(raw[LEVELS:], 4), prior_targets.boxes, anchors)
        wanted = functional.one_hot(prior_targets.labels, self.label_count) * prior_targets.positive[..., None]
        logits, wanted = foreign.flat(raw[:LEVELS], self.label_count), wanted.float()
        weight = focal_weight(logits.sigmoid(), wanted, self.settings.focal_gamma, self.settings.focal_alpha)
        label = (weight * functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")).sum(-1)
        counted = anchor_matching.roles(targets, matches, anchors).counted
        return {
            "box": (torch.where(prior_targets.positive, box * prior_targets.weight, 0.0).sum(1) / number).mean(),
            "label": (torch.where(counted, label * prior_targets.weight, 0.0).sum(1) / number).mean(),
        }

    def _box_loss(self, numbers: Tensor, truth: Tensor, anchors: Tensor) -> Tensor:
        if self.box_loss == "l1":
            return functional.l1_loss(numbers, encode(truth, anchors, WEIGHTS), reduction="none").sum(-1)
        return iou_loss(decode(numbers, anchors, WEIGHTS), truth, "giou")


@register("retinanet-v2")
class RetinaNetV2(RetinaNet):
    """The same with another head: group norms, and GIoU in place of L1."""

    name = "retinanet-v2"
    title = "RetinaNet v2"
    summary = "RetinaNet with group norms in its heads and GIoU: more accurate, and it trains more steadily."
    published: ClassVar[Mapping[str, Any]] = {  # torchvision's, pull request 5756, but for its multiscale
        **RetinaNet.published, "optimizer": "adamw", "learning_rate": 0.0001, "weight_decay": 0.05, "sync_norm": True,
    }  # fmt: skip
    published_start: ClassVar[Mapping[str, Any]] = {}
    pretrained = foreign.pretrained(RetinaNet_ResNet50_FPN_V2_Weights.COCO_V1, background=False)
    build = staticmethod(retinanet_resnet50_fpn_v2)
    box_loss = "giou"
