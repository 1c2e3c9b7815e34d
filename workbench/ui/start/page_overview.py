"""The six pages in order, a line on each: on the start page for users without a project."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from workbench.ui import theme
from workbench.ui.page_specs import PAGE_SPECS

WORDS = {
    "data": "Your photographs, their labels and their splits",
    "label": "Boxes, drawn by hand or suggested by a trained run",
    "anchors": "Typical sizes of boxes, for detectors that need them",
    "train": "A detector learns, and its curves show how",
    "inspect": "What it finds, what it misses and what it makes up",
    "export": "The finished detector as a file for other programs",
}
_ICON = 24  # px


class PageOverview(QWidget):
    """Text only: the pages themselves are reached by the rail once there is a project."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("start-way")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * theme.GRID)
        grid.setVerticalSpacing(theme.GRID // 2)
        for number, place in enumerate(PAGE_SPECS):
            icon, title = QLabel(), QLabel(f"{number + 1}  {place.title}")
            title.setFont(theme.font(theme.BODY, bold=True))
            words = QLabel(WORDS[place.name], wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
            words.setProperty("role", "muted")
            words.setFont(theme.font(theme.SMALL))
            for row, label in enumerate((icon, title, words)):
                grid.addWidget(label, row, number)
            grid.setColumnStretch(number, 1)
            theme.set_pixmap(icon, place.icon, _ICON, "accent")
