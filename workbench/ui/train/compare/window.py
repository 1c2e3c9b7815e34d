"""Compares runs: their curves in one plot, the settings that differ, and AP per label. In a separate window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from workbench.core.former_names import current_names
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.plots.legend import Place
from workbench.ui.plots.plot import BOTTOM_RIGHT, TOP_RIGHT, Plot
from workbench.ui.session import Session
from workbench.ui.train.compare import differences, tables
from workbench.ui.train.compare.run_reader import ComparedRun, RunReader
from workbench.ui.train.compare.tables import Table
from workbench.ui.widgets.popups import Combo

SIDE = (1120, 680)  # px
STYLES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine)
COLOURS = 6  # of theme.series_colour; further runs repeat them with another line style
MOST_ROWS = 5  # of the table of runs, visible without scrolling
LOSS_HELP = (
    "The sum of the loss terms, each point the mean of the steps around it. It compares only runs of the same "
    "detector with the same loss settings."
)


class CompareWindow(QDialog):
    """Not modal; keeps up with its runs, and closes with the project."""

    def __init__(self, session: Session, folders: Sequence[Path], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("compare-window")
        self.setWindowTitle("Compare runs")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self._session = session
        self._folders = list(folders)
        self._known: dict[Path, ComparedRun] = {}
        self._awaited: set[Path] = set()
        self._reader = Background("Reading runs to compare", RunReader().read, self)
        self.runs = Table("compare-runs", "Runs that are compared")
        self.warning = QLabel(wordWrap=True)
        self.warning.setObjectName("compare-warning")
        self.warning.setProperty("role", "muted")
        self.ap50 = _plot("compare-ap50", "epoch", "AP50", BOTTOM_RIGHT)
        self.ap = _plot("compare-ap", "epoch", "AP", BOTTOM_RIGHT)
        self.loss = _plot("compare-loss", "step", "loss", TOP_RIGHT)
        self.loss.setToolTip(LOSS_HELP)
        self.log = QCheckBox("Logarithmic loss")
        self.log.setObjectName("compare-log")
        self.log.setToolTip(LOSS_HELP)
        self.settings = Table("compare-settings", "Settings that differ")
        self.labels = Table("compare-labels", "AP of each label in the best epoch")
        self.which = Combo()
        self.which.setObjectName("compare-which")
        self.which.setAccessibleName("Which AP of each label")
        self.which.addItems(tables.WHICH)
        for table in (self.runs, self.settings, self.labels):
            table.say("Reading the runs …")
        self._lay_out()
        self.log.toggled.connect(self.loss.set_log)
        self.which.currentTextChanged.connect(self._show)
        self._reader.done.connect(self._have_read)
        session.runs_changed.connect(self._read_again)
        session.closing.connect(self.reject)
        theme.theme().changed.connect(self._show)
        room = parent.window().size()
        self.resize(min(SIDE[0], room.width() - 32), min(SIDE[1], room.height() - 32))
        self._read_again()

    def _lay_out(self) -> None:
        curves = QWidget()
        row = QHBoxLayout(curves)
        row.setContentsMargins(0, 0, 0, theme.GRID)
        row.setSpacing(theme.GRID)
        for plot in (self.ap50, self.ap, self.loss):
            row.addWidget(plot, 1)
        beside = QSplitter(childrenCollapsible=False)
        beside.addWidget(_titled("Settings that differ", self.settings, right=theme.GRID))
        beside.addWidget(_titled("Of each label in the best epoch", self.labels, self.which, left=theme.GRID))
        split = QSplitter(Qt.Orientation.Vertical, childrenCollapsible=False)
        split.addWidget(curves)
        split.addWidget(beside)
        split.setSizes([260, 260])
        notes = QHBoxLayout()
        notes.addWidget(self.warning, 1)
        notes.addWidget(self.log, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(theme.GRID)
        column.addWidget(self.runs)
        column.addLayout(notes)
        column.addWidget(split, 1)

    # --- reading ---

    @Slot()
    def _read_again(self) -> None:
        self._awaited = set(self._folders)
        self._reader.ask(self._folders)

    @Slot(object, object)
    def _have_read(self, folder: object, compared: object) -> None:
        if not isinstance(folder, Path) or folder not in self._folders:
            return  # renamed meanwhile
        if isinstance(compared, ComparedRun):
            self._known[folder] = compared
        elif compared is None:  # deleted
            self._folders.remove(folder)
            self._known.pop(folder, None)
        self._awaited.discard(folder)
        if not self._awaited:  # drawn once, not after each run
            self._show()

    @Slot(object, object)
    def renamed(self, old: Path, new: Path) -> None:
        """A run's folder was renamed."""
        if old in self._folders:
            self._folders[self._folders.index(old)] = new
            self._known.pop(old, None)
            self._read_again()

    # --- showing ---

    @Slot()
    def _show(self) -> None:
        compared = [self._known[folder] for folder in self._folders if folder in self._known]
        document = self._session.document
        labels, former = (document.labels(), current_names(document)) if document is not None else ((), ())
        tables.show_runs(self.runs, compared)
        self._fit_runs(len(compared))
        warning = differences.warning(compared)
        self.warning.setText(f"⚠ {warning}" if warning else "")
        tables.show_settings(self.settings, differences.run_differences(compared), compared)
        found = differences.label_scores(compared, [label.name for label in labels], former)
        colours = {label.name: label.colour for label in labels}
        tables.show_labels(self.labels, found, compared, colours, self.which.currentText())
        self._draw(compared)

    def _fit_runs(self, count: int) -> None:
        table = self.runs
        bar = table.horizontalScrollBar().sizeHint().height() if table.horizontalScrollBar().maximum() else 0
        frame = 2 * table.frameWidth() + bar
        rows = min(count, MOST_ROWS) * table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(table.horizontalHeader().sizeHint().height() + rows + frame)

    def _draw(self, compared: Sequence[ComparedRun]) -> None:
        for plot in (self.ap50, self.ap, self.loss):
            plot.forget()  # a removed run's colour goes to the next one
        for number, run in enumerate(compared):
            style, name = STYLES[number // COLOURS % len(STYLES)], run.info.name
            if run.evaluations:
                self.ap50.curve(name, run.epochs, [one.ap50 for one in run.evaluations], number, style=style)
                self.ap.curve(name, run.epochs, [one.ap for one in run.evaluations], number, style=style)
            if len(run.step):
                self.loss.curve(name, run.step, run.loss, number, style=style)
        for plot in (self.ap50, self.ap, self.loss):
            plot.settle()

    # --- closing ---

    def done(self, result: int) -> None:
        """Close for good, after the read in progress."""
        self._reader.close()
        super().done(result)
        self.deleteLater()


def _plot(name: str, x: str, y: str, corner: Place) -> Plot:
    plot = Plot(x, y, corner=corner, integer_x=True, above=True)
    plot.setObjectName(name)
    plot.setMinimumSize(200, 140)
    return plot


def _titled(title: str, table: Table, choice: QWidget | None = None, *, left: int = 0, right: int = 0) -> QWidget:
    """`left`, `right`: px to the edges of its pane."""
    made = QWidget()
    words = QLabel(title)
    words.setProperty("role", "muted")
    head = QHBoxLayout()
    head.addWidget(words, 1)
    if choice is not None:
        head.addWidget(choice)
    column = QVBoxLayout(made)
    column.setContentsMargins(left, theme.GRID, right, 0)
    column.setSpacing(theme.GRID // 2)
    column.addLayout(head)
    column.addWidget(table, 1)
    return made
