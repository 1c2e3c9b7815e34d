"""The line above the pictures: image, augmented or as it is, epoch, another roll of the dice, what is drawn."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QToolButton, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.widgets.elided import Elided


class Controls(QWidget):
    """`changed`: another look is wanted; `drawn_changed`: the same, drawn otherwise; `stepped(±1)`: an image on."""

    changed = Signal()
    drawn_changed = Signal()
    stepped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._seed = 0  # the recipe's
        self._roll = 0  # 0: the recipe's own seed
        self.image = Elided()
        self.image.setObjectName("seen-image")
        self.image.setFont(theme.font(bold=True))
        self.previous = _arrow("seen-previous", "mdi6.chevron-left", "Previous image")
        self.next = _arrow("seen-next", "mdi6.chevron-right", "Next image")
        self.augmented = _check("seen-augmented", "Augmented", "As training changes it; off: only resized")
        self.augmented.setChecked(True)
        self.epoch = QSpinBox(minimum=1, maximum=1)
        self.epoch.setObjectName("seen-epoch")
        self.epoch.setAccessibleName("Epoch")
        self.epoch.setToolTip("In which epoch of the training. The end of a run can be without mosaic and its like.")
        self.epoch.setPrefix("Epoch ")
        self.roll = QPushButton("Another roll", autoDefault=False)
        self.roll.setObjectName("seen-roll")
        self.roll.setToolTip("As another seed would draw it")
        self.back = QPushButton("The recipe's roll", autoDefault=False)
        self.back.setObjectName("seen-roll-back")
        self.back.setToolTip("As the recipe's own seed draws it: what the training computes")
        self.seed = QLabel()
        self.seed.setObjectName("seen-seed")
        self.seed.setProperty("role", "muted")
        self.ignored = _check("seen-ignored", "Ignored", "Hatched: neither object nor background")
        self.negatives = _check(
            "seen-negatives",
            "Chosen background",
            "Crosses, where not all negatives are learnt: in the cells of those that were chosen",
        )
        for box in (self.ignored, self.negatives):
            box.setChecked(True)
        self._lay_out()
        self.previous.clicked.connect(lambda: self.stepped.emit(-1))
        self.next.clicked.connect(lambda: self.stepped.emit(1))
        self.augmented.toggled.connect(self._enable)
        self.augmented.toggled.connect(self.changed)
        self.epoch.valueChanged.connect(self.changed)
        self.roll.clicked.connect(self._another)
        self.back.clicked.connect(self._own)
        self.ignored.toggled.connect(self.drawn_changed)
        self.negatives.toggled.connect(self.drawn_changed)
        self._enable()

    def _lay_out(self) -> None:
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(theme.GRID)
        for widgets in (
            (self.previous, self.next, self.image, self.ignored, self.negatives),
            (self.augmented, self.epoch, self.roll, self.back, self.seed),
        ):
            row = QHBoxLayout()
            row.setSpacing(theme.GRID)
            for widget in widgets:
                row.addWidget(widget, int(widget in (self.image, self.seed)))
            rows.addLayout(row)

    def offer(self, epochs: int, seed: int) -> None:
        """The recipe's."""
        self._seed = seed
        self.epoch.blockSignals(True)
        self.epoch.setMaximum(epochs)
        self.epoch.setSuffix(f" of {epochs:,}")
        self.epoch.blockSignals(False)
        self._enable()

    @property
    def seed_wanted(self) -> int | None:
        """None for the recipe's own."""
        return self._seed + self._roll if self._roll else None

    @Slot()
    def _another(self) -> None:
        self._roll += 1
        self._enable()
        self.changed.emit()

    @Slot()
    def _own(self) -> None:
        self._roll = 0
        self._enable()
        self.changed.emit()

    @Slot()
    def _enable(self) -> None:
        on = self.augmented.isChecked()
        self.epoch.setEnabled(on)
        self.roll.setEnabled(on)
        self.back.setEnabled(on and self._roll > 0)
        self.seed.setText(f"seed {self._seed + self._roll}" if on and self._roll else "")


def _check(name: str, text: str, help: str) -> QCheckBox:
    box = QCheckBox(text)
    box.setObjectName(name)
    box.setToolTip(help)
    return box


def _arrow(name: str, icon: str, words: str) -> QToolButton:
    button = QToolButton(autoRaise=True)
    button.setObjectName(name)
    button.setAccessibleName(words)
    button.setToolTip(words)
    theme.set_icon(button, icon)
    return button
