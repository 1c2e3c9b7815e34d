"""What a set of anchors means for each scale of a detector and for each label. Counts link to the boxes counted."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import anchors
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.anchors.details import Details, LabelDetails, LevelDetails, Sentence
from workbench.ui.icons import swatch
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.tables import align_heads, deferred_column_sizing, style_table
from workbench.ui.widgets.tooltips import plain

_SCALE_HEADS = (
    (
        "Stride",
        "Pixels of the network's input from one cell of the scale to the next. Of scales that don't come of halving, as"
        " SSD's coarsest: the input side divided by their cells.",
    ),
    ("Anchors", "Those that the scale uses, or the detector's own boxes."),
    ("Boxes", "Boxes that the scale learns. A click shows them."),
    ("Share", "Of all boxes."),
)
_LABEL_HEADS = (
    ("Label", "The worst served first."),
    ("Boxes", "Boxes of the label. A click shows them."),
    ("Mean IoU", "Of its boxes with their best anchors."),
    ("Worst", "IoU of the box that fits worst. A click shows it on its image."),
    ("< 0.5", "Boxes whose IoU with every anchor is below 0.5. A click shows them."),
)


class ScalesView(QWidget):
    """`detector_chosen(name)`; `boxes_requested(ChosenBoxes)`: show these; `resize_requested(how)`: resize this way."""

    detector_chosen = Signal(str)
    resize_requested = Signal(str)
    boxes_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._levels: tuple[LevelDetails, ...] = ()
        self._sentences: tuple[Sentence, ...] = ()
        self.detector = ElidedCombo(
            "anchors-detector",
            "Detector whose scales are shown",
            "Whose scales are shown. Nothing is chosen for training here.",
        )
        self.detector.setSizeAdjustPolicy(ElidedCombo.SizeAdjustPolicy.AdjustToContentsOnFirstShow)
        self.detector.setEnabled(False)
        self.detector.activated.connect(lambda _: self.detector_chosen.emit(str(self.detector.currentData())))
        self.table = _table("anchors-scales", "Scales of the detector", _SCALE_HEADS, 1, numbers=(0, 2, 3))
        self.table.setWordWrap(True)
        self.table.cellClicked.connect(self._clicked)
        self.table.cellActivated.connect(self._clicked)
        self.words = QLabel(wordWrap=True)
        self.words.setObjectName("anchors-scales-words")
        self.words.setTextFormat(Qt.TextFormat.RichText)
        flag = Qt.TextInteractionFlag
        self.words.setTextInteractionFlags(flag.LinksAccessibleByMouse | flag.LinksAccessibleByKeyboard)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.words.setContentsMargins(4, 4, 4, 4)
        self.words.linkActivated.connect(self._linked)
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setObjectName("anchors-scales-scroll")
        self._scroll.setAccessibleName("Boxes by scale")
        self._scroll.setWidget(self.words)
        self._scroll.setMinimumHeight(72)
        self._scroll.viewport().setBackgroundRole(QPalette.ColorRole.Base)  # like the tables above and beside it
        self.words.setAutoFillBackground(False)  # setWidget() has turned it on
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.detector)
        column.addWidget(self.table, 1)
        column.addWidget(self._scroll, 1)
        theme.theme().changed.connect(self._renew)
        self.show_details(None)

    def offer(self, detectors: Sequence[tuple[str, str]], chosen: str) -> None:
        self.detector.clear()
        for name, title in detectors:
            self.detector.addItem(title, name)
        self.detector.setCurrentIndex(max(0, self.detector.findData(chosen)))
        self.detector.setEnabled(True)

    def wait(self, sentence: str) -> None:
        """Show only this sentence: the contents are out of date."""
        self._show((), (Sentence(sentence),))

    def show_details(self, details: Details | None) -> None:
        self._show(*((), ()) if details is None else (details.levels, details.sentences))

    @property
    def plain_text(self) -> str:
        """The sentences as plain text."""
        return "\n".join(f"{'⚠ ' if one.is_warning else ''}{one.text}" for one in self._sentences)

    def _show(self, levels: tuple[LevelDetails, ...], sentences: tuple[Sentence, ...]) -> None:
        self._levels, self._sentences = levels, sentences
        self.table.setVisible(bool(levels))
        self._column.setStretchFactor(self.table, 2 if levels else 0)
        self.table.setRowCount(len(levels))
        for row, level in enumerate(levels):
            sizes = ", ".join(f"{w:.0f}×{h:.0f}" for w, h in level.anchors) or "points"
            texts = (f"{level.stride} px", sizes, f"{len(level.boxes.ids):,}", anchors.percent(level.share))
            for column, text in enumerate(texts):
                item = _item(text, right=column != 1)
                item.setToolTip(sizes)
                if not len(level.boxes.ids):
                    item.setForeground(theme.colour("error"))
                elif column == 2:
                    item.setForeground(theme.colour("accent"))
                self.table.setItem(row, column, item)
        self._fit_table()
        self.words.setText("<br>".join(_as_html(number, one) for number, one in enumerate(sentences)))

    def _fit_table(self) -> None:
        """Make it no higher than its rows, so that the sentences get the rest."""
        self.table.resizeRowsToContents()
        rows = sum(self.table.rowHeight(row) for row in range(self.table.rowCount()))
        self.table.setMaximumHeight(self.table.horizontalHeader().sizeHint().height() + rows + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_table()

    @Slot()
    def _renew(self) -> None:
        self._show(self._levels, self._sentences)

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        if column == 2 and len(self._levels[row].boxes.ids):
            self.boxes_requested.emit(self._levels[row].boxes)

    @Slot(str)
    def _linked(self, number: str) -> None:
        one = self._sentences[int(number)]
        if one.resize:
            self.resize_requested.emit(one.resize)
        else:
            self.boxes_requested.emit(one.chosen)


def _as_html(number: int, one: Sentence) -> str:
    text, link = html.escape(one.text), html.escape(one.link)
    if link:
        ink = theme.colours().accent
        text = text.replace(link, f'<a href="{number}" style="color: {ink}">{link}</a>', 1)
    return f"⚠ {text}" if one.is_warning else text


class LabelsView(QWidget):
    """`boxes_requested(ChosenBoxes)`: show these boxes, for instance a label's worst one."""

    boxes_requested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = _table(
            "anchors-labels", "Labels and how their boxes are served", _LABEL_HEADS, 0, numbers=range(1, 5)
        )
        self.table.cellClicked.connect(self._clicked)
        self.table.cellActivated.connect(self._clicked)
        self._rows: tuple[LabelDetails, ...] = ()
        self._labels: Sequence[Label] = ()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        theme.theme().changed.connect(self._renew)

    def show_details(self, details: Details | None, labels: Sequence[Label]) -> None:
        self._rows = () if details is None else tuple(sorted(details.labels, key=lambda one: one.mean_iou))
        self._labels = labels
        self._renew()

    @Slot()
    def _renew(self) -> None:
        with deferred_column_sizing(self.table):
            self._fill()

    def _fill(self) -> None:
        self.table.setRowCount(len(self._rows))
        for row, one in enumerate(self._rows):
            label, percent = self._labels[one.number], anchors.percent
            boxes, below = len(one.boxes.ids), len(one.below.ids)
            texts = (label.name, f"{boxes:,}", percent(one.mean_iou), percent(one.worst), f"{below:,}")
            for column, text in enumerate(texts):
                item = _item(text, right=column > 0)
                if not column:
                    item.setToolTip(plain(label.name))
                    item.setIcon(swatch(label.colour))
                if self._chosen(row, column) is not None:
                    item.setForeground(theme.colour("accent"))
                    item.setToolTip(_LABEL_HEADS[column][1])
                self.table.setItem(row, column, item)

    def _chosen(self, row: int, column: int) -> object | None:
        one = self._rows[row]
        chosen = {1: one.boxes, 3: one.worst_box, 4: one.below}.get(column)
        return chosen if chosen is not None and len(chosen.ids) else None

    @Slot(int, int)
    def _clicked(self, row: int, column: int) -> None:
        chosen = self._chosen(row, column)
        if chosen is not None:
            self.boxes_requested.emit(chosen)


def _table(
    name: str, accessible: str, heads: Sequence[tuple[str, str]], wide: int, numbers: Iterable[int]
) -> QTableWidget:
    """`heads`: text and tooltip of each column; the column `wide` gets the remaining width.

    `numbers`: the columns aligned at the right.
    """
    table = QTableWidget(0, len(heads))
    table.setObjectName(name)
    table.setAccessibleName(accessible)
    for column, (word, help) in enumerate(heads):
        head = QTableWidgetItem(word)
        head.setToolTip(help)
        table.setHorizontalHeaderItem(column, head)
    header = style_table(table)
    align_heads(header, numbers)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(wide, QHeaderView.ResizeMode.Stretch)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    return table


def _item(text: str, *, right: bool) -> QTableWidgetItem:
    made = QTableWidgetItem(text)
    if right:
        made.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return made
