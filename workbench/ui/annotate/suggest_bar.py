"""A trained network's suggestions on the Label page: lines above the canvas, boxes on it, a key to take one or all.

The network comes from a run, or from a file that the user chooses.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout

from workbench.core.applied_edit import AppliedEdit
from workbench.core.formatting import count
from workbench.core.former_names import other_names
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.suggesting import suggest
from workbench.inference.suggesting.model_files import PreparedModel
from workbench.inference.suggesting.suggest import Suggestion, SuggestionRequest, SuggestionResult, SuggestionWorker
from workbench.training import folds
from workbench.training.records.runs import RunInfo
from workbench.ui import preferences, theme
from workbench.ui.actions import tell_key
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.loop_bar import LoopBar
from workbench.ui.annotate.suggest_files import SuggestFiles
from workbench.ui.annotate.suggest_labels import SuggestLabels
from workbench.ui.annotate.suggest_runs import SuggestRun, list_suggest_runs
from workbench.ui.annotate.suggestion_commands import SuggestionCommands
from workbench.ui.background import Background
from workbench.ui.images import image_queues
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel

USUAL = 30  # hundredths
STEP = 5  # hundredths per key press
NAMED = 3  # how many missing labels of an image are named
LAST, OTHER = "last", "other"  # the last chosen file, and any other
MODELS = "models"
"""The folder in a project's cache for converted files of other programs."""
WHOSE = "The network that suggests boxes: a run's, or one from a file."
LEAST = """Lowest confidence of a suggestion. Up and Down on the picture change it, too.
Several on one object? Lower the NMS overlap on the Inspect page and keep it as operating point."""
_KEPT = "label/suggest-confidence"


