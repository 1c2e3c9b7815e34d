"""The commands for boxes: add, delete, duplicate, copy and paste, change the label, replace."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
from PySide6.QtCore import QObject, Slot

from workbench.core import box_faults, boxes, edits, formatting, interpolation
from workbench.core.box_faults import FAULTS
from workbench.core.project import XYXY, Box, Image, State
from workbench.ui.actions import with_keys
from workbench.ui.annotate import geometry
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.session import Session

_FARTHEST = 200
"""How many earlier images are searched for boxes."""
_ASIDE, _TRIES = 10.0, 20
"""Offset of a copy, in image pixels, from a box in its very place; and how many such steps are tried."""


class BoxCommands(QObject):
    """Acts on the canvas's selection in the session's image through edits."""

    def __init__(self, session: Session, canvas: Canvas, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._canvas = canvas
        self._copied: tuple[Box, ...] = ()
        self._remarked = 0, 0  # the image and the fault that was told last

    def add(self, image: int, xyxy: XYXY, label: int) -> None:
        """Add a box drawn in `image`: saved when this returns, and selected; in draw mode it only gets the keys.

        Another image may be on the canvas by now, if the box had to wait for its label.
        """
        is_here = image == self._session.image_id
        remark = self._remark(xyxy, label) if is_here else ""
        applied = self._session.draw((Box(0, image, label, xyxy),))
        if applied is not None and is_here:
            (made,) = applied.added_boxes
            self._canvas.select(*((), made.id) if self._canvas.is_drawing else ([made.id],))
            if remark:
                self._session.inform(remark)

    def _remark(self, xyxy: XYXY, label: int) -> str:
        """What is wrong with a new box, or "". A fault is not told again in an image: the list marks each box."""
        size, layer = self._canvas.image_size, self._canvas.layer
        wrong = box_faults.faults(np.array(xyxy), np.array([size.width(), size.height()]))[0]
        if wrong.any():
            before, self._remarked = self._remarked, (self._session.image_id, int(wrong.argmax()))
            return "" if before == self._remarked else box_faults.sentence(FAULTS[self._remarked[1]])
        twins = boxes.iou(np.array([xyxy]), layer.xyxy[layer.label_ids == label])
        return "There is already a box with this label in the same place." if (twins > box_faults.TWIN).any() else ""

    @Slot(object)
    def replace(self, boxes: Sequence[Box]) -> bool:
        """Replace the boxes with these ids by these moved, resized or marked ones. Returns whether any changed."""
        done = bool(boxes) and self._session.do(edits.ReplaceBoxes(tuple(boxes))) is not None
        if boxes and not done:
            self._canvas.renew()  # refused: show them unchanged
        return done

    @Slot(object, str)
    def note(self, boxes: Sequence[Box], words: str) -> None:
        """Set the note of these boxes, in their current state; boxes deleted meanwhile are skipped."""
        document = self._session.document
        if document is None:
            return
        wanted = {box.id for box in boxes}
        alive = (box for image in sorted({box.image for box in boxes}) for box in document.boxes(image))
        self.replace([dataclasses.replace(b, note=words) for b in alive if b.id in wanted and b.note != words])

    def mark(self, flag: str) -> None:
        """Mark the selected boxes, or remove the mark if all of them have it."""
        boxes = self._canvas.affected_boxes
        on = not all(getattr(box, flag) for box in boxes)
        if not boxes:
            self._session.inform(f"Select a box first: '{flag}' is a mark on boxes.")
        elif self.replace([dataclasses.replace(box, **{flag: on}) for box in boxes]):  # type: ignore[arg-type]
            self._session.inform(
                f"{formatting.count(len(boxes), 'box')} marked {flag}." if on else f"No longer {flag}."
            )

    def delete(self, instead: Callable[[], bool]) -> None:
        """Delete the selected boxes; if none is selected, `instead` may act, and then returns True."""
        if not instead() and self._has_selected():
            self._session.do(edits.RemoveBoxes(self._canvas.affected))

    def duplicate(self) -> None:
        if self._has_selected():
            self._put(self._canvas.affected_boxes)

    def zoom(self) -> None:
        """Show the selected boxes large, to correct their sides; if they are, show the whole picture again."""
        if self._has_selected():
            x0, y0, x1, y1 = zip(*(box.xyxy for box in self._canvas.affected_boxes), strict=True)
            before = self._canvas.view
            self._canvas.zoom_on((min(x0), min(y0), max(x1), max(y1)))
            if self._canvas.view == before:
                self._canvas.fit()

    def _has_selected(self) -> bool:
        """Whether there is a box to act on; says so if not: keys and menus work everywhere."""
        if not self._canvas.affected:
            self._session.inform("Select a box first.")
        return bool(self._canvas.affected)

    def copy(self) -> None:
        if self._has_selected():
            self._copied = self._canvas.affected_boxes
            count = len(self._copied)
            puts = with_keys(f"{{paste-boxes}} puts {'it' if count == 1 else 'them'} in any image.")
            self._session.inform(f"{formatting.count(count, 'box')} copied. {puts}")

    def paste(self) -> None:
        """Paste at the same place in this image, clipped to its border; boxes wholly outside are left out."""
        document = self._session.document
        if document is None:
            return
        if not self._copied:
            self._session.inform(with_keys("No box was copied yet: {copy-boxes} copies the selected ones."))
            return
        alive = {label.id for label in document.labels()}
        if known := [box for box in self._copied if box.label in alive]:
            self._put(known)
        else:
            self._session.inform("The labels of the copied boxes are gone. Copy other boxes, or undo that.")

    def copy_boxes_of(self, image: int) -> None:
        """Copy another image's boxes to the same places, except those that are already here."""
        document = self._session.document
        if document is None or self._canvas.image_size.isEmpty():
            return
        here = {(box.label, box.xyxy) for box in document.boxes(self._session.image_id)}  # of hidden labels too
        others = document.boxes(image)
        fitting = self._fitting(others)
        missing = tuple(box for box in fitting if (box.label, box.xyxy) not in here)
        if missing or (others and not fitting):
            self._add_copies(missing)
        else:
            self._session.inform(
                "All boxes of the previous image are here already." if others else "The previous image has no boxes."
            )

    def fill_between(self) -> None:
        """Interpolate boxes between this image and the last earlier image that has boxes.

        Earlier means in the same folder by name, whatever the list shows. In this image the selected or all boxes
        count.
        Done images go back to in work: nobody has looked at their new boxes.
        """
        document, canvas, shown = self._session.document, self._canvas, self._session.image
        here = canvas.selected_boxes or canvas.layer.boxes
        if document is None or shown is None:
            return
        if not here:
            self._session.inform("This image has no box yet. Draw what has moved, then fill the images in between.")
            return
        between: list[Image] = []
        found: list[tuple[Box, Box]] = []
        for image in self._before(shown):
            found = interpolation.pair_boxes(document.boxes(image.id), here)
            if found:
                break
            between.append(image)
        if not found or not between:
            why = "The previous image has these boxes already." if found else (
                f"None of the {len(between):,} previous images has a box with the same label nearby."
                if between else "This is the first image in its folder."
            )  # fmt: skip
            self._session.inform(why)
            return
        self._fill(between, found)

    def _before(self, shown: Image) -> list[Image]:
        """The images of the same folder that come before this one, nearest first."""
        document = self._session.document
        assert document is not None
        folder = shown.root, shown.path.rpartition("/")[0]
        images = document.images()
        row = images.row_of(shown.id)
        before = images[max(0, row - _FARTHEST) : row][::-1]
        return list(itertools.takewhile(lambda i: (i.root, i.path.rpartition("/")[0]) == folder, before))

    def _fill(self, between: list[Image], found: list[tuple[Box, Box]]) -> None:
        made = []
        for before, after in found:
            interpolated = interpolation.interpolate(before, after, len(between))
            for box, image in zip(interpolated, reversed(between), strict=True):
                cut = geometry.rect_between(*box.xyxy, image.width, image.height) if image.width else box.xyxy
                if not geometry.is_too_small(cut):
                    made.append(dataclasses.replace(box, image=image.id, xyxy=cut))
        filled = {box.image for box in made}
        reopened = tuple(image.id for image in between if image.id in filled and image.state is not State.IN_WORK)
        title = f"Fill {formatting.count(len(filled), 'image')} between"
        parts: list[edits.Edit] = [edits.AddBoxes(tuple(made))]
        if reopened:
            parts.append(edits.SetState(reopened, State.IN_WORK))
        if made and self._session.do(edits.Batch(tuple(parts), title)) is not None:
            what, where = formatting.count(len(made), "box"), formatting.count(len(filled), "image")
            self._session.inform(f"{what} in the {where} between. Look them through; Undo takes them all back.")

    def relabel(self, label: int, fresh: bool = False) -> None:
        """Change the label of the selected boxes; with `fresh`, also of the box that was just drawn."""
        boxes = self._canvas.affected_boxes if fresh else self._canvas.selected_boxes
        changed = [dataclasses.replace(box, label=label) for box in boxes if box.label != label]
        document = self._session.document
        if self.replace(changed) and document is not None and (len(changed) > 1 or not self._canvas.selected):
            which = formatting.count(len(changed), "box") + " are" if self._canvas.selected else "The box just drawn is"
            self._session.inform(f"{which} '{document.label(label).name}' now. Undo takes it back.")

    def forget(self) -> None:
        """Another project is open: the copied boxes mean nothing there."""
        self._copied = ()
        self._remarked = 0, 0

    def _put(self, originals: Sequence[Box]) -> None:
        """Add copies of these boxes at their places; aside of boxes that lie there already."""
        document = self._session.document
        if document is None or self._canvas.image_size.isEmpty():
            return
        there = {box.xyxy for box in document.boxes(self._session.image_id)}
        for step in range(_TRIES):
            copies = self._fitting(originals, step * _ASIDE)
            if there.isdisjoint(copy.xyxy for copy in copies):
                break
        else:  # as one of them is in the very corner
            copies = self._fitting(originals, _ASIDE)
        self._add_copies(copies)

    def _fitting(self, originals: Sequence[Box], aside: float = 0.0) -> tuple[Box, ...]:
        """Copies as they fit into this image, moved right and down by `aside` pixels; none of boxes outside of it."""
        size, copies = self._canvas.image_size, list[Box]()
        for box in originals:
            x0, y0, x1, y1 = box.xyxy
            for by in (aside, 0.0):  # in the very corner it lies on top of its original
                moved = x0 + by, y0 + by, x1 + by, y1 + by
                cut = geometry.clipped(moved, size.width(), size.height())
                if cut == moved or not geometry.is_too_small(cut):
                    copies.append(dataclasses.replace(box, id=0, image=self._session.image_id, xyxy=cut))
                    break
        return tuple(copies)

    def _add_copies(self, copies: tuple[Box, ...]) -> None:
        if not copies:
            self._session.inform("These boxes lie outside this image, so none was added.")
        elif (applied := self._session.draw(copies)) is not None:
            self._canvas.select([box.id for box in applied.added_boxes])
