"""Hides the pages' windows while something other than the open project is shown."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QWidget

from workbench.ui.session import Session


class Aside(QObject):
    """`put(pages)` hides them, `bring` shows them when a page is back; those of another project stay away."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._put: list[QDialog] = []
        session.document_changed.connect(self._forget)

    def put(self, pages: Iterable[QWidget]) -> None:
        for page in pages:
            for dialog in page.findChildren(QDialog):
                if dialog.isVisible() and not dialog.isModal():
                    dialog.hide()
                    self._put.append(dialog)

    def bring(self) -> None:
        put, self._put = self._put, []
        for dialog in put:
            dialog.show()

    @Slot()
    def _forget(self) -> None:
        self._put = []
