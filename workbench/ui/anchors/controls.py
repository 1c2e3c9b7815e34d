"""The choices of the anchors page: how many, for what input, of which boxes, and how the film is played."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
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
from workbench.ui import theme
from workbench.ui.actions import tooltip
from workbench.ui.anchors.playback import AT_ONCE, Playback
from workbench.ui.anchors.work import MOST_ANCHORS, Choices
from workbench.ui.commands import BY_NAME
from workbench.ui.widgets.elided import Elided

PARTS = {"train": "training", "all": "all images"}
MOST_STARTS = 300


class ChoicesForm(QWidget):
    """`changed` after any of them was changed by a person."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.k = _spin("anchors-k", 1, MOST_ANCHORS, 9, "How many anchors. YOLOv3 wants 9, the tiny networks 6.")
        self.px = _spin("anchors-px", 32, 2048, 416, "Side of the network's square input, in pixels.")
        self.px.setSingleStep(32)
        self.px.setSuffix(" px")
        self.resize_how = _combo(
            "anchors-resize", {"stretch": "stretch", "letterbox": "letterbox"},
            "How an image becomes the square input. The detectors here stretch it.",
        )  # fmt: skip
        self.part = _combo(
            "anchors-part", PARTS,
            "Whose boxes count. Anchors of the training images alone keep the validation numbers honest.",
        )  # fmt: skip
        self.scale = _spin(
            "anchors-scale", 0, 90, 0,
            "How much training makes images larger or smaller (the recipe's 'scale'): each box then counts as the"
            " sizes that it gets, without what falls out of the image.",
        )  # fmt: skip
        self.scale.setSuffix(" %")
        self.scale.setSingleStep(10)
        self.update_rule = _combo(
            "anchors-update", {"median": "median", "mean": "mean (paper)"},
            "Of its boxes, where an anchor moves in each step. The mean is YOLOv2's; the median reaches a higher mean"
            " IoU.",
        )  # fmt: skip
        self.refines = QCheckBox("then refine")
        self.refines.setObjectName("anchors-refine")
        self.refines.setToolTip(
            "Genetic refinement as a second stage: a thousand random changes, of which those stay that are better."
        )
        self.starts = _spin(
            "anchors-starts", 1, MOST_STARTS, anchors.RESTARTS,
            "k-means ends elsewhere from each start. So many run unseen, and the film is that of the best.",
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
            (("Centre", self.update_rule), ("Seed", self.seed)),
        )
        for row, pairs in enumerate(rows):
            for place, (title, editor) in enumerate(pairs):
                name = QLabel(title)
                name.setBuddy(editor)
                name.setToolTip(editor.toolTip())
                grid.addWidget(name, row, 2 * place)
                grid.addWidget(editor, row, 2 * place + 1)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for spin in (self.k, self.px, self.seed, self.scale, self.starts):
            spin.valueChanged.connect(self.changed)
        for combo in (self.resize_how, self.part, self.update_rule):
            combo.currentIndexChanged.connect(self.changed)
        self.refines.toggled.connect(self.changed)

    def choices(self) -> Choices:
        return Choices(
            self.k.value(), self.px.value(), self.resize_how.currentData(), self.part.currentData(),
            self.scale.value() / 100, self.update_rule.currentData(), self.refines.isChecked(), self.seed.value(),
            self.starts.value(),
        )  # fmt: skip


