"""Checks the training set up in the form before it starts: what is odd after every change, its cost on request.

It adds itself above the form's buttons, with its own button among them. One line in the page makes it, one closes it.

A start waits until its settings have been checked, which tells whether there is anything to learn. During a training,
which needs the machine for itself, only what is to be queued is checked. (The check draws no random numbers, which
would make that run another one: its network has no weights.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.training.checks.estimate import Estimate
from workbench.training.checks.findings import STOPS, WARNING, Finding
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.preflight import preflight_work
from workbench.ui.train.preflight.checks import Checks
from workbench.ui.train.preflight.mark_done import MarkDoneButton
from workbench.ui.train.preflight.preflight_work import PreflightRequest
from workbench.ui.train.refusals import ANOTHER_TRAINS

CHECK_DELAY = 500  # ms after the last change, so that not every keystroke starts a check
ESTIMATE = "Estimate time"
ESTIMATE_HELP = "Estimate how long this training takes and how much memory it needs, by trying a few steps: 10 to 20 s"
TRYING = "Trying a few steps …"
Checker = Callable[[PreflightRequest], tuple[Finding, ...]]
Estimator = Callable[[PreflightRequest, Callable[[], bool]], Estimate | None]


class PreflightPanel(QWidget):
    """`check` and `measure` are the functions of preflight_work, or fakes in tests. Close it at the end."""

    def __init__(
        self, session: Session, setup: SetupPanel, *, check: Checker = preflight_work.check_training,
        measure: Estimator = preflight_work.estimate_cost,
    ) -> None:  # fmt: skip
        super().__init__(setup)
        self.setObjectName("train-before")
        self._session, self._setup, self._measure = session, setup, measure
        self._turn = 0
        self._start: Path | None = None  # the file to start from, if it was there when that was looked at last
        self._job: Job | None = None  # of the estimate
        self._estimated_request: PreflightRequest | None = None  # what is being estimated
        self._checked_request: PreflightRequest | None = None  # what was checked last
        self._is_edited = False  # since then
        self.checks = Checks()
        self._mark_done = MarkDoneButton(session)
        self._cost = QLabel(wordWrap=True)
        self._cost.setObjectName("train-cost")
        self._cost.hide()
        self._button = QPushButton(ESTIMATE)
        self._button.setObjectName("train-estimate")
        self._button.setToolTip(ESTIMATE_HELP)
        self._checker = Background("Looking at the training", check, self)
        self._timer = QTimer(self, interval=CHECK_DELAY, singleShot=True)
        self._lay_out()
        setup.buttons.check_first = self.check_first
        self._timer.timeout.connect(self._check)
        self._checker.done.connect(self._checked)
        self._button.clicked.connect(self._pressed)
        self.checks.images_requested.connect(self._show_images)
        setup.changed.connect(self._outdated)
        setup.resized.connect(self.checks.fit)
        session.edited.connect(self._outdated)
        session.document_changed.connect(self._outdated)
        session.runs_changed.connect(self._runs_changed)
        session.job_started.connect(self._job_started)
        session.job_ended.connect(self._job_ended)
        self._changed()

    def _lay_out(self) -> None:
        self._setup.check_buttons.insertWidget(0, self._button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self._mark_done)
        column.addWidget(self.checks)
        column.addWidget(self._cost)
        around = self._setup.layout()
        assert isinstance(around, QVBoxLayout)
        around.insertWidget(around.indexOf(self._setup.data) + 1, self)

    # --- what is odd ---

    def _request(self) -> PreflightRequest | None:
        """The settings in the form; None while nothing is loaded or open, or a value or the weights are not there."""
        document, recipe = self._session.document, self._setup.valid_recipe
        if document is None or recipe is None:
            return None
        with contextlib.suppress(WorkbenchError):  # published weights that are not fetched yet
            return PreflightRequest(document.folder, recipe, self._setup.start_from.file, self._turn)
        return None

    @Slot()
    def _runs_changed(self) -> None:
        """The run to start from may have disappeared, come back or been renamed. That its weights change, as whenever
        it is evaluated, is no reason.
        """
        if self._start_there != self._start:
            self._changed()

    @property
    def _start_there(self) -> Path | None:
        start = self._setup.start_from.currentData()
        return start if isinstance(start, Path) and start.exists() else None

    @Slot()
    def _outdated(self) -> None:
        """During a training the findings shown stay those of before."""
        self._is_edited = True
        self.checks.mark_old(self._session.is_training)
        self._changed()

    @Slot()
    def _changed(self) -> None:
        """The findings shown are out of date; check again once the user pauses."""
        self._turn += 1
        self._start = self._start_there
        self._setup.buttons.blocking_reason, self._setup.buttons.warnings = "", 0
        if self._cost.text() != TRYING:
            self._say("")
        request = self._request()
        self._offer(request)
        if request is None:
            self._setup.buttons.cancel()
        self._timer.start()

    @Slot()
    def _check(self) -> None:
        request = self._request()
        if self._session.document is None:
            self.checks.show_findings(())
            self._mark_done.offer(())
        is_due = self.isVisible() or self._setup.buttons.is_pending
        if request is not None and request != self._checked_request and is_due and self._may_check:
            self._checker.ask([request])

    @property
    def _may_check(self) -> bool:
        return self._setup.buttons.is_queueing or not self._session.is_training

    def check_first(self) -> bool:
        """Check the settings now, without waiting for the user to pause; False if that has already been done."""
        request = self._request()
        if request is None or request == self._checked_request:
            return False
        self._timer.stop()
        self._checker.ask([request])
        return True

    def showEvent(self, event: object) -> None:
        super().showEvent(event)  # type: ignore[arg-type]
        self._timer.start()

    @Slot(object, object)
    def _checked(self, request: object, found: object) -> None:
        if request != self._request():
            return
        self._checked_request, self._is_edited = self._request(), False
        findings = found if isinstance(found, tuple) else ()
        self.checks.show_findings(findings)
        self.checks.mark_old(False)
        self._mark_done.offer(findings)
        self._setup.buttons.blocking_reason = next((one.text for one in findings if one.level == STOPS), "")
        self._setup.buttons.warnings = sum(one.level == WARNING for one in findings)
        self._setup.buttons.checks_done()

    @Slot(object)
    def _show_images(self, finding: Finding) -> None:
        """Filter the Data page to these images, and make the first the current image of all pages."""
        document = self._session.document
        there = [id for id in finding.images if document is not None and document.images().has(id)]
        if not there:
            self._session.inform("These images are not in the project any more.")
            return
        self._session.page_requested.emit("data")
        self._session.marked_images_requested.emit(
            frozenset(there), f"that the Train page names: {finding.sentence}", frozenset(finding.boxes)
        )
        self._session.select_image(there[0])

    # --- what it costs ---

    @Slot()
    def _pressed(self) -> None:
        """Start the estimate, or stop it."""
        if self._job is not None:
            self._job.stop.set()
            return
        request = self._request()
        if request is None:
            return
        self._estimated_request = request
        job = Job("Estimating the training", lambda job: self._events(request, job), self, low_priority=True)
        job.reported.connect(self._show_estimate)
        job.failed.connect(self._failed)
        self._job = job
        self._say(TRYING)
        self._button.setText("Stop")
        self._session.start(job)

    def _events(self, request: PreflightRequest, job: Job) -> Iterator[Estimate]:
        """Runs in the job's thread."""
        made = self._measure(request, job.stop.is_set)
        if made is not None:
            yield made

    @Slot(object)
    def _show_estimate(self, made: Estimate) -> None:
        if self._estimated_request == self._request():
            self._say(made.words, made.how)
        else:
            self._say("The settings or the labels have changed since: estimate the time again.")

    def _say(self, words: str, how: str = "") -> None:
        """Show the cost, with `how` it is known."""
        self._cost.setText(words)
        self._cost.setToolTip(how)
        self._cost.setVisible(bool(words))

    @Slot(object)
    def _failed(self, error: object) -> None:
        self._say(str(error))

    def _offer(self, request: PreflightRequest | None) -> None:
        """Offer to estimate what is requested; a training needs the machine for itself."""
        is_training = self._session.is_training
        self._button.setEnabled(request is not None and not is_training)
        self._button.setToolTip(ANOTHER_TRAINS if is_training else ESTIMATE_HELP)

    # --- beside a training ---

    @Slot(object)
    def _job_started(self, job: object) -> None:
        if isinstance(job, Job) and job.is_training:
            self._offer(self._request())
            self.checks.mark_old(self._is_edited)  # while the page was not seen
            if not self._setup.buttons.is_queueing:
                self._setup.buttons.cancel()  # a start would come too late
            if self._job is not None:
                self._job.stop.set()

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._job:
            self._job = None
            self._button.setText(ESTIMATE)
            if self._cost.text() == TRYING:
                self._say("")
            self._offer(self._request())
        elif isinstance(job, Job) and job.is_training:
            self._changed()

    def close_down(self) -> None:
        """Wait for the check that is running. The session ends the estimate."""
        self._timer.stop()
        self._checker.close()
