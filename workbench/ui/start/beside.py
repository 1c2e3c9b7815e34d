"""Keeps the label files beside the images current in the background (exchange/autosync.py), if that is chosen."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication

from workbench.core import words
from workbench.core.project import AUTOSYNC
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.session import Session

if TYPE_CHECKING:
    from workbench.core.applied import Applied
    from workbench.core.document import Document
    from workbench.core.project import Snapshot
    from workbench.exchange.autosync import Synced

AFTER = 1000
"""Milliseconds from an edit: nudging a box by keys writes once, not ten times."""
FEW = 300
"""Images that are read at once, in some milliseconds; more are read in the background."""


@dataclass(frozen=True, eq=False, slots=True)
class Wish:
    """Update the files beside the images of `snapshot`, or of all if None; `look`: only look for others' changes."""

    folder: Path
    format: str
    snapshot: Snapshot | None = None
    look: bool = False


class Beside(QObject):
    """Serves the open project and the session's `beside_asked`. Call `close` before its owner is deleted."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("beside")
        self._session = session
        self._work = Background("Writing labels beside the images", _done, self)
        self._work.done.connect(self._done)
        self._format = ""
        self._document: Document | None = None
        self._behind: frozenset[int] | None = frozenset()  # images whose file lacks an edit; None: any
        self._told: frozenset[Path] = frozenset()  # others' files that were already reported
        self._clock = QTimer(self, interval=AFTER, singleShot=True)
        self._clock.timeout.connect(self.begin)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        session.beside_asked.connect(self._choose)
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
            autosync.choose(document, format)
        except WorkbenchError as error:
            self._session.tell(error)
            return
        self._format, self._told, self._behind = format, frozenset(), frozenset()
        if format:
            self._renew()

    def _renew(self) -> None:
        """Check all files again soon."""
        self._behind = None
        QTimer.singleShot(0, self.begin)

    @Slot()
    def _document_changed(self) -> None:
        self._clock.stop()
        if self._format:
            self._work.settle()  # remember what it wrote, or these files would count as others'
            self._flush()  # the document is closed after this signal
        self._format, self._behind, self._told = "", frozenset(), frozenset()
        document = self._document = self._session.document
        if document is not None and not document.read_only and document.setting(AUTOSYNC):
            from workbench.exchange import autosync

            self._format = autosync.chosen(document)
            self._renew()

    @Slot(object)
    def _edited(self, applied: Applied) -> None:
        if self._format:
            if applied.labels_changed:
                self._behind = None
            elif self._behind is not None:
                self._behind |= applied.images
            self._clock.start()

    @Slot(Qt.ApplicationState)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        document, is_back = self._session.document, state is Qt.ApplicationState.ApplicationActive
        if is_back and self._format and document is not None and self._work.is_idle():
            self._work.ask([Wish(document.folder, self._format, look=True)])

    @Slot()
    def begin(self) -> None:
        """Write what lacks an edit, in the background."""
        document = self._session.document
        if document is None or not self._format or self._behind == frozenset():
            return
        if not self._work.is_idle():
            self._clock.start()
            return
        few = self._behind is not None and len(self._behind) <= FEW
        snapshot = document.snapshot(self._behind) if few else None
        self._behind = frozenset()
        self._work.ask([Wish(document.folder, self._format, snapshot)])

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        from workbench.exchange import autosync

        assert isinstance(wish, Wish)
        document = self._document
        if document is None or document.folder != wish.folder or wish.format != self._format:
            return
        if isinstance(result, WorkbenchError):
            self._session.tell(result)
            self._behind = None  # to be retried at the next edit
        elif wish.look:
            assert isinstance(result, tuple)
            self._tell_foreign(result)
        else:
            assert isinstance(result, autosync.Synced)
            try:
                autosync.remember(document, result)
            except WorkbenchError as error:
                self._session.tell(error)
            self._tell_foreign(tuple(result.foreign))
            if result.failed:
                count = words.count(len(result.failed), "label file")
                sentence = f"{count} beside the images could not be written, such as {result.failed[0]}."
                self._session.tell(WorkbenchError(f"{sentence} Check the disk and the folder's permissions."))
        if not wish.look and wish.snapshot is None:
            self._session.beside_synced.emit(result)

    def _tell_foreign(self, files: tuple[Path, ...]) -> None:
        from workbench.exchange import autosync

        fresh = frozenset(files) - self._told
        self._told |= fresh
        if fresh:
            count = words.count(len(fresh), "label file")
            was = "was" if len(fresh) == 1 else "were"
            what = f"{count} beside the images {was} changed by another program, such as {min(fresh).name}."
            self._session.to_import = autosync.data_set_of(min(fresh))
            self._session.message.emit("warning", f"{what} Import labels on the Data page shows what is different.")
            self._session.offer_import("Show…")

    def _flush(self) -> None:
        """The project closes: write the remaining edits now, or at its next opening if that takes long."""
        from workbench.exchange import autosync

        document, few = self._document, self._behind
        if document is not None and self._format and few and len(few) <= FEW:
            with contextlib.suppress(WorkbenchError):  # checked again after the next opening
                synced = autosync.bring_up(document.folder, self._format, document.snapshot(few))
                autosync.remember(document, synced)
        self._behind = frozenset()

    def close(self) -> None:
        """The window closes."""
        self._clock.stop()
        if self._format:
            self._work.settle()
            self._flush()
        self._work.close()


def _done(wish: object) -> Synced | tuple[Path, ...]:
    """Runs in the job's thread."""
    from workbench.core.document import Document
    from workbench.exchange import autosync

    assert isinstance(wish, Wish)
    if wish.look:
        return autosync.foreign(wish.folder)
    snapshot = wish.snapshot
    if snapshot is None:
        with Document.open(wish.folder, read_only=True, check=False) as document:
            snapshot = document.snapshot()
    return autosync.bring_up(wish.folder, wish.format, snapshot)
