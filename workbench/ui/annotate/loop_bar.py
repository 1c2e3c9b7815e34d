"""Label, train, suggest: a line with the number of images left, and a button that trains on the current labels."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QActionGroup, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QPushButton, QToolButton

from workbench.core.formatting import duration, share
from workbench.core.labelling_progress import labelling_progress
from workbench.errors import WorkbenchError
from workbench.inference.events import EvaluationProgress
from workbench.training.events import Evaluated, Failed, Finished, Progress
from workbench.training.records import next_training
from workbench.training.records.next_training import NextTraining, NextTrainingRequest
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.background import Background
from workbench.ui.images import image_queues
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.popups import Menu

REDRAW = 100  # ms
COMMAND = "train-and-suggest"
BUSY = "A training is running. Wait, stop it, or press Train next on the Train page."


class LoopBar(QFrame):
    """`trained(checkpoint)` when a training started here has ended by itself; the images are then put in order.

    `plan` is next_training.plan_next_training, or a fake. One training at a time: the Train page runs it.
    """

    trained = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("loop-bar")
        self.plan = _plan
        self._session = session
        self._queues = image_queues.of(session)
        self._run: RunInfo | None = None
        self._background = Background("Preparing a training", lambda request: self.plan(request[0]), self)
        self._background.done.connect(self._planned)
        self._request_number = 0  # how often a training was prepared; 0 in `_pending_request`: none is
        self._pending_request = 0
        self._job: Job | None = None
        self._name = ""  # of the run that is to start, or is training
        self._folder = Path()
        self._progress: Progress | None = None
        self._ap50 = ""
        self._end: Finished | Failed | None = None
        self._message = ""  # shown instead of the labelling progress until something happens
        self._counted: tuple[int, int] | None = None  # images looked through, of all
        self._redraw_timer = QTimer(self, singleShot=True, interval=REDRAW)
        self._redraw_timer.timeout.connect(self._show)
        self._build()
        session.edited.connect(self._edited)
        session.images_found.connect(self._edited)
        session.document_changed.connect(self._forget)
        session.job_started.connect(self._started)
        session.job_event.connect(self._event)
        session.job_ended.connect(self._job_ended)
        self._queues.changed.connect(self._queue_changed)

    def _build(self) -> None:
        self._words = ElidedLabel()
        self._words.setObjectName("loop-words")
        self._words.setAccessibleName("Progress of the labelling")
        self._bar = QProgressBar(textVisible=False, maximum=1000)
        self._bar.setObjectName("loop-progress")
        self._bar.setAccessibleName("Progress of the training")
        self._bar.setFixedSize(96, 8)
        self.stop = QPushButton("Stop")
        self.stop.setObjectName("loop-stop")
        self.stop.setToolTip(
            "Stop the training. What it has learnt is kept as a run, which can be resumed on the Train page"
        )
        self.stop.clicked.connect(self.stop_training)
        self.train = QToolButton()
        self.train.setObjectName("loop-train")
        self.train.setText("Train and suggest")
        self.train.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.train.clicked.connect(self.start)
        self._fresh = self._made_menu()
        tell_key(
            self.train,
            COMMAND,
            "{}.\nTrains with the settings of the run that suggests, then shows the new suggestions"
            "\nand lists the images that would teach it most first",
        )
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(theme.GRID)
        self.row.addWidget(self._words, 1)
        for widget in (self._bar, self.stop, self.train):
            self.row.addWidget(widget)
        height = max(self.stop.sizeHint().height(), self.train.sizeHint().height())
        for button in (self.stop, self.train):  # the picture below must not move when one replaces the other
            button.setFixedHeight(height)
            button.setFocusPolicy(button.focusPolicy().NoFocus)

    def _made_menu(self) -> QActionGroup:
        """The choice of initial weights; the second choice is fresh ones."""
        menu, group = Menu(self.train), QActionGroup(self)
        for name, words in (
            ("weights", "Continue from the run's weights"),
            ("fresh", "Start from fresh weights, with the run's settings"),
        ):
            choice = menu.addAction(words)
            choice.setObjectName(f"loop-from-{name}")
            choice.setCheckable(True)
            group.addAction(choice)
        group.actions()[0].setChecked(True)
        self.train.setMenu(menu)
        return group

    def follow(self, run: RunInfo | None) -> None:
        """`run` makes the suggestions; the button trains it further."""
        self._run = run
        self._show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show()

    def close_down(self) -> None:
        """The window closes."""
        self._redraw_timer.stop()
        self._background.close()

    # --- starting and stopping ---

    @Slot()
    def start(self) -> None:
        """Train on the current labels; if something prevents it, say so."""
        document = self._session.document
        if document is None or self._pending_request:
            return
        if document.read_only:
            self._say(document.why_read_only)
            return
        if self._session.is_training:
            self._say(BUSY)
            return
        self._request_number += 1
        self._pending_request = self._request_number
        self._message = ""
        fresh = self._fresh.actions()[1].isChecked()
        run = self._run.folder if self._run is not None else None
        self._background.ask([(NextTrainingRequest(document.runs_folder, run, fresh), self._request_number)])
        self._show()

    @Slot(object, object)
    def _planned(self, request: tuple[NextTrainingRequest, int], found: object) -> None:
        document = self._session.document
        if request[1] != self._pending_request or document is None:
            return
        self._pending_request = 0
        try:
            if isinstance(found, WorkbenchError):
                raise found
            assert isinstance(found, NextTraining)
            if self._session.is_training:
                raise WorkbenchError(BUSY)
            run_request = next_training.make_run_request(document, found)
        except WorkbenchError as error:
            self._say(error.sentence)
            return
        self._name, self._folder = run_request.name, run_request.folder
        self._progress, self._ap50, self._end = None, "", None
        self._session.training_requested.emit(run_request)
        if self._job is None:  # nothing was there to start it
            self._name = ""
            self._say("The training could not start. Try it on the Train page.")
        self._show()

    @Slot(object)
    def _started(self, job: object) -> None:
        if isinstance(job, Job) and self._name and job.title == f"Training {self._name}":
            self._job = job

    @Slot()
    def stop_training(self) -> None:
        if self._job is not None:
            self._job.stop.set()
            self._job.pause.clear()
        self._pending_request = 0
        self._show()

    # --- how it goes ---

    @Slot(object, object)
    def _event(self, job: object, event: object) -> None:
        """Keep the event; the display is updated at most ten times a second."""
        if job is self._job and self._job is not None:
            if isinstance(event, Progress):
                self._progress = event
            elif isinstance(event, Evaluated):
                self._ap50 = f", AP50 {share(event.ap50, 2)}"
            elif isinstance(event, Finished | Failed):
                self._end = event
        elif job is self._queues.job and isinstance(event, EvaluationProgress):
            self._counted = event.done, event.total
        else:
            return
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if self._message == BUSY and not self._session.is_training:
            self._say("")
        if job is not self._job or not isinstance(job, Job):
            return
        self._job, self._name, end = None, "", self._end
        if isinstance(end, Failed) or job.error is not None:
            why = end.sentence if isinstance(end, Failed) else job.error.sentence if job.error else ""
            self._say(f"The training failed. {why}")
        elif end is None or end.stopped:
            still = f"Still suggestions of {self._run.name}" if self._run is not None else "Suggestions stay"
            self._say(f"Stopped. {still}; resume on the Train page.")  # short of room: the corner names the run
        else:
            self._trained()

    def _trained(self) -> None:
        """From now on the Label page uses its suggestions and its order of the images."""
        checkpoint = next((self._folder / n for n in _CHECKPOINTS if (self._folder / n).is_file()), None)
        if checkpoint is None:
            self._say(f"The training of {self._folder.name} left no weights to suggest with.")
            return
        self._queues.choose(checkpoint)
        self._queues.renew()
        self._say("")
        self._session.inform(
            f"Suggestions now come from {self._folder.name}, and the images that would teach it most are listed first."
        )
        self.trained.emit(checkpoint)

    @Slot()
    def _queue_changed(self) -> None:
        self._counted = None
        self._show()

    # --- what is shown ---

    @Slot(object)
    def _edited(self, _what: object = None) -> None:
        self._message = ""
        if not self._redraw_timer.isActive():
            self._redraw_timer.start()

    @Slot()
    def _forget(self) -> None:
        self._run, self._pending_request, self._message, self._name = None, 0, "", ""
        self._show()

    def _say(self, sentence: str) -> None:
        self._message = sentence
        self._show()

    @Slot()
    def _show(self) -> None:
        busy = self._job is not None
        self._bar.setVisible(busy)
        self.stop.setVisible(busy)
        self.stop.setEnabled(self._job is not None and not self._job.stop.is_set())
        self.train.setVisible(not busy)
        self.train.setEnabled(not self._pending_request)
        progress = self._progress if busy else None
        self._bar.setMaximum(1000 if progress else 0)
        self._bar.setValue(round(1000 * progress.step / max(progress.steps, 1)) if progress else 0)
        self._words.setText(self._status_text())

    def _status_text(self) -> str:
        document = self._session.document
        if document is None or not self.isVisible():
            return ""
        if self._job is not None:
            return self._training()
        if self._pending_request:
            return "Preparing the training …"
        if self._message:
            return self._message
        if self._queues.job is not None:
            how_far = f": {self._counted[0]:,} of {self._counted[1]:,}" if self._counted else " …"
            return f"Looking through the images{how_far}"
        is_trained = self._run is not None and self._run.started and self._run.epochs
        since = self._run.data_time if self._run is not None and is_trained else None
        return labelling_progress(document, since).sentence

    def _training(self) -> str:
        if self._job is not None and self._job.stop.is_set():
            return f"Stopping the training of {self._name} …"
        progress = self._progress
        if progress is None:
            return f"Training {self._name}: preparing …"
        left = f", {duration(progress.seconds_left)} left" if progress.seconds_left > 0 else ""
        return f"Training {self._name}: epoch {progress.epoch:,} of {progress.epochs:,}{self._ap50}{left}"


_CHECKPOINTS = ("best.safetensors", "last.safetensors")


def _plan(request: NextTrainingRequest) -> NextTraining:
    """Runs in a thread: PyTorch and the plugins are loaded here."""
    from workbench import plugins

    plugins.loaded()
    return next_training.plan_next_training(request)
