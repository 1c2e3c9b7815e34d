"""The menu of the gallery: what can be done with the selected images, and with all or the outlined boxes in them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split, State
from workbench.ui.actions import offer_in
from workbench.ui.data.box_entries import add_box_entries
from workbench.ui.images import unread_images
from workbench.ui.images.images_model import Filter
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu


class GalleryMenu(Menu):
    """For the images `selected` of those that pass the filter `listed`; deleted when closed.

    If the filter asks for boxes of a label, size or mark, or for certain ones, these are outlined in the gallery, and
    can be changed without the others.
    """

    def __init__(
        self, session: Session, document: Document, selected: tuple[int, ...], listed: Filter, page: QWidget
    ) -> None:
        super().__init__(page)
        self.setObjectName("gallery-menu")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._add_states(session, selected)
        total = int(document.counts().of(np.array(selected)).sum())
        outlined = document.box_ids(selected, listed.asked_boxes) if listed.asked_boxes is not None else ()
        whose = "their"
        if outlined and len(outlined) < total:
            words = f"their outlined boxes ({len(outlined):,})"
            add_box_entries(self, session, words, len(outlined), lambda: outlined, page)
            whose = "all their"
        words = f"{whose} boxes ({total:,})"
        add_box_entries(self, session, words, total, lambda: document.box_ids(selected), page)
        self.addSeparator()
        offer_in(self, "seen", page)
        self.addSeparator()

    def _add_states(self, session: Session, selected: tuple[int, ...]) -> None:
        states, splits = self.below("State"), self.below("Split")
        for state in State:
            choice = states.addAction(state.value.capitalize())
            choice.triggered.connect(lambda _=False, to=state: unread_images.set_state(session, selected, to))
        for split in Split:
            choice = splits.addAction(split.words.capitalize())
            choice.triggered.connect(lambda _=False, to=split: session.do(edits.SetSplit(selected, to)))
