"""Which suggestions the user has answered: a taken one does not come back while its box exists, however
that was corrected; a refused one never does, even if the next network places it slightly differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from workbench.core.boxes import iou
from workbench.core.project import XYXY, Box

if TYPE_CHECKING:
    from workbench.inference.suggesting.suggest import Suggestion

SAME = 0.5
"""IoU from which another suggestion counts as the refused one."""


class SuggestionAnswers:
    """For the open project, as long as the window lives, also when another network makes the suggestions."""

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, XYXY, int], int] = {}  # (image, suggested place, label): the box
        self._refused: dict[tuple[int, int], list[XYXY]] = {}  # by image and label

    def keep(self, taken: Sequence[Suggestion], boxes: Sequence[Box]) -> None:
        """Remember which box each of these became."""
        for one, box in zip(taken, boxes, strict=True):
            self._boxes[box.image, one.xyxy, one.label] = box.id

    def refuse(self, image: int, one: Suggestion) -> None:
        """Refuse this one and all that overlap it by half."""
        self._refused.setdefault((image, one.label), []).append(one.xyxy)

    def withdraw_refusal(self, image: int, one: Suggestion) -> None:
        """Undo one `refuse`."""
        self._refused[image, one.label].remove(one.xyxy)

    def _is_refused(self, image: int, one: Suggestion) -> bool:
        refused = self._refused.get((image, one.label))
        return bool(refused) and bool((iou(np.array([one.xyxy]), np.array(refused)) >= SAME).any())

    def unanswered(self, image: int, suggested: Sequence[Suggestion], boxes: Sequence[Box]) -> tuple[Suggestion, ...]:
        """Those of an image that were not taken, or whose box is no longer in `boxes`."""
        there = {box.id for box in boxes}
        return tuple(
            one
            for one in suggested
            if self._boxes.get((image, one.xyxy, one.label)) not in there and not self._is_refused(image, one)
        )

    def forget(self) -> None:
        """Another project is open."""
        self._boxes.clear()
        self._refused.clear()
