"""The menu beside Draw: new boxes have any shape, a fixed ratio of width to height, or enclose four clicked points."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QWidget

from workbench.ui import preferences
from workbench.ui.widgets.popups import Menu

_POINTS, BY_POINTS = "Around four points of the object", "by points"
SHAPES = ("1 : 1", "4 : 3", "3 : 4", "3 : 2", "2 : 3", "16 : 9", "9 : 16")
_KEPT = "label/shape"


class ShapeMenu(Menu):
    """How boxes are drawn; the choice is kept between starts."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("shape-menu")
        self.setToolTipsVisible(True)
        group = QActionGroup(self)
        kept = preferences.get(_KEPT, "")
        for name, shape in {"Any shape": "", **{shape: shape for shape in SHAPES}, _POINTS: BY_POINTS}.items():
            action = group.addAction(name)
            action.setObjectName(f"shape-{shape.replace(' ', '') or 'any'}")
            action.setCheckable(True)
            action.setData(shape)
            action.setChecked(shape == kept)
            self.addAction(action)
        group.actions()[-1].setToolTip("Click the topmost, leftmost, lowest and rightmost point of it, in any order")
        self.insertSeparator(group.actions()[-1])
        if group.checkedAction() is None:
            group.actions()[0].setChecked(True)
        self._group = group
        group.triggered.connect(self._chosen)

    @property
    def words(self) -> str:
        """The ratio as people write it, BY_POINTS, or "" for any shape."""
        return str(self._group.checkedAction().data())

    @property
    def ratio(self) -> float | None:
        """Width to height; None for any."""
        if self.words in ("", BY_POINTS):
            return None
        wide, high = self.words.split(" : ")
        return int(wide) / int(high)

    def _chosen(self, _action: QAction) -> None:
        preferences.put(_KEPT, self.words)
        self.chosen.emit()
