"""The right side of the Inspect page: the two sliders, the numbers of the split, its curve, and a row per label."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench.core.detections import Kind
from workbench.core.metrics import RECALLS
from workbench.ui import theme
from workbench.ui.inspect.knob import Knob
from workbench.ui.inspect.work import Found
from workbench.ui.widgets.plot import BOTTOM_LEFT, Plot

NUMBERS = {
    "ap": ("AP", "COCO's average precision, over ten overlaps and all confidences: follows the NMS slider only."),
    "ap50": ("AP50", "Average precision at an overlap of 0.5, over all confidences: follows the NMS slider only."),
    "precision": ("Precision", "Of the detections at this confidence, the share that is right (overlap 0.5)."),
    "recall": ("Recall", "Of the labelled boxes, the share that is found at this confidence (overlap 0.5)."),
    "f1": ("F1", "Precision and recall in one number: high only if both are."),
}
KINDS: dict[Kind, tuple[str, str]] = {
    "per label": ("per label", "Of two detections of a label that overlap more, the lower one goes."),
    "across labels": ("across labels", "Of any two detections that overlap more, the lower one goes."),
    "diou": ("DIoU", "As per label, but centres far apart count against the overlap (arXiv 1911.08287): for crowds."),
    "darknet diou": (
        "DIoU, Darknet's",
        "As DIoU, but the distance counts by its power 0.6, as in Darknet (nms_kind=greedynms of YOLOv4's files).",
    ),
    "soft": ("soft", "Soft-NMS: the lower one stays with a score lower by the overlap (arXiv 1704.04503)."),
}
AS_PUBLISHED = "as published"
CURVES = 6  # labels that get a curve of their own


class Numbers(QWidget):
    """`show_found` fills everything for a confidence. `kind_changed` when a person chose another NMS."""

    kind_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.confidence = Knob(
            "inspect-confidence", "Confidence", 0.25, "Detections below this score are not shown and not counted."
        )
        self.iou = Knob(
            "inspect-iou", "NMS overlap", 0.6, "Of two detections of a label that overlap more, the lower one goes.",
            low=0.05, high=0.95,
        )  # fmt: skip
        self._kind = QComboBox()
        self._kind.setObjectName("inspect-kind")
        self._kind.setToolTip("How overlapping detections are thinned out.")
        self._kind.addItem(AS_PUBLISHED, None)
        self._kind.setItemData(0, "As the detector's authors do.", Qt.ItemDataRole.ToolTipRole)
        for kind, (title, help) in KINDS.items():
            self._kind.addItem(title, kind)
            self._kind.setItemData(self._kind.count() - 1, help, Qt.ItemDataRole.ToolTipRole)
        self._kind.activated.connect(self.kind_changed)
        nms = QHBoxLayout()
        nms.addWidget(QLabel("NMS"))
        nms.addWidget(self._kind, 1)
        self._values: dict[str, QLabel] = {}
        grid = QGridLayout()
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
        self.plot = Plot("recall", "precision", corner=BOTTOM_LEFT)
        self.plot.setObjectName("inspect-curve")
        self.plot.setMinimumHeight(120)
        self.plot.setXRange(0, 1)
        self.plot.setYRange(0, 1)
        self.labels = _table()
        column_ = QVBoxLayout(self)
        column_.setContentsMargins(0, 0, 0, 0)
        column_.setSpacing(theme.GRID)
        column_.addWidget(self.confidence)
        column_.addWidget(self.iou)
        column_.addLayout(nms)
        column_.addLayout(grid)
        column_.addWidget(self.plot, 3)
        column_.addWidget(self.labels, 2)

    @property
    def kind(self) -> Kind | None:
        """What was chosen; None is what the detector's authors do."""
        kind: Kind | None = self._kind.currentData()
        return kind

    def show_published(self, kind: Kind) -> None:
        """What "as published" means for the detector at hand."""
        self._kind.setItemText(0, f"{AS_PUBLISHED}: {KINDS[kind][0]}")

    def clear(self) -> None:
        for value in self._values.values():
            value.setText("–")
        self._kind.setItemText(0, AS_PUBLISHED)
        self.plot.forget()
        self.labels.setRowCount(0)

    def show_curves(self, found: Found) -> None:
        """Draw the curves anew: after another evaluation."""
        self.plot.forget()
        precision = found.evaluation.precision[0]  # (R, C) at an overlap of 0.5
        known = ~np.isnan(precision).all(axis=0)
        if not known.any():
            return
        self.plot.curve("all labels", RECALLS, precision[:, known].mean(axis=1), "accent")
        curves = [curve for curve in found.evaluation.curves if curve.boxes]
        if 1 < len(curves) <= CURVES:
            for number, curve in enumerate(curves, start=1):
                self.plot.curve(found.evaluation.labels[curve.label], RECALLS, curve.envelope, number)

    def show_found(self, found: Found, confidence: float) -> None:
        """The numbers at this confidence."""
        counts = found.evaluation.matching.counts(confidence)
        texts = {
            "ap": found.evaluation.ap,
            "ap50": found.evaluation.ap50,
            "precision": counts.precision,
            "recall": counts.recall,
            "f1": counts.f1,
        }
        for name, number in texts.items():
            self._values[name].setText(_share(number))
        at = ([counts.recall], [counts.precision])
        here = not math.isnan(counts.precision) and not math.isnan(counts.recall)
        self.plot.curve("at this confidence", *(at if here else ([], [])), "text", points=True)
        self._show_labels(found, counts.per_label)

    def _show_labels(self, found: Found, counts: np.ndarray) -> None:
        names = found.evaluation.labels
        self.labels.setRowCount(len(names))
        for row, name in enumerate(names):
            right, wrong, missed = counts[row].tolist()
            texts = (
                name,
                _share(float(found.evaluation.per_label_ap50[row])),
                _share(right / (right + wrong) if right + wrong else math.nan),
                _share(right / (right + missed) if right + missed else math.nan),
            )
            for column, text in enumerate(texts):
                cell = self.labels.item(row, column)
                if cell is None:
                    cell = QTableWidgetItem()
                    self.labels.setItem(row, column, cell)
                    if column:
                        cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                cell.setText(text)
                if not column:
                    cell.setToolTip(name)


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _table() -> QTableWidget:
    table = QTableWidget(0, 4)
    table.setObjectName("inspect-labels")
    table.setHorizontalHeaderLabels(["label", "AP50", "precision", "recall"])
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    table.setMinimumHeight(80)
    return table
