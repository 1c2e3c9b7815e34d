"""Schedules requests: decides which assignment each pane needs now, without delay or excess; has files read in between.

Runs in the window's thread. A pane is dimmed as soon as it no longer shows what is requested.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.trainer_view.controls import Controls
from workbench.ui.train.trainer_view.pane import DetectorPane
from workbench.ui.train.trainer_view.requests import (
    AssignmentRequest,
    FileCheckRequest,
    FileCheckResult,
    LoadRequest,
    ReleaseRequest,
    RequestCancelled,
    TrainingPlan,
)
from workbench.ui.train.trainer_view.worker import TrainerViewWorker

_AFTER = 60
"""Milliseconds after the last change until an assignment is requested: a spin box held down asks only once."""


class RequestScheduler(QObject):
    """`loaded(LoadResult)`, then `assigned(pane's number, AssignmentResult)`, `checked(FileCheckResult)`, or an error.

    `plan` is what they are made with, or `problem` why none can be. Nothing happens between `suspend` and `resume`.
    """

    loaded = Signal(object)
    assigned = Signal(int, object)
    checked = Signal(object)

    def __init__(
        self,
        session: Session,
        controls: Controls,
        panes: Sequence[DetectorPane],
        worker: TrainerViewWorker,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._session, self._controls, self._panes = session, controls, panes
        self.plan: TrainingPlan | None = None
        self.problem = ""
        self._is_active = False
        self._version = 0
        self._pending: dict[AssignmentRequest, list[int]] = {}  # what was requested, and by which panes
        self._check: FileCheckRequest | None = None  # the files being checked, or checked last
        self._checked = FileCheckResult(0, 0)
        self._worker = worker
        self._background = Background("Looking as the trainer does", worker.handle, self)
        self._background.done.connect(self._done)
        self._later = QTimer(self, singleShot=True, interval=_AFTER)
        self._later.timeout.connect(self.ask)

    # --- what is wanted ---

    def recipe_of(self, number: int) -> tuple[Recipe, str]:
        """A pane's recipe, and the title of the detector whose training it uses, if that is another one's.

        Both panes use the training of the first, so that they can be compared. WorkbenchError: there is none.
        """
        if self.plan is None:
            raise WorkbenchError(self.problem or "There is no recipe.")
        first = self.plan.recipe.with_detector(self._panes[0].detector_name)
        if not number:
            return first, ""
        own = self.plan.recipe.with_detector(self._panes[number].detector_name)
        if own.training == first.training:
            return own, ""
        return replace(own, training=first.training), self._panes[0].detector.currentText()

    def _request(self, number: int) -> AssignmentRequest:
        """WorkbenchError says why there is none."""
        document, controls = self._session.document, self._controls
        if document is None or not self._session.image_id:
            raise WorkbenchError("There is no image to look at. Add some on the Data page.")
        recipe, borrowed = self.recipe_of(number)
        return AssignmentRequest(
            document.folder, self._version, recipe, self._session.image_id, self._panes[number].weights_wanted,
            controls.wants_augmented, controls.epoch.value() - 1, controls.seed_wanted, self._checked.changed_files,
            borrowed, controls.view_wanted,
        )  # fmt: skip

    def _requests(self) -> dict[int, AssignmentRequest | WorkbenchError]:
        """Of the visible panes."""
        found: dict[int, AssignmentRequest | WorkbenchError] = {}
        for number in range(1 + self._controls.beside.isChecked()):
            try:
                found[number] = self._request(number)
            except WorkbenchError as error:
                found[number] = error
        return found

    # --- requests ---

    def load(self, runs_folder: Path) -> None:
        self._background.ask([LoadRequest(runs_folder)])

    def forget(self) -> None:
        """The project was edited: what was read from it is outdated."""
        self._version += 1

    @Slot()
    def request_later(self) -> None:
        if not self._is_active:
            return
        for number, request in self._requests().items():
            pane = self._panes[number]
            (pane.settle if request == pane.shown else pane.wait)()
        self._later.start()

    @Slot()
    def ask(self) -> None:
        if not self._is_active:
            return
        self._pending = {}
        for number, request in self._requests().items():
            pane = self._panes[number]
            if isinstance(request, WorkbenchError):
                pane.shown = None
                self.assigned.emit(number, request)
            elif request == pane.shown:
                pane.settle()
            else:
                self._pending.setdefault(request, []).append(number)
                pane.wait()
        self._dispatch()

    def _dispatch(self) -> None:
        """Work on the pending requests, or on the files if there are none."""
        self._worker.cancel_others(set(self._pending))
        current = self._worker.current
        requests = [request for request in self._pending if request != current]
        self._background.ask(requests if self._pending else self._files())

    def _files(self) -> list[FileCheckRequest]:
        document = self._session.document
        try:
            recipe = self.recipe_of(0)[0]
        except WorkbenchError:  # the pane shows it
            return []
        if document is None:
            return []
        request = FileCheckRequest(document.folder, self._version, recipe)
        if request == self._check and self._checked.done == self._checked.total:
            return []
        self._check = request
        return [request]

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        if isinstance(request, LoadRequest) and not isinstance(result, RequestCancelled):
            self.loaded.emit(result)
        if not self._is_active:
            return
        if isinstance(request, FileCheckRequest) and request == self._check and isinstance(result, FileCheckResult):
            before, self._checked = self._checked, result
            self.checked.emit(result)
            if before.changed_files != result.changed_files:  # image files turned out to be different
                self.request_later()
        elif isinstance(request, AssignmentRequest) and not isinstance(result, RequestCancelled):
            for number in self._pending.pop(request, []):
                self._panes[number].shown = request
                self.assigned.emit(number, result)
        if not self._later.isActive():
            self._dispatch()

    # --- coming and going ---

    def resume(self) -> None:
        """The window is visible."""
        self._is_active = True

    def suspend(self) -> None:
        """The window is hidden: free what is kept for requests; everything is requested again after `resume`."""
        self._is_active = False
        self._later.stop()
        self._pending, self._check = {}, None
        for pane in self._panes:
            pane.shown = None
        self._worker.cancel_others(())
        self._background.ask([ReleaseRequest()])

    def shut_down(self) -> None:
        """For good: returns once the thread has ended, which is soon."""
        self._is_active = False
        self._later.stop()
        self._worker.shut_down()
        self._background.close()

    @property
    def is_idle(self) -> bool:
        return self._background.is_idle() and not self._later.isActive()
