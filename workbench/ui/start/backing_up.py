"""Copies of the project's file behind the window, and the question whether to go back to one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Slot
from PySide6.QtWidgets import QApplication, QMessageBox

from workbench.errors import Damaged, WorkbenchError
from workbench.ui.background import Background
from workbench.ui.session import Session

LOOK = 30_000
"""Milliseconds after which it is looked whether a backup is due: once in an hour in which something was changed."""


class BackingUp(QObject):
    """Has the open project backed up when that is due (core.backups). Call `close` before the owner goes."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._work = Background("Copying the project's file", _made, self)
        self._work.done.connect(self._done)
        self._failed_in: tuple[Path, int] | None = None  # the project, and the hour in which it was told
        self._clock = QTimer(self, interval=LOOK)
        self._clock.timeout.connect(self.look)
        session.document_changed.connect(self._document_changed)

    @Slot()
    def _document_changed(self) -> None:
        document = self._session.document
        if document is not None and not document.read_only:
            self._clock.start()
        else:
            self._clock.stop()

    @Slot()
    def look(self) -> None:
        """Begin a backup if one is due."""
        from workbench.core import backups

        document = self._session.document
        if document is None or document.read_only or not self._work.is_idle():
            return
        if self._failed_in != (document.folder, datetime.now().hour) and backups.is_due(document.folder):
            self._work.ask([document.folder])

    @Slot(object, object)
    def _done(self, folder: object, result: object) -> None:
        document = self._session.document
        if isinstance(result, WorkbenchError) and document is not None and document.folder == folder:
            self._failed_in = document.folder, datetime.now().hour
            sentence = f"This hour's copy of the project could not be made. {result.sentence}"
            self._session.tell(WorkbenchError(sentence, result.cause))

    def close(self) -> None:
        self._work.close()


def _made(folder: object) -> object:
    from workbench.core import backups

    assert isinstance(folder, Path)
    return backups.back_up(folder)


def ask_to_restore(folder: Path, damage: Damaged) -> bool:
    """Say what is wrong with the project in `folder`; True if its newest good copy was put in its place.

    WorkbenchError if that could not be done.
    """
    from workbench.core import backups

    good = backups.newest_good(folder)
    window = QApplication.activeWindow()
    asked = QMessageBox(QMessageBox.Icon.Warning, "The project is damaged", damage.sentence, parent=window)
    asked.setObjectName("restore-question")
    close = asked.addButton(QMessageBox.StandardButton.Close)
    asked.setDefaultButton(close)
    if good is None:
        asked.exec()
        return False
    asked.setInformativeText("The damaged file is kept beside the copy, under another name.")
    restore = asked.addButton(f"Restore the copy of {good.words}", QMessageBox.ButtonRole.AcceptRole)
    restore.setObjectName("restore-yes")
    asked.setDefaultButton(restore)
    asked.exec()
    if asked.clickedButton() is not restore:
        return False
    backups.restore(folder, good)
    return True
