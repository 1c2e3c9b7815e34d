"""FCOS: no anchors; every point inside a box predicts its four sides (Tian, Shen, Chen, He: FCOS: Fully Convolutional
One-Stage Object Detection, 2019, arXiv 1904.01355, section 3; with the later version's centre sampling, GIoU, and
centre-ness beside the sides, arXiv 2006.09214).

The network is torchvision's on ResNet-50, so its published weights fit. Values and gradients of the loss are those of
torchvision's FCOS.compute_loss, except that the smaller of two boxes also wins where their areas differ by less than 8
square pixels, which torchvision's float32 may not tell apart. As there, and unlike the paper: points are the corners of
cells (foreign.spread) instead of their middles; sides are outputs, not below 0, times the cell's side, without a learnt
factor per level; the box term is not weighted by centre-ness, as its authors' code does; and a point whose longest side
is exactly a limit between two levels answers on neither.

When a run starts from weights with the published settings, batch norms are frozen as in torchvision. torchvision also
freezes the backbone's first two blocks; here they are trained.
There an image's shorter side is 800 pixels, the longer at most 1,333, and batches are padded with the mean colour;
here the longer side is input_px, in a square padded with grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import FCOS_ResNet50_FPN_Weights, fcos_resnet50_fpn
from torchvision.ops import sigmoid_focal_loss

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import foreign, matching, priors
from workbench.detectors.parts.default_boxes import make_prior_targets
from workbench.detectors.parts.detector import Assignment, Candidates, Detector, LabelRows, Pretrained, Raw, Targets
from workbench.detectors.parts.explained import Explained, Roles, laid
from workbench.detectors.parts.losses import iou_loss
from workbench.detectors.parts.narrow import narrow
from workbench.settings import setting

LEVELS = 5
FINEST = 8  # pixels per cell of the first map
LABELS, BOXES, CENTRES = "head.classification_head.cls_logits", "head.regression_head.bbox_reg", "bbox_ctrness"


@dataclass(frozen=True)
class FcosSettings(foreign.ForeignSettings):
    """Settings of FCOS."""

    centre_radius: float = setting(
        1.5, "Points within this many cells of a box's centre are trained on it, if they lie inside.",
        low=0.5, high=1000.0, group="Loss",
    )  # fmt: skip


@register("fcos")
class Fcos(Detector):
    """Outputs: the levels' labels (C channels), their sides (4) and their centre-ness (1), each for all levels.

    A point stands for a square as large as its cell; boxes are coded in units of it.
    """

    name = "fcos"
    title = "FCOS"
    paper = "Tian, Shen, Chen, He: FCOS: Fully Convolutional One-Stage Object Detection, 2019, arXiv 1904.01355"
    summary = "No anchors to choose: for objects of very different shapes, if you have a graphics card and time."
    settings_class: ClassVar[type[DetectorSettings]] = FcosSettings
    shared_divisor = True
    loss_per_positive = True
    published: ClassVar[Mapping[str, Any]] = {  # torchvision's: 26 epochs, falling after 16 and 22
        "epochs": 26, "learning_rate": 0.01, "batch": 16, "momentum": 0.9, "weight_decay": 0.0001, "warm_up": 1000,
        "schedule": "step", "step_at": (0.615, 0.846), "input_px": 800,
    }  # fmt: skip
    published_start: ClassVar[Mapping[str, Any]] = {"frozen_norms": True}  # torchvision's FrozenBatchNorm2d
    published_resize = "letterbox"  # torchvision keeps proportions
    published_nms = ("per label", 0.6)  # torchvision's
    pretrained: ClassVar[Pretrained | None] = foreign.pretrained(FCOS_ResNet50_FPN_Weights.COCO_V1, background=False)
    outs = (f"net.{LABELS}",)
    backbone_parts = ("net.backbone.body",)
    squares: Tensor  # (N, 4) xyxy pixels
    label_weights: Tensor

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, FcosSettings)
        self.normalise = foreign.Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.net = fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=labels)
        narrow(self.net, settings.width, (LABELS, BOXES, f"head.regression_head.{CENTRES}"))
        if settings.frozen_norms:
            foreign.freeze_norms(self.net)
        self.grids = foreign.map_sizes(self.net.backbone, settings.input_px)
        self.register_buffer("squares", self._spread(self.grids, torch.empty(0).device), persistent=False)
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    def _spread(self, grids: foreign.Grids, device: torch.device) -> Tensor:
        rows, columns = grids[0]
        return foreign.spread(self.net.anchor_generator, grids, (rows * FINEST, columns * FINEST), device)

    def _points(self, raw: Raw) -> Tensor:
        grids = foreign.grids_of(raw[:LEVELS])
        return self.squares if grids == self.grids else self._spread(grids, raw[0].device)

    def forward(self, images: Tensor) -> Raw:
        maps = list(self.net.backbone(self.normalise(images)).values())
        labels, sides = self.net.head.classification_head, self.net.head.regression_head
        inside = [sides.conv(features) for features in maps]
        return (
            *(labels.cls_logits(labels.conv(features)) for features in maps),
            *(sides.bbox_reg(features).relu() for features in inside),
            *(sides.bbox_ctrness(features) for features in inside),
        )

    def candidates(self, raw: Raw) -> Candidates:
        """Score: the square root of label times centre-ness, as in torchvision; in the paper, their product."""
        boxes = _decode(foreign.flat(raw[LEVELS : 2 * LEVELS], 4), self._points(raw))
        centre = foreign.flat(raw[2 * LEVELS :], 1).sigmoid()
        return Candidates(boxes, (foreign.flat(raw[:LEVELS], self.label_count).sigmoid() * centre).sqrt())

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        grids = foreign.halved(size, FINEST, LEVELS)
        squares = self._spread(grids, targets.boxes.device)
        return foreign.assignment_of(self._match(targets, squares), grids, (1,) * LEVELS)

    def positives(self, targets: Targets, size: tuple[int, int]) -> Tensor:
        grids = foreign.halved(size, FINEST, LEVELS)
        squares = self.squares if grids == self.grids else self._spread(grids, targets.boxes.device)
        return (self._match(targets, squares) >= 0).sum()

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector. Nothing here depends on outputs."""
        grids = foreign.halved(size, FINEST, LEVELS) if raw is None else foreign.grids_of(raw[:LEVELS])
        squares = self._spread(grids, targets.boxes.device)
        matches = self._match(targets, squares)
        return foreign.explain_matches(
            laid("point", squares, grids, (1,) * LEVELS), matches, self._roles(targets, matches, squares), targets,
            lambda i, m: self._why(targets, squares, i, m),
        )  # fmt: skip

    @torch.no_grad()
    def _roles(self, targets: Targets, matches: Tensor, squares: Tensor) -> Roles:
        """The role of every point."""
        positive = matches >= 0
        _, share = matching.best_overlap(squares.expand(len(matches), -1, 4), targets)
        return Roles(positive, ~positive & (share > matching.CROWD_SHARE), ~positive & (share <= matching.CROWD_SHARE))

    def _why(self, targets: Targets, squares: Tensor, image: int, box: int) -> str:
        """Why a box to be found has no positive."""
        inside, in_range = self._reach(targets.boxes[image : image + 1, box : box + 1].float(), squares)
        if not inside.any():
            return "no point lies inside it near its centre: it is smaller than the finest level's cells"
        if not (inside & in_range).any():
            return "its size is outside the range of every level that has a point near its centre"
        return "a smaller box has all its points"

    @property
    def anchor_need(self) -> None:
        """There are no anchors."""

    def label_rows(self) -> dict[str, LabelRows]:
        return {self.outs[0]: LabelRows(1)}

    def _match(self, targets: Targets, squares: Tensor) -> Tensor:
        """(B, N) the smallest box around the point, near its centre, with a size for its level; -1 for none."""
        boxes, real = targets.boxes.float(), matching.real(targets)
        if not boxes.shape[1]:
            return torch.full((len(boxes), len(squares)), -1, dtype=torch.int64, device=boxes.device)
        some = matching.number_at_once(boxes.shape[1] * len(squares))
        parts = zip(torch.split(boxes, some), torch.split(real, some), strict=True)
        return torch.cat([self._smallest(*part, squares) for part in parts])

    def _smallest(self, boxes: Tensor, real: Tensor, squares: Tensor) -> Tensor:
        """_match() of a few images: boxes (b, M, 4), real (b, M)."""
        inside, in_range = self._reach(boxes, squares)
        answers = inside & in_range & real[:, None]
        area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
        smallest, index = torch.where(answers, area[:, None], torch.inf).min(-1)
        return torch.where(smallest < torch.inf, index, -1)

    def _reach(self, boxes: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, M) each: whether the point lies in the box near its centre, and whether its level takes the size."""
        assert isinstance(self.settings, FcosSettings)
        points, stride = (squares[:, :2] + squares[:, 2:]) / 2, squares[:, 2] - squares[:, 0]
        radius = self.settings.centre_radius * stride[:, None]
        least = torch.where(stride == stride.min(), 0.0, stride * 4)[:, None]
        most = torch.where(stride == stride.max(), torch.inf, stride * 8)[:, None]
        inside, longest = torch.ones((), dtype=torch.bool, device=boxes.device), torch.zeros((), device=boxes.device)
        for axis in (0, 1):  # a tensor of both would take four times the memory
            at, start, end = points[:, axis, None], boxes[:, None, :, axis], boxes[:, None, :, axis + 2]
            low, high = at - start, end - at  # (B, N, M) each
            inside = inside & (torch.minimum(low, high) > 0) & ((at - (start + end) / 2).abs_() < radius)
            longest = torch.maximum(longest, torch.maximum(low, high))
        return inside, (longest > least) & (longest < most)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Sums over the batch, divided by its positives."""
        squares = self._points(raw)
        matches = self._match(targets, squares)
        prior_targets = make_prior_targets(targets, matches, squares, self.label_weights)
        box = iou_loss(_decode(foreign.flat(raw[LEVELS : 2 * LEVELS], 4), squares), prior_targets.boxes, "giou")
        wanted = functional.one_hot(prior_targets.labels, self.label_count) * prior_targets.positive[..., None]
        label = sigmoid_focal_loss(foreign.flat(raw[:LEVELS], self.label_count), wanted.float()).sum(-1)
        centre = functional.binary_cross_entropy_with_logits(
            foreign.flat(raw[2 * LEVELS :], 1)[..., 0], _centreness(prior_targets.boxes, squares), reduction="none"
        )
        counted = self._roles(targets, matches, squares).counted
        number = prior_targets.positive.sum().clamp(min=1)
        return {
            "box": torch.where(prior_targets.positive, box * prior_targets.weight, 0.0).sum() / number,
            "centre": torch.where(prior_targets.positive, centre * prior_targets.weight, 0.0).sum() / number,
            "label": torch.where(counted, label * prior_targets.weight, 0.0).sum() / number,
        }


def _decode(numbers: Tensor, squares: Tensor) -> Tensor:
    """Distances (..., 4) to left, top, right and bottom, in sides of the point's square -> boxes xyxy."""
    points, side = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:3] - squares[:, :1])
    far = numbers * side
    return torch.cat([points - far[..., :2], points + far[..., 2:]], dim=-1)


def _centreness(truth: Tensor, squares: Tensor) -> Tensor:
    """1 in the middle of the box, 0 at its edge (equation 3)."""
    points = (squares[:, :2] + squares[:, 2:]) / 2
    low, high = points - truth[..., :2], truth[..., 2:] - points
    ratio = torch.minimum(low, high) / torch.maximum(low, high).clamp(min=1e-9)
    return ratio.clamp(min=0).prod(-1).sqrt()
