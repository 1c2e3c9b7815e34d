"""Hides the pages' windows while something other than the open project is shown."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QDialog, QWidget

from workbench.ui.session import Session


class PageDialogs(QObject):
    """`hide_all(pages)` hides them, `restore` shows them when a page is back; those of another project stay away."""

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._hidden: list[QDialog] = []
        session.document_changed.connect(self._forget)

    def hide_all(self, pages: Iterable[QWidget]) -> None:
        for page in pages:
            for dialog in page.findChildren(QDialog):
                if dialog.isVisible() and not dialog.isModal():
                    dialog.hide()
                    self._hidden.append(dialog)

    def restore(self) -> None:
        hidden, self._hidden = self._hidden, []
        for dialog in hidden:
            dialog.show()

    @Slot()
    def _forget(self) -> None:
        self._hidden = []
