"""The tables of a comparison: the runs, the settings that differ, AP per label. The runs are columns or rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from workbench.core.formatting import duration, share
from workbench.training.records import runs
from workbench.ui import theme
from workbench.ui.icons import swatch
from workbench.ui.train.compare.differences import NONE, LabelScores, RunDifference, best_of
from workbench.ui.train.compare.run_reader import ComparedRun
from workbench.ui.train.runs.evaluation_size import chance_note, newest_or_best
from workbench.ui.train.titles import detector_title
from workbench.ui.widgets.empty_state import paint_hint
from workbench.ui.widgets.tables import deferred_column_sizing, make_copyable, style_table

LEAST = 72  # px of a run's column
SUMMARY = ("Run", "Detector", "State", "Epochs", "Best AP50", "Best AP", "At epoch", "Trained for", "Started", "Note")
_NUMBERS = range(3, 8)
WHICH = ("AP50", "AP")


class Table(QTableWidget):
    """Rows to read and, with Ctrl+C, to copy. `say` shows a text in place of rows."""

    def __init__(self, name: str, accessible: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ""
        self.setObjectName(name)
        self.setAccessibleName(accessible)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        style_table(self).setMinimumSectionSize(LEAST)
        self.horizontalHeader().setTextElideMode(Qt.TextElideMode.ElideMiddle)
        make_copyable(self)

    def say(self, words: str) -> None:
        self.words = words
        self.viewport().update()

    def put(
        self, row: int, column: int, text: str, *, tip: str = "", right: bool = False, bold: bool = False,
        icon: QIcon | None = None,
    ) -> None:  # fmt: skip
        cell = QTableWidgetItem(text)
        cell.setToolTip(tip or text)
        if right:
            cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if bold:
            cell.setFont(theme.font(theme.BODY, bold=True))
        if icon is not None:
            cell.setIcon(icon)
        self.setItem(row, column, cell)

    def head(self, column: int, text: str, *, tip: str = "", icon: QIcon | None = None, right: bool = False) -> None:
        cell = QTableWidgetItem(text)
        cell.setToolTip(tip or text)
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        cell.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        if icon is not None:
            cell.setIcon(icon)
        self.setHorizontalHeaderItem(column, cell)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.words and not self.rowCount():
            paint_hint(self, self.words)


def show_runs(table: Table, compared: Sequence[ComparedRun]) -> None:
    """The runs with their colours."""
    table.setColumnCount(len(SUMMARY))
    for column, title in enumerate(SUMMARY):
        table.head(column, title, right=column in _NUMBERS)
    table.setRowCount(len(compared))
    for row, run in enumerate(compared):
        info = run.info
        at = NONE if run.best is None else f"{run.best.epoch:,}"
        lasted = NONE if math.isnan(run.seconds) else duration(run.seconds)
        texts = (
            info.name,
            detector_title(info.detector),
            info.state,
            f"{info.epoch:,} / {info.epochs:,}",
            newest_or_best(info.best_ap50, info.validation_images),
            share(info.best_ap),
            at,
            lasted,
            runs.format_time(info.started),
            info.note.replace("\n", " ↵ "),
        )
        by = chance_note(info.validation_images) if not math.isnan(info.best_ap50) else ""
        tips = {"Best AP50": by, "Best AP": by, "Note": info.note}
        for column, text in enumerate(texts):
            tip = tips.get(SUMMARY[column], "")
            icon = None if column else swatch(theme.series_colour(row))
            table.put(row, column, text, tip=tip, right=column in _NUMBERS, icon=icon)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    noted = any(run.info.note for run in compared)
    table.setColumnHidden(len(SUMMARY) - 1, not noted)
    if noted:
        header.setSectionResizeMode(len(SUMMARY) - 1, QHeaderView.ResizeMode.Stretch)


def show_settings(table: Table, found: Sequence[RunDifference], compared: Sequence[ComparedRun]) -> None:
    table.setColumnCount(1 + len(compared))
    table.head(0, "Setting")
    for column, run in enumerate(compared, start=1):
        table.head(column, run.info.name, icon=swatch(theme.series_colour(column - 1)))
    table.setRowCount(len(found))
    for row, one in enumerate(found):
        table.put(row, 0, one.title, tip=one.help or one.title)
        for column, text in enumerate(one.values, start=1):
            table.put(row, column, text)
    table.say("" if found else "These runs have the same settings and the same data.")
    _stretch(table)


def show_labels(
    table: Table, found: Sequence[LabelScores], compared: Sequence[ComparedRun], colours: Mapping[str, str], what: str
) -> None:
    """`what`: one of WHICH. The best of a row is bold.

    Numbers are at the left, below the colours of their runs: all have three decimals.
    """
    table.setColumnCount(1 + len(compared))
    table.head(0, "Label")
    for column, run in enumerate(compared, start=1):
        tip = f"{what} of {run.info.name}, in its best epoch"
        table.head(column, run.info.name, tip=tip, icon=swatch(theme.series_colour(column - 1)))
    with deferred_column_sizing(table):
        table.setRowCount(len(found))
        for row, one in enumerate(found):
            icon = swatch(colours[one.label]) if one.label in colours and not one.is_whole else None
            table.put(row, 0, one.label, bold=one.is_whole, icon=icon)
            values = one.ap50 if what == "AP50" else one.ap
            best = best_of(values)
            for place, value in enumerate(values):
                both = f"AP50 {share(one.ap50[place])}, AP {share(one.ap[place])}"
                table.put(row, 1 + place, share(value), tip=both, bold=place in best)
    table.say("" if found else "None of these runs has been evaluated yet.")
    _stretch(table)


def _stretch(table: Table) -> None:
    """The row headers are shown in full; the runs share the remaining width, and scroll if there are many."""
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
