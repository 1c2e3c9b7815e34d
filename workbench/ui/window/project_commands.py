"""What the Project menu does with the open project: another name, an older copy of it, weights to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QInputDialog, QMainWindow

from workbench.ui.actions import make_action
from workbench.ui.project import recent
from workbench.ui.session import Session
from workbench.ui.widgets.show_once import show_once

if TYPE_CHECKING:
    from workbench.core.applied_edit import AppliedEdit


class ProjectCommands(QObject):
    """For `window`, whose title is the project's; `actions` are possible while a project is open."""

    def __init__(self, session: Session, window: QMainWindow) -> None:
        super().__init__(window)
        self._session, self._window = session, window
        self.actions = [
            make_action(window, "rename-project", self.rename),
            make_action(window, "older-copies", self.show_copies),
            make_action(window, "import-weights", self.import_weights),
        ]
        make_action(window, "save", self.save)
        session.weights_import_requested.connect(self.import_weights)
        session.document_changed.connect(self._document_changed)
        session.edited.connect(self._edited)
        self._document_changed()

    @Slot()
    def _document_changed(self) -> None:
        for action in self.actions:
            action.setEnabled(self._session.document is not None)
        self._show_title()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        document = self._session.document
        if document is not None and applied.changes("name"):
            self._show_title()
            recent.rename(document.folder, document.name)

    def _show_title(self) -> None:
        document = self._session.document
        self._window.setWindowTitle(f"{document.title} — Workbench" if document else "Workbench")

    @Slot()
    def save(self) -> None:
        """Hands that know other programs press its key."""
        if self._session.may_change():
            self._session.inform("Nothing is left to save: each edit is on disk as soon as it is made.")

    @Slot()
    def rename(self) -> None:
        """Ask for another name; the folder keeps its own."""
        from workbench.core import edits, formatting
        from workbench.core.storage import contents

        document = self._session.document
        if document is None or not self._session.may_change():
            return
        words = f"Another name, shown in the window. Its folder keeps its own: {document.folder.name}"
        typed, agreed = QInputDialog.getText(self._window, "Rename the project", words, text=document.name)
        name = formatting.one_line(typed)
        if not agreed or name in ("", document.name):
            return
        named = edits.ChangeSetting("name", name)
        here = edits.ChangeSetting(contents.MADE_IN, document.folder.name)  # the title no longer adds the folder's name
        self._session.do(edits.Batch((named, here), f"Rename the project to '{name}'"))

    @Slot()
    def show_copies(self) -> None:
        from workbench.ui.project.older_copies import OlderCopiesWindow

        if self._session.document is not None:
            show_once(self._window, OlderCopiesWindow, lambda: OlderCopiesWindow(self._session, self._window))

    @Slot()
    def import_weights(self) -> None:
        from workbench.ui.train.runs.weights_window import WeightsWindow

        if self._session.document is not None:
            show_once(self._window, WeightsWindow, lambda: WeightsWindow(self._session, self._window))
