"""Mouse gestures on the canvas from press to release, as values: drawing, moving, resizing, selecting several."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import Qt

from workbench.core.project import XYXY, Box
from workbench.inference.suggesting.suggest import Suggestion
from workbench.ui.annotate import geometry
from workbench.ui.annotate.geometry import Handle

TOO_SMALL = "A box of less than 3 × 3 pixels was not kept. Zoom in to draw small things."
DRAWS_NOW = "Draw boxes is on now, in the next images too: each drag draws a box. {cancel} ends that."
AT = 6.0  # image pixels from a suggestion's edge that still count as on it
NO_BOX_THERE = "Dragging selects the boxes it touches, and it touched none. To draw, press {draw} or Draw boxes."


SUGGESTED = (
    "This is a suggestion: press Enter to take it, then move it like any other box. Dragging a corner or side takes "
    "it, too."
)


def none_there(start: tuple[float, float], suggested: Sequence[XYXY]) -> str:
    """Why a drag from `start`, in image pixels, has selected nothing."""
    x, y = start
    on_one = any(x0 - AT <= x <= x1 + AT and y0 - AT <= y <= y1 + AT for x0, y0, x1, y1 in suggested)
    return SUGGESTED if on_one else NO_BOX_THERE


@dataclass(frozen=True, slots=True)
class DrawingAids:
    """Aids for the hand: sides within `reach` pixels of the image's border snap to it; `ratio` is width to height."""

    reach: float = 0.0
    ratio: float | None = None  # None: free


@dataclass
class DrawGesture:
    """A new box between the press and the pointer. The draft belongs to the tool until release."""

    start: tuple[float, float]
    size: tuple[float, float]  # of the image
    xyxy: XYXY = (0.0, 0.0, 0.0, 0.0)
    by_clicks: bool = False  # the first click set one corner, the next sets the other
    cycles: bool = False  # a click without a drag selects the box below and draws nothing

    def move(self, x: float, y: float, aids: DrawingAids) -> None:
        x, y = geometry.snapped_to_border(x, y, *self.size, aids.reach)
        if aids.ratio is None:
            self.xyxy = geometry.rect_between(*self.start, x, y, *self.size)
        else:
            self.xyxy = geometry.rect_with_ratio(self.start, x, y, aids.ratio, *self.size)

    def begin_drag(self, x: float, y: float) -> None:
        """A drag from (x, y), in image pixels, draws its own box; a click before it only gave the focus."""
        if self.by_clicks:
            self.start, self.by_clicks = (x, y), False

    def ends(self, is_click: bool) -> bool:
        """Whether the button's release completes the box; a first click does not."""
        is_first = is_click and not self.by_clicks
        self.by_clicks |= is_first
        return not is_first

    def take_back(self) -> bool:
        """Take back the last click; whether there was one before it."""
        return False


POINTS = 4


@dataclass
class PointsGesture(DrawGesture):
    """A new box around four clicked points of the object: its topmost, leftmost, lowest and rightmost, in any order.

    Papadopoulos et al., "Extreme clicking for efficient object annotation", 2017. A drag draws as usual.
    """

    points: list[tuple[float, float]] = field(default_factory=list)
    at: tuple[float, float] = (0.0, 0.0)  # the pointer

    def move(self, x: float, y: float, aids: DrawingAids) -> None:
        super().move(x, y, aids)
        self.at = geometry.snapped_to_border(x, y, *self.size, aids.reach)
        if self.points:
            self._enclose()

    def _enclose(self) -> None:
        xs, ys = zip(*self.points, self.at, strict=True)
        self.xyxy = geometry.rect_between(min(xs), min(ys), max(xs), max(ys), *self.size)

    def begin_drag(self, x: float, y: float) -> None:
        if len(self.points) == 1:
            super().begin_drag(x, y)
            self.points.clear()

    def ends(self, is_click: bool) -> bool:
        if not (is_click or self.points):
            return True
        self.points.append(self.at)
        self.by_clicks = True
        return len(self.points) == POINTS

    def take_back(self) -> bool:
        self.points.pop()
        self._enclose()
        return bool(self.points)


