"""From a number or a point on the Anchors page to the boxes behind it: on their image, or in the gallery."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Slot

from workbench import anchors
from workbench.core import formatting
from workbench.ui.anchors.computation import Boxes, ChosenBoxes
from workbench.ui.session import Session


class BoxNavigation(QObject):
    """Leaves the page for another one, with those of the boxes that still exist."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session

    @Slot(object)
    def show_boxes(self, chosen: ChosenBoxes) -> None:
        """Show one box on its image, several in the gallery."""
        if len(chosen.ids) == 1:
            self._show_box(int(chosen.ids[0]), int(chosen.images[0]))
        else:
            self.show_images(chosen)

    @Slot(object)
    def show_images(self, chosen: ChosenBoxes) -> None:
        """Show the images of these boxes on the Data page, with the boxes marked."""
        document = self._session.document
        if document is None:
            return
        alive = document.images()
        images = frozenset(image for image in np.unique(chosen.images).tolist() if alive.has(image))
        if not images:
            self._session.inform("These boxes are no longer there.")
            return
        self._session.page_requested.emit("data")
        why = f"with {formatting.count(len(chosen.ids), 'box')} {chosen.words}".rstrip()
        self._session.marked_images_requested.emit(images, why, frozenset(chosen.ids.tolist()))

    def show_served(self, boxes: Boxes, centres: NDArray[np.float64], number: int) -> None:
        """Show the boxes that an anchor serves."""
        rows = boxes.middles
        served = rows[anchors.assign(boxes.sizes[rows], centres) == number]
        w, h = np.rint(centres[number]).astype(int).tolist()
        self.show_boxes(boxes.chosen(served, f"of the anchor {w} × {h} px"))

    def _show_box(self, box: int, image: int) -> None:
        document = self._session.document
        if document is None:
            return
        if not document.images().has(image) or box not in {one.id for one in document.boxes(image)}:
            self._session.inform("This box is no longer there.")
            return
        self._session.select_image(image)
        self._session.page_requested.emit("label")
        self._session.boxes_requested.emit((box,))