class PlaybackBar(QWidget):
    """Play or pause, one step, and the speed."""

    def __init__(self, playback: Playback, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self.play = QPushButton("Pause")
        self.play.setObjectName("anchors-pause")
        self.play.setToolTip(f"{tooltip(BY_NAME['anchors-play'])}; at its end, play it again from the start.")
        self.step = QPushButton("Step")
        self.step.setObjectName("anchors-step")
        self.step.setToolTip(f"{tooltip(BY_NAME['anchors-step'])}, and pause.")
        theme.set_icon(self.step, "mdi6.skip-next-outline")
        self.speed = QSlider(Qt.Orientation.Horizontal)
        self.speed.setRange(1, AT_ONCE)
        self.speed.setValue(8)
        self.speed.setObjectName("anchors-speed")
        self.speed.setAccessibleName("Speed of the steps")
        self.speed.setToolTip("Steps a second; at the right end the result at once.")
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
        """What the button says."""
        return "Replay" if self._playback.over else "Pause" if self._playback.playing else "Play"

    @Slot()
    def _show_state(self) -> None:
        word = self.word
        if self.play.text() != word or not self.play.property("icon-name"):
            self.play.setText(word)
            theme.set_icon(self.play, f"mdi6.{word.lower()}")
        self.play.setEnabled(bool(self._playback.steps))
        self.step.setEnabled(bool(self._playback.steps) and not self._playback.at_end)


class PlotBar(QWidget):
    """Above the plot: colours, axes, and choosing a region; and what is to be said of it."""

    coloured = Signal(str)
    log_set = Signal(bool)
    choosing = Signal(bool)
    gallery_asked = Signal()
    region_dropped = Signal()
    all_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.about = Elided()
        self.about.setObjectName("anchors-about")
        self.about.setProperty("role", "muted")
        self.colours = _combo(
            "anchors-colours", {"anchor": "by anchor", "label": "by label", "split": "by split"}, "What colours tell."
        )
        self.log = QCheckBox("Logarithmic")
        self.log.setObjectName("anchors-log")
        self.log.setToolTip(
            f"{tooltip(BY_NAME['anchors-log'])}: equal factors look equally far apart, which is better when boxes are"
            " of very different sizes."
        )
        self.choose = QPushButton("Choose a region")
        self.choose.setCheckable(True)
        self.choose.setObjectName("anchors-region")
        self.choose.setToolTip(f"{tooltip(BY_NAME['anchors-region'])}; Shift and drag does the same at any time.")
        theme.set_icon(self.choose, "mdi6.selection-drag")
        self.gallery = QPushButton("Show in the gallery")
        self.gallery.setObjectName("anchors-gallery")
        self.gallery.setToolTip("The images with boxes in the region, on the Data page.")
        self.drop = QPushButton("Clear")
        self.drop.setObjectName("anchors-drop-region")
        self.drop.setToolTip("Clear the region.")
        self.whole = QPushButton("Show all")
        self.whole.setObjectName("anchors-show-all")
        self.whole.setToolTip(f"{tooltip(BY_NAME['anchors-show-all'])}. The wheel zooms, a drag moves the picture.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.about, 1)
        for widget in (self.gallery, self.drop, self.choose, self.whole, self.colours, self.log):
            row.addWidget(widget)
        self.colours.currentIndexChanged.connect(lambda _: self.coloured.emit(str(self.colours.currentData())))
        self.log.toggled.connect(self.log_set)
        self.choose.toggled.connect(self.choosing)
        self.gallery.clicked.connect(self.gallery_asked)
        self.drop.clicked.connect(self.region_dropped)
        self.whole.clicked.connect(self.all_asked)
        self.show_region("")

    def show_region(self, sentence: str, *, is_empty: bool = False) -> None:
        """What was chosen, "" for nothing."""
        self.gallery.setEnabled(not is_empty)
        self.gallery.setVisible(bool(sentence))
        self.drop.setVisible(bool(sentence))
        if sentence:
            self.about.setText(sentence)


def _spin(name: str, low: int, high: int, value: int, help: str) -> QSpinBox:
    spin = QSpinBox(minimum=low, maximum=high, value=value)
    spin.setObjectName(name)
    spin.setToolTip(help)
    spin.setKeyboardTracking(False)
    return spin


def _combo(name: str, entries: dict[str, str], help: str) -> QComboBox:
    combo = QComboBox()
    combo.setObjectName(name)
    combo.setToolTip(help)
    for key, text in entries.items():
        combo.addItem(text, key)
    return combo
