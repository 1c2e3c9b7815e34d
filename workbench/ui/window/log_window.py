"""Help > Log: the messages of this and earlier starts, and the file that contains them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QFontDatabase, QTextCursor
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedLabel

_TAIL = 200_000
"""Characters shown from the end of the log: some days of work."""


class LogWindow(QDialog):
    """Shows the end of `file` in its current state."""

    def __init__(self, file: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("log-window")
        self.setWindowTitle("Log")
        self._text = QPlainTextEdit(readOnly=True)
        self._text.setAccessibleName("Log")
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._text.setPlainText(_end_of(file))
        self._text.moveCursor(QTextCursor.MoveOperation.End)
        copy = QPushButton("Copy all")
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self._text.toPlainText()))
        foot = QHBoxLayout()
        foot.addWidget(ElidedLabel(str(file)), 1)
        foot.addWidget(copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(2 * theme.GRID,) * 4)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self._text)
        layout.addLayout(foot)
        self.resize(min(960, parent.width() - 80), min(600, parent.height() - 80))


def _end_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")[-_TAIL:] or "Nothing was logged yet."
    except OSError:
        return "Nothing was logged yet."
