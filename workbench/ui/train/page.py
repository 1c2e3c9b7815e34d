"""The Train page: choose a detector and a recipe, train, and watch the curves while labelling goes on elsewhere."""

from __future__ import annotations

import threading
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedLayout, QTabWidget, QVBoxLayout, QWidget

from workbench.core.former_names import colours
from workbench.errors import WorkbenchError
from workbench.training.events import Evaluated, Failed, Paused, Saved, Started
from workbench.training.records.runs import RunInfo
from workbench.training.settings import TrainingSettings
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.train import training_end, training_job
from workbench.ui.train.empty_state import show_empty_state
from workbench.ui.train.form.detector_loading import DetectorLoading
from workbench.ui.train.form.fetch_window import FetchWindow
from workbench.ui.train.form.first_recipe import FirstRecipe
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.form.training_data import count_training_images
from workbench.ui.train.live.pictures_tab import PicturesTab
from workbench.ui.train.live.tab_height import TabHeight
from workbench.ui.train.plots.curves import Curves
from workbench.ui.train.preflight.preflight_panel import PreflightPanel
from workbench.ui.train.progress import ProgressPanel
from workbench.ui.train.queue.queue_control import QueueControl, request_of
from workbench.ui.train.refusals import QUEUE_INSTEAD
from workbench.ui.train.runs.history import RunHistory, Stage
from workbench.ui.train.runs.run_actions import RunActions
from workbench.ui.train.runs.run_follower import PageState, RunFollower
from workbench.ui.train.runs.run_list import RunList
from workbench.ui.train.runs.run_log import RunLog
from workbench.ui.train.trainer_view.launcher import TrainerViewButton
from workbench.ui.train.training_job import AnyRequest, Train
from workbench.ui.train.work import PublishedWeights
from workbench.ui.widgets.empty_state import EmptyState

REDRAW = 100  # ms: redrawing at every event slowed a training from 1,505 steps to 244 in two seconds


