"""The canvas: draw, select, move and resize boxes on the picture. It asks for edits and changes nothing itself.

Two modes. *Select*: click a box, drag it or its corners and sides, drag on the picture to select several. *Draw* (W):
a drag anywhere makes a box, also on another one; first come the selected box's handles, and suggestions' corners.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter

from workbench.core.project import XYXY, Box, Label
from workbench.inference.suggesting.suggest import Suggestion
from workbench.ui.annotate import canvas_painter, geometry, gestures, hit_testing
from workbench.ui.annotate.gestures import DrawGesture, DrawingAids, Gesture, MoveGesture, NudgeGesture, ResizeGesture
from workbench.ui.annotate.nudging import ARROWS, ArrowKeys, ends_nudge, nudged
from workbench.ui.annotate.space_key import SpaceKey
from workbench.ui.images.boxes_painter import BoxesLayer, BoxStyle
from workbench.ui.images.picture_view import PictureView

BORDER = 3.0
"""Widget pixels within which a side snaps to the image's border; at 6, boxes that end 4 pixels before it snapped."""
CLICK, _DRAG = 3.0, 12.0
"""Widget pixels that the mouse may move during a click; from which it is a drag, also after one that set a corner."""


class Canvas(PictureView):
    """Shows one image's boxes; the page sets them after every edit.

    Boxes in signals are values: `drawn` has the new box's xyxy, `changed` the moved or resized boxes with their ids.
    """

    drawn = Signal(object)  # XYXY in image pixels
    changed = Signal(object)  # tuple[Box, ...]
    corrected = Signal(object, object)  # a Suggestion, and the XYXY it was dragged to
    selection_changed = Signal()
    mode_changed = Signal(bool)  # drawing
    verify_requested = Signal()  # Space was tapped
    refused = Signal(str)  # why, or a side effect; {name} stands for a command's key

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAccessibleName("Picture with boxes")
        self.layer = BoxesLayer()
        self._style = BoxStyle()
        self.gesture: Gesture | None = None
        self.pointer: QPointF | None = None  # in widget pixels while the mouse is over the canvas
        self.hovered = 0
        self.hidden = False
        self.is_drawing = False
        self._knows_drawing = False  # the user has switched drawing on or off
        self.draft: XYXY | None = None  # waits for its label
        self.new_label: Label | None = None
        self._selected: tuple[int, ...] = ()
        self._fresh = 0  # the box that was just drawn, in draw mode
        self.taken = 0  # the box that a suggestion became last, until the next one is drawn
        self.suggests = False  # arrows and Delete act on suggestions
        self.ratio: float | None = None  # width to height of new boxes; None: any
        self.draws: type[DrawGesture] = DrawGesture
        self._pressed = QPointF()
        self._space = SpaceKey()
        self._arrows = ArrowKeys(self, self.end_nudge)
        self.suggestions: Sequence[Suggestion] = ()  # a run's suggestions

    # --- what it shows ---

    def set_boxes(self, boxes: Sequence[Box], labels: Sequence[Label]) -> None:
        """Show these boxes; boxes that are gone lose their selection."""
        size = self.image_size.width(), self.image_size.height()
        self.layer = BoxesLayer(boxes, {label.id: label for label in labels}, size)
        self.layer.style = self._style
        if not isinstance(self.gesture, DrawGesture):
            self.gesture = None
        self.hovered = 0
        self.select(self._selected, self._fresh)
        self.renew()

    def set_drawing(self, on: bool) -> None:
        if on != self.is_drawing:
            self.is_drawing, self._knows_drawing = on, True
            self.gesture = None
            self.select(self._selected)
            self._show_cursor()
            self.update()
            self.mode_changed.emit(on)

    def set_style(self, style: BoxStyle) -> None:
        self._style = self.layer.style = style
        self.renew()

    def set_hidden(self, hidden: bool) -> None:
        """None stays selected: keys would act on it unseen. Whoever selects one shows them again."""
        self.hidden = hidden
        self.select(*((), 0) if hidden else (self._selected, self._fresh))
        self.renew()

    def set_draft(self, xyxy: XYXY | None) -> None:
        """Keep a drawn rectangle visible while its label is asked for."""
        self.draft = xyxy
        self.update()

    def cancel(self) -> None:
        """Esc: ends the current gesture first, then drawing, then the selection."""
        if self.gesture is not None or self.draft is not None:
            self.gesture = self.draft = None
            self.renew()
        elif self.is_drawing:
            self.set_drawing(False)
        else:
            self.select(())

    def cancel_gesture(self) -> None:
        """Drop the gesture in progress, as another image is coming."""
        self.gesture = self.draft = None

    # --- selection ---

    @property
    def selected(self) -> tuple[int, ...]:
        """Ids of the selected boxes, in the order of selection."""
        return self._selected

    @property
    def selected_boxes(self) -> tuple[Box, ...]:
        return tuple(self.layer.boxes[self.layer.row[id]] for id in self._selected)

    @property
    def affected(self) -> tuple[int, ...]:
        """Ids of the boxes that marks and other keys act on: the selected ones, else the one just drawn."""
        return self._selected or ((self._fresh,) if self._fresh else ())

    @property
    def affected_boxes(self) -> tuple[Box, ...]:
        return tuple(self.layer.boxes[self.layer.row[id]] for id in self.affected)

    def select(self, ids: Collection[int], fresh: int = 0) -> None:
        """`fresh` was just drawn in draw mode: keys act on it, but the next drag draws a new box."""
        new, fresh = tuple(id for id in ids if id in self.layer.row), fresh if fresh in self.layer.row else 0
        if (new, fresh) != (self._selected, self._fresh):
            self._selected, self._fresh = new, fresh
            self.renew()
            self.selection_changed.emit()

    def select_next(self, step: int) -> None:
        """Select the box after the selected one in the list (before it, if `step` is negative); bring it into view."""
        if not (ids := self.layer.ids):
            return
        row = self.layer.row[self._selected[-1]] + step if self._selected else (0 if step > 0 else -1)
        self.select_in_sight((ids[row % len(ids)],))

    @Slot(object)
    def select_in_sight(self, ids: Collection[int]) -> None:
        """Select these boxes, and bring the last of them into view."""
        self.select(ids)
        for box in self.selected_boxes[-1:]:
            self.look_at(box.xyxy)

    # --- the mouse ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.end_nudge()
        if is_left := event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position()
        if event.button() == Qt.MouseButton.MiddleButton or (is_left and self._space.is_held):
            self._space.use()
            self.begin_pan(event)
        elif self._is_empty():
            return
        elif is_left:
            self._press(event)
        elif event.button() == Qt.MouseButton.RightButton:
            hits = hit_testing.boxes_under(self, event.position())
            if hits and not set(hits) & set(self._selected):
                self.select(hits[:1])

    def _is_empty(self) -> bool:
        return self.image_size.isEmpty() or bool(self.sentence)

    def _press(self, event: QMouseEvent) -> None:
        at = hit_testing.image_point(self, event.position())
        size = self.image_size.width(), self.image_size.height()
        if isinstance(self.gesture, DrawGesture) and self.gesture.by_clicks:
            self.gesture.move(*at, self._aids(event))
            return
        hits = hit_testing.boxes_under(self, event.position())
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if ctrl and not self.is_drawing:
            self._cycle(hits)
            return
        grip = None if ctrl else hit_testing.grip_at(self, event.position())
        adds = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if grip is not None and (grip.box.id in self._selected or not adds):
            box, handle, suggestion = grip
            place = handle.place(box.xyxy)
            grabbed = at[0] - place[0], at[1] - place[1]
            fresh = box.id not in self._selected
            self.select((box.id,))
            self.gesture = ResizeGesture(box, handle, grabbed, size, box.xyxy, fresh, suggestion)
        elif self.is_drawing:
            self.taken = 0
            self.select(self._selected)
            aids = self._aids(event)
            self.gesture = self.draws(geometry.snapped_to_border(*at, *size, aids.reach), size, cycles=ctrl)
            self.gesture.move(*at, aids)
        elif hits and adds:
            self._toggle(hits[0])
        elif hits:
            if not set(hits) & set(self._selected):
                self.select(hits[:1])
            self.gesture = MoveGesture(self.selected_boxes, at, size, clicked=hits[0])
            if hit_testing.fills_view(self):
                self.begin_pan(event)
        else:
            self.gesture = gestures.SelectGesture(at, adds)
        self.renew()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        before = canvas_painter.selection_area(self)
        self.pointer = event.position()
        if self.pan(event):
            return
        if self.gesture is None or isinstance(self.gesture, NudgeGesture):
            self._hover(event.position())
            if self.is_drawing or self.suggestions:
                self.update()
            return
        is_drag = (event.position() - self._pressed).manhattanLength() > _DRAG
        if isinstance(self.gesture, DrawGesture) and is_drag and event.buttons() & Qt.MouseButton.LeftButton:
            self.gesture.begin_drag(*hit_testing.image_point(self, self._pressed))
        self.gesture.move(*hit_testing.image_point(self, event.position()), self._aids(event))
        if isinstance(self.gesture, MoveGesture):  # only the area of the old and new boxes changes
            self.update(before.united(canvas_painter.selection_area(self)).toAlignedRect())
        else:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.end_pan() and not isinstance(self.gesture, MoveGesture):
            self._show_cursor()
            return
        gesture = self.gesture
        if event.button() != Qt.MouseButton.LeftButton or gesture is None or isinstance(gesture, NudgeGesture):
            return
        is_click = (event.position() - self._pressed).manhattanLength() <= CLICK
        if isinstance(gesture, DrawGesture):
            if is_click and gesture.cycles:
                self.gesture = None
                self._cycle(hit_testing.boxes_under(self, event.position()))
            elif gesture.ends(is_click):
                self._finish_drawing(gesture)
            else:
                self.update()
            return
        self.gesture = None
        if isinstance(gesture, MoveGesture):
            self._finish_moving(gesture, is_click)
        elif isinstance(gesture, ResizeGesture):
            self._finish_resizing(gesture, is_click)
        else:
            self._finish_selecting(gesture, is_click)
        self.renew()

    def _aids(self, event: QMouseEvent) -> DrawingAids:
        return gestures.aids(event.modifiers(), self.gesture, BORDER / self.view.scale, self.ratio)

    def _finish_drawing(self, gesture: DrawGesture) -> None:
        self.gesture = None
        self.update()
        if geometry.is_too_small(gesture.xyxy):
            self.refused.emit(gestures.TOO_SMALL)
        else:
            self.drawn.emit(gesture.xyxy)

    def _finish_moving(self, gesture: MoveGesture, is_click: bool) -> None:
        if gesture.moved and not is_click:
            self.changed.emit(gesture.moved)
        elif is_click and gesture.clicked:
            self.select((gesture.clicked,))

    def _finish_resizing(self, gesture: ResizeGesture, is_click: bool) -> None:
        if gesture.xyxy == gesture.box.xyxy or (is_click and gesture.fresh):
            return
        if geometry.is_too_small(gesture.xyxy):
            self.refused.emit(gestures.TOO_SMALL)
        elif gesture.suggestion is not None:
            self.corrected.emit(gesture.suggestion, gesture.xyxy)
        else:
            self.changed.emit((dataclasses.replace(gesture.box, xyxy=gesture.xyxy),))
            if self.is_drawing and gesture.fresh:  # keys are for the next one again, as when it was taken
                self.select(())

    def _finish_selecting(self, gesture: gestures.SelectGesture, is_click: bool) -> None:
        if not (is_click or len(self.layer.ids) or self._knows_drawing):  # a newcomer's first drag means to draw a box
            size = self.image_size.width(), self.image_size.height()
            self.set_drawing(True)
            self.refused.emit(gestures.DRAWS_NOW)
            self._finish_drawing(DrawGesture(gesture.start, size, geometry.rect_between(*gesture.xyxy, *size)))
            return
        rows = [] if is_click or self.hidden else geometry.rows_touched(self.layer.xyxy, gesture.xyxy).tolist()
        found = [self.layer.ids[row] for row in rows]
        if not (is_click or self.hidden or found or self._selected):
            self.refused.emit(gestures.none_there(gesture.start, [suggestion.xyxy for suggestion in self.suggestions]))
        self.select([*self._selected, *(id for id in found if id not in self._selected)] if gesture.add else found)

    def _cycle(self, hits: list[int]) -> None:
        """Ctrl-click: select the box after the selected one among those under the pointer."""
        chosen = [id for id in hits if id in self._selected]
        if hits:
            self.select((hits[(hits.index(chosen[0]) + 1) % len(hits)] if chosen else hits[0],))

    def _toggle(self, id: int) -> None:
        self.select([i for i in self._selected if i != id] if id in self._selected else [*self._selected, id])

    # --- what is under the pointer ---

    def _hover(self, position: QPointF) -> None:
        grip = hit_testing.grip_at(self, position)
        hits = [grip.box.id] if grip else [] if self.is_drawing else hit_testing.boxes_under(self, position)
        if (hovered := hits[0] if hits else 0) != self.hovered:
            self.hovered = hovered
            self.update()
        self._show_cursor(grip)

    def _show_cursor(self, grip: hit_testing.Grip | None = None) -> None:
        if self.cursor().shape() != (chosen := hit_testing.cursor_shape(self, grip, self._space.is_held)):
            self.setCursor(chosen)

    def leaveEvent(self, event: QEvent) -> None:
        self.pointer, self.hovered = None, 0
        self.update()

    # --- the keyboard: what has a beginning and an end ---

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key == Qt.Key.Key_Space:
            self._space.press(event)
            self._show_cursor()
        elif key in ARROWS and (self._selected or (self.affected and not self.suggests)) and not self._is_empty():
            self._nudge(event)
        else:
            event.ignore()

    def event(self, event: QEvent) -> bool:
        """A command that arrives while an arrow key is held finds the boxes where they are shown."""
        if isinstance(event, QKeyEvent) and ends_nudge(event):
            self.end_nudge()
        return super().event(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.isAutoRepeat():
            return
        if event.key() == Qt.Key.Key_Space:
            tapped = self._space.release(event)
            self._show_cursor()
            if tapped:
                self.verify_requested.emit()
        elif event.key() in ARROWS:
            self._arrows.release(event)
        else:
            event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._space.forget()
        self.end_nudge()
        super().focusOutEvent(event)

    def _nudge(self, event: QKeyEvent) -> None:
        """A held arrow key is one edit, made on release. A mouse gesture takes precedence."""
        self._arrows.press(event)
        made = nudged(event, self.gesture, self.affected_boxes, self.image_size)
        if made is not None:
            self.gesture = made
            self.renew()
        else:
            self.end_nudge()

    def end_nudge(self) -> None:
        """Emit the edit for the boxes that the arrow keys moved."""
        if isinstance(self.gesture, NudgeGesture):
            gesture, self.gesture = self.gesture, None
            if gesture.moved:
                self.changed.emit(gesture.moved)
            self.renew()

    # --- painting ---

    def paint_backdrop(self, painter: QPainter) -> None:
        if not self.hidden and not self._is_empty():
            dimmed = bool(self._selected)
            self.layer.paint(painter, self.view, QRectF(self.rect()), frozenset(self.affected), dimmed)

    def paint_overlay(self, painter: QPainter) -> None:
        if not self._is_empty():
            canvas_painter.paint(painter, self)
