"""The right of the Anchors page: choices at the top, the film's controls, progress, and the panel of tables."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from workbench.anchors import Step
from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.anchors.controls import ChoicesForm, PlaybackBar
from workbench.ui.anchors.playback import Playback
from workbench.ui.anchors.result_panel import ResultPanel

WIDTH = 344  # px, at least: with a large font the form needs more
HELP = "reading-the-anchors-page"


class SidePanel(QWidget):
    """Holds the parts; `help_requested` carries a help page's name."""

    help_requested = Signal(str)

    def __init__(self, playback: Playback, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form, self.bar, self.panel = ChoicesForm(), PlaybackBar(playback), ResultPanel()
        self.progress = QLabel(wordWrap=True)
        self.progress.setObjectName("anchors-progress")
        self.progress.setProperty("role", "muted")
        self.progress.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.progress.setFixedHeight(2 * self.progress.fontMetrics().lineSpacing() + 2)  # keeps what is below in place
        self.again = QPushButton("Compute again")
        self.again.setObjectName("anchors-run")
        tell_key(self.again, "anchors-compute", "{}: goes back from what you moved to the fit.")
        theme.set_icon(self.again, "mdi6.refresh")
        self.panel.table.refused.connect(self.progress.setText)
        self.panel.sets.copied.connect(self.progress.setText)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.form)
        column.addLayout(self._row())
        column.addWidget(self.bar)
        column.addWidget(self.progress)
        column.addWidget(self.panel, 1)
        self.setFixedWidth(max(WIDTH, self.form.minimumSizeHint().width()))

    def _row(self) -> QHBoxLayout:
        help = QToolButton()
        help.setText("?")
        help.setObjectName("anchors-help")
        help.setAccessibleName("Reading the anchors page")
        help.setToolTip("Reading the anchors page")
        help.clicked.connect(self._ask_help)
        row = QHBoxLayout()
        row.addWidget(self.again, 1)
        row.addWidget(help)
        return row

    @Slot()
    def _ask_help(self) -> None:
        self.help_requested.emit(HELP)


def step_sentence(step: Step, position: int, starts: int, *, is_refined: bool) -> str:
    """What a step of the film did. `starts`: the film is the best of this many."""
    stage = f", refining, generation {step.iteration:,}" if is_refined else ""
    if not position and not step.done:
        return "Step 0: where it begins."
    if not step.done:
        far = f"by up to {step.moved:.1f} px" if step.moved >= 0.05 else "by less than 0.1 px"
        return f"Step {position}{stage}: moved {far}."
    best = f" The best of {starts} starts." if starts > 1 else ""
    return f"Step {position}{stage}: nothing moves any more.{best}"
