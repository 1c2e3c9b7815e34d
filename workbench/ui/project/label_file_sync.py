"""Keeps the label files beside the images current in the background (exchange/autosync.py), if that is chosen."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication

from workbench.core import formatting
from workbench.core.project import AUTOSYNC
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.session import Session

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit
    from workbench.core.document import Document
    from workbench.core.project import Snapshot
    from workbench.exchange.autosync import SyncResult

AFTER = 1000
"""Milliseconds from an edit: nudging a box by keys writes once, not ten times."""
HELD_WAIT = 200
"""Milliseconds until it is tried again to note what was written, while another step goes on."""
FEW = 300
"""Images that are read at once, in some milliseconds; more are read in the background."""


@dataclass(frozen=True, eq=False, slots=True)
class SyncRequest:
    """Update the files beside the images of `snapshot`, or of all if None; `check_only`: look for others' changes."""

    folder: Path
    format: str
    snapshot: Snapshot | None = None
    check_only: bool = False


class LabelFileSync(QObject):
    """Serves the open project and the session's `autosync_requested`. Call `close` before its owner is deleted."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beside")
        self._session = session
        self._work = Background("Writing labels beside the images", _sync, self)
        self._work.done.connect(self._done)
        self._format = ""
        self._document: Document | None = None
        self._outdated: frozenset[int] | None = frozenset()  # images whose file lacks an edit; None: any
        self._reported: frozenset[Path] = frozenset()  # others' files that were already reported
        self._late: list[tuple[object, object]] = []  # results that wait for the end of another step
        self._clock = QTimer(self, interval=AFTER, singleShot=True)
        self._clock.timeout.connect(self.begin)
        self._late_clock = QTimer(self, interval=HELD_WAIT, singleShot=True)
        self._late_clock.timeout.connect(self._deliver)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.autosync_requested.connect(self._choose)
        app = QGuiApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._state_changed)

    @Slot(str)
    def _choose(self, format: str) -> None:
        from workbench.exchange import autosync

        document = self._session.document
        if document is None:
            return
        try:
            autosync.choose_format(document, format)
        except WorkbenchError as error:
            self._session.report_error(error)
            self._session.autosync_finished.emit(error)
            return
        self._format, self._reported, self._outdated = format, frozenset(), frozenset()
        if format:
            self._renew()

    def _renew(self) -> None:
        """Check all files again soon."""
        self._outdated = None
        QTimer.singleShot(0, self.begin)

    @Slot()
    def _document_changed(self) -> None:
        self._clock.stop()
        self._work.settle()  # remember what it wrote, or these files would count as others'
        self._deliver()
        if self._format:
            self._flush()  # the document is closed after this signal
        self._format, self._outdated, self._reported = "", frozenset(), frozenset()
        document = self._document = self._session.document
        if document is not None and not document.read_only and document.setting(AUTOSYNC):
            from workbench.exchange import autosync

            self._format = autosync.chosen_format(document)
            self._renew()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if self._format:
            if applied.labels_changed:
                self._outdated = None
            elif self._outdated is not None:
                self._outdated |= applied.images
            self._clock.start()

    @Slot(Qt.ApplicationState)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        document, is_back = self._session.document, state is Qt.ApplicationState.ApplicationActive
        if is_back and self._format and document is not None and self._work.is_idle():
            self._work.ask([SyncRequest(document.folder, self._format, check_only=True)])

    @Slot()
    def begin(self) -> None:
        """Write what lacks an edit, in the background."""
        document = self._session.document
        if document is None or not self._format or self._outdated == frozenset():
            return
        if not self._work.is_idle():
            self._clock.start()
            return
        few = self._outdated is not None and len(self._outdated) <= FEW
        snapshot = document.snapshot(self._outdated) if few else None
        self._outdated = frozenset()
        self._work.ask([SyncRequest(document.folder, self._format, snapshot)])

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        from workbench.exchange import autosync

        assert isinstance(request, SyncRequest)
        document = self._document
        if document is None or document.folder != request.folder:
            return
        if document.store.held:  # another step is going on: what was written must not count as others'
            self._late.append((request, result))
            self._late_clock.start()
            return
        if isinstance(result, autosync.SyncResult):  # also of a format chosen before: else these files would be others'
            try:
                autosync.remember(document, result)
            except WorkbenchError as error:
                self._session.report_error(error)
        if request.format != self._format:
            return
        if isinstance(result, WorkbenchError):
            self._session.report_error(result)
            self._outdated = None  # to be retried at the next edit
        elif request.check_only:
            assert isinstance(result, tuple)
            self._tell_foreign(result)
        else:
            assert isinstance(result, autosync.SyncResult)
            self._tell_foreign(tuple(result.foreign))
            if result.failed:
                count = formatting.count(len(result.failed), "label file")
                sentence = f"{count} beside the images could not be written, such as {result.failed[0]}."
                self._session.report_error(WorkbenchError(f"{sentence} Check the disk and the folder's permissions."))
        if not request.check_only and request.snapshot is None:
            self._session.autosync_finished.emit(result)

    @Slot()
    def _deliver(self) -> None:
        late, self._late = self._late, []
        for request, result in late:
            self._done(request, result)

    def _tell_foreign(self, files: tuple[Path, ...]) -> None:
        from workbench.exchange import autosync

        fresh = frozenset(files) - self._reported
        self._reported |= fresh
        if fresh:
            count = formatting.count(len(fresh), "label file")
            was = "was" if len(fresh) == 1 else "were"
            what = f"{count} beside the images {was} changed by another program, such as {min(fresh).name}."
            self._session.to_import = autosync.data_set_of(min(fresh))
            self._session.message.emit("warning", f"{what} Import labels on the Data page shows what is different.")
            self._session.offer_import("Show…")

    def _flush(self) -> None:
        """The project closes: write the remaining edits now, or at its next opening if that takes long."""
        from workbench.exchange import autosync

        document, few = self._document, self._outdated
        if document is not None and self._format and few and len(few) <= FEW:
            with contextlib.suppress(WorkbenchError):  # checked again after the next opening
                synced = autosync.update_files(document.folder, self._format, document.snapshot(few))
                autosync.remember(document, synced)
        self._outdated = frozenset()

    def close(self) -> None:
        """The window closes."""
        self._clock.stop()
        self._work.settle()
        self._deliver()
        if self._format:
            self._flush()
        self._work.close()


def _sync(request: object) -> SyncResult | tuple[Path, ...]:
    """Runs in the job's thread."""
    from workbench.core.document import Document
    from workbench.exchange import autosync

    assert isinstance(request, SyncRequest)
    if request.check_only:
        return autosync.foreign(request.folder)
    snapshot = request.snapshot
    if snapshot is None:
        with Document.open(request.folder, read_only=True, check=False) as document:
            snapshot = document.snapshot()
    return autosync.update_files(request.folder, request.format, snapshot)
