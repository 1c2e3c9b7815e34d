"""Where anchors come from, in words that go with them into sets, trainings and files."""

from __future__ import annotations

import numpy as np

from workbench.anchors import Step
from workbench.core.project import AnchorSet
from workbench.ui.anchors.work import Choices, Taken

MOVED = ", then moved by hand"


def of_fit(choices: Choices, taken: Taken | None) -> str:
    """Of what k-means found in these boxes."""
    boxes, fell_back = (taken.count, taken.fell_back) if taken is not None else (0, False)
    more = f", scaled by {choices.scale:g}" if choices.scale else ""
    refined = ", then refined" if choices.refines else ""
    part = "all images, as no training image has a box" if fell_back else f"{choices.part} images"
    return (
        f"IoU k-means, {choices.update}{refined}, seed {choices.seed}, best of {choices.starts} starts,"
        f" {boxes} boxes of {part}{more}"
    )


def count_in(step: Step, taken: Taken | None) -> int:
    """Boxes that a step is about, each once: augmentation gives a box several sizes."""
    each = taken.count / max(len(taken.boxes), 1) if taken is not None else 1.0
    return round(int(step.counts.sum()) * each)


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
