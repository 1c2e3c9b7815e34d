"""A button for people who drew boxes but marked no image as done: without that there is nothing to train on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton

from workbench.core import edits
from workbench.core.formatting import count
from workbench.core.project import State
from workbench.training.checks.findings import WARNING, Finding
from workbench.ui.images import unread_images
from workbench.ui.session import Session


class MarkDoneButton(QPushButton):
    """Visible while a check finds images with boxes that are left out because of their state; one edit marks them."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("train-mark-done")
        self.setToolTip("Done: all that is to be found in an image has its box. Undo takes it back.")
        self._session = session
        self._images: tuple[int, ...] = ()
        self.clicked.connect(self._mark)
        session.images_found.connect(self._show)
        self.hide()

    def offer(self, findings: Sequence[Finding]) -> None:
        """What was found about the training set up in the form."""
        left_out = (one for one in findings if (one.level, one.kind) == (WARNING, "state"))
        self._images = next((one.images for one in left_out), ())
        self._show()

    @Slot()
    def _show(self) -> None:
        number = len(self._open())
        self.setText(f"Mark {count(number, 'image')} with boxes as done")
        self.setVisible(number > 0)

    def _open(self) -> list[int]:
        """Those neither done nor verified, without the ones that can't be read: nobody has seen these."""
        document = self._session.document
        if document is None or document.read_only:
            return []
        images = document.images()
        undone = images.in_state(State.UNLABELLED) | images.in_state(State.IN_WORK)
        found = np.intersect1d(images.ids[undone], np.array(self._images, np.int64))
        unread = unread_images.of(self._session).ids()
        ids: list[int] = found[~np.isin(found, list(unread))].tolist()
        return ids

    @Slot()
    def _mark(self) -> None:
        ids = self._open()
        self.hide()
        if ids and self._session.do(edits.SetState(tuple(ids), State.DONE)) is not None:
            self._session.inform(f"Marked as done: {count(len(ids), 'image')}. Undo takes it back.")
