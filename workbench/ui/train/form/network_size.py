"""One line on the Train page: how large the network is with the current settings."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QLabel, QWidget

from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.ui.background import Background
from workbench.ui.train import work
from workbench.ui.train.work import NetworkCost


class NetworkSizeLabel(QLabel):
    """Computed by PyTorch, in the background: the largest network takes a second to build. `close_down` joins it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, wordWrap=True)
        self.setObjectName("train-size")
        self.setProperty("role", "muted")
        self.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setMinimumHeight(2 * self.fontMetrics().lineSpacing())  # as high as while it counts: nothing below moves
        self._background: Background | None = None
        self._request: tuple[object, ...] = ()

    def measure(self, recipe: Recipe | None, labels: tuple[str, ...]) -> None:
        """Show the size for these labels; None (PyTorch is not loaded yet) leaves the line as it is."""
        if recipe is None:
            return
        if self._background is None:
            self._background = Background("Counting weights", work.network_cost, self)
            self._background.done.connect(self._measured)
        request = (recipe.detector, recipe.detector_settings, labels)
        if request != self._request:
            self._request = request
            self.setText("Counting weights …")
            self._background.ask([request])

    @Slot(object, object)
    def _measured(self, request: object, size: object) -> None:
        if request == self._request:
            self.setText(size.sentence if isinstance(size, NetworkCost | WorkbenchError) else "")

    def close_down(self) -> None:
        if self._background is not None:
            self._background.close()
            self._background.deleteLater()
            self._background = None
