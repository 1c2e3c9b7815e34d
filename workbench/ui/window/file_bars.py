"""The lines above all pages about the images' files: folders that moved, files added, removed or renamed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.ui.session import Session
from workbench.ui.window.file_changes_bar import FileChangesBar
from workbench.ui.window.lost_folders_bar import LostFoldersBar


class FileBars(QWidget):
    """Call `close_down` before its owner is deleted."""

    def __init__(self, session: Session, reopen: Callable[[Path], object], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lost, self._changes = LostFoldersBar(session, reopen), FileChangesBar(session)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._lost)
        column.addWidget(self._changes)

    def close_down(self) -> None:
        self._lost.close_down()
        self._changes.close_down()
