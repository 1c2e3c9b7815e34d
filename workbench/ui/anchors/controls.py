"""The left-hand choices of the anchors page: how many, for what input, of which boxes, and how the film is played."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)  # fmt: skip

from workbench.anchors import Update
from workbench.ui import theme
from workbench.ui.anchors.playback import AT_ONCE, Playback
from workbench.ui.anchors.work import MOST_ANCHORS

PARTS = {
    "all": "all images",
    "train": "training images",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """`part`: "all", or "train" for the images that are not in the splits validation and test."""

    k: int
    px: int
    resize: str
    part: str
    update: Update
    seed: int


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
            "anchors-resize", {"stretch": "stretched", "letterbox": "letterboxed"},
            "How an image becomes the square input. The detectors here stretch it.",
        )  # fmt: skip
        self.part = _combo(
            "anchors-part", PARTS,
            "Whose boxes count. Anchors of the training images alone keep the validation numbers honest.",
        )  # fmt: skip
        self.update_rule = _combo(
            "anchors-update", {"median": "median", "mean": "mean (paper)"},
            "Where an anchor moves in each step. The mean is YOLOv2's; the median reaches a higher mean IoU.",
        )  # fmt: skip
        self.seed = _spin("anchors-seed", 0, 9999, 0, "The same seed gives the same anchors.")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        rows = (
            ("Anchors", self.k), ("Input side", self.px), ("Images are", self.resize_how), ("Boxes of", self.part),
            ("Moves to the", self.update_rule), ("Seed", self.seed),
        )  # fmt: skip
        for title, editor in rows:
            form.addRow(title, editor)
        for spin in (self.k, self.px, self.seed):
            spin.valueChanged.connect(self.changed)
        for combo in (self.resize_how, self.part, self.update_rule):
            combo.currentIndexChanged.connect(self.changed)

    def choices(self) -> Choices:
        return Choices(
            self.k.value(), self.px.value(), self.resize_how.currentData(), self.part.currentData(),
            self.update_rule.currentData(), self.seed.value(),
        )  # fmt: skip


class PlaybackBar(QWidget):
    """Play or pause, one step, and the speed."""

    def __init__(self, playback: Playback, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._playback = playback
        self.play = QPushButton("Pause")
        self.play.setObjectName("anchors-pause")
        self.play.setToolTip("Pause, go on, or play again from the start.")
        self.step = QPushButton("Step")
        self.step.setObjectName("anchors-step")
        self.step.setToolTip("Pause and show the next step.")
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
        self.play.clicked.connect(self._toggle)
        self.step.clicked.connect(playback.one_step)
        self.speed.valueChanged.connect(playback.set_speed)
        playback.changed.connect(self._show_state)
        playback.shown.connect(self._show_state)
        self._show_state()

    @Slot()
    def _toggle(self) -> None:
        self._playback.play(self._playback.over or not self._playback.playing)

    @Slot()
    def _show_state(self) -> None:
        over, playing = self._playback.over, self._playback.playing
        word = "Replay" if over else "Pause" if playing else "Play"
        if self.play.text() != word or not self.play.property("icon-name"):
            self.play.setText(word)
            theme.set_icon(self.play, f"mdi6.{word.lower()}")
        self.play.setEnabled(bool(self._playback.steps))
        self.step.setEnabled(bool(self._playback.steps) and not self._playback.at_end)


def log_switch() -> QCheckBox:
    box = QCheckBox("Logarithmic axes")
    box.setObjectName("anchors-log")
    box.setToolTip("Equal factors look equally far apart: better when boxes are of very different sizes.")
    return box


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
