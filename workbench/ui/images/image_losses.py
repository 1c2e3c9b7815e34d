"""Each image's loss in the run evaluated last, which the lists of images show and sort by.

Read in the background at each evaluation of a running training, and when runs appear or go. n = images with a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.formatting import count
from workbench.core.storage.image_table import ImageTable
from workbench.training.monitoring import image_losses
from workbench.training.records import present_images
from workbench.ui.background import Background
from workbench.ui.session import Session

BEFORE = "before its first epoch"
"""When a run that goes on from trained weights is evaluated first."""


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """The losses of one run, by ascending id."""

    run: str
    epoch: int  # after which the newest were recorded
    ids: NDArray[np.int64]  # (n,)
    values: NDArray[np.float32]  # (n,)
    lower: NDArray[np.int64]  # (n,) number of images with a lower loss
    epochs: NDArray[np.int32]  # (n,)

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The losses of these images, NaN where unknown."""
        found = np.full(len(ids), np.nan, np.float32)
        if len(self):
            at = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
            known = self.ids[at] == ids
            found[known] = self.values[at[known]]
        return found

    def share(self, id: int) -> float:
        """The share of the other images with a lower loss: 0 to 1; NaN without a loss."""
        row = self._row(id)
        return float("nan") if row < 0 else float(self.lower[row]) / max(len(self) - 1, 1)

    def words(self, id: int) -> str:
        """A sentence on the loss of an image; "" without one."""
        row = self._row(id)
        if row < 0:
            return ""
        loss = _number(float(self.values[row]))
        epoch = int(self.epochs[row])
        return f"loss {loss}, {self._rank(row)}, run {self.run} {f'after epoch {epoch:,}' if epoch else BEFORE}"

    def _rank(self, row: int) -> str:
        others = len(self) - 1
        if self.lower[row] == others:
            return f"the highest of {count(len(self), 'image')}"
        if self.lower[row] == 0:
            return f"the lowest of {count(len(self), 'image')}"
        if 100 * self.lower[row] < others:
            return f"higher than {self.lower[row]:,} of {others:,} other images"
        return f"higher than {int(100 * self.lower[row] / others)} % of the images"

    def _row(self, id: int) -> int:
        row = int(np.searchsorted(self.ids, id))
        return row if row < len(self) and self.ids[row] == id else -1


def of_run(name: str, kept: image_losses.ImageLosses) -> Losses:
    order = np.argsort(kept.images, kind="stable")
    values = kept.losses[order]
    lower = np.searchsorted(np.sort(values), values)
    epoch = int(kept.epochs.max(initial=0))
    return Losses(name, epoch, kept.images[order], values, lower, kept.epochs[order])


NONE = of_run("", image_losses.NONE)


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """`runs`: the project's folder of runs; `images`: those of the project. Each is one of its own, not compared."""

    runs: Path
    images: ImageTable


class LossWatch(QObject):
    """`losses` of the run that was evaluated last; `changed` when they change."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.losses = NONE
        self._session = session
        self._background: Background | None = None  # set while a project is open
        self._closed = False  # jobs of a project being closed still end, and report their runs
        session.document_changed.connect(self._document_changed)
        session.closing.connect(self._close)
        session.job_event.connect(self._job_event)
        session.runs_changed.connect(self.read)
        self.read()

    @Slot()
    def read(self) -> None:
        """Look again for the run evaluated last; `changed` follows if the losses differ."""
        document = self._session.document
        if document is None or self._closed:
            return
        if self._background is None:
            self._background = Background("Reading the losses of images", _read, self)
            self._background.done.connect(self._loaded)
        self._background.ask([_Request(document.runs_folder, document.images())])

    @Slot(object, object)
    def _job_event(self, _job: object, event: object) -> None:
        from workbench.training.events import Evaluated  # after the window is painted

        if isinstance(event, Evaluated):
            self.read()

    @Slot(object, object)
    def _loaded(self, request: _Request, found: object) -> None:
        document = self._session.document
        if document is None or request.runs != document.runs_folder or not isinstance(found, Losses):
            return
        if not _same(found, self.losses):
            self.losses = found
            self.changed.emit()

    @Slot()
    def _document_changed(self) -> None:
        self._closed = False
        had, self.losses = len(self.losses), NONE
        if had:
            self.changed.emit()
        self.read()

    @Slot()
    def _close(self) -> None:
        """End the thread before the project closes."""
        self._closed = True
        if self._background is not None:
            self._background.close()
            self._background.deleteLater()
            self._background = None


def of(session: Session) -> LossWatch:
    """The session's LossWatch, shared by all lists; created on first use."""
    found = session.findChild(LossWatch)
    return found if isinstance(found, LossWatch) else LossWatch(session)


def _read(request: _Request) -> Losses:
    """Of the newest run in a project's folder of runs. Runs in the background's thread."""
    folder = _newest(request.runs)
    if folder is None:
        return NONE
    kept = image_losses.read(folder)
    present = present_images.present_ids(folder, request.images)
    return of_run(folder.name, kept.with_ids(present_images.renumbered(kept.images, present)))


def _newest(folder: Path) -> Path | None:
    """The run with losses that was evaluated last; not by file times, which change when a project is copied."""
    try:
        found = [entry for entry in folder.iterdir() if entry.name[0] != "." and (entry / image_losses.FILE).is_file()]
    except OSError:
        return None
    return max(found, key=_evaluated, default=None)


def _evaluated(folder: Path) -> float:
    """When it was evaluated, in seconds since 1970."""
    from workbench.training.events import Evaluated
    from workbench.training.records import runs

    return max((event.time for event in runs.outline(folder) if isinstance(event, Evaluated)), default=0.0)


def _same(one: Losses, other: Losses) -> bool:
    return one.run == other.run and all(
        np.array_equal(a, b) for a, b in ((one.ids, other.ids), (one.values, other.values), (one.epochs, other.epochs))
    )


def _number(loss: float) -> str:
    """Three significant digits: losses are compared, not measured."""
    return f"{loss:.3g}" if loss < 999.5 else f"{loss:,.0f}"
