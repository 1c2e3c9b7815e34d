"""Where anchors come from, in words that go with them into sets, trainings and files."""

from __future__ import annotations

import numpy as np

from workbench.anchors import Step
from workbench.core.project import AnchorSet
from workbench.ui.anchors.work import Choices

MOVED = ", then moved by hand"


def of_fit(choices: Choices, boxes: int, *, fell_back: bool) -> str:
    """Of what k-means found. `fell_back`: no training image has a box, so all images were taken."""
    more = f", scaled by {choices.scale:g}" if choices.scale else ""
    refined = ", then refined" if choices.refines else ""
    part = "all images, as no training image has a box" if fell_back else f"{choices.part} images"
    return (
        f"IoU k-means, {choices.update}{refined}, seed {choices.seed}, best of {choices.starts} starts,"
        f" {boxes} boxes of {part}{more}"
    )


def moved(source: str) -> str:
    """The same, said once, after a person moved an anchor."""
    return source if source.endswith(MOVED) else source + MOVED


def as_set(step: Step, choices: Choices, source: str) -> AnchorSet:
    """By ascending area, in thousandths of a pixel."""
    order = np.lexsort((step.centres[:, 0], step.centres.prod(axis=1)))
    return AnchorSet(
        sizes=tuple((round(w, 3), round(h, 3)) for w, h in step.centres[order].tolist()),
        input_px=choices.px,
        resize=choices.resize,
        mean_iou=round(step.mean_iou, 6),
        recall=round(step.recall, 6),
        source=source,
    )
