"""Import labels: choose a file or folder, read what it would do line by line, then do it, or leave all as it is."""

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

from workbench import plugins
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.exchange import ImportPlan, ImportSettings, apply_import, plan_import
from workbench.formats import Remark
from workbench.ui import preferences, theme
from workbench.ui.job import Job
from workbench.ui.session import Session

_EXISTING = (
    ("leave them, and say so", "refuse"),
    ("take the file's boxes instead", "replace"),
    ("keep both", "add"),
)


class ImportWindow(QDialog):
    """Not modal. The plan is made in a job from a second, read-only opening of the project; nothing changes by it."""

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("import-window")
        self.setWindowTitle("Import labels")
        self._session = session
        plugins.loaded()
        self._plan: ImportPlan | None = None
        self._job: Job | None = None
        self._path = QLineEdit(placeholderText="A folder or file with labels of another program")
        self._path.setObjectName("import-path")
        self._path.setAccessibleName("Folder or file to import")
        self._path.returnPressed.connect(self.read)
        self._existing = QComboBox()
        self._existing.setObjectName("import-existing")
        for word, value in _EXISTING:
            self._existing.addItem(word, value)
        self._skip = QCheckBox("Leave out what is damaged, and take the rest")
        self._skip.setObjectName("import-skip")
        self._sentence = QLabel("Choose what to import. Nothing is changed before you say Import.", wordWrap=True)
        self._sentence.setObjectName("import-sentence")
        self._report = QPlainTextEdit(readOnly=True)
        self._report.setObjectName("import-report")
        self._report.setAccessibleName("What the import would do")
        self._apply = QPushButton("Import")
        self._apply.setObjectName("import-apply")
        self._apply.setProperty("role", "primary")
        self._apply.setEnabled(False)
        self._apply.clicked.connect(self.apply)
        self._existing.activated.connect(self.read)
        self._skip.clicked.connect(self.read)
        self._lay_out()
        session.document_changed.connect(self.close)
        self.resize(720, 520)

    def _lay_out(self) -> None:
        where = QHBoxLayout()
        where.addWidget(self._path, 1)
        for word, choose in (("Folder…", self._choose_folder), ("File…", self._choose_file)):
            button = QPushButton(word)
            button.clicked.connect(choose)
            where.addWidget(button)
        form = QFormLayout()
        form.addRow("Labels", where)
        form.addRow("Images that have boxes", self._existing)
        form.addRow("", self._skip)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        foot.addWidget(self._apply)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(theme.GRID)
        layout.addLayout(form)
        layout.addWidget(self._sentence)
        layout.addWidget(self._report, 1)
        layout.addLayout(foot)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Enter in a field must not press whichever button comes first

    @Slot()
    def _choose_folder(self) -> None:
        self._chosen(QFileDialog.getExistingDirectory(self, "Folder of labels", preferences.get("folder", "")))

    @Slot()
    def _choose_file(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "File of labels", preferences.get("folder", ""), "Labels (*.json *.xml *.yaml *.txt);;All files (*)"
        )
        self._chosen(chosen)

    def _chosen(self, path: str) -> None:
        if path:
            preferences.put("folder", str(Path(path).parent))
            self._path.setText(path)
            self.read()

    @Slot()
    def read(self) -> None:
        """Make the plan of what is chosen, in a job."""
        text, document = self._path.text().strip(), self._session.document
        if not text or document is None or self._job is not None:
            return
        settings = ImportSettings(on_existing=self._existing.currentData(), skip_broken=self._skip.isChecked())
        self._plan = None
        self._apply.setEnabled(False)
        self._report.clear()
        self._sentence.setText("Reading …")
        folder, path = document.folder, Path(text).expanduser()
        job = Job(f"Reading {path.name}", lambda _: _plan(folder, path, settings), self._session)
        job.reported.connect(self._planned)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self._session.start(job)

    @Slot(object)
    def _planned(self, plan: object) -> None:
        assert isinstance(plan, ImportPlan)
        self._plan = plan
        self._sentence.setText(plan.sentence)
        self._report.setPlainText("\n".join(_line(remark) for remark in plan.remarks) or "Nothing to remark.")
        self._apply.setEnabled(True)
        self._apply.setFocus()

    @Slot(object)
    def _failed(self, error: object) -> None:
        assert isinstance(error, WorkbenchError)
        self._sentence.setText("It can't be imported as it is; nothing was changed.")
        self._report.setPlainText(error.sentence)

    @Slot()
    def _ended(self) -> None:
        self._job = None

    @Slot()
    def apply(self) -> None:
        """Do the plan: one edit, one step of undo."""
        document, plan = self._session.document, self._plan
        if document is None or plan is None:
            return
        try:
            report = apply_import(document, plan)
        except WorkbenchError as error:
            self._session.tell(error)
            return
        self._session.inform(f"Imported. {report.sentence}")
        self.close()


def _plan(folder: Path, path: Path, settings: ImportSettings) -> Iterator[ImportPlan]:
    """In the job's thread: a document is not for two threads, so the project is opened a second time for reading."""
    with Document.open(folder, read_only=True) as document:
        plan = plan_import(document, path, settings=settings)
    yield plan


def _line(remark: Remark) -> str:
    place = f"{remark.file}:{remark.line}" if remark.line else remark.file
    return f"{remark.level}: {place}: {remark.sentence}" if place else f"{remark.level}: {remark.sentence}"
