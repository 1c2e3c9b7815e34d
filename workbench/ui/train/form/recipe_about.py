"""Explains recipe, detector and network in words: open in a tall window, folded in a low one, unless a person chose."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.widgets.folding_title import FoldingTitle

HIGH = 720  # px, the height of the page's side from which this fits together with some of the form


class RecipeAbout(QWidget):
    """When folded, its header gives the text as a tooltip."""

    def __init__(self, size: QWidget, parent: QWidget | None = None) -> None:
        """`size`: the line with the network's size, which comes last."""
        super().__init__(parent)
        self._recipe, self._detector = _words("train-about"), _words("train-detector-about")
        body = QWidget()
        self._head = FoldingTitle("train-about-head", body, "About this recipe and detector")
        words = QVBoxLayout(body)
        words.setContentsMargins(2 * theme.GRID, 0, 0, theme.GRID // 2)
        words.setSpacing(theme.GRID)
        words.addWidget(self._recipe)
        words.addWidget(self._detector)
        words.addWidget(size)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.GRID // 2)
        column.addWidget(self._head)
        column.addWidget(body)
        self._head.folded.connect(self._explain)
        self._head.set_open(True)
        self.hide()

    def say(self, recipe: str, detector: str) -> None:
        self._recipe.setText(recipe)
        self._detector.setText(detector)
        self.setVisible(bool(recipe or detector))
        self._explain()

    def fit(self, height: int) -> None:
        """Open or fold it for a page this many px high, unless a person already chose."""
        if not self._head.by_hand:
            self._head.set_open(height >= HIGH)

    @Slot()
    def _explain(self) -> None:
        words = f"{self._recipe.text()}\n{self._detector.text()}".strip()
        self._head.setToolTip("Show or hide what they are" if self._head.is_open else words)


def _words(name: str) -> QLabel:
    label = QLabel(wordWrap=True)
    label.setObjectName(name)
    label.setProperty("role", "muted")
    return label
