"""The left side of the Inspect page: all images, or those behind a bar, a cell or a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from workbench.core.detections import Candidates
from workbench.core.formatting import count
from workbench.ui.background import Background
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.images_table import ImagesTable
from workbench.ui.inspect.state import InspectState
from workbench.ui.widgets.elided import ElidedLabel


class ImagesPane(QWidget):
    """`show_all_requested` when a person wants all images listed again."""

    show_all_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.selection: BoxSelection | None = None  # what is listed; None: all images
        self._candidates: tuple[Candidates, ...] | None = None  # what was found, whose mistakes the list counts
        self._counter = Background("Counting", _counts, self)
        self._counter.done.connect(self._counted)
        self.table = ImagesTable()
        self._note = ElidedLabel()
        self._note.setObjectName("inspect-note")
        again = QPushButton("All again")
        again.setObjectName("inspect-all-again")
        again.setToolTip("List all images again, and take the marks off the picture.")
        again.clicked.connect(self.show_all_requested)
        self._bar = QWidget()
        row = QHBoxLayout(self._bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._note, 1)
        row.addWidget(again)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._bar)
        column.addWidget(self.table, 1)
        self._bar.hide()

    @Slot(object)
    def show_selection(self, selection: BoxSelection | None) -> None:
        """List the images behind it; None: all images."""
        self.selection = selection
        self._bar.setVisible(selection is not None)
        self.table.list_only(None if selection is None else selection.images)
        if selection is not None:
            words = f"{count(len(selection.unique_images), 'image')}: {selection.words}"
            self._note.setText(words)
            self._note.setToolTip(f"{words}\n{count(len(selection.boxes), 'box')}, framed twice on the picture.")

    def count(self, state: InspectState) -> None:
        """Count the mistakes in each image: at once after a look, later in a thread; the newest request wins."""
        if state.evaluation.candidates is self._candidates:
            self._counter.ask([state])
        else:
            self._candidates = state.evaluation.candidates
            self.table.images.set_counts(_counts(state))

    @Slot(object, object)
    def _counted(self, state: object, counts: object) -> None:
        if (
            isinstance(state, InspectState)
            and state.evaluation.candidates is self._candidates
            and isinstance(counts, np.ndarray)
        ):
            self.table.images.set_counts(counts)

    def clear(self) -> None:
        self._candidates = None
        self.show_selection(None)
        self.table.images.set_images(())

    def close_down(self) -> None:
        """Wait for the thread; the page is being closed."""
        self._counter.close()


def _counts(state: InspectState) -> NDArray[np.int64]:
    """(I, 3) labelled boxes, missed ones and false alarms of each image."""
    right, wrong, missed = state.matching.counts(state.confidences).per_image.T
    return np.stack([right + missed, missed, wrong], axis=1)
