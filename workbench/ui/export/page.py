"""The Export page: writes a trained detector to files for use elsewhere, and checks each of them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from workbench import settings
from workbench.core import formatting
from workbench.errors import WorkbenchError
from workbench.inference.events import ExportDone, Exported, ExportProgress, NotExported
from workbench.inference.exporters import ExportSettings
from workbench.inference.exporting.model_card import suggested_settings
from workbench.training import folds
from workbench.training.records.runs import RunInfo
from workbench.ui import theme
from workbench.ui.export import work
from workbench.ui.export.formats_list import FormatsList
from workbench.ui.export.results_table import ResultsTable
from workbench.ui.export.work import Export, ExportRequest, FormatsLoaded, UnfitFormats
from workbench.ui.job import Job
from workbench.ui.page import Page
from workbench.ui.session import Session
from workbench.ui.trained_runs import TrainedRuns, list_checkpoints, list_runs, place_of, show_no_runs
from workbench.ui.widgets import tab_order
from workbench.ui.widgets.command_button import CommandButton
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel
from workbench.ui.widgets.empty_state import EmptyState
from workbench.ui.widgets.file_dialogs import typed_path
from workbench.ui.widgets.forms import Form
from workbench.ui.widgets.open_folder import open_folder

PANEL = 400  # px
RUN_HELP = "The run whose detector is exported."
NO_FOLDER = "Name the folder to write to first."
NOT_JUDGED = (
    "These weights have not been evaluated on validation images, or those held out, so the file gets a confidence of"
    " 0.25 and the NMS that the detector's authors published. Press Look on the Inspect page first: then it gets the"
    " confidence and the NMS from there, and its card the figures."
)
NOTHING_YET = (
    "Each file is run by its own library, apart from this program, on eight of the project's images. It is kept"
    " only if it finds the same as the trained network."
)


class ExportPage(Page):
    """Runs one export Job at a time. `export` is work.export, or a fake in tests."""

    name = "export"

    def __init__(self, session: Session, parent: QWidget | None = None, *, export: Export = work.export) -> None:
        super().__init__(session, parent)
        self._export = export
        self._job: Job | None = None
        self._loading: Job | None = None
        self._runs = TrainedRuns(self)
        self._inspected: RunInfo | None = None  # the session's value when the runs were last listed
        self._suggested = ""  # the folder that this page last put into the field
        self._operating_point: tuple[object, dict[str, object]] = None, {}  # the checkpoint, and what was filled in
        self._exported_to: Path | None = None
        self._build()
        self._connect()

    # --- building ---

    def _build(self) -> None:
        self._empty = EmptyState("export-empty", "mdi6.package-up")
        self._full = QWidget()
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._full)
        row = QHBoxLayout(self._full)
        row.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, theme.GRID)
        row.setSpacing(2 * theme.GRID)
        row.addWidget(self._left())
        row.addLayout(self._right(), 1)

    def _left(self) -> QWidget:
        self._run = ElidedCombo("export-run", "Run", RUN_HELP)
        self._checkpoint = ElidedCombo("export-checkpoint", "Checkpoint", "The best checkpoint by AP, or the last one.")
        self._folder = QLineEdit()
        self._folder.setObjectName("export-folder")
        self._folder.setAccessibleName("Folder to write to")
        self._choose = QPushButton("Choose…")
        self._choose.setObjectName("export-choose")
        folder = QHBoxLayout()
        folder.addWidget(self._folder, 1)
        folder.addWidget(self._choose)
        head = QFormLayout()
        head.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        head.addRow("Run", self._run)
        head.addRow("Checkpoint", self._checkpoint)
        head.addRow("Folder", folder)
        self._formats = FormatsList()
        self._form = Form("export-form")
        self._form.set_rows(settings.rows(ExportSettings), ("",))
        inner = QWidget()
        inside = QVBoxLayout(inner)
        inside.setContentsMargins(0, 0, theme.GRID, 0)
        inside.addWidget(self._formats)
        inside.addWidget(self._form)
        inside.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus
        scroll.setWidget(inner)
        self._export_button = CommandButton("export-start", "Export", "export", self)
        self._export_button.setProperty("role", "primary")
        panel = QWidget()
        panel.setFixedWidth(PANEL)
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addWidget(self._export_button)
        return panel

    def _right(self) -> QVBoxLayout:
        self._words = QLabel(NOTHING_YET, wordWrap=True)
        self._words.setObjectName("export-words")
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName("Progress of the export")
        self._bar.setObjectName("export-progress")
        self._bar.setFixedHeight(theme.GRID)
        self._bar.hide()
        self._results = ResultsTable()
        self._where = ElidedLabel()
        self._where.setProperty("role", "muted")
        self._open = QPushButton("Open folder")
        self._open.setObjectName("export-open")
        theme.set_icon(self._open, "mdi6.folder-open-outline")
        self._open.setToolTip("The folder of the files in the list, once there are some.")
        self._open.setEnabled(False)
        below = QHBoxLayout()
        below.addWidget(self._where, 1)
        below.addWidget(self._open)
        column = QVBoxLayout()
        for widget in (self._words, self._bar):
            column.addWidget(widget)
        column.addWidget(self._results, 1)
        column.addLayout(below)
        return column

    def _connect(self) -> None:
        self._empty.page_requested.connect(self.session.page_requested)
        self._empty.other_requested.connect(self.session.weights_import_requested)
        self._run.currentIndexChanged.connect(self._run_changed)
        self._checkpoint.currentIndexChanged.connect(self._suggest)
        self._formats.changed.connect(self._enable)
        self._form.changed.connect(self._enable)
        self._folder.textChanged.connect(self._enable)
        self._folder.textChanged.connect(self._show_earlier)
        self._folder.textChanged.connect(self._folder.setToolTip)
        self._choose.clicked.connect(self._choose_folder)
        self._open.clicked.connect(self._open_folder)
        self._export_button.clicked.connect(self.export)
        self._export_button.refused.connect(self.session.inform)
        self.session.document_changed.connect(self._document_changed)
        self._runs.read.connect(self._listed)
        self.session.job_ended.connect(self._job_ended)
        self._enable()

    # --- the page ---

    def shown(self) -> None:
        if self.session.document is None:
            self._say_empty("No project is open", "Open one, or make one from a folder of photographs.")
            return
        self._runs.ask()

    def closing(self) -> None:
        if self._job is not None:
            self._job.stop.set()
        self._runs.close()

    def _say_empty(self, *words: str) -> None:
        self._empty.say(*words)
        self._stack.setCurrentWidget(self._empty)

    @Slot()
    def _document_changed(self) -> None:
        self._run.clear()
        self._results.setRowCount(0)
        self._say(NOTHING_YET)
        self._exported_to = None
        self._where.clear()
        self._folder.clear()
        self._suggested = ""
        self._open.setEnabled(False)
        if self.isVisible():
            self.shown()

    # --- choices ---

    @Slot(object)
    def _listed(self, usable: tuple[RunInfo, ...]) -> None:
        if not usable:
            show_no_runs(self._empty, self.session, "A detector can be exported once it is trained, or imported.")
            self._stack.setCurrentWidget(self._empty)
            return
        self._stack.setCurrentWidget(self._full)
        self._load()
        inspected = self.session.inspected
        wanted = (None if inspected is self._inspected else inspected, self._chosen_run())
        places = [place for run in wanted if (place := place_of(run, usable)) >= 0]
        self._inspected = inspected
        list_runs(self._run, usable, places[0] if places else place_of(folds.whole_first(usable), usable))
        self._run_changed()

    def _chosen_run(self) -> RunInfo | None:
        run = self._run.currentData()
        return run if isinstance(run, RunInfo) else None

    @Slot()
    def _run_changed(self) -> None:
        run = self._chosen_run()
        self._run.setToolTip(f"{self._run.currentText()}\n{RUN_HELP}")
        list_checkpoints(self._checkpoint, run)
        if run is None:
            return
        if self._folder.text() in ("", self._suggested):
            self._suggested = str(run.folder / "export")
            self._folder.setText(self._suggested)
        self._formats.show_detector(run.detector)
        self._suggest()

    @Slot()
    def _suggest(self) -> None:
        """Fill in this checkpoint's operating point if it is not the one last filled in, else keep what was typed."""
        file = self._checkpoint.currentData()
        if file is not None:
            usual = ExportSettings()
            values = {name: getattr(usual, name) for name in ("score", "nms_kind", "iou", "limit")}
            wrong, own = "", {}
            try:
                own = suggested_settings(Path(file).parent, Path(file).name)
            except WorkbenchError as error:  # use the published values
                wrong = error.sentence
            values |= own
            if wrong:
                self._say(wrong, "error")
            elif self._exported_to is None:
                self._say(NOTHING_YET if own else f"{NOTHING_YET} {NOT_JUDGED}")
            if (file, values) != self._operating_point:
                self._operating_point = file, values
                self._form.set_values(values)
        self._enable()

    def _load(self) -> None:
        if self._formats.is_filled or self._loading is not None:
            return
        job = Job("Loading PyTorch", lambda _: work.load())
        job.reported.connect(self._loaded)
        job.failed.connect(self._load_failed)
        self._loading = job
        self.session.start(job)

    @Slot(object)
    def _loaded(self, event: object) -> None:
        if isinstance(event, FormatsLoaded):
            self._formats.fill(event.choices)
            tab_order.set_reading_order(self)
            self._show_earlier()
        elif isinstance(event, UnfitFormats):
            self._formats.set_unfit(event.reasons)

    @Slot(object)
    def _load_failed(self, error: object) -> None:
        if isinstance(error, WorkbenchError):
            self._formats.say(error.sentence)

    @Slot()
    def _show_earlier(self) -> None:
        """List what is in the folder, until something is written from here."""
        if self._exported_to is None and self._formats.is_filled and (folder := typed_path(self._folder.text())):
            files = ((self._formats.title(format), folder / format / file) for format, file in self._formats.files())
            self._open.setEnabled(self._results.show_earlier(files))

    @Slot()
    def _enable(self) -> None:
        self._export_button.offer(self._why_not())

    def _why_not(self) -> str:
        """Why nothing can be exported now, "" if it can."""
        if self._job is not None:
            return "Files are being exported: Stop is in the line below."
        if self._checkpoint.currentData() is None:
            return "Choose a run first."
        if not self._formats.chosen():
            return "Tick a format first." if self._formats.is_filled else self._formats.waiting_for
        return next(iter(self._form.problems().values()), "" if self._folder.text().strip() else NO_FOLDER)

    @Slot()
    def _choose_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Where to write the files", self._folder.text())
        if chosen:
            self._folder.setText(chosen)

    # --- exporting ---

    @Slot()
    def export(self) -> None:
        """Write the chosen formats in a Job."""
        document, checkpoint = self.session.document, self._checkpoint.currentData()
        folder = typed_path(self._folder.text())
        if document is None or checkpoint is None or folder is None or self._job is not None:
            return
        request = ExportRequest(
            checkpoint=Path(checkpoint),
            folder=folder,
            formats=self._formats.chosen(),
            images=(),
            settings=settings.with_values(ExportSettings(), self._form.values()),
        )
        home, name = document.folder, request.checkpoint.parent.name
        job = Job(f"Exporting {name}", lambda _: self._export(request.of_project(home)), low_priority=True)
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        self._job = job
        self._results.setRowCount(0)
        self._results.show_busy(True)
        self._say("Opening the checkpoint …")
        self._bar.setRange(0, 0)
        self._bar.show()
        self._exported_to = request.folder
        self._where.setText(str(request.folder))
        self._enable()
        self.session.start(job)

    def _say(self, sentence: str, role: str = "") -> None:
        self._words.setProperty("role", role)
        self._words.style().unpolish(self._words)  # makes the style look at the role again
        self._words.style().polish(self._words)
        self._words.setText(sentence)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if isinstance(event, ExportProgress):
            self._bar.setRange(0, event.total if event.done else 0)  # 0: it moves, as one format takes a minute
            self._bar.setValue(event.done)
            self._say(f"{event.sentence} …")
        elif isinstance(event, Exported):
            self._results.add(self._formats.title(event.format), event)
            self._open.setEnabled(True)
        elif isinstance(event, NotExported):
            self._results.add_failure(self._formats.title(event.format), event)
        elif isinstance(event, ExportDone):
            self._say_done(event)

    def _say_done(self, event: ExportDone) -> None:
        written = f"{formatting.count(len(event.results), 'format')} written and verified"
        if event.failed:
            names = ", ".join(self._formats.title(one.format) for one in event.failed)
            self._say(f"{written}. Not exported: {names}; the list says why.", "" if event.results else "error")
            if not self.isVisible():  # else it is visible here
                self.session.message.emit("error", f"Not exported: {names}. The Export page says why.")
        else:
            each = "each " if len(event.results) > 1 else ""
            self._say(f"{written}, {each}with a model card and an example. {event.note}".rstrip(), "ok")

    @Slot(object)
    def _failed(self, error: object) -> None:
        if isinstance(error, WorkbenchError):
            self._say(error.sentence, "error")

    @Slot(object)
    def _job_ended(self, job: object) -> None:
        if job is self._loading:
            self._loading = None
        if job is self._job and isinstance(job, Job):
            stopped = job.stop.is_set()
            self._job = None
            self._bar.hide()
            self._results.show_busy(False)
            if stopped:
                self._say("Stopped. Formats that are in the list were written.")
            self._enable()

    @Slot()
    def _open_folder(self) -> None:
        folder = self._exported_to or typed_path(self._folder.text())
        if folder is not None and not open_folder(folder):
            self.session.message.emit("warning", f"The folder could not be shown. It is {folder}.")
