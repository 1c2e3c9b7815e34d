"""The line above the gallery that names the run whose losses colour the images, and can sort the highest first."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from workbench.core.formatting import count
from workbench.ui import theme
from workbench.ui.images import image_losses
from workbench.ui.images.loss_scale import LossScale
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedLabel

_HELP = "List the images with the highest loss first: wrong labels are among them"
_ABOUT = (
    "The loss of each image in this run, with its labels as they were when the run began.\n"
    "Measured at each evaluation: on all validation images, and on a different part of the training images each time."
)


class LossBar(QFrame):
    """Hidden without a run with losses. `highest_first(bool)` when the button is pressed."""

    highest_first = Signal(bool)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("loss-bar")
        self._watch = image_losses.of(session)
        self._about = ElidedLabel()
        self._about.setObjectName("loss-about")
        self._about.setProperty("role", "muted")
        self._about.setToolTip(_ABOUT)
        self.first = QPushButton("Highest loss first")
        self.first.setCheckable(True)
        self.first.setObjectName("loss-first")
        self.first.setToolTip(_HELP)
        self.first.clicked.connect(self.highest_first)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GRID, 0, theme.GRID, theme.GRID)
        row.setSpacing(2 * theme.GRID)
        row.addWidget(self._about, 1)
        self.scale = LossScale()  # of the strips below images, which single boxes lack
        row.addWidget(self.scale)
        row.addWidget(self.first)
        self._watch.changed.connect(self._renew)
        self._renew()

    @Slot()
    def _renew(self) -> None:
        losses = self._watch.losses
        self.setVisible(len(losses) > 0)
        some = count(len(losses), "image")
        when = f"up to epoch {losses.epoch:,}" if losses.epoch else image_losses.BEFORE
        self._about.setText(f"Loss of {some}, measured in {losses.run} {when}")
