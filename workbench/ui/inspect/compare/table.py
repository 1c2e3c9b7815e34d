"""The labels with what the newer run does differently, and a number's difference with its interval as a whisker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from workbench.core.evaluation.bootstrap import LEAST, MetricDifference
from workbench.core.evaluation.run_comparison import BOX_OUTCOMES, FALSE_ALARM_KINDS, Measure
from workbench.ui import theme
from workbench.ui.inspect.compare.comparer import Comparison
from workbench.ui.widgets.tables import NOWHERE, NUMBER, Index, TableModel, make_copyable, style_table

LABEL, FIXED, REGRESSED, DIFFERENCE, INTERVAL = range(5)
ROW = Qt.ItemDataRole.UserRole  # the DifferenceRow
STEPS = (1, 2, 5, 10)  # a whisker's axis ends at one of these, in hundredths, tenths ...
ROLES = frozenset(
    (
        Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.TextAlignmentRole, Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.FontRole, Qt.ItemDataRole.AccessibleTextRole, ROW,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A label, or (label -1) all of them. NaN: there is no such number, or it is not known yet."""

    label: int
    name: str
    fixed: int
    regressed: int
    more: str  # on the other counts
    before: float
    after: float
    low: float
    high: float

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def ink(self) -> str:
        """A theme colour's name: better, worse, or neither with certainty."""
        return "ok" if self.low > 0 else "error" if self.high < 0 else "muted"


def rows_of(comparison: Comparison, measure: Measure, known: MetricDifference | None) -> tuple[DifferenceRow, ...]:
    """All labels together, then each one that both runs know."""
    (before, all_before), (after, all_after) = comparison.numbers[measure]
    runs = comparison.runs
    counts = {kind: runs.boxes_per_label(kind) for kind in BOX_OUTCOMES} | {
        k: runs.alarms_per_label(k) for k in FALSE_ALARM_KINDS
    }

    def more(label: int) -> str:
        n = {kind: int(values.sum() if label < 0 else values[label]) for kind, values in counts.items()}
        boxes = ", ".join(f"{n[kind]:,} {kind}" for kind in BOX_OUTCOMES)
        return (
            f"Labelled boxes: {boxes}\nFalse alarms: {', '.join(f'{n[kind]:,} {kind}' for kind in FALSE_ALARM_KINDS)}"
        )

    every = (math.nan, math.nan) if known is None else (known.overall_low, known.overall_high)
    fixed, regressed = counts["fixed"], counts["regressed"]
    rows = [
        DifferenceRow(-1, "all labels", int(fixed.sum()), int(regressed.sum()), more(-1), all_before, all_after, *every)
    ]
    for label, name in enumerate(comparison.request.state.evaluation.names):
        if runs.use[label]:
            between = (math.nan, math.nan) if known is None else (float(known.low[label]), float(known.high[label]))
            numbers = float(before[label]), float(after[label])
            rows.append(
                DifferenceRow(label, name, int(fixed[label]), int(regressed[label]), more(label), *numbers, *between)
            )
    return tuple(rows)


