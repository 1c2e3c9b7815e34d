"""Explains recipe, detector and network in words: open in a tall window, folded in a low one, unless a person chose."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from workbench.ui import theme

HIGH = 720  # px, the height of the page's side from which this fits together with some of the form


class RecipeAbout(QWidget):
    """When folded, its header gives the text as a tooltip."""

    def __init__(self, size: QWidget, parent: QWidget | None = None) -> None:
        """`size`: the line with the network's size, which comes last."""
        super().__init__(parent)
        self._by_hand = False
        self._head = QToolButton(autoRaise=True)
        self._head.setObjectName("train-about-head")
        self._head.setText("About this recipe and detector")
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._recipe, self._detector = _words("train-about"), _words("train-detector-about")
        self._body = QWidget()
        words = QVBoxLayout(self._body)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(theme.GRID)
        words.addWidget(self._recipe)
        words.addWidget(self._detector)
        words.addWidget(size)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addWidget(self._head)
        column.addWidget(self._body)
        self._head.clicked.connect(self._clicked)
        self._open(True)
        self.hide()

    def say(self, recipe: str, detector: str) -> None:
        self._recipe.setText(recipe)
        self._detector.setText(detector)
        self.setVisible(bool(recipe or detector))
        self._explain()

    def fit(self, height: int) -> None:
        """Open or fold it for a page this many px high, unless a person already chose."""
        if not self._by_hand:
            self._open(height >= HIGH)

    @Slot()
    def _clicked(self) -> None:
        self._by_hand = True
        self._open(self._body.isHidden())

    def _open(self, on: bool) -> None:
        self._body.setVisible(on)
        self._head.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self._explain()

    def _explain(self) -> None:
        words = f"{self._recipe.text()}\n{self._detector.text()}".strip()
        self._head.setToolTip(words if self._body.isHidden() else "Show or hide what they are")


def _words(name: str) -> QLabel:
    label = QLabel(wordWrap=True)
    label.setObjectName(name)
    label.setProperty("role", "muted")
    return label
