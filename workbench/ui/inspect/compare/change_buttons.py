"""How many boxes the newer run finds that the older did not, and vice versa: a button for each, which opens them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QGridLayout, QPushButton, QWidget

from workbench.core.evaluation.run_comparison import BOX_OUTCOMES, FALSE_ALARM_KINDS, RunComparison
from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedLabel

HELP = {
    "fixed": "Labelled boxes that the older run misses or mislabels and the newer finds.",
    "regressed": "Labelled boxes that the older run finds and the newer misses or mislabels.",
    "wrong in both": "Labelled boxes that both miss or mislabel.",
    "right in both": "Labelled boxes that both find.",
    "gone": "False alarms of the older run that the newer one doesn't have: none with that label overlaps it by half.",
    "new": "False alarms of the newer run that the older one doesn't have.",
    "in both": "False alarms of both runs, with the same label and overlapping by half.",
}


class ChangeButtons(QWidget):
    """`kind_chosen(kind)`, one of BOX_OUTCOMES or FALSE_ALARM_KINDS."""

    kind_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._buttons: dict[str, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.GRID)
        grid.setVerticalSpacing(theme.GRID // 2)
        self._title = _heading("")
        self._title.setObjectName("inspect-compare-way")
        grid.addWidget(self._title, 0, 0, 1, 6)
        for number, outcome in enumerate(BOX_OUTCOMES):
            grid.addWidget(self._button(outcome), 1 + number // 2, 3 * (number % 2), 1, 3)
        grid.addWidget(_heading("False alarms"), 3, 0, 1, 6)
        for number, kind in enumerate(FALSE_ALARM_KINDS):
            grid.addWidget(self._button(kind), 4, 2 * number, 1, 2)
        for column in range(6):
            grid.setColumnStretch(column, 1)
        self.show_runs(None)

    def _button(self, kind: str) -> QPushButton:
        button = QPushButton()
        button.setObjectName(f"inspect-compare-{kind.replace(' ', '-')}")
        button.setToolTip(f"{HELP[kind]} Click for their images.")
        button.setMinimumWidth(60)
        button.clicked.connect(lambda _=False: self.kind_chosen.emit(kind))
        self._buttons[kind] = button
        return button

    def show_runs(self, runs: RunComparison | None, names: tuple[str, str] = ("", "")) -> None:
        """`names` of the older and the newer run. None: no comparison."""
        self._title.setText("Labelled boxes" if runs is None else f"Labelled boxes, {names[0]} → {names[1]}")
        for outcome in BOX_OUTCOMES:
            self._fill(outcome, None if runs is None else len(runs.boxes_of(outcome)))
        for kind in FALSE_ALARM_KINDS:
            self._fill(kind, None if runs is None else len(runs.alarms_of(kind)))

    def _fill(self, kind: str, count: int | None) -> None:
        self._buttons[kind].setText(f"– {kind}" if count is None else f"{count:,} {kind}")
        self._buttons[kind].setEnabled(bool(count))


def _heading(words: str) -> ElidedLabel:
    label = ElidedLabel(words)
    label.setProperty("role", "muted")
    label.setFont(theme.font(theme.SMALL))
    return label
