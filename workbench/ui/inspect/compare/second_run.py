"""The other run of a comparison: the picker for it, and its evaluation on the same images, read from what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from workbench.training import folds
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult, Evaluator
from workbench.ui.inspect.evaluation_runner import EvaluationRunner
from workbench.ui.inspect.kept_candidates import LOOKING, KeptCandidates
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedCombo

NOBODY = "choose a run …"
CHOOSE = "Choose a run: what the newer of the two finds better and worse is counted here."
LOOK_HELP = "Run its detector over the same images. What it finds is kept beside the run."


class SecondRun(QWidget):
    """`changed` when `evaluation` changes, also to None; `message(sentence)`: what to do, how far, or why it failed."""

    changed = Signal()
    message = Signal(str)

    def __init__(self, session: Session, evaluate: Evaluator) -> None:
        super().__init__()
        self.evaluation: EvaluationResult | None = None
        self._evaluate = evaluate
        self._request: EvaluationRequest | None = None  # the request of the page's run
        self._runner = EvaluationRunner(session, self)
        self._kept = KeptCandidates(self)
        self._runs: tuple[RunInfo, ...] = ()
        self._declined: Path | None = None  # the only other run, if a person chose none instead
        self._combo = ElidedCombo(
            "inspect-compare-run",
            "Other run",
            "The run to compare with. Changes are shown from the older run to the newer one.",
            10,
        )
        self._go = QPushButton("Look")
        self._go.setObjectName("inspect-compare-look")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.GRID)
        word = QLabel("with")
        word.setBuddy(self._combo)
        row.addWidget(word)
        row.addWidget(self._combo, 1)
        row.addWidget(self._go)
        self._combo.currentIndexChanged.connect(self._chosen)
        self._combo.activated.connect(self._chosen_by_hand)
        self._go.clicked.connect(self._pressed)
        self._runner.progressed.connect(self._progressed)
        self._runner.evaluated.connect(self._set_evaluation)
        self._runner.failed.connect(self.message)
        self._runner.ended.connect(self._ended)
        self._kept.told.connect(self._kept_told)
        self._show_busy()

    @property
    def name(self) -> str:
        """The run's name as listed; "" if none is chosen."""
        return self._combo.currentText() if self._combo.currentData() else ""

    @property
    def run(self) -> RunInfo | None:
        return None if self.checkpoint is None else self.info(self.checkpoint.parent)

    @property
    def checkpoint(self) -> Path | None:
        """The chosen file."""
        file = self._combo.currentData()
        return Path(file) if file else None

    def info(self, folder: Path) -> RunInfo | None:
        """What is known about the run in this folder."""
        return next((run for run in self._runs if run.folder == folder), None)

    @property
    def count(self) -> int:
        """How many there are to choose from."""
        return self._combo.count() - 1

    def list_runs(self, runs: Sequence[RunInfo]) -> None:
        """Offer the checkpoints of these; the chosen one stays if it is among them."""
        self._runs = tuple(runs)
        self._list()

    def begin(self, request: EvaluationRequest | None) -> None:
        """What the page's run was evaluated on; None: nothing."""
        self._runner.stop()
        self._request = request
        self._set_evaluation(None)
        self._list()
        self._begin_if_kept()

    def choose_only(self) -> None:
        """If none is chosen and there is only one other run, choose that, unless a person chose none instead."""
        only = self._only
        if only is not None and only != self._declined and self.checkpoint is None:
            self._combo.setCurrentIndex(1)  # it is listed before the page's own

    @property
    def _only(self) -> Path | None:
        """The folder of the other run, if there is only one."""
        others = {run.folder for run in self._runs} - {self._request.run_folder} if self._request is not None else set()
        return others.pop() if len(others) == 1 else None

    @Slot()
    def _chosen_by_hand(self) -> None:
        self._declined = self._only if self.checkpoint is None else None

    def _list(self) -> None:
        before, entries = self._combo.currentData(), self._entries()
        there = [(self._combo.itemText(row), self._combo.itemData(row)) for row in range(self._combo.count())]
        if entries == there:  # an open list stays open
            self._show_busy()
            return
        self._combo.blockSignals(True)
        self._combo.clear()
        for words, data in entries:
            self._combo.addItem(words, data)
        self._combo.setCurrentIndex(max(self._combo.findData(before), 0) if before else 0)
        self._combo.blockSignals(False)
        if self._combo.currentData() != before:
            self._chosen()
        self._show_busy()

    def _entries(self) -> list[tuple[str, str | None]]:
        """Texts and checkpoint files: all but the one that the page uses, whose run comes last."""
        entries: list[tuple[str, str | None]] = [(NOBODY, None)]
        shown = self._request.checkpoint.parent if self._request is not None else None
        for run in sorted(self._runs, key=lambda run: run.folder == shown):
            for word, file in (("", run.best), (", last", run.last)):
                if file is not None and (self._request is None or file != self._request.checkpoint):
                    entries.append((f"{run.name}{word if run.best else ''}", str(file)))
        return entries

    # --- evaluating ---

    @Slot()
    def _chosen(self) -> None:
        self._runner.stop()
        self._set_evaluation(None)
        self._begin_if_kept()

    def _begin_if_kept(self) -> None:
        self._kept.drop()
        run, checkpoint = self.run, self.checkpoint
        if run is None or checkpoint is None or self._request is None:
            self.message.emit(CHOOSE)
        elif self._request.folds:  # of all their runs
            self._kept_told(False)
        else:
            self.message.emit(LOOKING)
            self._kept.ask(run.folder, checkpoint, self._request.count)
        self._show_busy()

    @Slot(bool)
    def _kept_told(self, is_kept: bool) -> None:
        if is_kept:
            self._begin()
        else:
            self.message.emit(f"Press Look: {self.name} is then run on the same images.")

    @Slot()
    def _pressed(self) -> None:
        if self._runner.stop():
            self._ended(True)
        else:
            self._begin()

    def _begin(self) -> None:
        self._kept.drop()
        run, first = self.run, self._request
        if run is None or first is None:
            return
        request = replace(first, run_folder=run.folder, checkpoint=Path(self._combo.currentData()))
        self.message.emit("Opening the checkpoint …")
        self._runner.start(f"Looking with {self.name}", lambda: self._look(first, request))
        self._show_busy()

    def _look(
        self, first: EvaluationRequest, request: EvaluationRequest
    ) -> Iterator[JobProgress | EvaluationResult]:  # fmt: skip
        """In the job. With another checkpoint a cross-validation can be compared with itself."""
        if request.folds and request.checkpoint.name == first.checkpoint.name:
            folds.refuse_same(first.run_folder, request.run_folder)
        yield from self._evaluate(request)

    def _show_busy(self) -> None:
        busy = self._runner.is_running
        self._go.setText("Stop" if busy else "Look")
        self._go.setToolTip("Stop looking." if busy else LOOK_HELP)
        self._go.setVisible(busy or (self.run is not None and self.evaluation is None))
        self._go.setEnabled(busy or self._request is not None)

    @Slot(object)
    def _progressed(self, progress: JobProgress) -> None:
        self.message.emit(progress.words)

    @Slot(bool)
    def _ended(self, was_stopped: bool) -> None:
        if was_stopped:
            self.message.emit("Stopped. What was found so far is kept.")
        self._show_busy()

    @Slot(object)
    def _set_evaluation(self, evaluation: EvaluationResult | None) -> None:
        if evaluation is not self.evaluation:
            self.evaluation = evaluation
            self.changed.emit()

    def close_down(self) -> None:
        """The session ends the job."""
        self._runner.stop()
        self._kept.close()
