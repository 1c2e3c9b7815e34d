"""Which settings differ from the chosen recipe: a line above the form, the list, and a way to reset each.

The line stays when nothing differs, so that the form does not move under the mouse at the first change.
"""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from workbench.core.formatting import count
from workbench.training.differences import Difference, heading
from workbench.training.recipes import Recipe
from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.folding_title import FoldingTitle


class RecipeChanges(QWidget):
    """`reset_requested`: reset these settings to the recipe's values."""

    reset_requested = Signal(object)  # tuple of Difference

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("train-changes")
        self._found: tuple[Difference, ...] = ()
        self._same = QLabel("As in the recipe")
        self._same.setObjectName("train-changes-none")
        self._same.setProperty("role", "muted")
        self._body = QWidget()
        self._head = FoldingTitle("train-changes-head", self._body, "What differs")
        self._all = QToolButton(autoRaise=True)
        self._all.setObjectName("train-changes-all")
        self._all.setAccessibleName("Put all settings back")
        self._all.setToolTip("Put all of them back to the recipe's values")
        theme.set_icon(self._all, "mdi6.backup-restore")
        self._same.setMinimumHeight(max(self._head.sizeHint().height(), self._all.sizeHint().height()))
        self._rows = QVBoxLayout(self._body)
        self._rows.setContentsMargins(2 * theme.GRID, 0, 0, 0)
        self._rows.setSpacing(0)
        line = QHBoxLayout()
        line.addWidget(self._same, 1)
        line.addWidget(self._head, 1)
        line.addWidget(self._all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(line)
        column.addWidget(self._body)
        for widget in (self._head, self._all):
            widget.hide()
        self._all.clicked.connect(lambda: self.reset_requested.emit(self._found))

    def show_changes(self, recipe: Recipe, found: tuple[Difference, ...]) -> None:
        """Show these differences from the recipe."""
        title = f"“{recipe.title}”"
        self._same.setText(f"As in {title}")
        self._head.setText(f"{count(len(found), 'setting')} differ{'s' * (len(found) == 1)} from the recipe")
        self._head.setToolTip(f"{heading(recipe, len(found))}: click to see which")
        self._same.setVisible(not found)
        for widget in (self._head, self._all):
            widget.setVisible(bool(found))
        if found == self._found:
            return
        self._found = found
        while self._rows.count():
            item = self._rows.takeAt(0)
            old = item.widget() if item is not None else None
            if old is not None:
                old.hide()
                old.deleteLater()
        for one in found:
            self._rows.addWidget(self._row(one))
        if not found:
            self._head.set_open(False)

    def _row(self, one: Difference) -> QWidget:
        row = QWidget()
        own_length = one.name == "least_steps" and not one.now
        words = ElidedLabel(f"{one.words}, as you set the length" if own_length else one.words)
        words.setObjectName(f"train-change-{one.name}")
        back = QToolButton(autoRaise=True)
        back.setObjectName(f"train-back-{one.name}")
        back.setAccessibleName(f"Put {one.title} back")
        back.setToolTip("Put it back to the recipe's value")
        theme.set_icon(back, "mdi6.undo")
        back.clicked.connect(lambda: self.reset_requested.emit((one,)))
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(words, 1)
        line.addWidget(back)
        return row
