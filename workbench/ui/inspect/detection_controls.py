"""What decides which candidates are detections: confidence, NMS with its overlap and kind, and the limit per image."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from workbench.core.detections import MOST, NmsKind
from workbench.core.nms import TITLES
from workbench.ui import theme
from workbench.ui.inspect.evaluation_job import Nms
from workbench.ui.inspect.slider_row import SliderRow
from workbench.ui.widgets.buttons import icon_button
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel
from workbench.ui.widgets.spin_boxes import spin_box

PUBLISHED = "published"
CONFIDENCE, OVERLAP = 0.25, 0.6  # until something is found
_HELP: dict[NmsKind, str] = {
    "per label": "Of two detections of a label that overlap more, the lower one goes.",
    "across labels": "Of any two detections that overlap more, the lower one goes.",
    "diou": "As per label, but the overlap counts less the farther the centres are apart (arXiv 1911.08287): for "
    "crowds.",
    "darknet diou": "As DIoU, but with the distance to the power of 0.6, as in Darknet (nms_kind=greedynms of YOLOv4's"
    " files).",
    "soft": "Soft-NMS: the lower one stays, with a score reduced by the overlap (arXiv 1704.04503).",
}


class DetectionControls(QWidget):
    """`nms_changed` when a person changed the overlap, the kind or the limit; the other signals are the buttons'."""

    nms_changed = Signal()
    keep_requested = Signal()
    forget_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._published: NmsKind = "per label"
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(1, 1)
        self.confidence = SliderRow(
            grid, "inspect-confidence", "Confidence", CONFIDENCE,
            "Detections below this score are not shown and not counted. A label can have its own, in the table.",
        )  # fmt: skip
        self.iou = SliderRow(
            grid, "inspect-iou", "NMS overlap", OVERLAP,
            "Of two detections of a label that overlap more, the lower one goes; 1: none.",
            low=0.05,
        )  # fmt: skip
        self._kind = ElidedCombo("inspect-kind", "NMS", "How overlapping detections are thinned out.", 10)
        self._kind.addItem(PUBLISHED, None)
        self._kind.setItemData(0, "As the detector's authors do.", Qt.ItemDataRole.ToolTipRole)
        for kind, help in _HELP.items():
            self._kind.addItem(TITLES[kind], kind)
            self._kind.setItemData(self._kind.count() - 1, help, Qt.ItemDataRole.ToolTipRole)
        self.limit = spin_box(minimum=1, maximum=MOST, value=300, prefix="max ")
        self.limit.setObjectName("inspect-limit")
        self.limit.setMaximumWidth(96)  # "max 1000" needs 90; the name of the NMS beside it must not be cut
        self.limit.setAccessibleName("Maximum per image")
        self.limit.setToolTip(
            "How many detections per image stay after NMS at most, the highest scores first. With tiles: so many for"
            " the whole and for each tile."
        )
        self.keep = QPushButton("Keep as operating point")
        self.keep.setObjectName("inspect-keep")
        self.keep.setToolTip("Saves these confidences and this NMS with the run. This page then opens with them.")
        self._kept = ElidedLabel()
        self._kept.setObjectName("inspect-kept")
        self._kept.setProperty("role", "muted")
        self._forget = icon_button("inspect-forget", "mdi6.close", "Keep no operating point with this run.")
        policy = self._forget.sizePolicy()  # keeps the row's height: else everything below moved when a point was kept
        policy.setVerticalPolicy(QSizePolicy.Policy.Ignored)
        self._forget.setSizePolicy(policy)
        self._forget.clicked.connect(self.forget_requested)
        self._forget.hide()
        row = grid.rowCount()
        which = QHBoxLayout()  # not in the sliders' column: "published: Darknet DIoU" needs the space beside "NMS"
        which.setSpacing(theme.GRID)
        which.addWidget(QLabel("NMS"))
        which.addWidget(self._kind, 1)
        grid.addLayout(which, row, 0, 1, 2)
        grid.addWidget(self.limit, row, 2)
        last = QHBoxLayout()
        last.addWidget(self._kept, 1)
        last.addWidget(self._forget)
        last.addWidget(self.keep)
        grid.addLayout(last, row + 1, 0, 1, 3)
        grid.setHorizontalSpacing(theme.GRID)
        self.iou.changed.connect(self.nms_changed)
        self._kind.activated.connect(self.nms_changed)
        self.limit.valueChanged.connect(self.nms_changed)
        self.keep.clicked.connect(self.keep_requested)
        self.clear()

    @property
    def kind(self) -> NmsKind | None:
        """The chosen kind; None means that of the detector's authors."""
        kind: NmsKind | None = self._kind.currentData()
        return kind

    @property
    def nms(self) -> Nms:
        return Nms(self.iou.value, self.kind or self._published, self.limit.value())

    def show_nms(self, nms: Nms, *, kind_too: bool) -> None:
        """Does not emit `nms_changed`."""
        self.iou.set_value(nms.iou)
        self.limit.blockSignals(True)
        self.limit.setValue(nms.limit)
        self.limit.blockSignals(False)
        if kind_too:
            self._kind.setCurrentIndex(0 if nms.kind == self._published else self._kind.findData(nms.kind))

    def show_published(self, kind: NmsKind) -> None:
        """What "published" means for the current detector."""
        self._published = kind
        title = TITLES[kind]
        self._kind.setItemText(0, f"{PUBLISHED}: {title}")
        self._kind.setItemData(0, f"As the detector's authors do: {title}.", Qt.ItemDataRole.ToolTipRole)

    def say(self, words: str) -> None:
        """Text beside the button: how these settings compare with what is kept."""
        self._kept.setText(words)
        self._kept.setToolTip(words)

    def offer_to_forget(self, on: bool) -> None:
        self._forget.setVisible(on)

    def clear(self) -> None:
        self._kind.setItemText(0, PUBLISHED)
        self.confidence.set_value(CONFIDENCE)
        self.iou.set_value(OVERLAP)
        self.keep.setEnabled(False)
        self.say("")
