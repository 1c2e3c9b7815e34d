"""Asks for a label at the pointer, and creates it if the name is new."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QWidget

from workbench.core import edits
from workbench.core.label_lists import parse_names
from workbench.core.project import Label
from workbench.ui import new_labels
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.session import Session
from workbench.ui.widgets.label_popup import LabelPopup


class LabelPrompt(QObject):
    """One pop-up at a time; when it closes, the canvas has the keyboard again."""

    def __init__(self, session: Session, canvas: Canvas, page: QWidget) -> None:
        super().__init__(page)
        self._session, self._canvas, self._page = session, canvas, page
        session.document_changed.connect(self._give_up)

    def ask(self, use: Callable[[int], None], *, shifted: Callable[[int], None] | None = None, hint: str = "") -> None:
        """Call `use` with the id of the label that was chosen or created; nothing is called if none was.

        `shifted` is called instead after Shift+Enter, which `hint` explains.
        """
        document = self._session.document
        if document is None:
            return
        # A child of the window, not of the page: the page's keys would act while a name is typed.
        popup = LabelPopup(self._recent_first(document.labels()), self._page.window(), hint)
        popup.cancelled.connect(self._gone)

        def chosen(id: int) -> None:
            self._gone()
            (shifted if shifted and popup.is_shifted else use)(id)

        def created(name: str) -> None:
            made = self._made(name)
            self._gone()
            if made is not None:
                self._session.select_label(made.id)
                (shifted if shifted and popup.is_shifted else use)(made.id)

        popup.chosen.connect(chosen)
        popup.created.connect(created)
        popup.open_at(QCursor.pos())

    def _recent_first(self, labels: Sequence[Label]) -> list[Label]:
        """Those chosen last before the others, so that Enter alone takes the one before the present."""
        now = {box.label for box in self._canvas.selected_boxes} or {self._session.label_id}
        recent = sorted(self._session.recent_labels, key=lambda id: id in now)
        order = {id: number for number, id in enumerate(recent)}
        return sorted(labels, key=lambda label: order.get(label.id, len(order)))

    @Slot(str)
    def make(self, name: str) -> None:
        """Create a label, which new boxes get too; several pasted lines make a label each.

        The field where it was typed keeps the keyboard for the next name.
        """
        names = parse_names(name)
        if len(names) > 1:
            new_labels.add(self._session, names)
            return
        made = self._made(name)
        if made is not None:
            self._session.select_label(made.id)

    def _made(self, name: str) -> Label | None:
        applied = self._session.do(edits.AddLabels((Label(0, name),)))
        return applied.added_labels[0] if applied else None

    @Slot()
    def _give_up(self) -> None:
        """Another project is open: an answer for the last one means nothing in it."""
        for popup in self._page.window().findChildren(LabelPopup):
            popup.close()

    @Slot()
    def _gone(self) -> None:
        self._canvas.set_draft(None)
        self._canvas.setFocus()
