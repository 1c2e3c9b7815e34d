"""The project's labels as rows in export order: colour, key, name, number of boxes; edited in place."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Slot

from workbench.core import edits
from workbench.core.label_keys import DIGITS, label_keys
from workbench.core.label_lists import parse_names
from workbench.core.project import Label
from workbench.ui import new_labels, theme
from workbench.ui.icons import swatch
from workbench.ui.session import Session
from workbench.ui.widgets.tooltips import plain

_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
COLOUR, KEY, NAME, COUNT = range(4)
_TITLES = ("", "Key", "Label", "Boxes")
_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_SIDES = tuple(side | Qt.AlignmentFlag.AlignVCenter for side in (_LEFT, _LEFT, _LEFT, _RIGHT))
_COUNT_AFTER = 150
"""Milliseconds after the last edit until boxes are counted again."""


class LabelsModel(QAbstractTableModel):
    """Follows the session. Setting a cell asks for the edit and shows its result."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._labels: tuple[Label, ...] = ()
        self._keys: dict[int, str] = {}
        self._counts: dict[int, int] = {}
        self._draft: str | None = None  # name of a label not created yet, in an extra last row
        self._later = QTimer(self, singleShot=True, interval=_COUNT_AFTER)
        self._later.timeout.connect(self._count)
        session.document_changed.connect(self.end_draft)
        session.document_changed.connect(self.reload)
        session.edited.connect(self._edited)
        self.reload()

    @Slot()
    def reload(self) -> None:
        document = self._session.document
        labels = document.labels() if document else ()
        old, new = [label.id for label in self._labels], [label.id for label in labels]
        made = self._draft is not None and new[:-1] == old and new != old  # the draft's row is now the label's
        same = made or old == new
        if not same:
            self.beginResetModel()
        if made or not same:
            self._draft = None
        self._labels = labels
        self._counts = document.label_counts() if document else {}
        self._keys = {label.id: key for key, label in label_keys(self._labels).items()}
        if not same:
            self.endResetModel()
        elif labels:  # no reset: a cell may be closing its editor just now
            self.dataChanged.emit(self.index(0, 0), self.index(len(labels) - 1, COUNT))

    @Slot(object)
    def _edited(self, applied: object) -> None:
        if getattr(applied, "labels_changed", False):
            self.reload()
        else:
            self._later.start()

    @Slot()
    def _count(self) -> None:
        document = self._session.document
        if document is not None and self._labels:
            self._counts = document.label_counts()
            self.dataChanged.emit(self.index(0, COUNT), self.index(len(self._labels) - 1, COUNT))

    def begin_draft(self) -> QModelIndex:
        """Add a last row; its label is created once the name is typed, so that it takes one edit and one undo."""
        names = {label.name for label in self._labels}
        number = 1
        while f"label {number}" in names:
            number += 1
        row = len(self._labels)
        self.beginInsertRows(QModelIndex(), row, row)
        self._draft = f"label {number}"
        self.endInsertRows()
        return self.index(row, NAME)

    @Slot()
    def end_draft(self) -> None:
        """Remove the draft row if it is still there."""
        if self._draft is not None:
            row = len(self._labels)
            self.beginRemoveRows(QModelIndex(), row, row)
            self._draft = None
            self.endRemoveRows()

    def _is_draft(self, index: _Index) -> bool:
        return self._draft is not None and index.row() == len(self._labels)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(label.name for label in self._labels)

    def label(self, row: int) -> Label | None:
        return self._labels[row] if 0 <= row < len(self._labels) else None

    def count(self, label: Label) -> int:
        return self._counts.get(label.id, 0)

    def rowCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(self._labels) + (self._draft is not None)

    def columnCount(self, parent: _Index = _NO_INDEX) -> int:
        return 0 if parent.isValid() else len(_TITLES)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return _TITLES[section] or "Colour"
        return _SIDES[section] if role == Qt.ItemDataRole.TextAlignmentRole else None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        found = super().flags(index)
        columns = (NAME,) if self._is_draft(index) else (KEY, NAME)
        return found | Qt.ItemFlag.ItemIsEditable if index.column() in columns else found

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        label = self.label(index.row())
        if label is None:
            shown = role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole) and index.column() == NAME
            return self._draft if shown and self._is_draft(index) else None
        if role == Qt.ItemDataRole.DecorationRole and index.column() == COLOUR:
            return swatch(label.colour, 14)
        if role == Qt.ItemDataRole.AccessibleTextRole and index.column() == COLOUR:
            return f"colour {label.colour}"
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            texts = ("", self._keys.get(label.id, ""), label.name, f"{self.count(label):,}")
            return texts[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            tips = (
                "Double-click: another colour",
                "The number key on the Label page",
                plain(label.name),
                "Boxes of this label. Click for their images.",
            )
            return tips[index.column()]
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == COUNT and self.count(label):
            return theme.colour("accent")
        return _SIDES[index.column()] if role == Qt.ItemDataRole.TextAlignmentRole else None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        label = self.label(index.row())
        text = str(value).strip()
        if self._is_draft(index):
            names = parse_names(text)
            if len(names) > 1:
                # after the cell has closed its editor: this resets the model
                QTimer.singleShot(0, self, partial(new_labels.add, self._session, names))
                return False
            return self._session.do(edits.AddLabels((Label(0, text),))) is not None
        if label is None or role != Qt.ItemDataRole.EditRole:
            return False
        if index.column() == NAME and text != label.name:
            return self._session.do(edits.ChangeLabel(dataclasses.replace(label, name=text))) is not None
        if index.column() == KEY and text != label.key:
            if text and (len(text) != 1 or text not in DIGITS):
                self._session.inform("A label's key is one digit, 0 to 9.")
                return False
            return self._session.do(self._with_key(label, text)) is not None
        return False

    def _with_key(self, label: Label, key: str) -> edits.Edit:
        """Assign the key to this label, and take it from the one that had it."""
        others = [dataclasses.replace(o, key="") for o in self._labels if o.id != label.id and key and o.key == key]
        changes = [edits.ChangeLabel(other) for other in (*others, dataclasses.replace(label, key=key))]
        return edits.Batch(tuple(changes), f"Key {key or 'none'} for '{label.name}'")
