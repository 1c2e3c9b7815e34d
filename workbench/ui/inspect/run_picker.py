"""The run, checkpoint and images that the Inspect page evaluates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from workbench.core.project import Split
from workbench.core.storage.image_table import ImageTable
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.inspect.evaluation_job import PendingRequest
from workbench.ui.trained_runs import list_checkpoints, list_runs, place_of
from workbench.ui.widgets.elided import ElidedCombo

_HELD_OUT, _FOLDS = "held out", "folds"
_ENTRIES = ((Split.VALIDATION, "validation"), (None, "all images"), (Split.TEST, "test"), (Split.TRAIN, "train"))


class RunPicker(QWidget):
    """Three pickers and a check box. `changed` when a person chose, or when the chosen run is gone."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._wanted = ""  # the name of a run that was requested before it was listed
        self._run = ElidedCombo("inspect-run", "Run", "The run to evaluate.", 24)
        self._checkpoint = ElidedCombo(
            "inspect-checkpoint", "Checkpoint", "The best checkpoint by AP, or the last one.", 5
        )
        self._split = ElidedCombo("inspect-split", "Images", "The images to evaluate it on.", 13)
        # minimum widths in the smallest window, beside the stop button and the progress bar
        for combo, width in ((self._run, 100), (self._checkpoint, 70), (self._split, 90)):
            combo.setMinimumWidth(width)
        self._done_only = QCheckBox("only done")
        self._done_only.setObjectName("inspect-done-only")
        self._done_only.setChecked(True)
        self._done_only.setToolTip(
            "Leave out images that are not done: objects without a label would count as false alarms."
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        for widget in (self._run, self._checkpoint, self._split, self._done_only):
            row.addWidget(widget)
        self._run.currentIndexChanged.connect(self._run_changed)
        self._checkpoint.currentIndexChanged.connect(self.changed)
        self._split.currentIndexChanged.connect(self.changed)
        self._done_only.toggled.connect(self.changed)

    @property
    def run(self) -> RunInfo | None:
        run = self._run.currentData()
        return run if isinstance(run, RunInfo) else None

    @property
    def checkpoint(self) -> Path | None:
        file = self._checkpoint.currentData()
        return Path(file) if file else None

    @property
    def split(self) -> Split | None:
        """None: all images."""
        split = self._split.currentData()  # Qt keeps only the text of a StrEnum
        if split == _HELD_OUT:
            return Split.VALIDATION  # what they are for the run
        return Split(split) if split and split != _FOLDS else None

    @property
    def held_out_of(self) -> Path | None:
        """The run whose held-out images, by its own record, are chosen: they may have other splits now, or none."""
        return self.run.folder if self.run is not None and self._split.currentData() == _HELD_OUT else None

    @property
    def folds(self) -> bool:
        """Every image, by the run of the cross-validation that has not learnt from it, is chosen."""
        return bool(self._split.currentData() == _FOLDS)

    @property
    def done_only(self) -> bool:
        return self._done_only.isChecked()

    def request(self, project: Path) -> PendingRequest | None:
        """To evaluate what is chosen; None without a run."""
        if self.run is None or self.checkpoint is None:
            return None
        return PendingRequest(
            project, self.run.folder, self.checkpoint, self.split, self.held_out_of, self.done_only, self.folds
        )

    def ids(self, images: ImageTable) -> NDArray[np.int64]:
        """Of the images that would be evaluated, ascending; what judged runs is not among them, as it never changes."""
        if self.held_out_of is not None or self.folds:
            return np.zeros(0, np.int64)
        split = self.split
        chosen = np.ones(len(images), bool) if split is None else images.in_split(split)
        return np.sort(images.ids[chosen & images.finished] if self.done_only else images.ids[chosen])

    def clear(self) -> None:
        """Forget the runs; the project was closed."""
        self._wanted = ""
        self._run.clear()
        self._split.clear()  # the next project starts with validation

    @Slot(str)
    def choose_run(self, name: str) -> None:
        """Choose the run of this name, now or as soon as it is listed."""
        names = [self._run.itemData(row).name for row in range(self._run.count())]
        if name in names:
            self._run.setCurrentIndex(names.index(name))
        else:
            self._wanted = name

    def list_runs(self, found: Sequence[RunInfo]) -> None:
        """Offer these runs, which have a checkpoint; the chosen one stays if it is among them, even if renamed.

        At first that is the wanted one, or else the newest which is not being trained: of one that just began, nearly
        everything is missed. Of a project without validation images, those that it held out are then chosen, if they
        were not too few for that: it has learnt from most others.
        """
        chosen = self.run
        names = [run.name for run in found]
        first = next((run for run in found if run.name == self._wanted), None)
        first = first or next((run for run in found if not run.is_running), None)
        list_runs(self._run, found, place_of(chosen or first, found))
        if chosen is None and self._split.currentData() is None and self.run is not None and _has_held_out(self.run):
            self._split.blockSignals(True)
            self._split.setCurrentIndex(max(self._split.findData(_HELD_OUT), 0))
            self._split.blockSignals(False)
        if chosen is not None and chosen.name in names:
            list_checkpoints(self._checkpoint, self.run)
        else:  # its files have moved
            self._run_changed()
        if self._wanted in names:
            self._run.setCurrentIndex(names.index(self._wanted))
            self._wanted = ""

    def list_splits(self, images: ImageTable) -> None:
        """Offer the splits that have images, with how many of these are done.

        At first validation is chosen, or all images if none of it is done.
        """
        first = not self._split.count()
        chosen = self._split.currentData()
        self._split.blockSignals(True)
        self._split.clear()
        for split, word in _ENTRIES:
            its = images.in_split(split) if split is not None else np.ones(len(images), bool)
            count, done = int(its.sum()), int((its & images.finished).sum())
            if count or split is None:
                words = f"{count:,}" if done == count else f"{done:,} of {count:,}"
                self._split.addItem(f"{word} ({words})", split)
        can_judge = bool((images.finished & images.in_split(Split.VALIDATION)).any())  # as trainings see it
        if len(images):
            self._split.addItem("held out", _HELD_OUT)
            about = "The images that the run kept aside to be evaluated on, by its own record."
            self._split.setItemData(self._split.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        self._offer_folds()
        wanted = (Split.VALIDATION if can_judge else None) if first else chosen
        self._split.setCurrentIndex(max(self._split.findData(wanted), 0))
        self._split.blockSignals(False)
        if not first and self._split.currentData() != chosen:
            self.changed.emit()  # the chosen split no longer has images

    @Slot()
    def _run_changed(self) -> None:
        list_checkpoints(self._checkpoint, self.run)
        self._split.blockSignals(True)
        self._offer_folds()
        self._split.blockSignals(False)
        self.changed.emit()

    def _offer_folds(self) -> None:
        """All folds together, of a run that is of a cross-validation; for others the first entry takes their place."""
        row, number = self._split.findData(_FOLDS), self.run.folds if self.run is not None else 0
        if row >= 0 and not number:
            place = 0 if self.folds else self._split.currentIndex()
            self._split.removeItem(row)
            self._split.setCurrentIndex(place)
        elif row >= 0:
            self._split.setItemText(row, f"all {number} folds")
        elif number and self._split.count():
            self._split.addItem(f"all {number} folds", _FOLDS)
            about = "Every image, by the run of this cross-validation that has not learnt from it."
            self._split.setItemData(self._split.count() - 1, about, Qt.ItemDataRole.ToolTipRole)


def _has_held_out(run: RunInfo) -> bool:
    """Of few images none is: all of them judge it, and no others."""
    return bool(run.judged_by) and run.images != run.validation_images
