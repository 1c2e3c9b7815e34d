"""A title with an arrow, whose press shows or hides what is below it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget


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
        self.setArrowType(Qt.ArrowType.RightArrow)
        self.is_open = self.by_hand = False
        self._body = body
        body.hide()
        self.clicked.connect(self._clicked)

    def set_open(self, is_open: bool) -> None:
        if is_open != self.is_open:
            self.is_open = is_open
            self._body.setVisible(is_open)
            self.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
            self.folded.emit(is_open)

    @Slot()
    def _clicked(self) -> None:
        self.by_hand = True
        self.set_open(not self.is_open)
