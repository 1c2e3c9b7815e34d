"""Settings of all YOLO detectors with anchors, and of the losses of YOLOv3 and YOLOv4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from workbench.detectors import DetectorSettings
from workbench.detectors.parts.blocks import ACTIVATIONS
from workbench.detectors.parts.losses import IOU_LOSSES
from workbench.detectors.parts.yolo_head import Rules
from workbench.errors import WorkbenchError
from workbench.settings import setting

DARKNET_BOX_WEIGHT = 0.07  # the cfg's iou_normalizer; fits Darknet's gradient only
# Our own, as the true gradient is smaller, by about the number of cells (rules 23, 24). Measured on drawn rectangles
# (width 0.25, 128 px, 600 steps): boxes found at IoU 0.75 with weight 1, 3, 5, 8: 16, 17, 29, 35 %.
AUTOGRAD_BOX_WEIGHT = 5.0
TINY_MASKS = {"fixed": ((3, 4, 5), (0, 1, 2)), "published": ((3, 4, 5), (1, 2, 3))}  # for two levels and six anchors


def tiny_masks() -> Any:
    """The setting that chooses one of TINY_MASKS."""
    return setting(
        "fixed",
        "Which anchors each level uses. fixed: each of the six once, for training from scratch. published: as the "
        "public weights were trained, without the smallest anchor. Other numbers of anchors are divided evenly.",
        choices=tuple(TINY_MASKS),
    )


@dataclass(frozen=True)
class DarknetSettings(DetectorSettings):
    """Settings of every Darknet network.

    Layers, losses, gradients and NMS are Darknet's (tests/golden). Trained as published, these differ:
    - Batch norms see as many images at once as memory holds; Darknet's see batch / subdivisions, mostly 4 or 8, which
      is mini_batch.
    - The last convolutions start near zero (YoloHead.start); Darknet's start like all others.
    - Boxes of which less than a quarter, or less than 2 pixels, is left in the picture are neither object nor
      background; AlexeyAB's Darknet learns all down to a pixel.
    - What a border moved outwards shows is grey; AlexeyAB's Darknet takes the mean colour of the image.
    - Mosaics are drawn image by image, and show any part of the four, in one change of colours, with boxes cut at the
      seams. AlexeyAB's Darknet draws for each loader's share of a batch, puts a corner of each image where the four
      meet, changes the colours of each, and lets boxes reach over the seams.
    - The average (ema) begins at once instead of at half of the run, the warm-up takes at most a tenth of the run, and
      the last 100 or 200 steps are not at the largest side.
    """

    activation: str | None = setting(
        None,
        "The nonlinearity after every convolution but the last; auto: as published. Mish is arXiv 1908.08681, SiLU"
        " (or Swish) 1710.05941.",
        choices=ACTIVATIONS,
    )


@dataclass(frozen=True)
class YoloSettings(DarknetSettings):
    """Settings of every YOLO head with logistic outputs."""

    ignore_iou: float = setting(
        0.7,
        "A prediction that overlaps a box by more than this is not trained as background.",
        low=0.0,
        high=1.0,
        group="Loss",
    )
    match_iou: float = setting(
        1.0,
        "Anchors whose shape overlaps a box by more than this are trained on it; 1: only the best one, as published.",
        low=0.05,
        high=1.0,
        group="Loss",
    )
    objectness_prior: float = setting(
        0.01,
        "Share of priors expected to hold an object when training starts; 0.5 is Darknet's start.",
        low=0.0001,
        high=0.5,
        group="Loss",
    )
    rescore: bool = setting(
        False,
        "Objectness learns how well the box currently fits, as in YOLOv2 (arXiv 1612.08242); off: 1 at every box.",
        group="Loss",
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing e: labels are trained towards 1 - e/2 and e/2 (Szegedy 2016, arXiv 1512.00567); 0: off.",
        low=0.0,
        high=0.5,
        group="Loss",
    )
    focal_gamma: float = setting(
        0.0,
        "Focal loss: predictions that are nearly right count less, by their error to this power; 2 in the paper, with"
        " weight 0.25 for positives (Lin 2017, arXiv 1708.02002); 0: off.",
        low=0.0,
        high=5.0,
        group="Loss",
    )
    hard_negatives: float = setting(
        0.0,
        "Only this many background predictions per positive are trained, the worst ones: online hard example mining"
        " (Shrivastava 2016, arXiv 1604.03540; 3 in SSD); 0: all.",
        low=0.0,
        high=1000.0,
        group="Loss",
    )

    def _shared(self, rules: Rules) -> Rules:
        return replace(
            rules,
            ignore_iou=self.ignore_iou,
            match_iou=self.match_iou,
            rescore=self.rescore,
            label_smoothing=self.label_smoothing,
            focal_gamma=self.focal_gamma,
            negatives_per_positive=self.hard_negatives,
        )


@dataclass(frozen=True)
class YoloV3LossSettings(YoloSettings):
    """The settings of YOLOv3 and v3-tiny: the loss of one of the two public lines of Darknet.

    They differ in three places: AlexeyAB weights the box term by 0.75 (rule 17), ignores a prediction only if one of
    its labels has a probability above 0.25 (rule 19), and adds up the boxes that share a prior (rule 5). For Pascal
    VOC (yolov3-voc.cfg) ignore_iou is 0.5.
    """

    rules: str = setting(
        "alexeyab",
        "Whose Darknet the loss follows: alexeyab (box term weighs 0.75) or pjreddie (1, as in the paper).",
        choices=("alexeyab", "pjreddie"),
        group="Loss",
    )

    def loss_rules(self) -> Rules:
        if self.rules == "pjreddie":
            return self._shared(Rules("mse", 1.0, add_boxes=False))
        return self._shared(Rules("mse", 0.75, ignore_label=0.25))


@dataclass(frozen=True)
class YoloV4LossSettings(YoloSettings):
    """The settings of YOLOv4, YOLOv4-tiny and Scaled-YOLOv4: box losses by overlap."""

    box_loss: str = setting(
        "ciou",
        "The box loss: CIoU as published, DIoU (both arXiv 1911.08287), GIoU (1902.09630), plain IoU,"
        " or YOLOv3's coordinates (MSE).",
        choices=(*IOU_LOSSES, "mse"),
        group="Loss",
    )
    box_gradient: str = setting(
        "true",
        "CIoU's gradient: true is its derivative; darknet is what Darknet computes, which differs.",
        choices=("true", "darknet"),
        group="Loss",
    )
    box_weight: float | None = setting(
        None,
        "Weight of the box term; auto: the published one with Darknet's gradient, else 5 (mse: 0.75).",
        low=0.0,
        high=100.0,
        group="Loss",
    )

    @classmethod
    def renewed(cls, table: Mapping[str, Any]) -> dict[str, Any]:
        """Until 2026-11, Darknet's gradient was a kind of box_loss."""
        values = super().renewed(table)
        if values.get("box_loss") == "darknet ciou":
            values |= {"box_loss": "ciou", "box_gradient": "darknet"}
        return values

    def loss_rules(self) -> Rules:
        """Those of the released configuration: iou_normalizer 0.07, no bound on the gradient."""
        return self._overlap_rules(DARKNET_BOX_WEIGHT)

    def _overlap_rules(self, darknet_weight: float) -> Rules:
        darknet = self.box_gradient == "darknet"
        if darknet and self.box_loss != "ciou":
            raise WorkbenchError(
                f"Darknet's own gradient exists for CIoU only. Set box_loss to ciou or box_gradient to true"
                f" (box_loss is {self.box_loss})."
            )
        auto = darknet_weight if darknet else 0.75 if self.box_loss == "mse" else AUTOGRAD_BOX_WEIGHT
        weight = auto if self.box_weight is None else self.box_weight
        return self._shared(Rules(self.box_loss, weight, darknet_gradient=darknet, ignore_label=0.25))
