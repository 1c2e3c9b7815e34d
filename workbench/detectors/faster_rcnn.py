"""Faster R-CNN: a first network proposes, a second one looks at each proposal (Ren, He, Girshick, Sun: Faster R-CNN,
2015, arXiv 1506.01497). Anchors come from this paper (section 3.1.1); here for comparison with one-stage detectors.

The network is torchvision's on ResNet-50 with a feature pyramid (Lin et al. 2017, arXiv 1612.03144), so its published
weights fit. Matching, sampling and losses are torchvision's, in shapes that do not depend on the data, so that no step
waits for a graphics card (fixed_samples.py), and with additions for a project's ignore regions. As there, and unlike
the paper: RoIAlign (He et al. 2017, arXiv 1703.06870, without its later shift by half a cell) takes the place of RoI
pooling, anchors that reach over the border are trained, and both networks learn at once.

When a run starts from weights with the published settings, batch norms are frozen as in torchvision. torchvision also
freezes the backbone's first two blocks; here they are trained.
There an image's shorter side is 800 pixels, the longer at most 1,333, and batches are padded with the mean colour;
here the longer side is input_px, in a square padded with grey.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights, fasterrcnn_resnet50_fpn
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import nms

from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import anchor_matching, fixed_samples, foreign, losses, matching, priors
from workbench.detectors.parts.default_boxes import decode, encode, make_prior_targets, padded
from workbench.detectors.parts.detector import Assignment, Candidates, Detector, LabelRows, Pretrained, Raw, Targets
from workbench.detectors.parts.explained import Explained, Roles, laid
from workbench.detectors.parts.narrow import narrow
from workbench.settings import setting

LEVELS = 5  # of proposals; the second network looks at the first four maps
MAPS = LEVELS - 1
FINEST = 4  # pixels per cell of the first map
ANCHORS = 3  # per cell: one size in three shapes
POOLED_CELLS = 49  # each proposal is pooled to 7 x 7 cells
SCORES, BOXES = "roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"
POOLED = (7, 7)
FIRST_WEIGHTS = (1.0,) * 4  # of the first network's box coding: unweighted
SAME = 0.5  # IoU from which a proposal is taken for the box
BETA = 1 / 9  # where smooth L1 turns from quadratic to linear, as in torchvision

UNKNOWN = "The negatives to learn from are drawn at random in every step: choose weights to see one draw."
HIGH, LOW = 0.7, 0.3  # IoU above which an anchor is positive, and below which it is background


@dataclass(frozen=True)
class FasterRcnnSettings(foreign.ForeignSettings):
    """Settings of Faster R-CNN."""

    anchor_scale: float = setting(
        8.0, "Side of each level's anchors, in its cells of 4 to 64 pixels: 8 gives anchors of 32 to 512 pixels, 4 of"
        " 16 to 256. Smaller for small objects; those much larger than the largest are learnt badly.",
        low=1.0, high=32.0,
    )  # fmt: skip
    proposals: int = setting(
        1000, "Proposals that the second network looks at, per image; twice as many in training.", low=10, high=10_000
    )


@register("faster-rcnn")
class FasterRcnn(Detector):
    """Outputs: four maps of features, then the first network's outputs on five: objectness (3), boxes (3 x 4)."""

    name = "faster-rcnn"
    title = "Faster R-CNN"
    paper = "Ren, He, Girshick, Sun: Faster R-CNN: Towards Real-Time Object Detection, 2015, arXiv 1506.01497"
    summary = "Two stages: accurate, also on small objects, and several times slower than the rest."
    settings_class: ClassVar[type[DetectorSettings]] = FasterRcnnSettings
    published: ClassVar[Mapping[str, Any]] = {  # torchvision's: 26 epochs, falling after 16 and 22
        "epochs": 26, "learning_rate": 0.02, "batch": 16, "momentum": 0.9, "weight_decay": 0.0001, "warm_up": 1000,
        "schedule": "step", "step_at": (0.615, 0.846), "input_px": 800,
    }  # fmt: skip
    published_start: ClassVar[Mapping[str, Any]] = {"frozen_norms": True}  # torchvision's FrozenBatchNorm2d
    published_resize = "letterbox"  # torchvision keeps proportions
    published_nms = ("per label", 0.5)  # torchvision's
    pretrained: ClassVar[Pretrained | None] = foreign.pretrained(
        FasterRCNN_ResNet50_FPN_Weights.COCO_V1, background=True, norm_eps=0.0
    )
    smaller_by = "a larger input side or a smaller anchor_scale"
    larger_by = "a smaller input side or a larger anchor_scale"
    samples = True
    # Means over the drawn ones, whose number boxes don't raise; the first network knows no labels. Measured on blood
    # cells: one wrong label raised an image above .80 of the others, above .59 by all terms per box; the order was that
    # of fewest boxes (-.93) and is hardly that of most (.33)
    loss_per_positive = True
    judged_by = ("box", "label")
    outs = (f"net.{SCORES}", f"net.{BOXES}")
    backbone_parts = ("net.backbone.body",)
    defaults: Tensor
    label_weights: Tensor

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, FasterRcnnSettings)
        # anchors around a smaller or larger box learn background
        self.smallest_px = settings.anchor_scale * FINEST * LOW**0.5
        self.largest_px = settings.anchor_scale * FINEST * 2 ** (LEVELS - 1) / LOW**0.5
        self.normalise = foreign.Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        most = self.most = settings.proposals
        self.net = fasterrcnn_resnet50_fpn(
            weights=None, weights_backbone=None, num_classes=1 + labels,
            rpn_pre_nms_top_n_train=2 * most, rpn_post_nms_top_n_train=2 * most,
            rpn_pre_nms_top_n_test=most, rpn_post_nms_top_n_test=most,
        )  # fmt: skip
        self.net.rpn.anchor_generator = foreign.anchors_of_levels(settings.anchor_scale, FINEST, LEVELS, 1)
        narrow(
            self.net, settings.width, (SCORES, BOXES, "rpn.head.cls_logits", "rpn.head.bbox_pred"), cells=POOLED_CELLS
        )
        if settings.frozen_norms:
            foreign.freeze_norms(self.net)
        self.grids = foreign.map_sizes(self.net.backbone, settings.input_px)
        self.register_buffer("defaults", self._spread(self.grids, torch.empty(0).device), persistent=False)
        self.register_buffer("label_weights", torch.ones(labels), persistent=False)

    def _spread(self, grids: foreign.Grids, device: torch.device) -> Tensor:
        rows, columns = grids[0]
        return foreign.spread(self.net.rpn.anchor_generator, grids, (rows * FINEST, columns * FINEST), device)

    def _anchors(self, raw: Raw) -> Tensor:
        grids = foreign.grids_of(raw[MAPS : MAPS + LEVELS])
        return self.defaults if grids == self.grids else self._spread(grids, raw[0].device)

    def forward(self, images: Tensor) -> Raw:
        maps = list(self.net.backbone(self.normalise(images)).values())
        objectness, boxes = self.net.rpn.head(maps)
        return (*maps[:MAPS], *objectness, *boxes)

    def _sizes(self, raw: Raw) -> list[tuple[int, int]]:
        rows, columns = raw[0].shape[-2:]
        return [(rows * FINEST, columns * FINEST)] * len(raw[0])

    def _pooled(self, raw: Raw, proposals: Tensor) -> Tensor:
        """The features (B P, 256, 7, 7) of proposals (B, P, 4), float32.

        torchvision computes boxes in the dtype that it is given, and bf16 resolves only every fourth pixel beyond 512.
        """
        maps = OrderedDict(zip(("0", "1", "2", "3"), (level.float() for level in raw[:MAPS]), strict=True))
        pooled: Tensor = self.net.roi_heads.box_roi_pool(maps, list(proposals), self._sizes(raw))
        return pooled

    def _second(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """The second network's outputs for all proposals: label scores (n, 1 + C) and boxes (n, 4 (1 + C)), float32."""
        scores, boxes = self.net.roi_heads.box_predictor(self.net.roi_heads.box_head(pooled))
        return scores.float(), boxes.float()

    def _first(self, raw: Raw) -> tuple[Tensor, Tensor]:
        """Objectness (n, 1) and box numbers (n, 4) of all anchors of all images."""
        levels = [level.float() for level in raw[MAPS:]]
        objectness, numbers = concat_box_prediction_layers(levels[:LEVELS], levels[LEVELS:])
        return objectness, numbers

    def candidates(self, raw: Raw) -> Candidates:
        """Each proposal has a separate box per label. Images with fewer proposals get rows with scores of 0."""
        proposals, there = self._best_proposals(raw, *self._first(raw))
        scores, numbers = self._second(self._pooled(raw, proposals))
        count, most = proposals.shape[:2]
        boxes = self.net.roi_heads.box_coder.decode(numbers, list(proposals)).view(count, most, -1, 4)
        scores = scores.softmax(-1).view(count, most, -1) * there[..., None]
        return Candidates(boxes[:, :, 1:], scores[..., 1:])

    def _best_proposals(self, raw: Raw, objectness: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The proposals (B, P, 4), and which are real (B, P). P is fixed, as exported files need.

        As torchvision's filter_proposals(), but what NMS removes is moved to the end instead of being cut off.
        """
        count, rpn, (height, width) = len(raw[0]), self.net.rpn, self._sizes(raw)[0]
        boxes = rpn.box_coder.decode(numbers, [self._anchors(raw)] * count).view(count, -1, 4)
        boxes = torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))
        per_level = [rows * columns * ANCHORS for rows, columns in foreign.grids_of(raw[MAPS : MAPS + LEVELS])]
        best: list[Tensor] = []
        levels: list[Tensor] = []
        for number, of_level in enumerate(torch.split(objectness.view(count, -1), per_level, dim=1)):
            found = of_level.topk(min(rpn.pre_nms_top_n(), per_level[number]), dim=1).indices + sum(per_level[:number])
            best.append(found)
            levels.append(torch.full_like(found, number))
        rows = torch.cat(best, dim=1)
        boxes = boxes.gather(1, rows[..., None].expand(-1, -1, 4))
        scores = objectness.view(count, -1).gather(1, rows).sigmoid()
        apart = boxes + (torch.cat(levels, dim=1) * (max(height, width) + 1))[..., None]
        there = (boxes[..., 2:] - boxes[..., :2] >= rpn.min_size).all(-1)
        kept = [
            torch.zeros_like(some).index_put((nms(place, score, rpn.nms_thresh),), some.new_ones(())).bool()
            for some, place, score in zip(there.long(), apart, scores, strict=True)
        ]
        there = there & torch.stack(kept)
        most = min(rpn.post_nms_top_n(), rows.shape[1])
        value, order = torch.where(there, scores, -1.0).topk(most, dim=1)
        return boxes.gather(1, order[..., None].expand(-1, -1, 4)), value >= 0

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        """Of the first network."""
        grids = foreign.halved(size, FINEST, LEVELS)
        matches = self._match(targets, self._spread(grids, targets.boxes.device))
        return foreign.assignment_of(matches, grids, (ANCHORS,) * LEVELS)

    def explained(self, raw: Raw | None, targets: Targets, size: tuple[int, int]) -> Explained:
        """See Detector; of the first network. With outputs, anchors are drawn as in the loss, by torch's generator."""
        grids = foreign.halved(size, FINEST, LEVELS) if raw is None else foreign.grids_of(raw[MAPS : MAPS + LEVELS])
        anchors = self._spread(grids, targets.boxes.device)
        matches = self._match(targets, anchors)
        roles = anchor_matching.roles(targets, matches, anchors)
        roles = roles if raw is None else self._drawn(roles)
        return foreign.explain_matches(
            laid("anchor", anchors, grids, (ANCHORS,) * LEVELS), matches, roles, targets,
            lambda i, m: self._why(targets, matches, anchors, i, m), UNKNOWN if raw is None else "",
        )  # fmt: skip

    def _match(self, targets: Targets, anchors: Tensor) -> Tensor:
        """(B, N) the box of each anchor of the first network, BACKGROUND or BETWEEN."""
        rule = partial(anchor_matching.match, high=HIGH, low=LOW, keep_best=True)
        return anchor_matching.matches(targets.boxes, matching.real(targets), anchors, rule)

    def _drawn(self, roles: Roles) -> Roles:
        """The roles of a random sample: at most 256 per image, at most half of them positive."""
        positive, negative = fixed_samples.draw(roles.positive, roles.negative, *_quota(self.net.rpn))
        return Roles(positive, roles.ignored, negative)

    def _why(self, targets: Targets, matches: Tensor, anchors: Tensor, image: int, box: int) -> str:
        """Why a box to be found has no positive."""
        if (matches[image] == box).any():
            return "none of its anchors was drawn this time"
        return anchor_matching.why_none(targets, anchors, image, box)

    @property
    def anchor_need(self) -> None:
        """Shapes are fixed, and sizes up to a factor: as published 32 to 512 pixels, tall, square and wide."""

    def label_rows(self) -> dict[str, LabelRows]:
        return {self.outs[0]: LabelRows(1, before=1), self.outs[1]: LabelRows(1, before=1, repeat=4)}

    @property
    def later_multiply_adds(self) -> int:
        """Of the second network, for the largest possible number of proposals."""
        layers = [module for module in self.net.roi_heads.modules() if isinstance(module, nn.Linear)]
        return self.most * sum(layer.weight.numel() for layer in layers)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        """Means over the anchors and proposals that were drawn."""
        count = len(raw[0])
        objectness, numbers = self._first(raw)
        objectness, numbers = objectness.view(count, -1), numbers.view(count, -1, 4)
        return {
            **self._first_loss(raw, objectness, numbers, targets),
            **self._second_loss(raw, *self._proposals(raw, objectness.detach(), numbers.detach()), targets),
        }

    def _first_loss(self, raw: Raw, objectness: Tensor, numbers: Tensor, targets: Targets) -> dict[str, Tensor]:
        """objectness: (B, N), numbers: (B, N, 4)."""
        anchors = self._anchors(raw)
        matches = self._match(targets, anchors)
        roles = self._drawn(anchor_matching.roles(targets, matches, anchors))
        learnt = make_prior_targets(targets, matches, anchors, self.label_weights)
        wanted = encode(learnt.boxes, anchors, FIRST_WEIGHTS)
        box = functional.smooth_l1_loss(numbers, wanted, beta=BETA, reduction="none").sum(-1)
        proposal = functional.binary_cross_entropy_with_logits(objectness, roles.positive.float(), reduction="none")
        number = roles.counted.sum().clamp(min=1)
        return {
            "proposal": torch.where(roles.counted, proposal, 0.0).sum() / number,
            "proposal box": torch.where(roles.positive, box, 0.0).sum() / number,
        }

    def _proposals(self, raw: Raw, objectness: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The first network's proposals to learn from, (B, P, 4) xyxy, and which are real (B, P)."""
        rpn, (height, width) = self.net.rpn, self._sizes(raw)[0]
        x0, y0, x1, y1 = decode(numbers, self._anchors(raw), FIRST_WEIGHTS).unbind(-1)
        across, down = (x0.clamp(0, width), x1.clamp(0, width)), (y0.clamp(0, height), y1.clamp(0, height))
        boxes = torch.stack([across[0], down[0], across[1], down[1]], dim=-1)
        per_level = [rows * columns * ANCHORS for rows, columns in foreign.grids_of(raw[MAPS : MAPS + LEVELS])]
        most = min(rpn.pre_nms_top_n(), max(per_level))
        found: list[tuple[Tensor, Tensor]] = []
        levels = (torch.split(one, per_level, dim=1) for one in (objectness, boxes))
        for values, places in zip(*levels, strict=True):
            value, rows = values.topk(min(most, values.shape[1]), dim=1)
            room = most - rows.shape[1]
            found.append((functional.pad(_rows(places, rows), (0, 0, 0, room)), functional.pad(value, (0, room))))
        boxes, scores = (torch.stack(parts, dim=1) for parts in zip(*found, strict=True))  # (B, L, n, 4), (B, L, n)
        there = (boxes[..., 2:] - boxes[..., :2] >= rpn.min_size).all(-1)  # no padding, which has no area
        nms = fixed_samples.exact_nms if _on_processor(raw) else fixed_samples.nms_in_rounds
        left = nms(boxes.flatten(0, 1), there.flatten(0, 1), rpn.nms_thresh).view_as(there)
        scores = torch.where(left, scores.sigmoid(), -1.0).flatten(1)
        scores, rows = scores.topk(min(rpn.post_nms_top_n(), scores.shape[1]), dim=1)
        return _rows(boxes.flatten(1, 2), rows), scores >= 0

    def _second_loss(self, raw: Raw, proposals: Tensor, there: Tensor, targets: Targets) -> dict[str, Tensor]:
        heads, (truth, _) = self.net.roi_heads, padded(targets)
        iou, share = matching.best_overlap(proposals, targets)
        there = there & ((share <= matching.CROWD_SHARE) | (iou >= SAME))
        real = functional.pad(matching.real(targets), (0, truth.shape[1] - targets.boxes.shape[1]))
        there, places = torch.cat([there, real], dim=1), torch.cat([proposals, truth], dim=1)
        unit = (torch.arange(4, device=truth.device) > 1).float()  # in place of padding, which may have no area
        places = torch.where(there[..., None], places, unit)
        rule = partial(anchor_matching.match, high=SAME, low=SAME, keep_best=False)
        matches = anchor_matching.matches(truth, real, places, rule)
        count, share_positive = _quota(heads)
        drawn = fixed_samples.draw(there & (matches >= 0), there & (matches < 0), count, share_positive)
        rows, positive, negative = fixed_samples.gathered(*drawn, count)
        chosen, counted = _rows(places, rows), positive | negative
        learnt = make_prior_targets(
            targets, torch.where(positive, matches.gather(1, rows), -1), chosen, self.label_weights
        )
        label = torch.where(positive, learnt.labels + 1, 0)
        if _on_processor(raw):
            pooled = self._pooled(raw, chosen)
        else:
            pooled = fixed_samples.pool([level.float() for level in raw[:MAPS]], chosen, FINEST, POOLED)
        scores, numbers = self._second(pooled)
        own = numbers.view(*label.shape, -1, 4).gather(2, label[..., None, None].expand(-1, -1, 1, 4))[:, :, 0]
        wanted = encode(learnt.boxes, chosen, heads.box_coder.weights)
        box = functional.smooth_l1_loss(own, wanted, beta=BETA, reduction="none").sum(-1) * learnt.weight
        named = functional.cross_entropy(scores, label.flatten(), reduction="none").view_as(label) * learnt.weight
        number = counted.sum().clamp(min=1)
        return {
            "box": torch.where(positive, box, 0.0).sum() / number,
            "label": torch.where(counted, named, 0.0).sum() / number,
        }


def _on_processor(raw: Raw) -> bool:
    """Whether torchvision's own NMS and pooling, which work on lists, are the faster way and nothing waits for them."""
    return raw[0].device.type == losses.PROCESSOR


def _quota(network: Any) -> tuple[int, float]:
    """How many rows torchvision's network draws per image, and which share of these may be positive."""
    return network.fg_bg_sampler.batch_size_per_image, network.fg_bg_sampler.positive_fraction


def _rows(table: Tensor, rows: Tensor) -> Tensor:
    """(B, N, 4), (B, n) -> (B, n, 4)."""
    return table.gather(1, rows[..., None].expand(-1, -1, 4))
