"""Which suggestions a person has taken: none comes back while its box is there, however that was corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.core.project import XYXY, Box

if TYPE_CHECKING:
    from workbench.inference.suggest import Suggestion


class Taken:
    """Of the open project, as long as the window lives; the network may be another by then."""

    def __init__(self) -> None:
        self._boxes: dict[tuple[int, XYXY, int], int] = {}  # image, where it was suggested, label: the box

    def keep(self, taken: Sequence[Suggestion], boxes: Sequence[Box]) -> None:
        """These became these boxes, one each."""
        for one, box in zip(taken, boxes, strict=True):
            self._boxes[box.image, one.xyxy, one.label] = box.id

    def others(self, image: int, suggested: Sequence[Suggestion], boxes: Sequence[Box]) -> tuple[Suggestion, ...]:
        """Those of an image that were not taken, or whose box is not among the image's `boxes` any more."""
        there = {box.id for box in boxes}
        return tuple(one for one in suggested if self._boxes.get((image, one.xyxy, one.label)) not in there)

    def forget(self) -> None:
        """Another project is open."""
        self._boxes.clear()
