"""The strip's menu for how boxes look: names and sizes on them, width of their lines, colours by label or by mark."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QLabel, QWidget, QWidgetAction

from workbench.ui import preferences, theme
from workbench.ui.images.boxes_painter import MARKS, BoxStyle
from workbench.ui.widgets.popups import Menu

_KEPT = "label/boxes"
_THIN, _THICK = 1.0, 4.0
"""Widget pixels: not to hide objects of a few pixels; to be seen on a screen of 200 dpi, or from afar."""


class StyleMenu(Menu):
    """Emits `changed` with the BoxStyle; it is kept between starts."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("style-menu")
        kept = str(preferences.get(_KEPT, "names")).split("+")
        self._names = self._tick("Names on the boxes", "names", kept)
        self._sizes = self._tick("Sizes on the boxes", "sizes", kept)
        self.addSeparator()
        self._thin = self._tick("Thin lines", "thin", kept)
        medium = self._tick("Medium lines", "medium", kept)
        self._thick = self._tick("Thick lines", "thick", kept)
        medium.setChecked(not (self._thin.isChecked() or self._thick.isChecked()))
        lines = QActionGroup(self)
        for action in (self._thin, medium, self._thick):
            lines.addAction(action)
        self.addSeparator()
        group = QActionGroup(self)
        self._by_label = self._tick("Coloured by label", "by-label", kept)
        self._by_mark = self._tick("Coloured by mark:", "marks", kept)
        self.addAction(self._legend())
        self._by_label.setChecked(not self._by_mark.isChecked())
        for action in (self._by_label, self._by_mark):
            group.addAction(action)

    def _tick(self, words: str, name: str, kept: list[str]) -> QAction:
        action = self.addAction(words)
        action.setObjectName(f"style-{name}")
        action.setCheckable(True)
        action.setChecked(name in kept)
        action.triggered.connect(self._chosen)
        return action

    def _legend(self) -> QWidgetAction:
        """Shows the colour of each mark."""
        words = QLabel(
            "<br>".join(f'<font color="{ink}">\N{BLACK SQUARE}</font> {mark}' for mark, ink in MARKS.items())
        )
        words.setObjectName("style-legend")
        words.setContentsMargins(4 * theme.GRID, 0, theme.GRID, theme.GRID // 2)
        action = QWidgetAction(self)
        action.setDefaultWidget(words)
        return action

    @property
    def style_of_boxes(self) -> BoxStyle:
        line = _THIN if self._thin.isChecked() else _THICK if self._thick.isChecked() else BoxStyle().line
        return BoxStyle(self._names.isChecked(), self._sizes.isChecked(), self._by_mark.isChecked(), line)

    @Slot()
    def _chosen(self) -> None:
        style = self.style_of_boxes
        parts = {
            "names": style.names, "sizes": style.sizes, "marks": style.by_mark, "thin": style.line == _THIN,
            "thick": style.line == _THICK,
        }  # fmt: skip
        preferences.put(_KEPT, "+".join(name for name, on in parts.items() if on) or "none")
        self.changed.emit(style)
