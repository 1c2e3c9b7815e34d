"""The numbers of the split at the sliders' values, and a row per label, with a confidence if it has its own."""

from __future__ import annotations

import math

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout

from workbench.core.evaluation.average_precision import average_precision
from workbench.core.evaluation.size_ranges import mean_of_known
from workbench.core.formatting import count, share
from workbench.inference.evaluating import fold_remarks
from workbench.ui import theme
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.labels_table import PRECISION, RECALL, LabelsTable
from workbench.ui.inspect.state import OVERLAP, Doubles, InspectState
from workbench.ui.inspect.tab import InspectTab

NUMBERS = {
    "ap": ("AP", "COCO's average precision, over ten overlaps, of the detections at this confidence."),
    "ap50": ("AP50", "Average precision at an overlap of 0.5, of the detections at this confidence."),
    "precision": ("Precision", "The share of the detections at this confidence that are right (overlap 0.5)."),
    "recall": ("Recall", "The share of the labelled boxes that are found at this confidence (overlap 0.5)."),
    "f1": ("F1", "Precision and recall in one number: high only if both are."),
}
ALL_HELP = "What training and other programs report: every detection counts, down to the lowest."
COUNTS = {
    "right": ("right", "Detections that are right (overlap 0.5)."),
    "wrong": ("false alarms", "Detections without a labelled box of their label."),
    "missed": ("missed", "Labelled boxes that were not found."),
}


class NumbersTab(InspectTab):
    """`own_wanted(label, confidence)` when a person edited a label's confidence; NaN removes it."""

    own_wanted = Signal(int, float)
    icon = "mdi6.counter"

    def __init__(self) -> None:
        super().__init__("Numbers")
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout()
        grid.setVerticalSpacing(2)
        for column, (name, (title, help)) in enumerate(NUMBERS.items()):
            head = QLabel(title, alignment=Qt.AlignmentFlag.AlignCenter)
            head.setProperty("role", "muted")
            value = QLabel("–", alignment=Qt.AlignmentFlag.AlignCenter)
            value.setObjectName(f"inspect-{name}")
            value.setFont(theme.font(theme.BODY, bold=True))
            for widget in (head, value):
                widget.setToolTip(help)
            grid.addWidget(head, 0, column)
            grid.addWidget(value, 1, column)
            self._values[name] = value
        self._all = QLabel()
        self._all.setObjectName("inspect-ap-all")
        self._all.setProperty("role", "muted")
        self._all.setWordWrap(True)
        self._all.setToolTip(ALL_HELP)
        self._buttons: dict[str, QPushButton] = {}
        counts = QGridLayout()
        counts.setHorizontalSpacing(theme.GRID)
        for column, (name, (title, help)) in enumerate(COUNTS.items()):
            button = QPushButton(f"– {title}")
            button.setObjectName(f"inspect-open-{name}")
            button.setToolTip(f"{help} Click for their images.")
            button.setMinimumWidth(60)
            button.clicked.connect(lambda _=False, which=name: self._open(which))
            counts.addWidget(button, 0, column)
            self._buttons[name] = button
        self._words = {name: button.text() for name, button in self._buttons.items()}
        self._counts = counts
        self.table = LabelsTable()
        self.table.labels.own_wanted.connect(self.own_wanted)
        self.table.clicked.connect(self._open_label)
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, theme.GRID, 0, 0)
        column_.setSpacing(theme.GRID)
        column_.addLayout(grid)
        column_.addWidget(self._all)
        column_.addLayout(counts)
        column_.addWidget(self.table, 1)
        self.clear()

    def clear(self) -> None:
        for value in self._values.values():
            value.setText("–")
        for name, button in self._buttons.items():
            self._words[name] = f"– {COUNTS[name][0]}"
            button.setEnabled(False)
        self._fit()
        self._all.setText("")
        self.table.labels.show_state(None)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The counts on one line each, or the words below the numbers where there is no room for that."""
        for name, button in self._buttons.items():
            button.setText(self._words[name])
        needed = sum(button.sizeHint().width() for button in self._buttons.values())
        if needed + (len(self._buttons) - 1) * self._counts.horizontalSpacing() > self.width():
            for name, button in self._buttons.items():
                button.setText(self._words[name].replace(" ", "\n", 1))

    def draw(self, state: InspectState, result: object) -> None:
        per_label = state.tally
        counts = per_label.overall
        here, everything = average_precision(state.matching, state.confidences), average_precision(state.matching)
        at = state.matching.at(OVERLAP)
        texts = {
            "ap": _mean(here.mean(axis=0)),
            "ap50": _mean(here[at]),
            "precision": float(counts.precision),
            "recall": float(counts.recall),
            "f1": float(counts.f1),
        }
        for name, number in texts.items():
            self._values[name].setText(share(number))
        ap, ap50 = _mean(everything.mean(axis=0)), _mean(everything[at])
        folds = state.evaluation.folds
        apart = fold_remarks.spread(folds)
        own = (
            f"; folds\N{NO-BREAK SPACE}{share(apart[0])}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{share(apart[1])}"
            if apart
            else ""
        )
        self._all.setText("" if math.isnan(ap) else f"At any confidence: AP {share(ap)}, AP50 {share(ap50)}{own}")
        each = [f"Fold {one.fold}, {one.run}: AP {share(one.ap)} on {count(one.images, 'image')}" for one in folds]
        apart_help = ["Folds: the mean and the standard deviation of their own AP."] if apart else []
        self._all.setToolTip("\n".join([ALL_HELP, *apart_help, *each]))
        for name, button in self._buttons.items():
            number = int(getattr(counts, name))
            self._words[name] = count(number, "false alarm") if name == "wrong" else f"{number:,} {COUNTS[name][0]}"
            button.setEnabled(number > 0)
        self._fit()
        self.table.labels.show_state(state, per_label, here[at], here.mean(axis=0))

    def _open(self, which: str) -> None:
        if self.state is not None:
            right, wrong, missed = self.state.outcome_rows
            words, matching = COUNTS[which][0], self.state.matching
            if which == "missed":
                self.opened.emit(BoxSelection.of("missed boxes", matching, boxes=missed))
            else:
                rows = right if which == "right" else wrong
                self.opened.emit(BoxSelection.of("right detections" if which == "right" else words, matching, rows))

    @Slot(QModelIndex)
    def _open_label(self, index: QModelIndex) -> None:
        """A click on a precision opens the false alarms, on a recall the misses; on the label itself, nothing."""
        column = index.column()
        if self.state is None or column not in (PRECISION, RECALL):
            return
        row = self.table.labels.label(index.row())
        _, wrong, missed = self.state.outcome_rows
        matching, name = self.state.matching, self.state.evaluation.names[row]
        if column == PRECISION:
            rows = wrong[matching.found.labels[wrong] == row]
            self.opened.emit(BoxSelection.of(f"false alarms, {name}", matching, rows))
        else:
            rows = missed[matching.truth.labels[missed] == row]
            self.opened.emit(BoxSelection.of(f"missed, {name}", matching, boxes=rows))


def _mean(values: Doubles) -> float:
    return float(mean_of_known(values))