class DifferencesModel(TableModel):
    """`scale`: where the whiskers' axis ends, on both sides of 0."""

    titles = ("Label", "Fixed", "Regr.", "Change", "Interval")
    numbers = frozenset((FIXED, REGRESSED, DIFFERENCE))
    helps = (
        "",
        "Labelled boxes that the newer run alone finds. Click for their images.",
        "Regressed: labelled boxes that the older run alone finds. Click for their images.",
        "The newer run's number less the older's. Click for the images in which the two differ.",
        "What the images leave open: 95 % of the differences lie within, if images are drawn from these at random."
        f" Where fewer than {LEAST} images have boxes of the label, they can't tell.",
    )

    def __init__(self) -> None:
        super().__init__()
        self.rows: tuple[DifferenceRow, ...] = ()
        self.scale = 0.01

    def show_rows(self, rows: tuple[DifferenceRow, ...]) -> None:
        same = [row.label for row in rows] == [row.label for row in self.rows]
        if not same:
            self.beginResetModel()
        self.rows = rows
        self.scale = _scale(rows)
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, INTERVAL))
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, INTERVAL, INTERVAL)

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:
        across = orientation == Qt.Orientation.Horizontal
        if across and section == INTERVAL and role == Qt.ItemDataRole.DisplayRole and self.rows:
            return f"±{self.scale:g}"
        if across and section == INTERVAL and role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignCenter)
        return super().headerData(section, orientation, role)

    def data(self, index: Index, role: int = 0) -> Any:
        if role not in ROLES:
            return None
        row, column = self.rows[index.row()], index.column()
        if role == ROW:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return (row.name, f"{row.fixed:,}", f"{row.regressed:,}", signed(row.difference), None)[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return NUMBER if column else None
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return _tooltip(row, column)
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(theme.BODY, bold=True) if row.label < 0 else None
        if role == Qt.ItemDataRole.ForegroundRole and column == DIFFERENCE:
            return theme.colour(row.ink if row.ink != "muted" else "text")
        return None


class WhiskerDelegate(QStyledItemDelegate):
    """A dot at the difference and a line over its interval, coloured if that excludes 0."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        row, model = index.data(ROW), index.model()
        if not isinstance(row, DifferenceRow) or not isinstance(model, DifferencesModel):
            return
        area = QRectF(option.rect).adjusted(6, 4, -6, -4)  # type: ignore[attr-defined]
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        ink = theme.colour("on_accent" if chosen else row.ink)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = area.center()
        painter.setPen(QPen(theme.colour("on_accent" if chosen else "border"), 1))
        painter.drawLine(QLineF(middle.x(), area.top() - 4, middle.x(), area.bottom() + 4))
        self._paint_row(painter, row, model.scale, area, ink)
        painter.restore()

    def _paint_row(self, painter: QPainter, row: DifferenceRow, scale: float, area: QRectF, ink: QColor) -> None:
        def place(value: float) -> float:
            return area.center().x() + value / scale * area.width() / 2

        y = area.center().y()
        if not math.isnan(row.low):
            painter.setPen(QPen(ink, 2))
            painter.drawLine(QLineF(place(row.low), y, place(row.high), y))
            for end in (row.low, row.high):
                painter.drawLine(QLineF(place(end), y - 3, place(end), y + 3))
        if not math.isnan(row.difference):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ink)
            painter.drawEllipse(QPointF(place(row.difference), y), 3.5, 3.5)


class DifferencesTable(QTableView):
    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("inspect-compare-labels")
        self.setAccessibleName("Differences by label")
        self.differences = DifferencesModel()
        self.setModel(self.differences)
        self.setItemDelegateForColumn(INTERVAL, WhiskerDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        make_copyable(self)
        head = style_table(self)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        bold = QFontMetrics(theme.font(theme.BODY, bold=True))
        for column, widest in ((FIXED, "0,000"), (REGRESSED, "0,000"), (DIFFERENCE, "+0.0000")):
            words = head.fontMetrics().horizontalAdvance(self.differences.titles[column])
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            head.resizeSection(column, max(words, bold.horizontalAdvance(widest)) + 10)
        self.setMinimumHeight(100)


def signed(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "0.000" if abs(value) < 0.0005 else f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _tooltip(row: DifferenceRow, column: int) -> str:
    if column in (FIXED, REGRESSED):
        count, what = (row.fixed, "fixed") if column == FIXED else (row.regressed, "regressed")
        return f"{row.name}: {count:,} {what}"
    if column == LABEL:
        return f"{row.name}\n{row.more}"
    if math.isnan(row.difference):
        return f"{row.name}: there is no such number in one of the runs"
    between = "" if math.isnan(row.low) else f", 95 % between {signed(row.low)} and {signed(row.high)}"
    return f"{row.name}: {row.before:.3f} became {row.after:.3f}, {signed(row.difference)}{between}"


def _scale(rows: tuple[DifferenceRow, ...]) -> float:
    """The lowest of STEPS' numbers that covers everything."""
    values = [abs(value) for row in rows for value in (row.low, row.high, row.difference) if not math.isnan(value)]
    most = max(max(values, default=0.0), 0.01)
    power: float = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in STEPS if step * power >= most * (1 - 1e-9))