@dataclass
class MoveGesture:
    """The selected boxes follow the mouse."""

    boxes: tuple[Box, ...]
    start: tuple[float, float]
    size: tuple[float, float]
    by: tuple[float, float] = (0.0, 0.0)
    clicked: int = 0  # the box that a click without a drag selects

    def move(self, x: float, y: float, aids: DrawingAids) -> None:
        self.push(x - self.start[0], y - self.start[1], aids.reach)

    def push(self, dx: float, dy: float, reach: float = 0.0) -> None:
        """Move to (dx, dy), measured from where the boxes started."""
        self.by = geometry.shift([box.xyxy for box in self.boxes], dx, dy, *self.size, reach)

    @property
    def shifts(self) -> XYXY:
        """What is added to each box's corners."""
        return (*self.by, *self.by)

    @property
    def moved(self) -> tuple[Box, ...]:
        x0, y0, x1, y1 = self.shifts
        if not any(self.by):
            return ()
        return tuple(
            dataclasses.replace(box, xyxy=(box.xyxy[0] + x0, box.xyxy[1] + y0, box.xyxy[2] + x1, box.xyxy[3] + y1))
            for box in self.boxes
        )


class NudgeGesture(MoveGesture):
    """The selected boxes follow the arrow keys instead of the mouse."""


class StretchGesture(NudgeGesture):
    """Only their right and lower sides move."""

    def push(self, dx: float, dy: float, reach: float = 0.0) -> None:
        self.by = geometry.stretch([box.xyxy for box in self.boxes], dx, dy, *self.size)

    @property
    def shifts(self) -> XYXY:
        return (0.0, 0.0, *self.by)


@dataclass
class ResizeGesture:
    """One box's sides follow the mouse at the distance at which they were grabbed."""

    box: Box
    handle: Handle
    grabbed: tuple[float, float]  # pointer minus handle
    size: tuple[float, float]
    xyxy: XYXY
    fresh: bool = False  # the box was not selected before: a click without a drag selects it
    suggestion: Suggestion | None = None  # the suggestion that this turns into a box

    def move(self, x: float, y: float, aids: DrawingAids) -> None:
        at = geometry.snapped_to_border(x - self.grabbed[0], y - self.grabbed[1], *self.size, aids.reach)
        if aids.ratio is not None and self.handle.x and self.handle.y:
            self.xyxy = geometry.rect_with_ratio(self.handle.opposite.place(self.box.xyxy), *at, aids.ratio, *self.size)
        else:
            self.xyxy = geometry.resized(self.box.xyxy, self.handle, *at, *self.size)


@dataclass
class SelectGesture:
    """A rubber band: selects the boxes it touches; with `add`, keeps the earlier selection."""

    start: tuple[float, float]
    add: bool
    xyxy: XYXY = (0.0, 0.0, 0.0, 0.0)

    def move(self, x: float, y: float, _aids: DrawingAids) -> None:
        self.xyxy = (min(self.start[0], x), min(self.start[1], y), max(self.start[0], x), max(self.start[1], y))


Gesture = DrawGesture | MoveGesture | ResizeGesture | SelectGesture


def aids(held: Qt.KeyboardModifier, gesture: Gesture | None, border: float, ratio: float | None = None) -> DrawingAids:
    """With Shift, draw a square or keep a box's shape at its corner; with Ctrl or Alt, don't snap to the border.

    `border`: image pixels within which sides snap to it; `ratio`: width to height of new boxes, None: any. Many window
    managers on Linux take Alt and a drag for themselves.
    """
    keys = Qt.KeyboardModifier
    reach = 0.0 if held & (keys.ControlModifier | keys.AltModifier) else border
    shift = bool(held & keys.ShiftModifier)
    if isinstance(gesture, ResizeGesture):
        box = gesture.box
        return DrawingAids(reach, box.width / box.height if shift and box.height > 0 else None)
    return DrawingAids(reach, 1.0 if shift else ratio)
