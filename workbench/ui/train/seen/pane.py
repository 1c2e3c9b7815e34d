"""One detector's side of the window: which it is, with which weights, the picture, its levels, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from workbench.core.words import count
from workbench.errors import WorkbenchError
from workbench.training.runs import RunInfo
from workbench.ui import theme
from workbench.ui.train.seen.levels import Levels
from workbench.ui.train.seen.picture import SeenPicture
from workbench.ui.train.seen.work import CERTAIN, FRESH, Look, Weights
from workbench.ui.train.work import DetectorChoice
from workbench.ui.widgets.elided import Elided, ElidedCombo

_NOUNS = {"anchor": "anchor", "cell": "cell", "point": "point"}
_SAY_AFTER = 200
"""Milliseconds after which it is said that something is being done."""


class Pane(QWidget):
    """`changed` when another detector or other weights were chosen. `name` begins the names of its parts."""

    changed = Signal()

    def __init__(self, name: str, accessible: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs: tuple[RunInfo, ...] = ()
        self.look: Look | None = None
        self.detector = ElidedCombo(f"{accessible}: whose assignment is drawn")
        self.detector.setObjectName(f"{name}-detector")
        self.detector.setAccessibleName(accessible)
        self.weights = ElidedCombo(
            "With which weights the network answers, where its answer decides: the hardest negatives, what is ignored"
        )
        self.weights.setObjectName(f"{name}-weights")
        self.weights.setAccessibleName(f"Weights of the {accessible.lower()}")
        for combo in (self.detector, self.weights):
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            combo.setMinimumContentsLength(8)
        self.picture = SeenPicture(f"{name}-picture")
        self.levels = Levels(f"{name}-level")
        self.about = Elided()
        self.about.setObjectName(f"{name}-about")
        self.about.setProperty("role", "muted")
        self.words = QLabel(wordWrap=True)
        self.words.setObjectName(f"{name}-words")
        self.note = QLabel(wordWrap=True)
        self.note.setObjectName(f"{name}-note")
        self.note.setProperty("role", "muted")
        for label in (self.words, self.note):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self._waiting = QTimer(self, singleShot=True, interval=_SAY_AFTER)
        self._waiting.timeout.connect(self._say_waiting)
        self._lay_out()
        self.detector.activated.connect(self._detector_chosen)
        self.weights.activated.connect(self.changed)
        self.levels.changed.connect(self._levels_changed)
        self._offer_weights()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme.GRID)
        head.addWidget(self.detector, 3)
        head.addWidget(self.weights, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(self.picture, 1)
        column.addWidget(self.levels)
        column.addWidget(self.words)
        column.addWidget(self.note)

    # --- what can be chosen ---

    def fill(self, choices: Sequence[DetectorChoice], runs: Sequence[RunInfo], first: str) -> None:
        """`first`: the detector that is chosen."""
        self._runs = tuple(runs)
        self.detector.clear()
        for choice in choices:
            self.detector.addItem(choice.title, choice.name)
            self.detector.setItemData(self.detector.count() - 1, choice.summary, Qt.ItemDataRole.ToolTipRole)
        self.choose(first)

    def choose(self, detector: str) -> None:
        self.detector.setCurrentIndex(max(0, self.detector.findData(detector)))
        self._offer_weights()

    @property
    def detector_name(self) -> str:
        """Empty while nothing can be chosen."""
        return self.detector.currentData() or ""

    @property
    def weights_wanted(self) -> Weights:
        data = self.weights.currentData()
        return data if isinstance(data, Path) else str(data)

    def _offer_weights(self) -> None:
        kept = self.weights.currentData() if self.weights.count() else FRESH
        self.weights.clear()
        self.weights.addItem("Fresh weights", FRESH)
        self.weights.addItem("Without weights: what is certain", CERTAIN)
        for run in self._runs:
            file = run.checkpoint
            if run.detector == self.detector_name and file is not None:
                self.weights.addItem(f"Run {run.name}", file)
        rows = [row for row in range(self.weights.count()) if self.weights.itemData(row) == kept]
        self.weights.setCurrentIndex(rows[0] if rows else 0)

    @Slot()
    def _detector_chosen(self) -> None:
        self._offer_weights()
        self.changed.emit()

    # --- what is shown ---

    def wait(self) -> None:
        """A look was asked for: say so, if it takes long."""
        if not self._waiting.isActive():
            self._waiting.start()

    @Slot()
    def _say_waiting(self) -> None:
        if self.look is None:
            self.picture.say("Looking …", "muted")
        self.about.setText("Looking …")

    def show_result(self, result: object) -> None:
        """A Look, or the WorkbenchError in its place."""
        self._waiting.stop()
        if isinstance(result, Look):
            self._show(result)
        elif isinstance(result, WorkbenchError):
            self.look = None
            self.picture.look = None
            self.picture.say(result.sentence)
            for label in (self.about, self.words, self.note):
                label.setText("")

    def _show(self, look: Look) -> None:
        self.look = look
        self.levels.show_look(look)
        self.picture.hidden = self.levels.hidden
        self.picture.show_look(look)
        self.about.setText(look.about)
        self.words.setText(summary(look))
        self.note.setText(look.note)
        self.note.setVisible(bool(look.note))

    @Slot()
    def _levels_changed(self) -> None:
        self.picture.hidden = self.levels.hidden
        self.picture.renew()


def summary(look: Look) -> str:
    """What becomes of boxes and priors, in a sentence or two."""
    wanted = sum(not ignore for ignore in look.ignore.tolist())
    learnt = len(set(look.box.tolist()))
    noun = _NOUNS[look.kind]
    words = f"{learnt:,} of {count(wanted, 'box')} learnt, by {count(look.positives, noun)}."
    if look.ignored is not None:
        words += f" {int(look.ignored.sum()):,} ignored"
    if look.negative is not None:
        words += f", {int(look.negative.sum()):,} learn that nothing is there"
        words += f", {look.passed_over:,} passed over" if look.passed_over else ""
    return words if look.ignored is None else f"{words}."
