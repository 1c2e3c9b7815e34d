"""Carries out the plan of an import: at once, or beside the window if it has tens of thousands of boxes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication

from workbench.core.document import Document
from workbench.core.parsing import archives
from workbench.core.storage import long_steps as long
from workbench.errors import WorkbenchError
from workbench.exchange import ImportPlan, ImportReport, apply_import
from workbench.ui import long_steps
from workbench.ui.data.importing import work
from workbench.ui.job import Job
from workbench.ui.session import Session


class ImportApplier(QObject):
    """For the window `parent`. Messages and the button that undoes the import outlive it."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.is_applying = False  # now, so that an edit is the import's own

    def apply(self, plan: ImportPlan, unpacked: Path | None) -> bool:
        """Make the edit of `plan`, one step of undo; False after an error, which was reported.

        `unpacked`: the folder of a zip's files; from now on it is dealt with here, unless False is returned.
        """
        document = self._session.document
        assert document is not None
        try:
            if unpacked is not None and plan.added:
                archives.mark_used(unpacked)
            if plan.boxes > long.MANY_BOXES:
                begun = long_steps.of(self._session).run(
                    f"Importing from {plan.reading.source.name}",
                    partial(_apply, plan, unpacked),
                    partial(self._show, plan, unpacked),
                )
                if begun:
                    return True
            report = self._apply_now(plan)
        except WorkbenchError as error:
            self._session.report_error(error)
            return False
        self._tell(plan, report, unpacked)
        return True

    def _show(self, plan: ImportPlan, unpacked: Path | None, report: ImportReport, tell: long_steps.Tell) -> None:
        tell()
        self._tell(plan, report, unpacked)

    def _apply_now(self, plan: ImportPlan) -> ImportReport:
        document = self._session.document
        assert document is not None
        self.is_applying = True
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            return apply_import(document, plan)
        finally:
            QGuiApplication.restoreOverrideCursor()
            self.is_applying = False

    def _tell(self, plan: ImportPlan, report: ImportReport, unpacked: Path | None) -> None:
        document = self._session.document
        assert document is not None
        folder, left = document.folder, None if plan.added else unpacked
        job = Job("Keeping the imported files", lambda _: work.keep_files(folder, plan, report, left), self._session)
        self._session.start(job)
        self._session.inform(f"Imported. {report.sentence} Undo takes it back.")
        self._session.offered.emit("Undo", partial(self._undo, document.undo_title))

    def _undo(self, title: str) -> None:
        """Undo only the import: there may have been other edits since."""
        document = self._session.document
        if document is None or document.undo_title != title:
            self._session.inform(
                "There have been other edits since. Edit > History lists them and can take back any of them."
            )
        else:
            self._session.undo()


def _apply(plan: ImportPlan, unpacked: Path | None, document: Document) -> ImportReport:
    """Runs in a thread, with a document of its own. What was unpacked goes if it fails or is
    stopped, except photographs that were to be images of the project: they are marked as used before it begins.
    """
    try:
        return apply_import(document, plan)
    except WorkbenchError:
        if unpacked is not None:
            archives.discard(unpacked)
        raise