class SuggestBar(QFrame):
    """Hidden until `switch(True)`. It suggests boxes for the shown image.

    `trained`: a training started by the button has ended, and its network makes the suggestions now.
    """

    trained = Signal()

    def __init__(self, session: Session, canvas: Canvas) -> None:
        super().__init__()
        self.setObjectName("suggest-bar")
        self.setProperty("role", "bar")
        self._session, self._canvas = session, canvas
        self._finder = SuggestionWorker()
        self._image = 0
        self._answer: SuggestionResult | WorkbenchError | None = None
        self._background = Background("Looking for suggestions", self._find_suggestions, self)
        self._runs_background = Background("Reading the runs", list_suggest_runs, self)
        self._runs: tuple[SuggestRun, ...] = ()
        self._suggesting: Path | None = None  # the checkpoint in use
        self._point: OperatingPoint | None = None  # kept with it when it began to suggest
        self._wanted: Path | None = None  # the one to choose once it is listed
        self._is_chosen = False  # by the user: newer runs don't take its place
        self._is_learning = False  # whether the chosen run is being trained
        self._refused = ""  # why a chosen file can't be used
        self.commands = SuggestionCommands(session, canvas, self)
        self._files = SuggestFiles(self)
        self.loop = LoopBar(session)
        self._build()
        self._background.done.connect(self._suggestions_arrived)
        self._runs_background.done.connect(self._listed)
        self.commands.answered.connect(self._show)
        self._run.activated.connect(self._run_chosen)
        self._least.valueChanged.connect(self._show)
        self._files.loaded.connect(self._file_loaded)
        self.loop.trained.connect(self._trained)
        session.runs_changed.connect(self._list_runs)
        session.edited.connect(self._edited)
        session.document_changed.connect(self._forget)
        self.hide()

    def _build(self) -> None:
        self._run = ElidedCombo("suggest-run", "Run or file that suggests boxes", WHOSE)
        self._run.setFixedWidth(136)
        self._run.setPlaceholderText("choose one …")
        self._least = QSlider(Qt.Orientation.Horizontal)
        self._least.setRange(1, 99)
        self._least.setObjectName("suggest-confidence")
        self._least.setAccessibleName("Lowest confidence of a suggestion")
        self._least.setToolTip(LEAST)
        self._least.setFixedWidth(80)
        self._least.setValue(int(preferences.get(_KEPT, USUAL)))
        self._words = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self._words.setObjectName("suggest-words")
        self._number = QLabel()
        self._number.setObjectName("suggest-from")
        self._number.setMinimumWidth(self._number.fontMetrics().horizontalAdvance("0.99 "))
        self._labels = SuggestLabels(self._session)
        self.all = QPushButton("Take all")
        self.all.setObjectName("suggest-all")
        tell_key(self.all, "take-suggestions")
        self.all.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.all.clicked.connect(self.commands.take_all)
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        for widget in (QLabel("Suggestions of"), self._run, QLabel("from"), self._least, self._number):
            row.addWidget(widget)
        row.addWidget(self._words, 1)
        row.addWidget(self.all)
        self.loop.row.insertWidget(1, self._labels)  # that line has more room
        rows = QVBoxLayout(self)
        rows.setContentsMargins(theme.GRID, 4, theme.GRID, 4)
        rows.setSpacing(4)
        rows.addLayout(row)
        rows.addWidget(self.loop)

    # --- on and off ---

    @Slot(bool)
    def switch(self, on: bool) -> None:
        self.setVisible(on)
        self._canvas.suggests = on
        if on:
            self._list_runs()
        else:
            self._answer = None
            self._show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._list_runs()  # the operating point may have been changed on the Inspect page

    def hideEvent(self, event: QHideEvent) -> None:
        preferences.put(_KEPT, self._least.value())
        super().hideEvent(event)

    def close_down(self) -> None:
        """The window closes: wait for work in progress."""
        self._background.close()
        self._runs_background.close()
        self._files.close_down()
        self.loop.close_down()
        close = getattr(self._finder, "close", None)  # fakes have none
        if close is not None:
            close()

    @Slot()
    def _forget(self) -> None:
        self._answer, self._runs, self._refused = None, (), ""
        self.commands.answers.forget()
        self._suggesting = self._wanted = None
        self._is_chosen = False
        self._run.clear()
        self._files.forget()
        self._show()
        if not self.isHidden():
            self._list_runs()

    # --- runs and files ---

    @Slot()
    def _list_runs(self) -> None:
        document = self._session.document
        if self.isHidden() or document is None:
            return
        self._runs_background.ask([document.runs_folder])

    @Slot(object, object)
    def _listed(self, folder: object, found: object) -> None:
        document = self._session.document
        if document is not None and folder == document.runs_folder and isinstance(found, tuple):
            self._runs = found
            self._fill()

    def _fill(self) -> None:
        """List runs, files, and another file. The user's choice stays, unless another was wanted and is listed now."""
        before = self._suggesting
        self._run.clear()
        for one in self._runs:
            self._run.addItem(one.run.name, one.run.checkpoint)
        for file in self._files.ready:
            self._run.addItem(file.source.name, file.model)
            self._run.setItemData(self._run.count() - 1, str(file.source), Qt.ItemDataRole.ToolTipRole)
        there: list[Path] = [self._run.itemData(row) for row in range(self._run.count())]
        if self._files.last is not None:
            self._run.addItem(self._files.last.name, LAST)
        self._run.addItem("A file…", OTHER)
        newest = folds.whole_first([one.run for one in self._runs if not one.run.is_running])
        first = None if newest is None else newest.checkpoint
        follows = newest is not None and self._takes_over(newest)
        stays = (first, before) if follows else (before, first)
        now = next((one for one in (self._wanted, *stays, *there) if one in there), None)
        if follows and newest is not None and now == first != self._wanted:
            self._session.inform(f"Suggestions now come from {newest.name}, which has finished.")
        self._wanted = None if now == self._wanted else self._wanted
        self._run.setCurrentIndex(self._row_of(now))
        run = self._run_of(now)
        if now != before or (run is not None and run.point != self._point):
            self._begin_with(now)
        was_learning, self._is_learning = self._is_learning, run is not None and run.run.is_running
        # Suggestions on the screen stay while their network is still in training, until its last weights are there.
        if now != before or not self._canvas.suggestions or (was_learning and not self._is_learning):
            self._ask()
        else:
            self._show()  # with the labels' meanings as set now

    def _takes_over(self, newest: RunInfo) -> bool:
        """Whether it has finished since, no worse on the same images, and the user has not chosen who suggests."""
        now = self._run_of(self._suggesting)
        if now is None or self._is_chosen or newest.state != "finished" or newest.order <= now.run.order:
            return False
        return newest.judged_by != now.run.judged_by or not newest.best_ap50 < now.run.best_ap50

    def _run_of(self, checkpoint: Path | None) -> SuggestRun | None:
        """The listed run with this checkpoint; None for that of a file."""
        return next((one for one in self._runs if one.run.checkpoint == checkpoint), None)

    def _begin_with(self, checkpoint: Path | None) -> None:
        """Another network makes the suggestions now, or another point is kept for it: start there, or at its best."""
        chosen = self._run_of(checkpoint)
        self._suggesting, self._point = checkpoint, chosen.point if chosen is not None else None
        if chosen is not None and chosen.confidence is not None:
            self._least.setValue(round(100 * chosen.confidence))
        self.loop.follow(chosen.run if chosen is not None else None)
        image_queues.of(self._session).choose(checkpoint if chosen is not None else None)

    def _row_of(self, checkpoint: Path | None) -> int:
        """Its row, or -1."""
        rows = range(self._run.count())
        return next((row for row in rows if checkpoint is not None and self._run.itemData(row) == checkpoint), -1)

    @property
    def _checkpoint(self) -> Path | None:
        file = self._run.currentData()
        return file if isinstance(file, Path) else None

    @Slot()
    def _run_chosen(self) -> None:
        document, chosen, last = self._session.document, self._run.currentData(), self._files.last
        self._refused = ""
        if isinstance(chosen, Path):
            self._is_chosen = True
            self._begin_with(chosen)
        elif document is not None:
            self._run.setCurrentIndex(self._row_of(self._suggesting))  # until the file has been read
            if chosen == LAST and last is not None:
                self._files.read(last, document.cache_folder / MODELS)
            else:
                self._files.choose(document.cache_folder / MODELS)
        self._ask()
        self._canvas.setFocus()

    @Slot(object, object)
    def _file_loaded(self, file: object, result: object) -> None:
        if isinstance(result, WorkbenchError):
            self._refused = result.sentence
            self._session.report_error(result)  # the bar is too short for it
            self._show()
        elif isinstance(result, PreparedModel):
            self._wanted = result.model
            self._fill()

    @Slot(object)
    def _trained(self, checkpoint: object) -> None:
        """The button's training has ended: use its network once its run is listed."""
        if isinstance(checkpoint, Path):
            self._wanted = checkpoint
            self._list_runs()
            self.trained.emit()

    @Slot(object)
    def _edited(self, applied: object) -> None:
        if isinstance(applied, AppliedEdit) and applied.settings_changed:
            self._show()  # labels may have been given another meaning

    # --- inference ---

    def show_image(self, image: int) -> None:
        """This image (0: none) is on the canvas with its current boxes: what is labelled isn't suggested."""
        if image != self._image:
            self._image, self._answer = image, None
            self.commands.image = image
            self._ask()
        elif not self.isHidden():
            self._show()

    def _ask(self) -> None:
        document, checkpoint = self._session.document, self._checkpoint
        if self.isHidden():
            return
        if isinstance(self._answer, WorkbenchError):
            self._answer = None
        self._show()
        if document is None or not self._image or checkpoint is None or not document.images().has(self._image):
            return
        image = document.image(self._image)
        self._background.ask([SuggestionRequest(checkpoint, image.id, document.file(image), document.window())])

    def _find_suggestions(self, ask: SuggestionRequest) -> SuggestionResult:
        """Runs in a thread: PyTorch and the plugins are loaded here."""
        from workbench import plugins

        plugins.loaded()
        return self._finder(ask)

    @Slot(object, object)
    def _suggestions_arrived(self, ask: object, result: object) -> None:
        if not isinstance(ask, SuggestionRequest) or (ask.image, ask.checkpoint) != (self._image, self._checkpoint):
            return
        if isinstance(result, SuggestionResult | WorkbenchError):
            self._answer = result
            self._show()

    # --- what is shown ---

    @property
    def _found(self) -> SuggestionResult | None:
        """The chosen run's results for the shown image."""
        found = self._answer if isinstance(self._answer, SuggestionResult) else None
        now = self._image, self._checkpoint
        return found if found is not None and (found.request.image, found.request.checkpoint) == now else None

    @property
    def _suggested(self) -> tuple[Suggestion, ...]:
        document, found = self._session.document, self._found
        if self.isHidden() or document is None or found is None:
            return ()
        boxes, least = document.boxes(self._image), self._least.value() / 100
        chosen = self._run_of(self._checkpoint)
        overlap = chosen.point.iou if chosen is not None and chosen.point is not None else suggest.SAME
        some = suggest.suggestions(
            found, document.labels(), boxes, least, other_names(document, found.trained), overlap
        )
        return self.commands.answers.unanswered(self._image, some, boxes)

    def _unknown_labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The network's labels that the project lacks, and those of them that were found in this image."""
        document, found = self._session.document, self._found
        if document is None or found is None:
            return (), ()
        missing = suggest.unknown_labels(found, document.labels(), other_names(document, found.trained))
        return missing, suggest.seen_labels(found, missing, self._least.value() / 100)

    @property
    def _confidence(self) -> str:
        return f"{self._least.value() / 100:.2f}"

    @Slot()
    def _show(self) -> None:
        some, (missing, seen) = self._suggested, self._unknown_labels()
        self._canvas.suggestions = some
        self._canvas.update()
        self._labels.show_labels(missing, seen)
        self.all.setEnabled(bool(some))
        self._number.setText(self._confidence)
        self._words.setText(self._status_text(len(some), missing, seen))

    def _status_text(self, number: int, missing: tuple[str, ...], seen: tuple[str, ...]) -> str:
        if self._session.document is None:
            return ""
        if self._files.reading is not None:
            return f"Reading {self._files.reading.name} …"
        if self._refused:
            return self._refused
        if self._checkpoint is None:
            return "No run yet: train one or choose a file."
        if isinstance(self._answer, WorkbenchError):
            return self._answer.sentence
        found = self._found
        if found is None:
            return "Looking …" if self._image else ""
        names = ", ".join(seen[:NAMED]) + (" …" if len(seen) > NAMED else "")
        if number:
            more = f" Not in the project: {names}." if seen else ""
            return f"{count(number, 'box')}: Enter takes, Del refuses.{more}"
        if seen:
            return f"No label here for {names}."
        if len(missing) == len(found.labels):
            return f"None of the network's labels ({', '.join(missing[:3])}, …) is in this project."
        return f"Nothing new above {self._confidence}."

    def push(self, steps: int) -> bool:
        """Up (1) and Down (-1) on the canvas; returns whether they have a use now."""
        if self.isHidden():
            return False
        self._least.setValue(self._least.value() + steps * STEP)
        return True
