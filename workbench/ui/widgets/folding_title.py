"""A title with an arrow, whose press shows or hides what is below it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from workbench.ui import theme

FOLDED, OPEN = "mdi6.chevron-right", "mdi6.chevron-down"
SIZE = QSize(14, 14)  # px of the arrow: with what is beside it, the title begins where the body's indented rows do


class FoldingTitle(QToolButton):
    """Begins folded. `folded(is_open)` after each change, whoever made it; `by_hand` once a person did.

    The body's place is its owner's to give, before `set_open` shows it: without one it would be a window of its own.
    """

    folded = Signal(bool)

    def __init__(self, name: str, body: QWidget, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent, autoRaise=True)
        self.setObjectName(name)
        self.setText(text)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setProperty("role", "fold")
        self.setIconSize(SIZE)
        theme.set_icon(self, FOLDED)
        self.is_open = self.by_hand = False
        self._body = body
        body.hide()
        self.clicked.connect(self._clicked)

    def set_open(self, is_open: bool) -> None:
        if is_open != self.is_open:
            self.is_open = is_open
            self._body.setVisible(is_open)
            theme.set_icon(self, OPEN if is_open else FOLDED)
            self.folded.emit(is_open)

    @Slot()
    def _clicked(self) -> None:
        self.by_hand = True
        self.set_open(not self.is_open)
