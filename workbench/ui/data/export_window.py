"""Export labels: choose a format and a folder, see what the format would lose, then write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench import formats, plugins
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.exchange import ExportReport, export_labels, losses, remember
from workbench.exchange.export_folder import is_export
from workbench.formats import Remark
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.widgets.buttons import dialog_buttons, make_primary
from workbench.ui.widgets.file_dialogs import ask_for_folder, free_folder, typed_path
from workbench.ui.widgets.popups import Combo

_USUAL = "yolo"
"""The format proposed if nothing has been imported."""
_SETTLE = 300
"""Milliseconds from an edit until losses are counted again: edits often come in series."""


@dataclass(frozen=True, slots=True)
class _FormatLosses:
    """What a format would lose of the project in its current state."""

    format: str
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class _LabelsExported:
    report: ExportReport
    labels: tuple[Label, ...]
    copied: bool
    project: Path  # the labels' project


class ExportWindow(QDialog):
    """Not modal. A job counts what the format would lose, shown before Export is enabled; another job writes.

    Both read the project again: what is written is the project as it is when Export is pressed.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export-window")
        self.setWindowTitle("Export labels")
        self._session = session
        plugins.loaded()
        self._format = Combo()
        self._format.setObjectName("export-format")
        for name, member in formats.load_all():
            self._format.addItem(member.title, name)
        self._folder = QLineEdit()
        self._folder.setObjectName("export-folder")
        self._folder.setAccessibleName("Folder for the export")
        self._copy = QCheckBox("Copy the images too, to where the format expects them")
        self._copy.setObjectName("export-copy")
        self._replace = QCheckBox("Replace what the last export wrote there")
        self._replace.setObjectName("export-replace")
        self._replace.setToolTip(
            "Files of the last export that this one does not write are removed. What another program has changed or "
            "added stays, and is listed."
        )
        self._sentence = QLabel(wordWrap=True)
        self._sentence.setObjectName("export-sentence")
        self._losses = QPlainTextEdit(readOnly=True)
        self._losses.setObjectName("export-losses")
        self._losses.setAccessibleName("What the format can't hold")
        self._is_chosen = False  # the format was chosen by the user
        self._known: dict[str, tuple[Remark, ...]] = {}  # what each format would lose; cleared by any edit
        self._counting: Job | None = None
        self._writing: Job | None = None
        self._settle = QTimer(self, singleShot=True, interval=_SETTLE)
        self._settle.timeout.connect(self._show_losses)
        self._write = QPushButton("Export")
        self._write.setObjectName("export-write")
        make_primary(self._write)
        self._write.clicked.connect(self.write)
        self._format.currentIndexChanged.connect(self._show_losses)
        self._format.activated.connect(self._choose_format)
        self._folder.textChanged.connect(self._look_at_folder)
        self._lay_out()
        session.edited.connect(self._edited)
        session.document_changed.connect(self._leave)
        session.closing.connect(self._finish_writing)
        self.resize(640, 420)

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        choose = QPushButton("Folder…")
        choose.setObjectName("export-choose")
        choose.clicked.connect(self._choose)
        where.addWidget(self._folder, 1)
        where.addWidget(choose)
        form = QFormLayout()
        form.addRow("Format", self._format)
        form.addRow("Folder", where)
        form.addRow("", self._copy)
        form.addRow("", self._replace)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addLayout(form)
        layout.addWidget(self._sentence)
        layout.addWidget(self._losses, 1)
        layout.addLayout(dialog_buttons(self, self._write))
        choose.setAutoDefault(False)  # otherwise Enter in a field would press the first button

    def renew(self) -> None:
        """Call before showing the window: proposes a new folder and counts the losses for the current project."""
        document = self._session.document
        if document is None:
            return
        if not self._folder.text() or os.path.exists(self._folder.text()):
            self._folder.setText(str(free_folder(document.folder / "exports" / "labels")))
        if not self._is_chosen:
            place = self._format.findData(_last_import_format(document))
            self._format.setCurrentIndex(max(0, place if place >= 0 else self._format.findData(_USUAL)))
        self._known.clear()
        self._show_losses()
        self._look_at_folder()

    @Slot()
    def _look_at_folder(self) -> None:
        """A folder with contents is replaced only if the user says so."""
        folder = typed_path(self._folder.text())
        is_taken = folder is not None and is_export(folder)
        self._replace.setVisible(is_taken)
        if not is_taken:
            self._replace.setChecked(False)

    @Slot()
    def _choose_format(self) -> None:
        self._is_chosen = True

    @Slot()
    def _leave(self) -> None:
        """Another project is open: nothing known so far holds for it."""
        self._is_chosen, self._counting = False, None
        self._known.clear()
        self._settle.stop()
        self._folder.clear()
        self.close()

    @Slot(object)
    def _edited(self, _applied: object) -> None:
        self._known.clear()
        if self.isVisible():
            self._settle.start()
            self._enable()

    @Slot()
    def _choose(self) -> None:
        if chosen := ask_for_folder(self, "Folder to export into"):
            self._folder.setText(str(chosen))

    @Slot()
    def _show_losses(self) -> None:
        """Show them at once if they are known, else when a job has counted them."""
        document, format = self._session.document, str(self._format.currentData())
        if document is None:
            return
        if format in self._known:
            found = self._known[format]
            word = "This format can hold all of this project." if not found else "This format can't hold everything:"
            self._sentence.setText(word)
            self._losses.setPlainText("\n".join(remark.sentence for remark in found))
        elif self._counting is None:
            self._sentence.setText("Counting what this format can't hold …")
            self._losses.clear()
            folder = document.folder
            job = Job("Looking at the labels", lambda _: _count_losses(folder, format), self._session)
            job.reported.connect(self._counted)
            job.finished.connect(self._counting_ended)
            self._counting = job
            self._session.start(job)
        self._enable()

    @Slot(object)
    def _counted(self, event: object) -> None:
        if self.sender() is self._counting and isinstance(event, _FormatLosses) and not self._settle.isActive():
            self._known[event.format] = event.remarks

    @Slot()
    def _counting_ended(self) -> None:
        if self.sender() is not self._counting:
            return
        failed = self._counting is not None and self._counting.error is not None
        self._counting = None
        if failed:  # shown in the corner
            self._sentence.setText("What this format can't hold could not be worked out.")
        elif not self._settle.isActive():
            self._show_losses()

    def _enable(self) -> None:
        known = str(self._format.currentData()) in self._known
        self._write.setEnabled(known and self._writing is None and not self._settle.isActive())

    @Slot()
    def write(self) -> None:
        document, folder = self._session.document, typed_path(self._folder.text())
        if document is None:
            return
        if folder is None:
            self._sentence.setText("Choose the folder to export into first.")
            self._folder.setFocus()
            return
        format, copy = str(self._format.currentData()), self._copy.isChecked()
        home = document.folder
        replace = self._replace.isChecked()
        self._replace.setChecked(False)  # consent counts once
        job = Job("Exporting labels", lambda _: _export_labels(home, format, folder, copy, replace), self._session)
        job.reported.connect(self._written)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._writing = job
        self._sentence.setText("Writing …")
        self._enable()
        self._session.start(job)

    @Slot(object)
    def _written(self, event: object) -> None:
        assert isinstance(event, _LabelsExported)
        report = event.report
        self._session.inform(report.sentence)
        document = self._session.document
        if document is not None and document.folder == event.project:
            try:
                remember(document, report, event.labels, event.copied)
            except WorkbenchError as error:
                self._session.report_error(error)
        self._sentence.setText(f"Written. {report.sentence}")
        remarks = [f"{one.file}: {one.sentence}" if one.file else one.sentence for one in report.remarks]
        self._losses.setPlainText("\n".join(remarks))

    @Slot()
    def _finish_writing(self) -> None:
        """The project closes: first record what was written, or an edit of labels would not warn about it."""
        if self._writing is not None:
            self._writing.settle()

    @Slot(object)
    def _failed(self, error: object) -> None:
        """Also shown in the corner, but the user looks here."""
        if isinstance(error, WorkbenchError):
            hint = ", or tick Replace above" if self._replace.isVisible() else ""
            self._sentence.setText(error.sentence.replace(", or allow its files to be replaced (--replace)", hint))
            self._losses.clear()

    @Slot()
    def _ended(self) -> None:
        self._writing = None
        self._look_at_folder()
        self._enable()


def _last_import_format(document: Document) -> str:
    """The format of the latest import, "" if there was none."""
    found = document.store.rows("SELECT format FROM origin ORDER BY id DESC LIMIT 1")
    return str(found[0]["format"]) if found else ""


def _count_losses(project: Path, format: str) -> Iterator[_FormatLosses]:
    """Runs in the job's thread: a document must not be shared between threads."""
    with Document.open(project, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    yield _FormatLosses(format, losses(snapshot, format))


def _export_labels(project: Path, format: str, folder: Path, copy: bool, replace: bool) -> Iterator[_LabelsExported]:
    with Document.open(project, read_only=True, check=False) as document:
        snapshot = document.snapshot()
    report = export_labels(snapshot, format, folder, copy_images=copy, replace=replace, project=project)
    yield _LabelsExported(report, snapshot.labels, copy, project)
