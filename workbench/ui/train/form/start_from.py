"""What a training starts from: fresh weights, the published ones, a run of the project, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.core import formatting
from workbench.errors import WorkbenchError
from workbench.training.records.runs import RunInfo
from workbench.ui.train.work import PublishedWeights
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.file_dialogs import ask_for_file

HELP = "Fresh weights learn from your images alone. From others, what fits is taken, and the log says what was not."
FRESH, PUBLISHED, OTHER = "fresh", "published", "other"
CHECKPOINTS = ("best.safetensors", "last.safetensors")
FILES = "Weights (*.safetensors *.weights *.conv.* *.pth *.pt);;All files (*)"


class StartFrom(ElidedCombo):
    """`fetch_requested(PublishedWeights)` when published weights were chosen that have not been downloaded."""

    fetch_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("train-start-from", "Start from", HELP, parent=parent)
        self._published: PublishedWeights | None = None
        self._detector = ""
        self._runs: tuple[tuple[str, str, Path | None], ...] = ()  # name, detector, best checkpoint
        self._file: Path | None = None  # the file chosen by hand
        self._before: object = FRESH  # what was chosen last, if it can be started from
        self.activated.connect(self._chosen)
        self.offer(None)

    def offer(self, published: PublishedWeights | None, detector: str = "") -> None:
        """Offer what this detector can start from; a chosen file stays chosen."""
        self._published, self._detector = published, detector
        self._fill()

    def set_runs(self, runs: Sequence[RunInfo]) -> None:
        """Offer the project's runs of the same detector. Called often while one trains."""
        known = tuple((run.name, run.detector, run.best) for run in runs)
        if known != self._runs:
            self._runs = known
            self._fill()

    def forget(self) -> None:
        """Another project was opened: drop the last one's runs and what was chosen for it."""
        self._runs, self._file = (), None
        self._fill()
        self.begin_from(None)

    def _fill(self) -> None:
        kept, published = self.currentData() if self.count() else FRESH, self._published
        kept = self._before if kept == OTHER else kept  # its dialog is open
        self.clear()
        self.addItem("Fresh weights", FRESH)
        if published is not None:
            here = "" if published.file.is_file() else f", {formatting.size(1e6 * published.megabytes)} to fetch"
            self.addItem(f"Published weights{here}", PUBLISHED)
            about = f"{published.url}\n{published.source}\n{published.licence}"
            self.setItemData(self.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
        files = [(name, best) for name, detector, best in self._runs if detector == self._detector and best is not None]
        for name, file in files:
            self.addItem(f"Run {name}", file)
            self.setItemData(self.count() - 1, str(file), Qt.ItemDataRole.ToolTipRole)
        if self._file is not None and self._file not in [file for _, file in files]:
            is_of_run = self._file.name in CHECKPOINTS  # all runs have files of these names
            self.addItem(f"{self._file.parent.name}/{self._file.name}" if is_of_run else self._file.name, self._file)
            self.setItemData(self.count() - 1, str(self._file), Qt.ItemDataRole.ToolTipRole)
        self.addItem("A file…", OTHER)
        self._go_to(kept)
        self._remember()

    def _go_to(self, data: object) -> None:
        rows = [row for row in range(self.count()) if self.itemData(row) == data and data != OTHER]
        self.setCurrentIndex(rows[0] if rows else 0)

    @property
    def file(self) -> Path | None:
        """The file to start from; None for fresh weights. WorkbenchError if it has not been downloaded."""
        data = self.currentData()
        if isinstance(data, Path):
            return data
        if data == PUBLISHED and self._published is not None:
            if self._lacks_file:
                raise WorkbenchError("The published weights are not on this machine. Fetch them, or choose others.")
            return self._published.file
        return None

    @Slot()
    def _chosen(self) -> None:
        if self.currentData() == OTHER:
            self._choose_file()
        elif self._lacks_file:
            self.fetch_requested.emit(self._published)
        else:
            self._remember()

    def _remember(self) -> None:
        """What can be started from is what stays if another choice is given up."""
        if not self._lacks_file:
            self._before = self.currentData()

    @property
    def _lacks_file(self) -> bool:
        """Whether published weights are chosen that have not been downloaded."""
        published = self._published if self.currentData() == PUBLISHED else None
        return published is not None and not published.file.is_file()

    def _choose_file(self) -> None:
        if chosen := ask_for_file(self, "Weights to begin from", FILES):
            self.begin_from(chosen)
        else:
            self._go_to(self._before)

    def begin_from(self, file: Path | None) -> None:
        """Choose this file; None: fresh weights."""
        if file is not None:
            self._file = file
            self._fill()
        self._before = file or FRESH
        self._go_to(self._before)

    @Slot()
    def fetched(self) -> None:
        """The download ended, with or without the file: without it, what was chosen before is chosen again."""
        self._fill()
        if self._lacks_file:
            self._go_to(self._before)
