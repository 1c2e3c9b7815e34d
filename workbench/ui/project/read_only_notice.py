"""Says why the open project can't be edited, and offers to open it again once it can be or has been changed elsewhere.

What is shown stays as it was when the project was opened: pages are only told of this window's own edits.
"""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QGuiApplication

from workbench.errors import WorkbenchError
from workbench.ui.session import Session

log = logging.getLogger(__name__)
CHANGED = "This project has been changed elsewhere since it was opened here."
FREE = "This project is no longer being edited elsewhere."


class ReadOnlyNotice(QObject):
    """Looks when the window becomes active."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._seen: tuple[int, bool] | None = None  # others' edits, and whether it could be edited, at the last look
        app = QGuiApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._state_changed)

    def begin(self) -> None:
        """A project was opened."""
        document, self._seen = self._session.document, None
        if document is not None and document.read_only:
            self._seen = document.others_edits(), False
            self._session.message.emit("warning", document.why_read_only)
            self._session.offer_reopening()

    @Slot(Qt.ApplicationState)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        document = self._session.document
        if state is not Qt.ApplicationState.ApplicationActive or document is None or not document.read_only:
            return
        try:
            now = document.others_edits(), document.is_free()
        except WorkbenchError as error:
            log.warning("%s (%s)", error.sentence, error.cause)  # its disk is away: whoever reads a page is told
            return
        if self._seen is None or now == self._seen:
            return
        changed, self._seen = now[0] != self._seen[0], now
        if changed or now[1]:
            self._session.message.emit("info", CHANGED if changed else FREE)
            self._session.offer_reopening()
