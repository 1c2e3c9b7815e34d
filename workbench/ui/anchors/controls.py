"""The choices on the anchors page: how many, for which input, from which boxes, and how the film is played."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)  # fmt: skip

from workbench import anchors
from workbench.core.project import AnchorSet
from workbench.core.resize import base_mode
from workbench.core.tiling import SMALLEST
from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.anchors.computation import MOST_ANCHORS, AnchorChoices
from workbench.ui.anchors.playback import AT_ONCE, Playback
from workbench.ui.widgets.popups import Combo
from workbench.ui.widgets.spin_boxes import spin_box

PARTS = {"train": "training", "all": "all images"}
MOST_STARTS = 300
MOST_TILES = 16_384  # px, as the training's setting


class ChoicesForm(QWidget):
    """`changed` after the user has changed any of them."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.k = _spin("anchors-k", 1, MOST_ANCHORS, 6, "How many anchors. The tiny networks want 6, YOLOv3 9.")
        self.px = _spin("anchors-px", 32, 2048, 416, "Side of the network's square input, in pixels.")
        self.px.setSingleStep(32)
        self.px.setSuffix(" px")
        self.resize_how = make_combo(
            "anchors-resize", {"stretch": "stretch", "letterbox": "letterbox"},
            "How an image becomes the square input. YOLOv1, YOLOv4 and SSD stretch it; most others keep its proportions"
            " and pad it, which is the letterbox.",
        )  # fmt: skip
        self.part = make_combo(
            "anchors-part", PARTS,
            "Whose boxes count. Anchors of the training images alone keep the validation numbers honest.",
        )  # fmt: skip
        self.scale = _spin(
            "anchors-scale", 0, 90, 0,
            "By how much training makes images larger or smaller (the recipe's 'scale'). Each box then counts at all "
            "the sizes it can get, without the parts that fall outside the image.",
        )  # fmt: skip
        self.tiles = _spin(
            "anchors-tiles", 0, MOST_TILES, 0,
            "Side of the tiles in which the training sees larger photographs (the recipe's 'tiles'). Each box then "
            "counts in the tile that shows most of it. They overlap by a fifth, as in a training whose Tile "
            "overlap was not changed: others make little difference.",
        )  # fmt: skip
        self.tiles.setSpecialValueText("none")
        self.tiles.setSingleStep(64)
        self.tiles.setSuffix(" px")
        self.scale.setSuffix(" %")
        self.scale.setSingleStep(10)
        self.update_rule = make_combo(
            "anchors-update", {"median": "median", "mean": "mean (paper)"},
            "Where an anchor moves in each step: to the mean of its boxes, as in YOLOv2, or to their median, which "
            "reaches a higher mean IoU.",
        )  # fmt: skip
        self.refines = QCheckBox("then refine")
        self.refines.setObjectName("anchors-refine")
        self.refines.setToolTip(
            "Genetic refinement as a second stage: tries a thousand random changes and keeps those that are better."
        )
        self.starts = _spin(
            "anchors-starts", 1, MOST_STARTS, anchors.RESTARTS,
            "k-means ends differently from each start (drawn by k-means++). This many are tried, and the film shows "
            "the best.",
        )  # fmt: skip
        self.starts.setPrefix("best of ")
        self.seed = _spin("anchors-seed", 0, 9999, 0, "The same seed gives the same anchors.")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.GRID)
        grid.setVerticalSpacing(4)
        rows = (
            (("Anchors", self.k), ("Starts", self.starts)),
            (("Input side", self.px), ("Images", self.resize_how)),
            (("Boxes of", self.part), ("Scale ±", self.scale)),
            (("Tiles", self.tiles), ("Seed", self.seed)),
            (("Centre", self.update_rule),),
        )
        for row, pairs in enumerate(rows):
            for place, (title, editor) in enumerate(pairs):
                name = QLabel(title)
                name.setBuddy(editor)
                name.setToolTip(editor.toolTip())
                grid.addWidget(name, row, 2 * place)
                grid.addWidget(editor, row, 2 * place + 1)
        grid.addWidget(self.refines, len(rows) - 1, 2, 1, 2)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for spin in (self.k, self.px, self.seed, self.scale, self.starts):
            spin.valueChanged.connect(self.changed)
        self.tiles.valueChanged.connect(self._tiles_changed)
        for combo in (self.resize_how, self.part, self.update_rule):
            combo.currentIndexChanged.connect(self.changed)
        self.refines.toggled.connect(self.changed)

    @Slot(str)
    def choose_resize(self, how: str) -> None:
        self.resize_how.setCurrentIndex(self.resize_how.findData(how))

    @Slot(int)
    def _tiles_changed(self, value: int) -> None:
        if 0 < value < SMALLEST:
            self.tiles.setValue(SMALLEST)  # which comes here again
        else:
            self.changed.emit()

    def begin_with(self, used: AnchorSet | None) -> None:
        """Start with what the anchors that the project already uses were made for, without emitting a signal."""
        if used is not None:
            with QSignalBlocker(self.resize_how):
                self.choose_resize(base_mode(used.resize))
            for spin, value in ((self.k, len(used.sizes)), (self.px, used.input_px), (self.tiles, used.tiles)):
                with QSignalBlocker(spin):
                    spin.setValue(value)

    def choices(self) -> AnchorChoices:
        return AnchorChoices(
            self.k.value(), self.px.value(), self.resize_how.currentData(), self.part.currentData(),
            self.scale.value() / 100, self.update_rule.currentData(), self.refines.isChecked(), self.seed.value(),
            self.starts.value(), self.tiles.value(),
        )  # fmt: skip


