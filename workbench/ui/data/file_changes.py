"""Data > Look for new and missing files: what came and went in the folders of the images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMessageBox, QWidget

from workbench.core import words
from workbench.core.document import Document
from workbench.core.file_changes import FileChanges, look
from workbench.ui import unread_images
from workbench.ui.job import Job
from workbench.ui.session import Session

_NAMED = 5  # folders


class FileChangesCommand(QObject):
    """For the page `parent`, above which it asks. `add(folder, names)` adds what is new there."""

    def __init__(self, session: Session, add: Callable[[Path, Sequence[str]], object], parent: QWidget) -> None:
        super().__init__(parent)
        self._session, self._add, self._page = session, add, parent

    @Slot()
    def look(self) -> None:
        document = self._session.document
        if document is None:
            return
        folder = document.folder
        job = Job("Looking for new and missing files", lambda _: _looked(folder), self)
        job.reported.connect(self._told)
        self._session.start(job)

    @Slot(object)
    def _told(self, found: object) -> None:
        document = self._session.document
        if not isinstance(found, FileChanges) or document is None or document.folder != found.project:
            return
        unread_images.of(self._session).files_gone(found.gone)
        gone = words.count(len(found.gone), "image")
        if found.gone:
            them = "has no file" if len(found.gone) == 1 else "have no file"
            self._session.message.emit("warning", f"{gone} {them} any more: marked as “can't be read” in the gallery.")
        elif not found.new:
            self._session.inform("Nothing has come or gone in the folders of these images.")
        if found.new and not document.read_only and self._agreed(found):
            for folder, names in found.new.items():
                self._add(folder, names)

    def _agreed(self, found: FileChanges) -> bool:
        number = sum(map(len, found.new.values()))
        some = "\n".join(f"{len(names):,} in {folder}" for folder, names in list(found.new.items())[:_NAMED])
        more = "\n…" if len(found.new) > _NAMED else ""
        asked = QMessageBox(
            QMessageBox.Icon.Question,
            "New images",
            f"Add {words.count(number, 'image')} that this project does not have?\n\n{some}{more}\n\n"
            "Images that you took out of the project are among them if their files are still there.",
            parent=self._page,
        )
        asked.setObjectName("new-files-question")
        yes = asked.addButton("Add them", QMessageBox.ButtonRole.AcceptRole)
        yes.setObjectName("new-files-yes")
        asked.addButton(QMessageBox.StandardButton.Cancel)
        asked.setDefaultButton(yes)
        asked.exec()
        return asked.clickedButton() is yes


def _looked(folder: Path) -> Iterator[FileChanges]:
    with Document.open(folder, read_only=True, check=False) as document:
        yield look(document)
