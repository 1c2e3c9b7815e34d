"""The lines above all pages about images' files that moved, came, went or were renamed, and the project's text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.ui.session import Session
from workbench.ui.window.file_changes_bar import FileChangesBar
from workbench.ui.window.lost_folders_bar import LostFoldersBar
from workbench.ui.window.text_changes_bar import TextChangesBar


class FileBars(QWidget):
    """Call `close_down` before its owner is deleted."""

    def __init__(self, session: Session, reopen: Callable[[Path], object], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars = LostFoldersBar(session, reopen), TextChangesBar(session), FileChangesBar(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for bar in self._bars:
            column.addWidget(bar)

    def close_down(self) -> None:
        for bar in self._bars:
            bar.close_down()
