"""The line above all pages that says that photographs are missing from their place, and asks where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import QWidget

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.images import unread_images
from workbench.ui.session import Session
from workbench.ui.widgets.file_dialogs import ask_for_folder
from workbench.ui.window.question_bar import QuestionBar

if TYPE_CHECKING:
    from workbench.core.folders.lost_folders import LostFolder


AGAIN = 5000
"""ms between looks while a folder is missing: a disk may be connected, or a network be back, at any time."""


class LostFoldersBar(QuestionBar):
    """Hidden while no folder is missing. `reopen` shows a project again after its images were found.

    It looks when a project is opened, when a file turns out to be missing, and from time to time while a folder is.

    Call `close_down` before its owner is deleted.
    """

    def __init__(self, session: Session, reopen: Callable[[Path], object], parent: QWidget | None = None) -> None:
        super().__init__("lost-folders", "mdi6.folder-alert-outline", "warning", parent)
        self._session, self._reopen = session, reopen
        self._lost: tuple[LostFolder, ...] = ()
        self._declined = False
        self._timer = QTimer(self, interval=AGAIN)
        self._timer.timeout.connect(self._check_again)
        self._background = Background("Looking for the photographs", _gone, self)
        self._background.done.connect(self._checked)
        help = "Choose the folder in which these photographs are now"
        self._choose = self.add_button("choose", "Find them…", help, self._ask)
        self.add_button("later", "Not now", "Work without them until the project is opened again", self._decline)
        session.document_changed.connect(self._check)
        unread_images.of(session).went_missing.connect(self._check_again)

    def close_down(self) -> None:
        self._timer.stop()
        self._background.close()

    @Slot()
    def _check(self) -> None:
        self._lost, self._declined = (), False
        self._timer.stop()
        self.hide()
        document = self._session.document
        if document is not None:
            self._background.ask([(document.folder, tuple(document.roots().items()))])

    @Slot()
    def _check_again(self) -> None:
        document = self._session.document
        if document is not None and self._background.is_idle():  # a disk may take long to answer
            self._background.ask([(document.folder, tuple(document.roots().items()))])

    @Slot(object, object)
    def _checked(self, request: tuple[Path, object], gone: object) -> None:
        document = self._session.document
        if document is None or document.folder != request[0] or not isinstance(gone, frozenset):
            return
        from workbench.core.folders import lost_folders

        back = {one.root for one in self._lost}.difference(gone)
        self._lost = lost_folders.find_lost_folders(document, gone)
        if back:
            unread_images.of(self._session).folders_back(back)
        if not self._lost:
            self._timer.stop()
            self._declined = False
            self.hide()
        else:
            first = self._lost[0]
            them = "The photograph is" if first.images == 1 else f"{count(first.images, 'photograph')} are"
            self.say(f"{them} not where they were: {first.folder}", "\n".join(str(one.folder) for one in self._lost))
            self._choose.setEnabled(not document.read_only)
            self.setVisible(not self._declined)
            self._timer.start()

    @Slot()
    def _decline(self) -> None:
        self._declined = True
        self.hide()

    @Slot()
    def _ask(self) -> None:
        old = self._lost[0].folder
        if chosen := ask_for_folder(self, f"Where the photographs of {old.name} are now"):
            self.relocate(chosen)

    def relocate(self, folder: Path) -> None:
        """The lost photographs are in this folder: show the project again with them."""
        document = self._session.document
        if document is None or not self._lost:
            return
        from workbench.core.folders import lost_folders

        try:
            sentence = lost_folders.move(document, self._lost[0], folder)
        except WorkbenchError as error:
            self._session.report_error(error)
            return
        here = document.folder
        self._session.close()
        self._reopen(here)
        self._session.inform(sentence)


def _gone(request: tuple[Path, tuple[tuple[int, Path], ...]]) -> frozenset[int]:
    """The ids of the missing folders."""
    from workbench.core.folders import lost_folders

    return lost_folders.missing_roots(dict(request[1]))