class TrainPage(Page):
    """Runs one training Job at a time. `train` is training_job.train, or a fake in tests."""

    name = "train"

    def __init__(self, session: Session, parent: QWidget | None = None, *, train: Train = training_job.train) -> None:
        super().__init__(session, parent)
        self._train = train
        self._job: Job | None = None  # of the training
        self._is_queued = False  # it comes from the queue: the form is about another one
        self._live = RunHistory()  # of the training, while it runs and until the next one starts
        self._live_name = ""  # "" if there was none
        self._shown = RunHistory()  # what the curves show: the live history, or a past one
        self._shown_name = ""
        self._dirty = False
        self._stop_after = threading.Event()
        self._notice = training_end.EndNotice(session, self)
        self._timer = QTimer(self, interval=REDRAW)
        self._timer.timeout.connect(self._redraw)
        self._build()
        self._connect()

    # --- building ---

    def _build(self) -> None:
        self._empty = EmptyState("train-empty", "mdi6.chart-line")
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        self._setup = SetupPanel()
        self._detectors = DetectorLoading(self.session, self._setup)
        TrainerViewButton(self.session, self._setup)
        self._preflight = PreflightPanel(self.session, self._setup)
        self._progress = ProgressPanel()
        self._curves = Curves()
        self._log = RunLog()
        self._runs = RunList()
        self._run_actions = RunActions(self.session, self._runs, self._setup)
        self._follower = RunFollower(self.session, self._run_actions, self, self._state)
        FirstRecipe(self.session, self._setup, self._run_actions)
        self._queue = QueueControl(self.session, self._setup, self._run_actions, self._notice)
        self._pictures = PicturesTab(self.session)
        row = QHBoxLayout(self._full)
        row.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        row.setSpacing(2 * theme.GRID)
        right = QVBoxLayout()
        right.setSpacing(theme.GRID)
        row.addWidget(self._setup)
        row.addLayout(right, 1)
        tabs = self._tabs = self.lower_table = QTabWidget(documentMode=True)
        tabs.setObjectName("train-tabs")
        split = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        right.addWidget(self._progress)
        right.addWidget(self._queue.bar)
        right.addWidget(split, 1)
        split.addWidget(self._curves)
        split.addWidget(tabs)
        for widget, word in ((self._runs, "Runs"), (self._pictures, "Pictures"), (self._log, "Log")):
            tabs.addTab(widget, word)
        self._queue.add_tab(tabs)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        TabHeight(split, tabs, self._pictures)

    def _connect(self) -> None:
        self._empty.page_requested.connect(self.session.page_requested)
        self._empty.other_requested.connect(lambda: self.session.command_requested.emit("data", "import-labels"))
        self._setup.buttons.start_requested.connect(self.start)
        self._queue.begin_requested.connect(self.begin_queued)
        self._detectors.loaded.connect(self._loaded)
        self._detectors.failed.connect(self._describe_data)
        self._setup.changed.connect(self._describe_data)
        self._setup.help_requested.connect(self.session.help_requested)
        self._setup.message.connect(self.session.inform)
        self.session.setting_requested.connect(self._setup.show_setting)
        self._setup.start_from.fetch_requested.connect(self._fetch)
        self._progress.pause_requested.connect(self.pause)
        self._progress.stop_requested.connect(self.stop)
        self._progress.stop_after_requested.connect(self.stop_after)
        self._curves.message.connect(self.session.inform)
        self._curves.failed.connect(self.session.report_error)
        self._runs.chosen.connect(self._run_chosen)
        self._runs.resume_requested.connect(lambda run: self.continue_run(run.folder))
        self._run_actions.listed.connect(self._listed)
        self._run_actions.history_read.connect(self._read)
        self._run_actions.continue_requested.connect(self.continue_run)
        self._run_actions.renamed.connect(self._renamed)
        self._follower.history_grown.connect(lambda: self._redraw(always=True))
        self._follower.evaluated.connect(self._pictures.reload)
        self.session.document_changed.connect(self._document_changed)
        self.session.edited.connect(self._edited)
        self.session.images_found.connect(self._edited)
        self.session.job_ended.connect(self._job_ended)

    # --- the page ---

    def shown(self) -> None:
        document = self.session.document
        if document is None or (not document.counts().total and not document.runs_folder.is_dir()):
            show_empty_state(self._empty, document)
            self._stack.setCurrentWidget(self._empty)
            return
        self._stack.setCurrentWidget(self._full)
        self._detectors.load()
        self._describe_data()
        self._queue.refresh()
        self._run_actions.list_runs()
        self._follower.poll()
        self._redraw(always=True)

    def closing(self) -> None:
        self._timer.stop()
        self._setup.network_size.close_down()
        self._preflight.close_down()
        self._pictures.close_down()
        self._run_actions.close()
        self._follower.close()

    @Slot()
    def _document_changed(self) -> None:
        self._live, self._live_name = RunHistory(), ""
        self._show_history("", RunHistory())
        self._runs.forget()
        if self.isVisible():
            self.shown()

    @Slot(object)
    def _edited(self, _what: object) -> None:
        if self.isVisible():
            if self._stack.currentWidget() is self._empty:
                self.shown()
            else:
                self._describe_data()
                self._queue.refresh()

    # --- what will be trained on ---

    @Slot()
    def _loaded(self) -> None:
        self._describe_data()
        self._run_actions.list_runs()  # now with the detectors' titles

    @Slot()
    def _describe_data(self) -> None:
        """Count the images that the settings select, so that Start holds no surprise."""
        document = self.session.document
        if document is None:
            return
        recipe, labels = self._setup.valid_recipe, tuple(label.name for label in document.labels())
        training, own = (recipe.training, recipe.detector_settings) if recipe else (TrainingSettings(), None)
        self._curves.set_label_colours(colours(document))
        self._setup.network_size.measure(recipe, labels)
        train, words = count_training_images(document, training, self._setup.choice, own)
        self.session.anchorless = "" if (one := self._setup.choice) is None or one.takes_anchors else one.title
        wrong = next(iter(self._setup.form.problems().values()), "")
        self._setup.data.setText(wrong or words + self._setup.learning_rate_note(recipe, labels, document))
        wrong = wrong or ("" if train else words)
        self._setup.offer_start(QUEUE_INSTEAD if self._job is not None else wrong, self._queue.refusal or wrong)

    @Slot(object)
    def _fetch(self, weights: PublishedWeights) -> None:
        window = FetchWindow(self.session, weights, self)
        window.finished.connect(self._setup.start_from.fetched)
        window.finished.connect(self._setup.changed)
        window.show()

    # --- training ---

    @Slot()
    def start(self) -> None:
        """Start training on the project as it is now; the other folds of a cross-validation follow from the queue."""
        document = self.session.document
        if document is None or self._job is not None:
            return
        try:
            asked = self._queue.asked_for()
            request = request_of(document, asked[0]) if asked else None
        except WorkbenchError as error:
            self.session.report_error(error)
            return
        if request is not None:
            self._setup.run_name.clear()
            self._begin(request)
            self._queue.follow(asked[1:])

    @Slot(object)
    def continue_run(self, request: AnyRequest) -> None:
        """Begin it if nothing is trained; else a run to resume, by its folder, waits in the queue."""
        if self._job is None:
            self._begin(request)
        elif isinstance(request, Path):
            self._queue.add_run(request)

    @Slot(object, bool)
    def begin_queued(self, request: AnyRequest, asked: bool) -> None:
        """Begin a training of the queue. Unless a person `asked` for it, curves of another run that is shown stay."""
        if self._job is None:
            self._begin(request, shows=asked or self._shown is self._live or not self._shown_name)
            self._is_queued = True

    def _begin(self, request: AnyRequest, shows: bool = True) -> None:
        name, after = request.name, threading.Event()
        job = training_job.training_job(self._train, request, after, self._curves.bar.for_tensorboard)
        job.reported.connect(self._trained)
        job.failed.connect(self._failed)
        self._job, self._stop_after, self._is_queued = job, after, False
        self._live, self._live_name = RunHistory(), name
        self._progress.begin(training_job.evaluates(request))
        if self._setup.buttons.start.hasFocus():
            self._tabs.setFocus()  # else Qt moves the focus to Stop as Start is disabled: the next Space would press it
        self._runs.show_training(name, may_queue=not self._queue.refusal)
        if shows:
            self._run_actions.read(None)
            self._runs.clear_selection()
            self._show_history(name, self._live)
        self._describe_data()
        self._timer.start()
        self._queue.begin(job, after)
        self.session.start(job)

    @Slot(bool)
    def pause(self, on: bool) -> None:
        if self._job is not None:
            (self._job.pause.set if on else self._job.pause.clear)()
            self._redraw(always=True)

    @Slot()
    def stop(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job.pause.clear()
            self._redraw(always=True)

    @Slot(bool)
    def stop_after(self, on: bool) -> None:
        """Stop after the next evaluation, or take that back."""
        (self._stop_after.set if on else self._stop_after.clear)()
        self._redraw(always=True)

    @Slot(object)
    def _trained(self, event: object) -> None:
        """Only keep the event; the timer redraws."""
        if not self._live_name:
            return  # it is of a project that was closed
        if isinstance(event, RunHistory):
            shows = self._shown is self._live or self._shown_name == self._live_name
            self._live = event
            if shows:
                self._show_history(self._live_name, event)
            return
        self._live.add(event)  # type: ignore[arg-type]
        self._dirty = True
        if isinstance(event, Started):
            self._queue.started()
        if isinstance(event, Started | Evaluated | Saved | Paused):
            self.session.runs_changed.emit()
            self._run_actions.list_runs()

    @Slot(object)
    def _failed(self, error: object) -> None:
        if self._live_name and isinstance(error, WorkbenchError):
            self._live.add(Failed(error.sentence))
            self._dirty = True

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if self._job is None or job is not self._job:
            return
        live, name, error = self._live, self._live_name, self._job.error
        refused = training_end.refusal(self.session, self._job, live) if name else ""
        self._job = None
        self._timer.stop()
        self._runs.show_training("")
        self._queue.end(name, live, refused)
        if live.stage is Stage.READING:
            self._forget_unstarted()
        else:
            self._notice.tell(name, live, error is not None)
        self._runs.prefer(self._live_name)
        self._redraw(always=True)
        self._describe_data()
        if refused and live.started is None and not self._is_queued:  # it is about the form
            self._setup.data.setText(refused)
        self._run_actions.list_runs(outdated=True)
        self.session.runs_changed.emit()

    def _forget_unstarted(self) -> None:
        """It was refused, or stopped before it began: a new run is gone, a past one is what it was."""
        document, is_shown = self.session.document, self._shown is self._live
        if self._live.started is None:
            self._live, self._live_name = RunHistory(), ""
            if is_shown:
                self._show_history("", RunHistory())
        elif is_shown and document is not None:
            self._run_actions.read(document.runs_folder / self._live_name)

    # --- showing ---

    def _state(self) -> PageState:
        return PageState(self._live_name if self._job is not None else "", self._shown_name, self._shown)

    def _show_history(self, name: str, history: RunHistory) -> None:
        self._shown_name, self._shown = name, history
        self._log.clear()
        self._curves.clear()
        self._pictures.show_run(name, history)
        self._redraw(always=True)

    @Slot()
    def _redraw(self, always: bool = False) -> None:
        """The head is shown each time: Stop and Pause may also be pressed in the status bar."""
        if not always and not self.isVisible():
            return
        job, history = self._job, self._shown
        asked = (job.stop.is_set(), job.pause.is_set()) if job is not None and history is self._live else ()
        self._progress.show_history(self._shown_name, history, bool(asked), *asked)
        if not (always or self._dirty or self._curves.is_behind):
            return
        self._dirty = False
        if self._live.progress is not None:
            self._runs.table.show_epoch(self._live_name, self._live.progress.epoch)
        self._curves.show_history(history, self._shown_name, now=always)
        self._log.show_lines(history.log)

    @Slot(object)
    def _listed(self, found: tuple[RunInfo, ...]) -> None:
        self._setup.offer_runs(found)
        live = (self._live_name, self._live) if self._job is not None else ("", RunHistory())
        if self._shown_name not in (live[0], *(run.name for run in found)):  # deleted, here or by another program
            self._show_history(*live)
        if not self._shown_name and found and self._job is None:
            self._runs.prefer(found[0].name)  # so that Resume and Inspect apply to the run that is shown
            self._runs.set_runs(found)
            self._run_actions.read(found[0].folder)

    @Slot(object)
    def _run_chosen(self, run: RunInfo) -> None:
        if self._job is not None and run.name == self._live_name:
            self._show_history(run.name, self._live)
        else:
            self._run_actions.read(run.folder)

    @Slot(object, object)
    def _read(self, folder: Path, history: RunHistory) -> None:
        self._show_history(folder.name, history)

    @Slot(object, object)
    def _renamed(self, old: Path, new: Path) -> None:
        if self._shown_name == old.name:
            self._shown_name = new.name
            self._pictures.show_run(new.name, self._shown)
            self._redraw(always=True)
