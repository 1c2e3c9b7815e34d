"""The sheet of keys under `?` and F1: every command with its key, made from the one table of commands."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.actions import COMMANDS, Command, shown


class KeysSheet(QDialog):
    """Not modal: it may stay open beside the work."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys-sheet")
        self.setWindowTitle("Keys")
        content = QWidget()
        columns = QHBoxLayout(content)
        columns.setContentsMargins(theme.GRID * 2, theme.GRID, theme.GRID * 2, theme.GRID)
        columns.setSpacing(theme.GRID * 5)
        for headings in (("Label",), ("Window", "Data")):
            column = QVBoxLayout()
            column.setSpacing(theme.GRID // 2)
            for heading in headings:
                column.addWidget(_heading(heading))
                column.addLayout(_rows([c for c in COMMANDS if c.where == heading and c.keys]))
            column.addStretch(1)
            columns.addLayout(column)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(content)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        wanted = content.sizeHint()
        self.resize(min(wanted.width() + 32, parent.width() - 32), min(wanted.height() + 32, parent.height() - 32))


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setFont(theme.font(theme.BODY, bold=True))
    label.setContentsMargins(0, theme.GRID, 0, theme.GRID // 2)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return label


def _rows(commands: list[Command]) -> QGridLayout:
    grid = QGridLayout()
    grid.setVerticalSpacing(4)
    grid.setHorizontalSpacing(theme.GRID * 2)
    for row, command in enumerate(commands):
        keys = QLabel("  or  ".join(shown(key) for key in command.keys if key != "Backtab"))
        keys.setProperty("role", "muted")
        grid.addWidget(QLabel(command.text.rstrip("…")), row, 0)
        grid.addWidget(keys, row, 1, Qt.AlignmentFlag.AlignRight)
    grid.setColumnStretch(0, 1)
    return grid
