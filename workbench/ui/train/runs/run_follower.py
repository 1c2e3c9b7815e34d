"""Follows runs trained by another window or the command line: their curves and rows in the list are kept up to date.

Other processes send no signals, so their files are checked every two seconds while the page is visible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.training.events import Evaluated, Event
from workbench.training.records import runs
from workbench.training.records.runs import RunInfo
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.runs.history import RunHistory
from workbench.ui.train.runs.run_actions import RunActions

EVERY = 2000  # ms


@dataclass(frozen=True, slots=True)
class PageState:
    """The page's state: the run that it trains itself ("" for none), and what it shows."""

    own: str
    name: str
    history: RunHistory


@dataclass(frozen=True, slots=True)
class PollRequest:
    """Which runs in `folder` have grown, and the events of `shown` (None: of nothing) from byte `start` on."""

    folder: Path
    shown: Path | None
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class PollResult:
    """`trains`: the shown run is still being trained. The next poll starts at byte `end`."""

    stamps: dict[str, tuple[int, int]]
    trains: bool
    events: tuple[Event, ...]
    end: int


def poll(request: PollRequest) -> PollResult:
    """Checks first whether the run is still training, so that what it reported before it ended is among the events."""
    trains = request.shown is not None and runs.is_running(request.shown)
    events, end = ((), 0) if request.shown is None else runs.tail(request.shown, request.start)
    return PollResult(runs.stamps(request.folder), trains, events, end)


class RunFollower(QObject):
    """`history_grown` when the history that `page` shows has more events, `evaluated` when one is an evaluation.

    `state` returns what the page shows now.
    """

    history_grown = Signal()
    evaluated = Signal()

    def __init__(
        self, session: Session, run_actions: RunActions, page: QWidget, state: Callable[[], PageState]
    ) -> None:
        super().__init__(page)
        self._session, self._run_actions, self._page, self._state = session, run_actions, page, state
        self._stamps: dict[str, tuple[int, int]] | None = None
        self._rows: set[tuple[str, str, str]] | None = None
        self._others = False  # whether others are training, according to the list
        self._poller = Background("Following the runs", poll, self)
        self._poller.done.connect(self._polled)
        run_actions.listed.connect(self._listed)
        session.document_changed.connect(self._forget)
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.poll)
        self._timer.start()

    def close(self) -> None:
        """Wait for the read in progress."""
        self._timer.stop()
        self._poller.close()

    @Slot()
    def poll(self) -> None:
        """Once, if the page is visible."""
        document, now = self._session.document, self._state()
        if document is not None and self._page.isVisible():
            shown = document.runs_folder / now.name if now.name and now.history.trained_elsewhere else None
            self._poller.ask([PollRequest(document.runs_folder, shown, now.history.read_to)])

    @Slot()
    def _forget(self) -> None:
        self._stamps, self._rows, self._others = None, None, False

    @Slot(object, object)
    def _polled(self, request: PollRequest, result: object) -> None:
        document, now = self._session.document, self._state()
        if document is None or request.folder != document.runs_folder or not isinstance(result, PollResult):
            return
        stamps = {name: stamp for name, stamp in result.stamps.items() if name != now.own}
        if self._others or (self._stamps is not None and stamps != self._stamps):
            self._run_actions.list_runs()
        self._stamps = stamps
        history = now.history
        if (
            history.trained_elsewhere
            and request.shown == request.folder / now.name
            and request.start == history.read_to
        ):
            for event in result.events:
                history.add(event)
            history.read_to, history.trained_elsewhere = result.end, history.ended is None and result.trains
            self.history_grown.emit()
            if any(isinstance(event, Evaluated) for event in result.events):
                self.evaluated.emit()
                self._session.runs_changed.emit()  # for Compare, even if it is not the best

    @Slot(object)
    def _listed(self, found: tuple[RunInfo, ...]) -> None:
        now = self._state()
        others = [run for run in found if run.name != now.own]
        self._others = any(run.is_running for run in others)
        rows = {(run.name, run.state, str(run.best_ap)) for run in others}
        if self._rows is not None and rows != self._rows:
            self._session.runs_changed.emit()
        self._rows = rows
        resumed = [run.folder for run in others if run.is_running and run.name == now.name]
        if resumed and not now.history.trained_elsewhere:  # another program resumes it
            self._run_actions.read(resumed[0])
