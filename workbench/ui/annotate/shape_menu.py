"""The menu beside Draw: new boxes have any shape, or a fixed ratio of width to height."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QWidget

from workbench.ui import preferences
from workbench.ui.widgets.popups import Menu

SHAPES = ("1 : 1", "4 : 3", "3 : 4", "3 : 2", "2 : 3", "16 : 9", "9 : 16")
_KEPT = "label/shape"


class ShapeMenu(Menu):
    """`chosen` with the ratio of width to height, or None for any; the choice is kept between starts."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("shape-menu")
        self.setToolTipsVisible(True)
        group = QActionGroup(self)
        kept = preferences.get(_KEPT, "")
        for shape in ("", *SHAPES):
            action = group.addAction(shape or "Any shape")
            action.setObjectName(f"shape-{shape.replace(' ', '') or 'any'}")
            action.setCheckable(True)
            action.setData(shape)
            action.setChecked(shape == kept)
            self.addAction(action)
        if group.checkedAction() is None:
            group.actions()[0].setChecked(True)
        self._group = group
        group.triggered.connect(self._chosen)

    @property
    def words(self) -> str:
        """The ratio as people write it, or "" for any."""
        return str(self._group.checkedAction().data())

    @property
    def ratio(self) -> float | None:
        if not self.words:
            return None
        wide, high = self.words.split(" : ")
        return int(wide) / int(high)

    def _chosen(self, _action: QAction) -> None:
        preferences.put(_KEPT, self.words)
        self.chosen.emit(self.ratio)
