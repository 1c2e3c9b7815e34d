"""The open project's runs with a trained detector, for pages that offer them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QComboBox

from workbench.training.records import runs
from workbench.training.records.runs import RunInfo
from workbench.ui.background import Background
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.widgets.empty_state import EmptyState


def show_no_runs(page: EmptyState, session: Session, sentence: str) -> None:
    """An empty page's text and buttons if no run can be used yet; `sentence` if none is being trained either."""
    if session.is_training:
        learnt = "It appears here after its first evaluation."
        page.say("The first run is being trained", learnt, "Watch it", "train")
    else:
        page.say("No trained run yet", sentence, "Train a detector", "train")
    page.offer_other("Import weights…")


def place_of(run: RunInfo | None, found: Sequence[RunInfo]) -> int:
    """Its index in `found`: by name, else by start time, which survives renaming. -1: it is gone."""
    if run is None:
        return -1
    names, starts = [one.name for one in found], [one.started for one in found]
    if run.name in names:
        return names.index(run.name)
    return starts.index(run.started) if run.started and run.started in starts else -1


def list_runs(picker: QComboBox, found: Sequence[RunInfo], place: int) -> None:
    """Offer these runs, stored as the items' data, with that at `place` chosen; no signal is emitted."""
    with QSignalBlocker(picker):
        picker.clear()
        for run in found:
            picker.addItem(f"{run.name} ({run.state})", run)
        picker.setCurrentIndex(max(place, 0))


def list_checkpoints(picker: QComboBox, run: RunInfo | None) -> None:
    """Offer the best and the last weights of a run, the files stored as the items' data; no signal is emitted.

    What was chosen before, best or last, stays.
    """
    chosen = picker.currentText()
    with QSignalBlocker(picker):
        picker.clear()
        for word, file in (("best", run.best), ("last", run.last)) if run is not None else ():
            if file is not None:
                picker.addItem(word, file)
        picker.setCurrentIndex(max(picker.findText(chosen), 0))


class TrainedRuns(QObject):
    """`read(tuple of RunInfo)`, those with a checkpoint, after `ask` and, once the page was shown, when runs change."""

    read = Signal(object)

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._page = page
        self._is_wanted = False  # the page was shown
        self._reading = Background("Reading the runs", runs.runs, self)
        self._reading.done.connect(self._read)
        page.session.runs_changed.connect(self.ask)

    @Slot()
    def ask(self) -> None:
        """Read them in a thread, if the page is or was shown."""
        document = self._page.session.document
        self._is_wanted = self._is_wanted or self._page.isVisible()
        if document is not None and self._is_wanted:
            self._reading.ask([document.runs_folder])

    @Slot(object, object)
    def _read(self, folder: object, found: object) -> None:
        document = self._page.session.document
        if document is not None and folder == document.runs_folder:
            usable = tuple(run for run in found if run.checkpoint is not None) if isinstance(found, tuple) else ()
            self.read.emit(usable)

    def close(self) -> None:
        """Wait for the read in progress."""
        self._reading.close()
