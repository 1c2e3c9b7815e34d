"""What the Label page's list of labels offers besides choosing: renaming, and the way to the other commands."""

from __future__ import annotations

import dataclasses

from PySide6.QtCore import QModelIndex, QObject, QPoint, Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractItemView, QInputDialog, QWidget

from workbench.core import edits
from workbench.ui.actions import make_action
from workbench.ui.annotate.hidden_labels import HiddenLabels
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu, MenuKeyFilter
from workbench.ui.widgets.rows import ROW


class LabelMenu(QObject):
    """For `view`, whose rows are labels: a menu, a double click, and a key of the page, as the canvas has the keys."""

    def __init__(self, session: Session, view: QAbstractItemView, hidden: HiddenLabels, page: QWidget) -> None:
        super().__init__(view)
        self._session, self._view, self._hidden = session, view, hidden
        self.menu = Menu(view)
        self.menu.setObjectName("label-menu")
        rest = QAction("Colour, key, order, merge, remove: on the Data page", self.menu)
        rest.triggered.connect(lambda: session.page_requested.emit("data"))
        self._hide = QAction(self.menu)
        self._hide.setObjectName("hide-label")
        self._hide.triggered.connect(self._toggle)
        self.menu.addActions([make_action(page, "rename-label", self.rename), self._hide, rest])
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._open)
        MenuKeyFilter(view)
        view.doubleClicked.connect(self.rename)

    @Slot(QPoint)
    def _open(self, at: QPoint) -> None:
        index = self._view.indexAt(at)
        if index.isValid():
            self._view.setCurrentIndex(index)
            is_hidden = index.data(ROW).id in self._hidden.ids
            self._hide.setText("Show its boxes again" if is_hidden else "Hide its boxes")
            self.menu.popup(self._view.viewport().mapToGlobal(at))

    @Slot()
    def _toggle(self) -> None:
        index = self._view.currentIndex()
        if index.isValid():
            self._hidden.toggle(index.data(ROW).id)

    @Slot()
    def rename(self, _index: QModelIndex | bool = False) -> None:
        """Ask for a new name of the current label; in all its boxes it stays the same label."""
        row, document = self._view.currentIndex().data(ROW), self._session.document
        label = next((one for one in document.labels() if row and one.id == row.id), None) if document else None
        if label is None:
            self._session.inform(
                "Choose a label in the list first."
                if document and document.labels()
                else "There is no label yet. The first box asks for the name of one."
            )
            return
        words = "Another name; it stays the same label in all its boxes."  # as wide as the title needs
        name, agreed = QInputDialog.getText(self._view, "Rename the label", words, text=label.name)
        if agreed and name.strip() not in ("", label.name):
            self._session.do(edits.ChangeLabel(dataclasses.replace(label, name=name.strip())))
