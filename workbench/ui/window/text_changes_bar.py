"""The line above all pages that says that git or another program changed the project's text, and asks what is to hold.

It looks when a project is opened, when the window becomes active, and when the text could not be written for it. Until
someone has decided, the text is left as it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication

from workbench.errors import WorkbenchError
from workbench.ui import long_steps
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.window.question_bar import QuestionBar

if TYPE_CHECKING:
    from workbench.core.document import Document
    from workbench.core.storage.text_changes import TextChanges
    from workbench.core.storage.text_merge import TextMerge

EVERY = 10.0
"""Seconds between looks when the window becomes active: the time and size of a hundred files."""


@dataclass(frozen=True, eq=False)
class _Request:
    """To look at the text of the project in `folder`; or to write it over what was `found` and say what is `told`.

    `aside`: a copy of it as it was is kept.
    """

    folder: Path
    found: TextChanges | None = None
    aside: bool = False
    told: str = ""


class TextChangesBar(QuestionBar):
    """Hidden while the text is as Workbench wrote it. Call `close_down` before its owner is deleted."""

    def __init__(self, session: Session) -> None:
        super().__init__("text-changes", "mdi6.file-document-alert-outline", "warning")
        self._session = session
        self._found: TextChanges | None = None
        self._is_held = False  # the backups were told, or have told, that the text is not to be written
        self._is_declined = False
        self._looked_at = time.monotonic()
        self._background = Background("Reading the project's text", _work, self)
        self._background.done.connect(self._done)
        help = "Give these images the labels that the text has. Undo takes it back"
        self._take = self.add_button("take", "Take over", help, self._take_over)
        help = "Write the text as the project is; a copy of it as it is now is kept"
        self._keep = self.add_button("keep", "Keep mine", help, self._keep_own)
        help = "Show the images of which the text has something else"
        self._show = self.add_button("show", "Show", help, self._show_images)
        self.add_button("later", "Not now", "Leave the text as it is, and ask at the next opening", self._decline)
        session.document_changed.connect(self._document_changed)
        session.text_held.connect(self._text_held)
        application = QGuiApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.applicationStateChanged.connect(self._state_changed)

    def close_down(self) -> None:
        self._background.close()

    # --- looking ---

    @Slot()
    def _document_changed(self) -> None:
        self._found, self._is_held, self._is_declined = None, False, False
        self.hide()
        self._look()

    @Slot(object)
    def _state_changed(self, state: Qt.ApplicationState) -> None:
        is_due = time.monotonic() - self._looked_at >= EVERY and self._background.is_idle()
        if state == Qt.ApplicationState.ApplicationActive and is_due:
            self._look()

    @Slot(bool)
    def _text_held(self, is_held: bool) -> None:
        self._is_held = is_held
        if is_held and self._found is None:
            self._look()

    def _look(self) -> None:
        document = self._session.document
        if document is not None and not document.read_only:
            self._looked_at = time.monotonic()
            self._background.ask([_Request(document.folder)])

    @Slot(object, object)
    def _done(self, request: object, result: object) -> None:
        document = self._session.document
        assert isinstance(request, _Request)
        if document is None or document.folder != request.folder:
            return
        if isinstance(result, WorkbenchError):
            if request.found is not None:
                self._session.report_error(result)
                self._look()
            return
        if request.found is not None:
            kept = f" A copy of the text as it was is in {result.name}." if isinstance(result, Path) else ""
            self._session.inform(f"{request.told}{kept}")
            result = None
        self._show_found(result)  # type: ignore[arg-type]

    def _show_found(self, found: TextChanges | None) -> None:
        self._found = found
        if self._is_held != (found is not None):
            self._session.text_held.emit(found is not None)
        if found is not None:
            self.say(found.sentence, found.sentence)
            self._take.setEnabled(not found.problem)
            self._keep.setEnabled(True)
            self._show.setVisible(bool(found.ids))
        self.setVisible(found is not None and not self._is_declined)

    # --- the user's answers ---

    @Slot()
    def _take_over(self) -> None:
        """What the text has now: either side may have been changed since it was read."""
        long_steps.of(self._session).run_or_say("Taking over from the text", _merge_into, self._taken)

    def _taken(self, result: tuple[TextChanges, TextMerge] | None, tell: long_steps.Tell) -> None:
        tell()
        if result is None:
            self._look()
            return
        found, merge = result
        undo = " Undo takes it back." if merge.edit is not None else ""
        self._write(found, aside=merge.left > 0, told=f"{merge.sentence}{undo}")

    @Slot()
    def _keep_own(self) -> None:
        if self._found is not None:
            self._write(self._found, aside=True, told="The text has the project's labels again.")

    def _write(self, found: TextChanges, *, aside: bool, told: str) -> None:
        document = self._session.document
        assert document is not None
        for button in (self._take, self._keep):
            button.setEnabled(False)  # pressed twice, the second press would find the text changed
        self._background.ask([_Request(document.folder, found, aside, told)])

    @Slot()
    def _show_images(self) -> None:
        if self._found is not None:
            self._session.page_requested.emit("data")
            self._session.images_requested.emit(self._found.ids, "of which the text has something else")

    @Slot()
    def _decline(self) -> None:
        self._is_declined = True
        self.hide()


def _work(request: _Request) -> TextChanges | Path | None:
    """Runs in a thread."""
    from workbench.core.storage import text_changes

    if request.found is not None:
        return text_changes.settle(request.folder, request.found, aside=request.aside)
    return text_changes.find(request.folder)


def _merge_into(document: Document) -> tuple[TextChanges, TextMerge] | None:
    """Runs in a thread, with a document of its own. None if there is nothing to take over any more."""
    from workbench.core.storage import text_changes, text_merge

    found = text_changes.find(document.folder)
    if found is None:
        return None
    merge = text_merge.merge(document, found)
    if merge.edit is not None:
        document.do(merge.edit)
    return found, merge
