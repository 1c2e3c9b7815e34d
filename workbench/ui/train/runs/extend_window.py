"""Asks by how many epochs to extend a finished run, and says what that does to its learning rate."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QDialog, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core.formatting import count
from workbench.training.records.extension import Extension, FinishedRun
from workbench.ui import theme
from workbench.ui.widgets.spin_boxes import spin_box

MOST = 100_000  # epochs, as the setting allows
SHARE = 2  # half of the epochs so far is proposed


class ExtendWindow(QDialog):
    """Not modal. `agreed(FinishedRun, epochs)`."""

    agreed = Signal(object, int)

    def __init__(self, basis: FinishedRun, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("extend-window")
        self.setWindowTitle(f"Extend {basis.folder.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._basis = basis
        self._more = spin_box(minimum=1, maximum=MOST - basis.epoch)
        self._more.setObjectName("extend-epochs")
        self._more.setAccessibleName("More epochs")
        self._more.setGroupSeparatorShown(True)
        self._more.setValue(max(1, basis.epoch // SHARE))
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("extend-words")
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        extend, cancel = QPushButton("Extend"), QPushButton("Cancel")
        extend.setObjectName("extend-go")
        extend.setProperty("role", "primary")
        extend.setDefault(True)
        extend.clicked.connect(self._agree)
        cancel.setObjectName("extend-cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        form = QFormLayout()
        form.addRow("More epochs", self._more)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(cancel)
        foot.addWidget(extend)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(2 * theme.GRID)
        column.addLayout(form)
        column.addWidget(self._words)
        column.addStretch(1)
        column.addLayout(foot)
        self._more.valueChanged.connect(self._say)
        self.resize(520, 200)
        self._say()
        self._more.selectAll()

    @Slot()
    def _say(self) -> None:
        self._words.setText(sentences(self._basis, self._basis.extended(self._more.value())))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Never lower than its text needs."""
        self._fit()

    def _fit(self) -> None:
        layout = self.layout()
        assert layout is not None
        self.setMinimumHeight(layout.totalHeightForWidth(self.width()))

    @Slot()
    def _agree(self) -> None:
        self.agreed.emit(self._basis, self._more.value())
        self.accept()


def sentences(basis: FinishedRun, longer: Extension) -> str:
    """What will happen, and what it means."""
    name = basis.folder.name
    words = [
        f"Another run begins where '{name}' ended, after {count(basis.epoch, 'epoch')}, and ends after"
        f" {longer.training.epochs:,}: with its weights, its momentum and the project's data as it was then. '{name}'"
        f" stays as it is. What was labelled since then is not learnt: for that, choose 'Run {name}' under Start from,"
        " and start a training.",
        _about_rates(longer),
    ]
    if basis.early:
        words.append(
            f"'{name}' ended early because AP no longer rose. The longer run does not stop early, and AP may not rise."
        )
    return "\n\n".join(words)


def _about_rates(longer: Extension) -> str:
    first, last, highest = longer.first, longer.last, longer.highest
    if max(abs(rate - longer.ended_at) for rate in (first, last, highest)) <= 1e-9 * longer.ended_at:
        return f"The learning rate stays at {first:.3g}."
    climb = f", rises to {highest:.3g}" if highest > first else ""
    words = (
        f"The learning rate depends on the length of a run. It ended at {longer.ended_at:.3g}; in a run of this length"
        f" it goes on at {first:.3g}{climb} and ends at {last:.3g}."
    )
    if highest > 2 * longer.ended_at:
        words += " As it is higher than at the end, AP may sink before it rises."
    return words
