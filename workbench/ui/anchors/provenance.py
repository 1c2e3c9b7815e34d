"""The anchors that the page shows, and where they come from, in words that sets, trainings and files keep."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workbench.anchors import Step
from workbench.core.project import AnchorSet
from workbench.ui.anchors.computation import AnchorChoices, PreparedBoxes

MOVED = ", then moved by hand"


@dataclass(frozen=True, slots=True, eq=False)
class ShownAnchors:
    """A step of the film, or a set that the user dragged, typed or chose.

    `source`: their provenance; `hand`: the action they came from, "" for the film. `resize`, `tiles`: how images were
    seen when the sizes were measured, of a set made earlier; "": as the page's choices say.
    """

    step: Step
    source: str
    hand: str = ""
    resize: str = ""
    tiles: int = 0

    def as_set(self, choices: AnchorChoices, source: str) -> AnchorSet:
        """These, for the input side of `choices`."""
        made = replace(choices, resize=self.resize, tiles=self.tiles) if self.resize else choices
        return as_set(self.step, made, source)


def action_name(hand: str) -> str:
    """An action as named within a sentence; titles of detectors keep their capitals."""
    return hand[:1].lower() + hand[1:] if hand[1:2].islower() else hand


def of_fit(choices: AnchorChoices, prepared: PreparedBoxes | None) -> str:
    """For what k-means found in these boxes."""
    boxes, fell_back = (prepared.count, prepared.fell_back) if prepared is not None else (0, False)
    more = f", scaled by {choices.scale:g}" if choices.scale else ""
    refined = ", then refined" if choices.refines else ""
    part = "all images, as no training image has a box" if fell_back else f"{choices.part} images"
    return (
        f"IoU k-means, {choices.update}{refined}, seed {choices.seed}, best of {choices.starts} starts,"
        f" {boxes} boxes of {part}{more}"
    )


def count_in(step: Step, prepared: PreparedBoxes | None) -> int:
    """Boxes behind a step, each counted once: augmentation gives a box several sizes."""
    each = prepared.count / max(len(prepared.boxes), 1) if prepared is not None else 1.0
    return round(int(step.counts.sum()) * each)


def moved(source: str) -> str:
    """The provenance after an anchor was moved by hand; the addition is made only once."""
    return source if source.endswith(MOVED) else source + MOVED


def as_set(step: Step, choices: AnchorChoices, source: str) -> AnchorSet:
    """By ascending area, rounded to thousandths of a pixel."""
    order = np.lexsort((step.centres[:, 0], step.centres.prod(axis=1)))
    return AnchorSet(
        sizes=tuple((round(w, 3), round(h, 3)) for w, h in step.centres[order].tolist()),
        input_px=choices.px,
        resize=choices.resize,
        mean_iou=round(step.mean_iou, 6),
        recall=round(step.recall, 6),
        source=source,
        tiles=choices.tiles,
    )
