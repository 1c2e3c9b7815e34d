"""Runs the queue of trainings: puts the form's into it, and begins the next one when a training has ended.

The page tells it of each training: when it begins, however that was asked for, when its run has started, and its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QTabWidget

from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.errors import ReadOnly, WorkbenchError
from workbench.training import folds, recipes
from workbench.training.records import queue_file, runs
from workbench.training.records.queue_file import QueuedTraining
from workbench.training.records.run_actions import Fork, existing
from workbench.training.records.training_queue import Hold, TrainingQueue
from workbench.training.request import DeferredRunRequest
from workbench.ui.job import Job
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session
from workbench.ui.train import refusals
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.queue.queue_bar import QueueBar
from workbench.ui.train.queue.queue_list import RESUMED, SHARED, QueueList
from workbench.ui.train.runs.history import RunHistory, Stage
from workbench.ui.train.runs.run_actions import RunActions
from workbench.ui.train.training_end import EndNotice, is_end_of_evaluation, outcome

TITLE = "Queue"
NO_QUEUE = (
    "This window may only read the project, so the other folds can't wait in its queue. Set Fold to train one of them,"
    " or open the project where it can be edited."
)


class QueueControl(QObject):
    """`begin_requested(request, bool)` when a waiting training's turn has come: a DeferredRunRequest, or the folder of
    a run that goes on; True: by a person's wish.

    It shows the queue in `bar` and `list`, the latter in a tab that is there while anything waits.
    """

    begin_requested = Signal(object, bool)

    def __init__(self, session: Session, setup: SetupPanel, run_actions: RunActions, notice: EndNotice) -> None:
        super().__init__(setup)
        self._session, self._setup, self._run_actions, self._notice = session, setup, run_actions, notice
        self.bar, self.list = QueueBar(), QueueList()
        self._tabs: QTabWidget | None = None
        self._queue: TrainingQueue | None = None  # None: no project is open, or only for reading
        self._job: Job | None = None  # the training that runs
        self._stop_after = threading.Event()  # its own: set while it is to stop after its next evaluation
        self._begins: int | None = None  # the key of the one that is asked to begin
        self._folder: Path | None = None  # of its run
        self._ended: list[str] = []  # what became of the trainings in a row
        self._undo = WidgetUndoStack(session, self.list)
        self._next = QTimer(self, interval=0, singleShot=True)  # when all others know that a training has ended
        self._next.timeout.connect(self._after_end)
        setup.buttons.queue_requested.connect(self.add)
        setup.changed.connect(self._show_bar)  # what is needed to begin has been loaded
        self.bar.go_on_requested.connect(self.go_on)
        self.bar.hold_requested.connect(self._hold)
        self.list.move_requested.connect(self._move)
        self.list.edit_requested.connect(self._edit)
        self.list.remove_requested.connect(self._remove)
        session.document_changed.connect(self._document_changed)
        session.closing.connect(self._hold)
        self._document_changed()

    def add_tab(self, tabs: QTabWidget) -> None:
        """Show the list there, behind the first tab, while anything waits."""
        self._tabs = tabs
        tabs.insertTab(1, self.list, TITLE)
        self.refresh()

    @property
    def refusal(self) -> str:
        """Why nothing can be queued, "" if it can."""
        document = self._session.document
        return document.why_read_only if document is not None and document.read_only else ""

    # --- the project ---

    @Slot()
    def _document_changed(self) -> None:
        document = self._session.document
        self._queue, self._job, self._ended = None, None, []
        if document is not None and not document.read_only:
            self._queue = TrainingQueue(document.folder)
            if self._queue.unread:
                self._session.message.emit("warning", self._queue.unread)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the queue, for the project's images of now."""
        document, queue = self._session.document, self._queue
        self._show_bar()
        self.list.show_queue(queue, document)
        if self._job is not None:
            self._job.place = queue.place if queue is not None else (1, 1)
        if self._tabs is not None:
            number, waits = self._tabs.indexOf(self.list), len(queue.waiting) if queue is not None else 0
            self._tabs.setTabText(number, f"{TITLE} ({waits:,})")
            self._tabs.setTabVisible(number, bool(waits))

    @Slot()
    def _show_bar(self) -> None:
        self.bar.show_queue(self._queue, can_begin=self._setup.loaded)

    def _try(self, change: Callable[[TrainingQueue], object]) -> bool:
        """Change the queue and show it; False, and a message, if that failed."""
        if self._queue is None:
            return False
        try:
            change(self._queue)
        except WorkbenchError as error:
            self._session.report_error(error)
            return False
        finally:
            self.refresh()
        return True

    # --- what a person asks for ---

    @Slot()
    def add(self) -> None:
        """Put the training in the form at the end of the queue; its settings have been checked."""
        try:
            asked = self.asked_for()
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        if self._put(asked, warnings=self._setup.buttons.warnings):
            self._setup.run_name.clear()
            self._setup.settled = True

    def add_run(self, folder: Path) -> None:
        """Put the run in `folder` at the end of the queue, to go on from its last checkpoint."""
        if self._queue is None:
            self._session.report_error(ReadOnly(self.refusal))
        elif folder in (one.resumed_run(folder.parent) for one in self._queue.waiting):
            self._session.inform(f"'{folder.name}' waits in the queue already.")
        else:
            self._put([queue_file.resumed(folder)])

    def follow(self, others: Sequence[QueuedTraining]) -> None:
        """Put these before all others that wait: the training that they belong to has begun."""
        self._put(others, first=True)

    def _put(self, trainings: Sequence[QueuedTraining], *, first: bool = False, warnings: int = 0) -> bool:
        """Put them at the end of the queue, or before all others, and tell; False if that failed."""
        queue = self._queue
        if queue is None or not trainings or not self._try(lambda queue: queue.add(trainings, first=first)):
            return False
        self._session.inform(_told(trainings, queue, warnings))
        return True

    def asked_for(self) -> list[QueuedTraining]:
        """What the form asks for: of a cross-validation a training for each fold. WorkbenchError if a value in it is
        not valid, its weights are not there yet, a name is taken, or folds can't wait.
        """
        document, queue, recipe = self._session.document, self._queue, self._setup.recipe()
        if document is None or recipe is None:
            return []
        name, start = self._setup.run_name.text().strip(), self._setup.start_from.file
        folder, names = document.runs_folder, [one.name for one in queue.waiting] if queue is not None else []
        near = queue_file.near(start, folder) if start is not None else ""
        each = folds.of_each(recipe, name, folder, names)
        if len(each) > 1 and queue is None:
            raise ReadOnly(NO_QUEUE)
        waiting = []
        for called, one in each:
            if called and queue is not None and queue.is_taken(called):
                raise WorkbenchError(f"A training that waits is called '{called}' already. Choose another name.")
            if called:
                runs.folder_for(folder, called, one.detector)
            table, weights = recipes.to_dict(one), str(start) if start is not None else ""
            queued = QueuedTraining(called, table, document.anchors(), weights, near, shares_data=len(each) > 1)
            waiting.append(queued)
        return waiting

    @Slot()
    def go_on(self) -> None:
        """Begin the next one, or let it begin when the training that runs has ended."""
        if not self._try(TrainingQueue.go_on) or self._queue is None:
            return
        if self._queue.is_training:
            self._session.inform("The queue goes on when this training has ended.")
        elif (due := self._queue.due) is not None:
            self._session.inform(f"The queue goes on with '{self._queue.called(due)}'.")  # it may fail to, told next
            self._begin_next(asked=True)

    @Slot()
    def _hold(self) -> None:
        if self._queue is not None:
            self._queue.hold_back()
            self.refresh()

    @Slot(int, int)
    def _move(self, key: int, by: int) -> None:
        self._try(lambda queue: queue.move(key, by))

    @Slot(int)
    def _remove(self, key: int) -> None:
        queue = self._queue
        if queue is None:
            return
        place = queue.place_of(key)
        removed = queue.waiting[place]
        if self._try(lambda queue: queue.remove(key)):
            self._undo.add(
                f"Remove {queue.called(removed)} from the queue",
                lambda: self._put_back(removed, place),
                lambda: self._take_out(key),
            )

    def _put_back(self, removed: QueuedTraining, place: int) -> None:
        self._try(lambda queue: queue.put_back(removed, place))

    def _take_out(self, key: int) -> None:
        self._try(lambda queue: queue.remove(key))

    @Slot(int)
    def _edit(self, key: int) -> None:
        """Take a training out of the queue and put it into the form."""
        document, queue = self._session.document, self._queue
        if document is None or queue is None or not self._setup.loaded:
            return
        training = queue.waiting[queue.place_of(key)]
        called = queue.called(training)
        try:
            recipe = recipes.from_dict(training.recipe)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        if not self._try(lambda queue: queue.remove(key)):
            return
        start = training.start_file(document.runs_folder)
        told = f"'{called}' is out of the queue and in the form: change what you like, then press Train next."
        self._run_actions.fill_in(Fork(called, recipe, training.anchors, start, recorded=True), told)
        self._setup.run_name.setText(training.name)

    # --- what the trainings do ---

    def begin(self, job: Job, stop_after: threading.Event) -> None:
        """A training begins, of the queue or another. `stop_after` is set while an evaluation is to be its end."""
        if self._queue is not None:
            self._job, self._stop_after = job, stop_after
            self._queue.begin(self._begins)
            self.refresh()

    def started(self) -> None:
        """The training has begun or gone on: it does not wait any more."""
        self._try(TrainingQueue.started)

    def end(self, name: str, history: RunHistory, refused: str) -> None:
        """It has ended. `refused`: why it could not begin, "" if it could."""
        job, training, self._job = self._job, self._of_current(), None
        if job is None or self._queue is None:
            return
        began, is_new = history.stage is not Stage.READING, training is not None and not training.resumes
        if is_new and self._folder is not None and runs.has_started(self._folder):  # one that goes on has before
            began, refused = True, ""  # it was told to stop before this thread could hear of it
            self._try(TrainingQueue.started)
        stopped = job.stop.is_set() and not (self._stop_after.is_set() and is_end_of_evaluation(history))
        if began:
            self._ended.append(outcome(name, history))
        elif training is not None:
            self._ended.append(f"{self._queue.called(training)} could not begin")
        self._try(lambda queue: queue.end(stopped=stopped, refused=refused))
        self._next.start()

    def _of_current(self) -> QueuedTraining | None:
        queue = self._queue
        return next((one for one in queue.waiting if one.key == queue.current), None) if queue is not None else None

    @Slot()
    def _after_end(self) -> None:
        if self._queue is not None and not self._queue.is_training:
            self._begin_next()

    def _begin_next(self, *, asked: bool = False) -> None:
        """Begin the training that is due; one that can't stays with the reason, and the next one is tried.

        If none is due, tell how the queue ended, or that it is held.
        """
        document, queue = self._session.document, self._queue
        while document is not None and queue is not None and (training := queue.due) is not None:
            try:
                request = request_of(document, training)
            except WorkbenchError as error:
                self._refuse(queue, training, error)
                continue
            self._begins = training.key
            self._folder = request if isinstance(request, Path) else request.folder
            self.begin_requested.emit(request, asked)
            self._begins = None
            return
        self._tell_end()

    def _refuse(self, queue: TrainingQueue, training: QueuedTraining, error: WorkbenchError) -> None:
        called = queue.called(training)
        self._ended.append(f"{called} could not begin")
        self._try(lambda queue: queue.refuse(training.key, error.sentence))
        words = f"'{called}' of the queue could not begin: {error.sentence}"
        self._session.report_error(WorkbenchError(words, error.cause))

    def _tell_end(self) -> None:
        queue = self._queue
        if queue is None or queue.is_training:
            return
        ended, self._ended = self._ended, []
        if queue.hold is Hold.STOPPED:
            self._session.message.emit("hint", queue.sentence)
            self._session.offered.emit("Go on", self.go_on)
        elif len(ended) > 1 and queue.hold is Hold.NONE:
            self._notice.say("hint", f"The queue has ended: {'; '.join(ended)}.")


