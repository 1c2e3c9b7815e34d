"""What else than choosing can be done in the Label page's list of labels: renaming, and the way to the rest."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QInputDialog

from workbench.core import edits
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu
from workbench.ui.widgets.rows import ROW


class LabelMenu(QObject):
    """Of `view`, whose rows are labels: a menu, F2, and a double click."""

    def __init__(self, session: Session, view: QAbstractItemView) -> None:
        super().__init__(view)
        self._session, self._view = session, view
        self.menu = Menu(view)
        self.menu.setObjectName("label-menu")
        self.rename_action = QAction("Rename…\tF2", self.menu)
        self.rename_action.triggered.connect(self.rename)
        rest = QAction("Colour, key, order, merge, remove: on the Data page", self.menu)
        rest.triggered.connect(lambda: session.page_asked.emit("data"))
        self.menu.addActions([self.rename_action, rest])
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._open)
        view.doubleClicked.connect(self.rename)
        view.installEventFilter(self)

    @Slot(QPoint)
    def _open(self, at: QPoint) -> None:
        index = self._view.indexAt(at)
        if index.isValid():
            self._view.setCurrentIndex(index)
            self.menu.popup(self._view.viewport().mapToGlobal(at))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """F2 in the list; elsewhere on the page it may mean something else."""
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_F2 and event.type() == QEvent.Type.KeyPress:
            self.rename()
            return True
        return False

    @Slot()
    def rename(self, _index: QModelIndex | bool = False) -> None:
        """Ask for another name of the current label; it stays the same label in all its boxes."""
        row, document = self._view.currentIndex().data(ROW), self._session.document
        label = next((one for one in document.labels() if row and one.id == row.id), None) if document else None
        if label is None:
            return
        name, agreed = QInputDialog.getText(self._view, "Rename the label", "Name of the label", text=label.name)
        if agreed and name.strip() not in ("", label.name):
            self._session.do(edits.ChangeLabel(dataclasses.replace(label, name=name.strip())))