class PlaybackBar(QWidget):
    """Play or pause, one step, and the speed."""

    def __init__(self, playback: Playback, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self.play = QPushButton("Pause")
        self.play.setObjectName("anchors-pause")
        tell_key(self.play, "anchors-play", "{}; at its end, play it again from the start.")
        self.step = QPushButton("Step")
        self.step.setObjectName("anchors-step")
        tell_key(self.step, "anchors-step", "{}, and pause.")
        theme.set_icon(self.step, "mdi6.skip-next-outline")
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed.setRange(1, AT_ONCE)
        self.speed.setValue(8)
        self.speed.setObjectName("anchors-speed")
        self.speed.setAccessibleName("Speed of the steps")
        self.speed.setToolTip("Steps per second; at the right end, the result appears at once.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.play)
        row.addWidget(self.step)
        row.addWidget(QLabel("Speed"))
        row.addWidget(self.speed, 1)
        self.play.clicked.connect(self.toggle)
        self.step.clicked.connect(playback.one_step)
        self.speed.valueChanged.connect(playback.set_speed)
        playback.changed.connect(self._show_state)
        playback.shown.connect(self._show_state)
        self._show_state()

    @Slot()
    def toggle(self) -> None:
        """Play or pause."""
        self._playback.play(self._playback.over or not self._playback.playing)

    @property
    def word(self) -> str:
        """The button's text."""
        return "Replay" if self._playback.over else "Pause" if self._playback.playing else "Play"

    @Slot()
    def _show_state(self) -> None:
        word = self.word
        if self.play.text() != word or not self.play.property("icon-name"):
            self.play.setText(word)
            theme.set_icon(self.play, f"mdi6.{word.lower()}")
        self.play.setEnabled(bool(self._playback.steps))
        self.step.setEnabled(bool(self._playback.steps) and not self._playback.at_end)


def _spin(name: str, low: int, high: int, value: int, help: str) -> QSpinBox:
    spin = spin_box(minimum=low, maximum=high, value=value)
    spin.setObjectName(name)
    spin.setToolTip(help)
    spin.setKeyboardTracking(False)
    return spin


def make_combo(name: str, entries: dict[str, str], help: str) -> QComboBox:
    """`entries`: the shown text by item data."""
    combo = Combo()
    combo.setObjectName(name)
    combo.setToolTip(help)
    for key, text in entries.items():
        combo.addItem(text, key)
    return combo