def request_of(document: Document, training: QueuedTraining) -> DeferredRunRequest | Path:
    """WorkbenchError if the run can't be resumed any more; of a new one, if its recipe can't be read any more, its
    weights have gone, or its name is taken by now.
    """
    if (run := training.resumed_run(document.runs_folder)) is not None:
        if why_not := refusals.why_not_resume(runs.info(existing(run)), is_free=True):
            raise WorkbenchError(why_not)
        return run
    recipe, start = recipes.from_dict(training.recipe), training.start_file(document.runs_folder)
    if start is not None and not start.is_file():
        raise WorkbenchError(f"{start}: there is no such file. Choose other weights to start from.")
    folder = runs.folder_for(document.runs_folder, training.name, recipe.detector)
    data_of = folds.begun_run(folder, recipe.training.folds) if training.shares_data else None
    return DeferredRunRequest(document.folder, folder, recipe, training.anchors, start, data_of)


def _told(added: Sequence[QueuedTraining], queue: TrainingQueue, warnings: int = 0) -> str:
    """What is said of trainings that were queued. `warnings`: how many the form shows of them."""
    first, last = queue.called(added[0]), queue.called(added[-1])
    if len(added) == 1:
        waits, learns = f"'{first}' waits in the queue", "It learns"
    else:
        waits = f"{len(added):,} trainings wait in the queue, '{first}' to '{last}'"
        learns = "Each learns"
    words = [f"{waits}."]
    if queue.hold is Hold.NONE:
        place = f", in place {len(queue.ready):,}" if len(added) == 1 else ""
        special = RESUMED if added[0].resumes else SHARED if added[0].shares_data else ""
        words = [f"{waits}{place}.", special or f"{learns} from the project as it is when its turn comes."]
    elif queue.hold is Hold.UNBEGUN:
        words.append("Start the queue, or a training, which it then follows.")
    else:
        words.append("The queue is held until you press Go on.")
    if warnings:
        words.append(f"{count(warnings, 'warning')} about {'it' if len(added) == 1 else 'them'}: see above the button.")
    if queue.put_aside is not None:
        words.append(f"What could not be read is kept as {queue.put_aside.name}.")
        queue.put_aside = None
    return " ".join(words)
