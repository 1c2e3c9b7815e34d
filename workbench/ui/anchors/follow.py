"""After every edit the fit goes along: only the boxes of the images that were touched are looked at again."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from workbench.anchors import Fit, Pool
from workbench.core.applied import Applied
from workbench.errors import WorkbenchError
from workbench.ui.anchors.work import Boxes, Choices, boxes_of
from workbench.ui.session import Session

MOST_IMAGES = 200
"""Touched by an edit above which all is computed anew, in the job: an import of ten thousand is no frame's work."""


class Following(QObject):
    """`moved(step, boxes)` after an edit; `lost` where it can't follow and all must be computed anew."""

    moved = Signal(object, object)
    lost = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._fit: Fit | None = None
        self._boxes: Boxes | None = None
        self._choices: Choices | None = None
        self._touched: set[int] = set()  # since the job that computes has read the project
        session.edited.connect(self._edited)

    @property
    def pool(self) -> Pool | None:
        return None if self._fit is None else self._fit.pool

    @property
    def is_following(self) -> bool:
        return self._fit is not None

    def begin(self, choices: Choices) -> None:
        """A job is about to read the project: edits from now on may be missing in what it finds."""
        self._choices, self._fit, self._boxes = choices, None, None
        self._touched = set()

    def follow(self, fit: Fit, boxes: Boxes | None) -> None:
        """The job's end."""
        self._fit, self._boxes = fit, boxes
        if self._touched:
            self._go()

    def stop(self) -> None:
        self._fit = self._boxes = self._choices = None
        self._touched = set()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        if self._choices is None:
            return
        if applied.labels_changed and self._fit is not None:
            self.lost.emit()  # numbers of labels may be others
            return
        self._touched |= applied.images
        if self._fit is not None and self._touched:
            self._go()

    def _go(self) -> None:
        document = self._session.document
        fit, boxes, choices = self._fit, self._boxes, self._choices
        touched, self._touched = frozenset(self._touched), set()
        if document is None or fit is None or boxes is None or choices is None:
            return
        if len(touched) > MOST_IMAGES:
            self.lost.emit()
            return
        fresh = boxes_of(document.snapshot(touched), choices, is_whole=False)
        left, gone = boxes.without(touched)
        if not len(gone) and not len(fresh):
            return
        try:
            step = fit.refit(boxes.sizes[gone], fresh.sizes)
        except WorkbenchError:  # too few are left, or others than were known
            self.lost.emit()
            return
        self._boxes = left.plus(fresh)
        self.moved.emit(step, self._boxes)
