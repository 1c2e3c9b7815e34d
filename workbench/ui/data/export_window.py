"""Export labels: choose a format and a folder, see what the format would lose, then write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
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
from workbench.core.project import Label, Snapshot
from workbench.exchange import ExportReport, export_labels, losses, remember
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.start.page import free_folder


class ExportWindow(QDialog):
    """Not modal. Writes a snapshot of the project as it is when Export is pressed, in a job."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export-window")
        self.setWindowTitle("Export labels")
        self._session = session
        plugins.loaded()
        self._format = QComboBox()
        self._format.setObjectName("export-format")
        for name, member in formats.load_all():
            self._format.addItem(member.title, name)
        self._folder = QLineEdit()
        self._folder.setObjectName("export-folder")
        self._folder.setAccessibleName("New folder for the export")
        self._copy = QCheckBox("Copy the images too, to where the format expects them")
        self._copy.setObjectName("export-copy")
        self._sentence = QLabel(wordWrap=True)
        self._sentence.setObjectName("export-sentence")
        self._losses = QPlainTextEdit(readOnly=True)
        self._losses.setObjectName("export-losses")
        self._losses.setAccessibleName("What the format can't hold")
        self._written_labels: tuple[Label, ...] = ()
        self._written_copy = False
        self._write = QPushButton("Export")
        self._write.setObjectName("export-write")
        self._write.setProperty("role", "primary")
        self._write.clicked.connect(self.write)
        self._format.currentIndexChanged.connect(self._show_losses)
        self._lay_out()
        session.document_changed.connect(self.close)
        self.resize(640, 420)

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        choose = QPushButton("Folder…")
        choose.clicked.connect(self._choose)
        where.addWidget(self._folder, 1)
        where.addWidget(choose)
        form = QFormLayout()
        form.addRow("Format", self._format)
        form.addRow("New folder", where)
        form.addRow("", self._copy)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        foot.addWidget(self._write)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addLayout(form)
        layout.addWidget(self._sentence)
        layout.addWidget(self._losses, 1)
        layout.addLayout(foot)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field must not press whichever button comes first

    def renew(self) -> None:
        """Before it is shown: a folder that is not there yet, and what would be lost of the project as it is now."""
        document = self._session.document
        if document is not None and (not self._folder.text() or Path(self._folder.text()).exists()):
            self._folder.setText(str(free_folder(document.folder / "exports" / "labels")))
        self._show_losses()

    @Slot()
    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder to export into", str(Path.home()))
        if chosen:
            self._folder.setText(chosen)

    @Slot()
    def _show_losses(self) -> None:
        document = self._session.document
        if document is None:
            return
        found = losses(document.snapshot(), str(self._format.currentData()))
        word = "This format can hold all of this project." if not found else "This format can't hold everything:"
        self._sentence.setText(word)
        self._losses.setPlainText("\n".join(remark.sentence for remark in found))

    @Slot()
    def write(self) -> None:
        document, text = self._session.document, self._folder.text().strip()
        if document is None or not text:
            return
        snapshot, format, copy = document.snapshot(), str(self._format.currentData()), self._copy.isChecked()
        folder, home = Path(text).expanduser(), document.folder
        self._written_labels, self._written_copy = snapshot.labels, copy
        job = Job("Exporting labels", lambda _: _export(snapshot, format, folder, copy, home), self._session)
        job.reported.connect(self._written)
        job.finished.connect(self._ended)
        self._write.setEnabled(False)
        self._session.start(job)

    @Slot(object)
    def _written(self, report: object) -> None:
        assert isinstance(report, ExportReport)
        if self._session.document is not None:
            remember(self._session.document, report, self._written_labels, self._written_copy)
        self._session.inform(report.sentence)
        self._sentence.setText(f"Written. {report.sentence}")
        self._losses.setPlainText("\n".join(remark.sentence for remark in report.remarks))

    @Slot()
    def _ended(self) -> None:
        self._write.setEnabled(True)


def _export(snapshot: Snapshot, format: str, folder: Path, copy: bool, project: Path) -> Iterator[ExportReport]:
    yield export_labels(snapshot, format, folder, copy_images=copy, project=project)
