"""The right of the window "Other images": what decides about boxes, what was found, and writing it all to files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from workbench.core import words
from workbench.core.detections import Kind
from workbench.inference.operating_point import OperatingPoint
from workbench.ui import theme
from workbench.ui.counted import Counted
from workbench.ui.inspect.knobs import Knobs
from workbench.ui.inspect.looking.found_list import FoundList
from workbench.ui.inspect.work import Nms
from workbench.ui.widgets.elided import Elided
from workbench.ui.widgets.popups import Menu
from workbench.ui.widgets.spins import spin_box

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


class LookingSide(QWidget):
    """`changed`: other boxes of the same candidates; `look_asked`: run the network again; `write_asked`: to files."""

    changed = Signal()
    look_asked = Signal()
    write_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own: tuple[tuple[str, float], ...] = ()
        self._why_not = ""
        self._kept: OperatingPoint | None = None
        self._begun = False  # whether the knobs have their initial values: these need the network's own NMS
        self.knobs = Knobs()
        self.knobs.keep.hide()  # it is chosen where labels are known
        for knob in (self.knobs.confidence, self.knobs.iou):
            knob.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # dragging it leaves the arrow keys to the pictures
        self.tiles = spin_box(minimum=0, maximum=TILES[1], singleStep=64, suffix=" px")
        self.tiles.setSpecialValueText("none")
        self.tiles.setObjectName("looking-tiles")
        self.tiles.setAccessibleName("Tiles")
        self.tiles.setKeyboardTracking(False)
        help = "Also look at larger images in tiles of this side, for small objects. Each takes as long as an image."
        self.tiles.setToolTip(help)
        tiles_label = QLabel("Tiles")
        tiles_label.setToolTip(help)
        self.labels = FoundList()
        row = QHBoxLayout()
        row.addWidget(tiles_label)
        row.addStretch(1)
        row.addWidget(self.tiles)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GRID, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.knobs)
        column.addLayout(row)
        column.addWidget(self.labels, 1)
        column.addLayout(self._writing())
        self.knobs.confidence.changed.connect(self.changed)
        self.knobs.nms_changed.connect(self.changed)
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
        self.said = Elided()
        self.said.setObjectName("looking-said")
        self.said.setProperty("role", "muted")
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
        below.addWidget(self.said, 1)
        below.addWidget(self.open)
        column.addLayout(row)
        column.addLayout(below)
        self.write.clicked.connect(self.write_asked)
        self._formats_changed()
        return column

    @property
    def point(self) -> OperatingPoint:
        nms = self.knobs.nms
        return OperatingPoint(self.knobs.confidence.value, self._own, nms.iou, nms.kind, nms.limit)

    @property
    def formats(self) -> tuple[str, ...]:
        return tuple(name for name, action in self._ticks.items() if action.isChecked())

    def take_point(self, point: OperatingPoint | None, is_kept: bool = True) -> None:
        """The knobs' initial values: kept with the run, or the best of its evaluation. None: the authors'."""
        self._kept, self._begun = point, False
        self._own = point.own if point is not None else ()
        self.knobs.clear()
        self.knobs.confidence.set_value(point.confidence if point is not None else 0.25)
        if point is not None:
            self.knobs.show_nms(Nms(point.iou, point.kind, point.limit), kind_too=False)
            own = f", {words.count(len(self._own), 'label')} by their own" if self._own else ""
            best = "At its highest F1, as on the Inspect page"
            self.knobs.say(f"The run's operating point{own}" if is_kept else best)

    def take_published(self, kind: Kind, iou: float) -> None:
        """The network's own NMS, once known: the kept point may use that or another."""
        self.knobs.show_published(kind)
        if not self._begun:
            kept = self._kept
            nms = Nms(iou, kind, 300) if kept is None else Nms(kept.iou, kept.kind, kept.limit)
            self.knobs.show_nms(nms, kind_too=True)
        self._begun = True

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
        self.said.setText(sentence)
        self.said.setToolTip(f"{sentence}\n{folder}" if folder else sentence)
        self.open.setVisible(folder is not None)

    def say_progress(self, event: object) -> None:
        if isinstance(event, Counted):
            self.said.setText(f"{event.done:,} of {event.total:,} {event.detail}" if event.total else event.detail)

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
        self.look_asked.emit()
