"""Labels whose boxes a user has hidden for now; they are shown again after a restart."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.applied_edit import AppliedEdit
from workbench.core.project import Box
from workbench.ui.session import Session


class HiddenLabels(QObject):
    """Ids of hidden labels in the open project. Adding a box shows its label again: nothing is made out of sight."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.ids: frozenset[int] = frozenset()
        session.edited.connect(self._edited)

    def toggle(self, label: int) -> None:
        self._set(self.ids ^ {label})

    def show(self, labels: Collection[int]) -> None:
        """Show these labels again."""
        self._set(self.ids - frozenset(labels))

    def show_boxes(self, image: int, ids: Collection[int]) -> None:
        """Show the labels of those of these boxes that are in this image."""
        document = self._session.document
        if self.ids and ids and document is not None:
            self.show({box.label for box in document.boxes(image) if box.id in ids})

    @Slot()
    def clear(self) -> None:
        self._set(frozenset())

    def visible(self, boxes: Sequence[Box]) -> tuple[Box, ...]:
        """The boxes whose labels are not hidden."""
        return tuple(box for box in boxes if box.label not in self.ids)

    @property
    def names(self) -> str:
        document = self._session.document
        labels = document.labels() if document is not None else ()
        return ", ".join(label.name for label in labels if label.id in self.ids)

    def _set(self, ids: frozenset[int]) -> None:
        if ids != self.ids:
            self.ids = ids
            self.changed.emit()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        document = self._session.document
        gone = self.ids - {label.id for label in document.labels()} if applied.labels_changed and document else set()
        self.show({*gone, *(box.label for box in applied.added_boxes)})
