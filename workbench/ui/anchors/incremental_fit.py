"""The fit follows every edit: only the boxes of touched images are read again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from workbench.anchors import AnchorFit, SizePool, Step
from workbench.core.applied_edit import AppliedEdit
from workbench.core.project import Split
from workbench.errors import WorkbenchError
from workbench.ui.anchors.computation import AnchorChoices, Boxes, Fitted, boxes_of
from workbench.ui.session import Session

MOST_IMAGES = 200
"""Touched images above which all is computed again in the job: an import of ten thousand does not fit in a frame."""


class IncrementalFit(QObject):
    """`updated(step)` after an edit; `refit_requested` if it can't follow: everything must be computed again.

    The cost of an edit does not depend on the number of boxes: those of touched images are kept separately.
    """

    updated = Signal(object)
    refit_requested = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._fit: AnchorFit | None = None
        self._boxes: Boxes | None = None  # as the job found them
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)  # its rows, sorted by image
        self._sorted: NDArray[np.int64] = np.zeros(0, np.int64)  # the images in that order
        self._since: dict[int, Boxes] = {}  # of images touched since
        self._choices: AnchorChoices | None = None
        self._fell_back = False  # no training image had a box, so all images' boxes were used
        self._touched: set[int] = set()  # since the job started to read the project
        self._renumbered = False  # labels have changed since then
        session.edited.connect(self._edited)

    @property
    def pool(self) -> SizePool | None:
        return None if self._fit is None else self._fit.pool

    @property
    def is_following(self) -> bool:
        return self._fit is not None

    @property
    def has_missed(self) -> bool:
        """Whether there were edits while the job was running."""
        return bool(self._touched)

    @property
    def parts(self) -> tuple[Boxes | None, Mapping[int, Boxes]]:
        """The arguments of `merge_boxes`."""
        return self._boxes, dict(self._since)

    def begin(self, choices: AnchorChoices) -> None:
        """A job is about to read the project: its result may lack edits from now on."""
        self.stop()
        self._choices = choices

    def follow(self, fitted: Fitted, boxes: Boxes | None) -> None:
        """The job has ended."""
        self._fit, self._boxes = fitted.fit, boxes
        self._order, self._sorted = fitted.order, fitted.images
        self._fell_back = fitted.fell_back
        if self._renumbered:
            self._renumbered = False
            self.refit_requested.emit()
        elif self._touched:
            self._go()

    def stop(self) -> None:
        self._fit = self._boxes = self._choices = None
        self._touched, self._since, self._renumbered = set(), {}, False

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if self._choices is None:
            return
        if applied.labels_changed:  # labels may have new numbers
            self._renumbered = self._fit is None
            if self._fit is not None:
                self.refit_requested.emit()
                return
        self._touched |= applied.images
        if self._fit is not None and self._touched:
            self._go()

    def _go(self) -> None:
        document = self._session.document
        fit, choices = self._fit, self._choices
        touched, self._touched = self._touched, set()
        if document is None or fit is None or choices is None:
            return
        if len(touched) > MOST_IMAGES or self._fell_back:  # after a fallback, a training image may have a box now
            self.refit_requested.emit()
            return
        snapshot = document.snapshot(touched)
        if choices.part == "train":  # leave out the other splits
            snapshot = snapshot.only(splits=(Split.TRAIN, Split.NONE))
        current = boxes_of(snapshot, choices)
        gone = np.concatenate([self._sizes(image) for image in touched])
        if not len(gone) and not len(current):
            return
        try:
            step = fit.refit(gone, current.sizes)
        except WorkbenchError:  # too few are left, or they aren't those the fit had
            self.refit_requested.emit()
            return
        for image in touched:
            self._since[image] = current.of(image)
        self.updated.emit(step)

    def settle(self) -> Step | None:
        """Shortly after an edit, improve the fit further; takes some ten milliseconds."""
        return None if self._fit is None else self._fit.try_elsewhere()

    def _sizes(self, image: int) -> NDArray[np.float64]:
        """Sizes of this image's boxes that are in the fit."""
        assert self._boxes is not None
        if image in self._since:
            return self._since[image].sizes
        first, last = np.searchsorted(self._sorted, [image, image + 1])
        return self._boxes.sizes[self._order[first:last]]


def merge_boxes(boxes: Boxes, since: Mapping[int, Boxes]) -> Boxes:
    """All current boxes. Any thread."""
    return boxes.without(frozenset(since)).plus(list(since.values()))
