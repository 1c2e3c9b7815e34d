"""The review gallery as a tab of the Inspect page."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QVBoxLayout

from workbench.inference.evaluating.review import ReviewItem
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.review.gallery import ReviewGallery
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.session import Session


class ReviewTab(InspectTab):
    """`wide_requested(bool)`: whether the gallery should take the space of the images and the picture now."""

    wide_requested = Signal(bool)
    icon = "mdi6.clipboard-check-outline"

    def __init__(self, session: Session) -> None:
        super().__init__("Review")
        self.review = ReviewGallery(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.review)
        self.main_widget = self.review.view
        self.review.wide_requested.connect(self.wide_requested)
        self.review.current_changed.connect(self._mark)
        self.review.show_requested.connect(self.show_requested)

    def draw(self, state: InspectState, result: object) -> None:
        self.review.show_found(state.evaluation.truth, state.matching, state.confidences)

    def clear(self) -> None:
        self.review.clear()

    @Slot(object)
    def _mark(self, item: ReviewItem | None) -> None:
        """Frame the item in the picture beside the tiles: its box, its prediction, or both."""
        if not self.isVisible():
            return
        places = [place for place in (item.xyxy, item.prediction and item.prediction.xyxy) if place] if item else []
        images = self.state.evaluation.truth.images if self.state is not None else ()
        row = next((row for row, image in enumerate(images) if item is not None and image.id == item.image), -1)
        if item is None or row < 0:
            self.marked.emit(None)
            return
        boxes = np.array(places, np.float64).reshape(-1, 4)
        self.marked.emit(BoxSelection(item.kind.value, np.full(len(boxes), row), boxes))

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self._mark(self.review.current)
        self.review.show_image()
        self.wide_requested.emit(self.review.is_wide)

    def hideEvent(self, event: QHideEvent) -> None:
        self.wide_requested.emit(False)
        self.marked.emit(None)

    def close_down(self) -> None:
        self.review.close_down()
        super().close_down()
