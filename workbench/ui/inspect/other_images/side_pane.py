"""The right of the window "Other images": what decides about boxes, what was found, and writing it all to files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from workbench.core import formatting
from workbench.core.detections import NmsKind
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.checkpoints.header import read_header
from workbench.ui import theme
from workbench.ui.inspect.detection_controls import DetectionControls
from workbench.ui.inspect.evaluation_job import Nms
from workbench.ui.inspect.other_images.label_counts import LabelCountTable
from workbench.ui.job_progress import JobProgress
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.popups import Menu
from workbench.ui.widgets.spin_boxes import spin_box

TILES = 64, 8192  # px
FORMATS = {
    "json": "JSON",
    "coco": "COCO results",
    "yolo": "YOLO txt with scores",
    "voc": "Pascal VOC XML",
    "csv": "CSV table",
    "pictures": "Pictures with boxes",
    "video": "Video with boxes",
}


class SidePane(QWidget):
    """`changed`: other boxes of the same candidates; `run_requested`: run it again; `write_requested`: to files."""

    changed = Signal()
    run_requested = Signal()
    write_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._own: tuple[tuple[str, float], ...] = ()
        self._why_not = ""
        self._kept: OperatingPoint | None = None
        self._has_initial_values = False  # the controls: these need the network's own NMS
        self.controls = DetectionControls()
        self.controls.keep.hide()  # it is chosen where labels are known
        for control in (self.controls.confidence, self.controls.iou):
            control.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # dragging it leaves the arrow keys to the pictures
        self.tiles = spin_box(minimum=0, maximum=TILES[1], singleStep=64, suffix=" px")
        self.tiles.setSpecialValueText("none")
        self.tiles.setObjectName("looking-tiles")
        self.tiles.setAccessibleName("Tiles")
        self.tiles.setKeyboardTracking(False)
        help = (
            "Also look at larger images in tiles of this side, for small objects. Each takes as long as an image. At"
            " first as the run was trained."
        )
        self.tiles.setToolTip(help)
        tiles_label = QLabel("Tiles")
        tiles_label.setToolTip(help)
        self.labels = LabelCountTable()
        row = QHBoxLayout()
        row.addWidget(tiles_label)
        row.addStretch(1)
        row.addWidget(self.tiles)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GRID, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.controls)
        column.addLayout(row)
        column.addWidget(self.labels, 1)
        column.addLayout(self._writing())
        self.controls.confidence.changed.connect(self.changed)
        self.controls.nms_changed.connect(self.changed)
        self.labels.changed.connect(self.changed)
        self.tiles.valueChanged.connect(self._tiles_changed)

    def _writing(self) -> QVBoxLayout:
        menu = Menu(self)
        self._ticks: dict[str, QAction] = {}
        for name, title in FORMATS.items():
            action = self._ticks[name] = QAction(title, menu)
            menu.addAction(action)
            action.setObjectName(f"looking-format-{name}")
            action.setCheckable(True)
            action.setChecked(name in ("json", "pictures"))
            action.setEnabled(name != "video")
            action.toggled.connect(self._formats_changed)
        self._formats = QToolButton()
        self._formats.setObjectName("looking-formats")
        self._formats.setText("Formats")
        self._formats.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._formats.setMenu(menu)
        self.write = QPushButton("Write results…")
        self.write.setObjectName("looking-write")
        self.status = ElidedLabel()
        self.status.setObjectName("looking-said")
        self.status.setProperty("role", "muted")
        self.open = QToolButton()
        self.open.setObjectName("looking-open-results")
        self.open.setAccessibleName("Open the folder of the results")
        self.open.setToolTip("Open the folder of the results")
        self.open.setAutoRaise(True)
        theme.set_icon(self.open, "mdi6.folder-open-outline")
        policy = self.open.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.open.setSizePolicy(policy)
        self.open.hide()
        row, below, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout()
        row.addWidget(self._formats)
        row.addWidget(self.write, 1)
        below.addWidget(self.status, 1)
        below.addWidget(self.open)
        column.addLayout(row)
        column.addLayout(below)
        self.write.clicked.connect(self.write_requested)
        self._formats_changed()
        return column

    @property
    def point(self) -> OperatingPoint:
        nms = self.controls.nms
        return OperatingPoint(self.controls.confidence.value, self._own, nms.iou, nms.kind, nms.limit)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(name for name, action in self._ticks.items() if action.isChecked())

    def set_point(self, point: OperatingPoint | None, is_kept: bool = True) -> None:
        """The controls' initial values: kept with the run, or the best of its evaluation. None: the authors'."""
        self._kept, self._has_initial_values = point, False
        self._own = point.own if point is not None else ()
        self.controls.clear()
        self.controls.confidence.set_value(point.confidence if point is not None else 0.25)
        if point is not None:
            self.controls.show_nms(Nms(point.iou, point.kind, point.limit), kind_too=False)
            own = f", {formatting.count(len(self._own), 'label')} by their own" if self._own else ""
            best = "At its highest F1, as on the Inspect page"
            self.controls.say(f"The run's operating point{own}" if is_kept else best)

    def set_published_nms(self, kind: NmsKind, iou: float) -> None:
        """The network's own NMS, once known: the kept point may use that or another."""
        self.controls.show_published(kind)
        if not self._has_initial_values:
            kept = self._kept
            nms = Nms(iou, kind, 300) if kept is None else Nms(kept.iou, kept.kind, kept.limit)
            self.controls.show_nms(nms, kind_too=True)
        self._has_initial_values = True

    def set_tiles_of(self, checkpoint: Path) -> None:
        """Those in which it was trained to see large images, without running the network again."""
        try:
            side = read_header(checkpoint).tiles
        except WorkbenchError:  # said when it is asked to detect
            side = 0
        with QSignalBlocker(self.tiles):
            self.tiles.setValue(side)

    def offer_formats(self, is_video: bool) -> None:
        """A video's frames are written as a video instead of single pictures, unless a person checks otherwise."""
        video, pictures = self._ticks["video"], self._ticks["pictures"]
        if video.isEnabled() != is_video:
            video.setEnabled(is_video)
            video.setChecked(is_video)
            pictures.setChecked(not is_video)

    def offer_writing(self, why_not: str) -> None:
        """`why_not` is empty if results can be written."""
        self._why_not = why_not
        self._formats_changed()

    def say_written(self, sentence: str, folder: Path | None) -> None:
        """The outcome of writing; `folder`: where the results are."""
        self.status.setText(sentence)
        self.status.setToolTip(f"{sentence}\n{folder}" if folder else sentence)
        self.open.setVisible(folder is not None)

    def say_progress(self, event: object) -> None:
        if isinstance(event, JobProgress):
            self.status.setText(event.words)

    @Slot()
    def _formats_changed(self) -> None:
        chosen = [FORMATS[name] for name in self.formats]
        self._formats.setToolTip(f"What is written: {', '.join(chosen) or 'nothing yet, tick a format'}")
        why_not = self._why_not or ("" if chosen else "Tick a format first.")
        self.write.setEnabled(not why_not)
        self.write.setToolTip(why_not or "Predict everything that was opened, and write it in the formats ticked.")

    @Slot(int)
    def _tiles_changed(self, value: int) -> None:
        if 0 < value < TILES[0]:  # a step up from none
            self.tiles.setValue(TILES[0])
            return
        self.run_requested.emit()
