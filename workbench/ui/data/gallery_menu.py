"""The menu of the gallery: what can be done with the selected images, and with all or the outlined boxes in them."""

from __future__ import annotations

import dataclasses

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QInputDialog, QWidget

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.formatting import count
from workbench.core.project import Split, State
from workbench.ui import unread_images
from workbench.ui.actions import escape_mnemonics
from workbench.ui.images_model import Filter
from workbench.ui.session import Session
from workbench.ui.train.trainer_view.launcher import add_menu_action
from workbench.ui.widgets.image_filter import split_word
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
        self._session, self._document, self._selected, self._page = session, document, selected, page
        self._add_states()
        total = int(document.counts().of(np.array(selected)).sum())
        outlined = document.box_ids(selected, listed.asked_boxes) if listed.asked_boxes is not None else ()
        if outlined and len(outlined) < total:
            self._add_boxes(f"their outlined boxes ({len(outlined):,})", len(outlined), outlined)
            self._add_boxes(f"all their boxes ({total:,})", total, None)
        else:
            self._add_boxes(f"their boxes ({total:,})", total, None)
        self.addSeparator()
        add_menu_action(self, session, page)
        self.addSeparator()

    def _add_states(self) -> None:
        states, splits = self.below("State"), self.below("Split")
        for state in State:
            choice = states.addAction(state.value.capitalize())
            choice.triggered.connect(
                lambda _=False, to=state: unread_images.set_state(self._session, self._selected, to)
            )
        for split in Split:
            choice = splits.addAction(split_word(split))
            choice.triggered.connect(lambda _=False, to=split: self._session.do(edits.SetSplit(self._selected, to)))

    def _add_boxes(self, words: str, number: int, ids: tuple[int, ...] | None) -> None:
        """`ids` None: all boxes of the images, which are read when one of these is chosen."""
        labels = self.below(f"Label of {words}")
        for label in self._document.labels():
            choice = labels.addAction(escape_mnemonics(label.name))
            choice.triggered.connect(lambda _=False, id=label.id: self._relabel(ids, id))
        labels.addSeparator()
        labels.addAction("A new label…").triggered.connect(lambda: self._split_off(ids))
        delete = QAction(f"Delete {words}", self)
        delete.triggered.connect(lambda: self._session.do(edits.RemoveBoxes(self._ids(ids))))
        self.addAction(delete)
        for entry in (labels.menuAction(), delete):
            entry.setEnabled(number > 0)

    def _ids(self, ids: tuple[int, ...] | None) -> tuple[int, ...]:
        return self._document.box_ids(self._selected) if ids is None else ids

    def _relabel(self, ids: tuple[int, ...] | None, label: int) -> None:
        """One edit, however many boxes and images."""
        boxes = self._document.boxes_with(self._ids(ids))
        changed = tuple(dataclasses.replace(box, label=label) for box in boxes if box.label != label)
        if not changed:
            self._session.inform("These boxes have that label already.")
            return
        many, name = count(len(changed), "box"), self._document.label(label).name
        if self._session.do(edits.Batch((edits.ReplaceBoxes(changed),), f"Change {many} to '{name}'")) is not None:
            verb = "is" if len(changed) == 1 else "are"
            self._session.inform(f"{many} {verb} '{name}' now. Undo takes it back.")

    def _split_off(self, ids: tuple[int, ...] | None) -> None:
        """Give these boxes a label of their own; the same label's other boxes stay."""
        boxes = self._document.boxes_with(self._ids(ids))
        name, agreed = QInputDialog.getText(self._page, "Split off a label", _split_off_words(len(boxes)))
        if agreed and name.strip():
            self._session.split_off(boxes, name.strip())


def _split_off_words(boxes: int) -> str:
    return "A new label for this box:" if boxes == 1 else f"A new label for these {boxes:,} boxes:"
