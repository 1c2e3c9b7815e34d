"""The review gallery as a tab of the Inspect page."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QVBoxLayout

from workbench.ui.inspect.review.pane import Review
from workbench.ui.inspect.shown import Shown
from workbench.ui.inspect.tab import Tab
from workbench.ui.session import Session


class ReviewTab(Tab):
    """`wide(bool)`: whether the gallery is to have the room of the images and the picture just now."""

    wide = Signal(bool)

    def __init__(self, session: Session) -> None:
        super().__init__("Review")
        self.review = Review(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.review)
        self.setFocusProxy(self.review)
        self.review.wide_asked.connect(self.wide)

    def draw(self, state: Shown, result: object) -> None:
        self.review.show_found(state.found.truth, state.matching, state.wanted)

    def clear(self) -> None:
        self.review.clear()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.wide.emit(self.review.is_wide)

    def hideEvent(self, event: QHideEvent) -> None:
        self.wide.emit(False)

    def close_down(self) -> None:
        self.review.close_down()
        super().close_down()
