"""Imports weights: a file trained by another program becomes a run of the project, to inspect, correct and export."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from workbench import settings
from workbench.core.edits import AddLabels
from workbench.core.formatting import count
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.suggesting.model_files import FROM_CFG
from workbench.training import recipes
from workbench.ui import theme
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.form.start_from import FILES
from workbench.ui.train.work import DetectorChoice, Loaded, WeightsImportRequest
from workbench.ui.widgets import tab_order
from workbench.ui.widgets.buttons import make_primary
from workbench.ui.widgets.file_dialogs import ask_for_file, typed_path
from workbench.ui.widgets.forms import Form
from workbench.ui.widgets.popups import Combo

HINT = "The file stays as it is. It becomes a run here, like one that you trained."


class WeightsWindow(QDialog):
    """Not modal. A job loads the detectors, as they need PyTorch.

    Closed while it imports, it is only hidden until then: what was imported is told, and its labels are added.
    """

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("weights-window")
        self.setWindowTitle("Import weights")
        self._session = session
        self._choices: dict[str, DetectorChoice] = {}
        self._job: Job | None = None
        self._closes = False  # once its job has ended
        self._labels: tuple[str, ...] = ()
        self._labels_are_the_projects = False  # because none were given
        self._guessed = ""  # the path that the form was filled for; later changes by a person stay
        self._guessed_names = ""
        self._path = _line("weights-path", "Darknet's .weights, torchvision's .pth or a checkpoint")
        self._names = _line("weights-names", f"A file with one label per line; empty: {self._default_labels()}")
        self._detector = Combo()
        self._detector.setObjectName("weights-detector")
        self._detector.activated.connect(self._detector_chosen)
        self._form = Form("weights-form")
        self._add = QCheckBox("Add its labels to the project")
        self._add.setObjectName("weights-add-labels")
        self._add.setChecked(True)
        self._add_help = QLabel(wordWrap=True)
        self._add_help.setObjectName("weights-add-help")
        self._add_help.setProperty("role", "muted")
        self._add_help.setFont(theme.font(theme.SMALL))
        self._words = QLabel("Loading PyTorch …", wordWrap=True)
        self._words.setObjectName("weights-words")
        self._apply = QPushButton("Import")
        self._apply.setObjectName("weights-apply")
        make_primary(self._apply)
        self._apply.setEnabled(False)
        self._apply.clicked.connect(self.apply)
        self._lay_out()
        self._explain_adding()
        self._path.editingFinished.connect(self._guess)
        self._add.toggled.connect(self._explain_adding)
        for changed in (
            self._path.textChanged, self._names.textChanged, self._detector.activated, self._form.changed,
        ):  # fmt: skip
            changed.connect(self._forget_error)
        session.document_changed.connect(self.close)
        self.resize(640, 560)
        self._start(Job("Loading PyTorch", lambda _: work.load(), session))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.addRow("Weights", _with_button(self._path, self._choose_weights, "weights-choose"))
        form.addRow("Detector", self._detector)
        form.addRow("Labels", _with_button(self._names, self._choose_names, "weights-choose-names"))
        form.addRow("", self._add)
        form.addRow("", self._add_help)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its fields take the focus
        scroll.setWidget(self._form)
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(close)
        foot.addWidget(self._apply)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(theme.GRID)
        column.addLayout(form)
        column.addWidget(scroll, 1)
        column.addWidget(self._words)
        column.addLayout(foot)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)

    def _start(self, job: Job) -> None:
        job.reported.connect(self._reported)
        job.failed.connect(self._failed)
        job.finished.connect(self._ended)
        self._job = job
        self._session.start(job)

    @Slot(object)
    def _reported(self, event: object) -> None:
        if isinstance(event, Loaded):
            self._fill(event)
        elif isinstance(event, str):
            self._imported(event)

    def _fill(self, loaded: Loaded) -> None:
        self._choices = {choice.name: choice for choice in loaded.detectors}
        for choice in loaded.detectors:
            self._detector.addItem(choice.title, choice.name)
        self._words.setText(HINT)
        self._detector_chosen()
        self._guess()

    @Slot(object)
    def _failed(self, error: object) -> None:
        if isinstance(error, WorkbenchError):
            self._words.setText(" ".join((error.sentence, *self._labels_origin(error))))

    def _labels_origin(self, error: WorkbenchError) -> tuple[str, ...]:
        """If the file does not fit the number of labels and nobody chose them, where the labels came from."""
        number = len(self._labels)
        if not self._labels_are_the_projects or f"with {count(number, 'label')}" not in error.sentence:
            return ()
        return (
            f"The {count(number, 'label', 'is')} the project's, as no others were named: under Labels, choose the file"
            " that names the network's own, one per line.",
        )

    def _default_labels(self) -> str:
        """Which labels are used if none are given."""
        document = self._session.document
        number = len(document.labels()) if document is not None else 0
        return f"the file's own, else the project's {number:,}" if number else "the file's own"

    @Slot()
    def _forget_error(self) -> None:
        """The last error may no longer apply."""
        if self._job is None:
            self._words.setText(HINT)

    @Slot()
    def _explain_adding(self) -> None:
        self._add_help.setText(
            "Adds the labels that the project lacks, so that Inspect has something to compare with. Undo removes them."
            if self._add.isChecked()
            else "Inspect compares labels by name: it shows nothing for labels that the project lacks."
        )

    @Slot()
    def _ended(self) -> None:
        self._job = None
        self._apply.setEnabled(bool(self._choices))
        if self._closes:
            self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is None:
            super().closeEvent(event)
        else:
            event.ignore()
            self.done(0)

    def done(self, result: int) -> None:
        if self._job is None:
            super().done(result)
        else:
            self._closes = True
            self.hide()

    @Slot()
    def _detector_chosen(self) -> None:
        """Show only the settings that define the network; the loss matters for training only."""
        kind = type(recipes.default_recipe(self._detector.currentData()).detector_settings)
        rows = [row for row in settings.rows(kind) if row.group != "Loss"]
        self._form.set_rows(rows, ("",))
        tab_order.set_reading_order(self)

    @Slot()
    def _choose_weights(self) -> None:
        chosen = self._ask("Weights", FILES)
        if chosen:
            self._path.setText(chosen)
            self._guessed = ""
            self._guess()

    @Slot()
    def _choose_names(self) -> None:
        chosen = self._ask("Labels, one per line", "Names (*.names *.txt);;All files (*)")
        if chosen:
            self._names.setText(chosen)

    def _ask(self, title: str, files: str) -> str:
        return str(ask_for_file(self, title, files) or "")

    @Slot()
    def _guess(self) -> None:
        """Fill in what follows from the file: the detector, its cfg, and the names file beside it. Once per file."""
        text = self._path.text().strip()
        file = typed_path(text)
        if not self._choices or text == self._guessed or file is None or not _is_file(file):
            return
        self._guessed = text
        cfg, detector = file.with_suffix(".cfg"), self._likely_detector(file)
        if cfg.is_file() and FROM_CFG in self._choices:
            self._show(FROM_CFG)
            self._form.set_values({"cfg": str(cfg)})
        elif detector:
            self._show(detector)
        if self._names.text().strip() == self._guessed_names:
            beside = sorted(file.parent.glob("*.names"))
            self._guessed_names = str(beside[0]) if len(beside) == 1 else ""
            self._names.setText(self._guessed_names)

    def _likely_detector(self, file: Path) -> str:
        """The detector that published this file, or whose name is in the file's name; "" if there is none."""
        for choice in self._choices.values():
            if choice.weights is not None and choice.weights.url.rpartition("/")[2] == file.name:
                return choice.name
        return max((name for name in self._choices if file.name.startswith(name)), key=len, default="")

    def _show(self, detector: str) -> None:
        self._detector.setCurrentIndex(self._detector.findData(detector))
        self._detector_chosen()

    @Slot()
    def apply(self) -> None:
        """Import in a job."""
        document = self._session.document
        if document is None or self._job is not None:
            return
        if self._path.hasFocus():  # where clicking a button does not move the focus, as on a Mac
            self._guess()
        try:
            self._start_import(self._request(document.runs_folder, [label.name for label in document.labels()]))
        except WorkbenchError as error:
            self._words.setText(error.sentence)

    def _request(self, folder: Path, own: list[str]) -> WeightsImportRequest:
        from workbench.training.checkpoints import weights

        file, names = typed_path(self._path.text()), typed_path(self._names.text())
        if file is None:
            raise WorkbenchError("Choose the file of weights first.")
        recipe = recipes.default_recipe(self._detector.currentData()).changed(self._form.values())
        if names is not None:
            labels = weights.read_names(names)
        else:
            labels = weights.published_names(file, recipe)
        self._labels_are_the_projects = not labels
        labels = labels or tuple(own)
        return WeightsImportRequest(file, recipe, labels, folder)

    def _start_import(self, request: WeightsImportRequest) -> None:
        self._labels = request.labels
        self._apply.setEnabled(False)
        self._words.setText("Importing …")
        self._start(Job(f"Importing {request.file.name}", lambda _: work.import_weights(request), self._session))

    def _imported(self, run: str) -> None:
        document = self._session.document
        if document is None:
            return
        known = {label.name.casefold() for label in document.labels()}
        missing = [name for name in self._labels if name.casefold() not in known]
        message = f"Imported as run '{run}'."
        if missing and self._add.isChecked() and not document.read_only:
            self._session.do(AddLabels(tuple(Label(0, name) for name in dict.fromkeys(missing))))
        elif len(missing) == len(self._labels):
            message += " The project has none of its labels, so Inspect can't compare yet: add those you need."
        self._session.inform(message)
        self._session.runs_changed.emit()
        if self.isVisible():  # else its user works on elsewhere
            self._session.page_requested.emit("inspect")
            self._session.run_requested.emit(run)
        self.close()


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # what was typed can't be a path at all
        return False


def _line(name: str, placeholder: str) -> QLineEdit:
    line = QLineEdit(placeholderText=placeholder)
    line.setAccessibleName(placeholder)
    line.setObjectName(name)
    return line


def _with_button(line: QLineEdit, choose: object, name: str) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(line, 1)
    button = QPushButton("File…")
    button.setObjectName(name)
    button.clicked.connect(choose)  # type: ignore[arg-type]
    row.addWidget(button)
    return row
