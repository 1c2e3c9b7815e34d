"""The menu of recently opened projects, filled when it opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from workbench.ui.project import recent
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu


class RecentMenu(Menu):
    """`open` is called with the chosen project's folder; the open project is left out."""

    def __init__(self, session: Session, open: Callable[[Path], object], parent: QWidget | None = None) -> None:
        super().__init__("Open a recent project", parent)
        self.setObjectName("menu-recent")
        self.setToolTipsVisible(True)
        self._session, self._open = session, open
        self.aboutToShow.connect(self.fill)

    @Slot()
    def fill(self) -> None:
        self.clear()
        document = self._session.document
        for one in recent.projects():
            if document is not None and document.folder == one.folder:
                continue
            place = one.folder.parent.name
            if one.folder.name != one.name:  # a copy has the name of the first
                place += f"/{one.folder.name}"
            action = self.addAction(f"{one.name}    {place}".replace("&", "&&"))
            action.setToolTip(str(one.folder))
            action.setMenuRole(QAction.MenuRole.NoRole)  # a Mac moves what is called "Settings" or "About ..." away
            action.triggered.connect(partial(self._chosen, one.folder))
        if self.isEmpty():
            self.addAction("No other project was open yet").setEnabled(False)

    def _chosen(self, folder: Path, _checked: bool = False) -> None:
        self._open(folder)
