"""The left side of the Inspect page: all images, or those behind a bar, a cell or a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from workbench.core.words import count
from workbench.ui.background import Background
from workbench.ui.inspect.chosen import Chosen
from workbench.ui.inspect.images_table import ImagesTable
from workbench.ui.inspect.shown import Shown
from workbench.ui.inspect.work import Found
from workbench.ui.widgets.elided import Elided


class ImagesSide(QWidget):
    """`all_asked` when a person wants all images listed again."""

    all_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chosen: Chosen | None = None  # what is listed; None: all images
        self._found: Found | None = None  # the evaluation whose mistakes the list counts
        self._counter: Background | None = None
        self.table = ImagesTable()
        self._note = Elided()
        self._note.setObjectName("inspect-note")
        again = QPushButton("All again")
        again.setObjectName("inspect-all-again")
        again.setToolTip("List all images again, and take the marks off the picture.")
        again.clicked.connect(self.all_asked)
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
    def show_chosen(self, chosen: Chosen | None) -> None:
        """List the images behind it; None: all images."""
        self.chosen = chosen
        self._bar.setVisible(chosen is not None)
        self.table.list_only(None if chosen is None else chosen.images)
        if chosen is not None:
            words = f"{count(len(chosen.some), 'image')}: {chosen.words}"
            self._note.setText(words)
            self._note.setToolTip(f"{words}\n{count(len(chosen.boxes), 'box')}, framed twice on the picture.")

    def count(self, state: Shown) -> None:
        """Count the mistakes in each image: at once the first time, later in a thread; the newest request wins."""
        if state.found is not self._found:
            self._found = state.found
            self.table.images.set_counts(_counts(state))
            return
        if self._counter is None:
            self._counter = Background("Counting", _counts, self)
            self._counter.done.connect(self._counted)
        self._counter.ask([state])

    @Slot(object, object)
    def _counted(self, state: object, counts: object) -> None:
        if isinstance(state, Shown) and state.found is self._found and isinstance(counts, np.ndarray):
            self.table.images.set_counts(counts)

    def clear(self) -> None:
        self._found = None
        self.show_chosen(None)
        self.table.images.set_images(())

    def close_down(self) -> None:
        """Wait for the thread; the page is being closed."""
        if self._counter is not None:
            self._counter.close()
            self._counter.deleteLater()
            self._counter = None


def _counts(state: Shown) -> NDArray[np.int64]:
    """(I, 3) labelled boxes, missed ones and false alarms of each image."""
    right, wrong, missed = state.matching.counts(state.wanted).per_image.T
    return np.stack([right + missed, missed, wrong], axis=1)
