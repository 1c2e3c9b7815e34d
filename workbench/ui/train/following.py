"""Follows runs trained by another window or the command line: their curves and rows in the list are kept up to date.

Other processes send no signals, so their files are checked every two seconds while the page is visible.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget

from workbench.training import runs
from workbench.training.events import Evaluated, Event
from workbench.training.runs import RunInfo
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.run_deeds import RunDeeds
from workbench.ui.train.story import Story

EVERY = 2000  # ms


@dataclass(frozen=True, slots=True)
class State:
    """The page's state: the run that it trains itself ("" for none), and what it shows."""

    own: str
    name: str
    story: Story


@dataclass(frozen=True, slots=True)
class Look:
    """Which runs in `folder` have grown, and the events of `shown` (None: of nothing) from byte `start` on."""

    folder: Path
    shown: Path | None
    start: int


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """`trains`: the shown run is still being trained. The next look starts at byte `end`."""

    stamps: dict[str, tuple[int, int]]
    trains: bool
    events: tuple[Event, ...]
    end: int


def look(wish: Look) -> Seen:
    """Checks first whether the run is still training, so that what it reported before it ended is among the events."""
    trains = wish.shown is not None and runs.is_running(wish.shown)
    events, end = ((), 0) if wish.shown is None else runs.tail(wish.shown, wish.start)
    return Seen(runs.stamps(wish.folder), trains, events, end)


class Following(QObject):
    """`grew` when the story that `page` shows has more events, `evaluated` when one of them is an evaluation.

    `state` returns what the page shows now.
    """

    grew = Signal()
    evaluated = Signal()

    def __init__(self, session: Session, deeds: RunDeeds, page: QWidget, state: Callable[[], State]) -> None:
        super().__init__(page)
        self._session, self._deeds, self._page, self._state = session, deeds, page, state
        self._stamps: dict[str, tuple[int, int]] | None = None
        self._rows: set[tuple[str, str, str]] | None = None
        self._others = False  # whether others are training, according to the list
        self._looking = Background("Following the runs", look, self)
        self._looking.done.connect(self._seen)
        deeds.listed.connect(self._listed)
        session.document_changed.connect(self._forget)
        self._timer = QTimer(self, interval=EVERY)
        self._timer.timeout.connect(self.look)
        self._timer.start()

    def close(self) -> None:
        """Wait for the read in progress."""
        self._timer.stop()
        self._looking.close()

    @Slot()
    def look(self) -> None:
        """Once, if the page is visible."""
        document, now = self._session.document, self._state()
        if document is not None and self._page.isVisible():
            shown = document.runs_folder / now.name if now.name and now.story.elsewhere else None
            self._looking.ask([Look(document.runs_folder, shown, now.story.read_to)])

    @Slot()
    def _forget(self) -> None:
        self._stamps, self._rows, self._others = None, None, False

    @Slot(object, object)
    def _seen(self, wish: Look, seen: object) -> None:
        document, now = self._session.document, self._state()
        if document is None or wish.folder != document.runs_folder or not isinstance(seen, Seen):
            return
        stamps = {name: stamp for name, stamp in seen.stamps.items() if name != now.own}
        if self._others or (self._stamps is not None and stamps != self._stamps):
            self._deeds.list_runs()
        self._stamps = stamps
        story = now.story
        if story.elsewhere and wish.shown == wish.folder / now.name and wish.start == story.read_to:
            for event in seen.events:
                story.add(event)
            story.read_to, story.elsewhere = seen.end, story.ended is None and seen.trains
            self.grew.emit()
            if any(isinstance(event, Evaluated) for event in seen.events):
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
        begun = [run.folder for run in others if run.is_running and run.name == now.name]
        if begun and not now.story.elsewhere:  # another program resumes it
            self._deeds.read(begun[0])
