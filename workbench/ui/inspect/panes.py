"""The three panes of the Inspect page side by side: the images, the chosen one's picture, and the results."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSplitter, QWidget

from workbench.ui.inspect.images_pane import ImagesPane
from workbench.ui.inspect.picture_pane import PicturePane
from workbench.ui.inspect.results_pane import ResultsPane
from workbench.ui.widgets import window_geometry

LEFT, MIDDLE, RIGHT = 320, 290, 270  # px: when the sides shrink as far as they can, all three fit the smallest window
PREFERRED = 380  # px of the right side if there is room


class InspectPanes(QSplitter):
    """Their sizes are remembered. Call `close_down` before it goes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("inspect-panes")
        self.setChildrenCollapsible(False)
        self.images, self.picture, self.results = ImagesPane(), PicturePane(), ResultsPane()
        for pane, least in ((self.images, LEFT - 10), (self.picture, MIDDLE), (self.results, RIGHT)):
            pane.setMinimumWidth(least)
            self.addWidget(pane)
        self.setSizes([LEFT, 2 * MIDDLE, PREFERRED])
        self.setStretchFactor(1, 1)
        window_geometry.remember_panes(self, "inspect/panes")

    @Slot(bool)
    def show_results_alone(self, on: bool) -> None:
        self.images.setVisible(not on)
        self.picture.setVisible(not on)

    def close_down(self) -> None:
        """Wait for their threads."""
        self.images.close_down()
        self.picture.close_down()
        self.results.close_down()
