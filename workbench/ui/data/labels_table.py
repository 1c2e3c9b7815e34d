"""The labels as a table in export order: colour, key, name, number of boxes. Every change can be undone."""

from __future__ import annotations

import dataclasses
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import edits, words
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.annotate.label_keys import DIGITS, label_keys
from workbench.ui.data.numbers_window import LabelEdits
from workbench.ui.icons import swatch
from workbench.ui.session import Session

_Index = QModelIndex | QPersistentModelIndex
_NO_INDEX = QModelIndex()
COLOUR, KEY, NAME, COUNT = range(4)
_TITLES = ("", "Key", "Label", "Boxes")
NONE = "None yet. The first box that is drawn asks for its label's name; + adds one."
_LEFT, _RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
_SIDES = tuple(side | Qt.AlignmentFlag.AlignVCenter for side in (_LEFT, _LEFT, _LEFT, _RIGHT))
_COUNT_AFTER = 150
"""Milliseconds after the last edit until boxes are counted again."""


class LabelsModel(QAbstractTableModel):
    """Follows the session. Setting a cell asks for the edit; what it shows is what came of it."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._labels: tuple[Label, ...] = ()
        self._keys: dict[int, str] = {}
        self._counts: dict[int, int] = {}
        self._draft: str | None = None  # the name of a label that is not made yet, in a last row of its own
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
        made = self._draft is not None and new[:-1] == old and new != old  # its row is now the label's
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
        elif labels:  # no reset: a cell may just be giving back its editor
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
        """A last row for a label that is made when its name is typed, so that it takes one edit and one undo."""
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
        """Without a label, if it is still one."""
        if self._draft is not None:
            row = len(self._labels)
            self.beginRemoveRows(QModelIndex(), row, row)
            self._draft = None
            self.endRemoveRows()

    def _is_draft(self, index: _Index) -> bool:
        return self._draft is not None and index.row() == len(self._labels)

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
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            texts = ("", self._keys.get(label.id, ""), label.name, f"{self.count(label):,}")
            return texts[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            tips = (
                "Double-click: another colour",
                "The number key on the Label page",
                label.name,
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
        """The key for this label, taken from another that had it."""
        others = [dataclasses.replace(o, key="") for o in self._labels if o.id != label.id and key and o.key == key]
        changes = [edits.ChangeLabel(other) for other in (*others, dataclasses.replace(label, key=key))]
        return edits.Batch(tuple(changes), f"Key {key or 'none'} for '{label.name}'")


class LabelsTable(QWidget):
    """The table with its buttons."""

    show_asked = Signal(int)  # the images with this label

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.model = LabelsModel(session, self)
        self._edits = LabelEdits(session, self)
        self._buttons: dict[str, QToolButton] = {}
        self._view = QTableView()
        self._view.setObjectName("labels-table")
        self._view.setAccessibleName("Labels")
        self._view.setProperty("role", "flat")
        self._view.setModel(self.model)
        self._view.verticalHeader().hide()
        self._view.verticalHeader().setDefaultSectionSize(28)
        self._view.setShowGrid(False)
        self._view.setWordWrap(False)  # a long name is cut in its one line
        self._view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self._view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column, width in ((COLOUR, 32), (KEY, 40), (COUNT, 80)):
            header.resizeSection(column, width)
        self._view.clicked.connect(self._clicked)
        self._view.doubleClicked.connect(self._double_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.GRID, 0, 0)
        layout.setSpacing(theme.GRID // 2)
        self._none = QLabel(NONE, wordWrap=True)
        self._none.setObjectName("labels-none")
        self._none.setProperty("role", "muted")
        self._none.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        layout.addLayout(self._head())
        layout.addWidget(self._none)
        layout.addWidget(self._view, 1)
        layout.addStretch(0)
        for changed in (self.model.modelReset, self.model.rowsInserted, self.model.rowsRemoved):
            changed.connect(self._show_none)
        self._view.itemDelegate().closeEditor.connect(self.model.end_draft)
        self._show_none()
        session.document_changed.connect(self._show_lock)
        session.edited.connect(self._show_lock)
        self._show_lock()

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        row.setSpacing(2)
        title = QLabel("Labels")
        title.setFont(theme.font(theme.BODY, bold=True))
        row.addWidget(title)
        row.addStretch(1)
        for name, tip, icon, slot in (
            ("label-add", "Add a label", "mdi6.plus", self._add),
            ("label-up", "Move up: earlier in every export", "mdi6.arrow-up", lambda: self._move(-1)),
            ("label-down", "Move down: later in every export", "mdi6.arrow-down", lambda: self._move(1)),
            ("label-merge", "Merge into another label", "mdi6.call-merge", self._merge),
            (
                "label-lock",
                "Lock the order: no label can move, go or be merged",
                "mdi6.lock-open-variant-outline",
                self._lock,
            ),
            ("label-show", "Show the images with this label", "mdi6.image-search-outline", self._show),
            ("label-remove", "Delete this label and its boxes", "mdi6.delete-outline", self._remove),
        ):
            button = QToolButton(autoRaise=True)
            button.setObjectName(name)
            button.setAccessibleName(tip)
            button.setToolTip(tip)
            theme.set_icon(button, icon)
            button.clicked.connect(slot)
            row.addWidget(button)
            self._buttons[name] = button
        self._buttons["label-lock"].setCheckable(True)
        return row

    @Slot()
    def _show_none(self) -> None:
        self._none.setVisible(not self.model.rowCount())
        self._view.setVisible(bool(self.model.rowCount()))

    @Slot()
    def _show_lock(self) -> None:
        """The lock as it is, and only what it lets be done."""
        document = self._session.document
        locked = document is not None and document.labels_locked
        lock = self._buttons["label-lock"]
        lock.setChecked(locked)
        theme.set_icon(lock, "mdi6.lock-outline" if locked else "mdi6.lock-open-variant-outline")
        for name in ("label-up", "label-down", "label-merge", "label-remove"):
            self._buttons[name].setEnabled(not locked)

    @Slot()
    def _lock(self) -> None:
        """Locked, the numbers of labels in exported files stay what they are."""
        locked = self._buttons["label-lock"].isChecked()
        self._session.do(edits.ChangeSetting("labels locked", True if locked else None))
        self._show_lock()

    def _chosen(self) -> Label | None:
        label = self.model.label(self._view.currentIndex().row())
        if label is None:
            self._session.inform("Choose a label in the table first.")
        return label

    @Slot()
    def _add(self) -> None:
        """A row to type its name in; Esc takes it away again."""
        editor = self._view.indexWidget(self.model.index(self.model.rowCount() - 1, NAME))
        if editor is not None:  # of the one before: the button has not taken the keyboard from it
            self._view.commitData(editor)
            self._view.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)
        self.model.end_draft()
        if self._session.document is not None:
            index = self.model.begin_draft()
            self._view.setCurrentIndex(index)
            self._view.edit(index)

    def _move(self, step: int) -> None:
        label = self._chosen()
        row = self._view.currentIndex().row()
        other = self.model.label(row + step)
        if label is None or other is None:
            return
        swap = (
            edits.ChangeLabel(dataclasses.replace(label, position=other.position)),
            edits.ChangeLabel(dataclasses.replace(other, position=label.position)),
        )
        self._edits.do(
            edits.Batch(swap, f"Move label '{label.name}'"),
            lambda: self._view.setCurrentIndex(self.model.index(row + step, NAME)),
        )

    @Slot()
    def _remove(self) -> None:
        """Asked for once more where boxes would go, with how many and where."""
        label, document = self._chosen(), self._session.document
        if label is None or document is None:
            return
        if not self.model.count(label):
            self._edits.do(edits.RemoveLabel(label.id))
            return
        menu = QMenu(self)
        menu.setObjectName("remove-menu")
        choice = menu.addAction(f"Delete '{label.name}' and {self._touched(label)}")
        choice.triggered.connect(lambda: self._delete(label))
        menu.popup(self.mapToGlobal(self.rect().topLeft()))

    def _delete(self, label: Label) -> None:
        touched = self._touched(label)
        self._edits.do(
            edits.RemoveLabel(label.id),
            lambda: self._session.inform(f"'{label.name}' and {touched} were deleted. Undo brings them back."),
        )

    def _touched(self, label: Label) -> str:
        """How many boxes of how many images an edit of the label would touch."""
        document = self._session.document
        images = len(document.images_with(label.id)) if document else 0
        boxes = self.model.count(label)
        return f"its {words.count(boxes, 'box')} in {words.count(images, 'image')}"

    @Slot()
    def _merge(self) -> None:
        label, document = self._chosen(), self._session.document
        if label is None or document is None:
            return
        menu = QMenu(self)
        menu.setObjectName("merge-menu")
        for other in document.labels():
            if other.id != label.id:
                choice = menu.addAction(f"Merge '{label.name}', {self._touched(label)}, into '{other.name}'")
                choice.triggered.connect(lambda _=False, id=other.id: self._edits.do(edits.MergeLabels(label.id, id)))
        if menu.isEmpty():
            self._session.inform("There is no other label to merge it into.")
            return
        menu.popup(self.mapToGlobal(self.rect().topLeft()))

    @Slot()
    def _show(self) -> None:
        label = self._chosen()
        if label is not None:
            self.show_asked.emit(label.id)

    @Slot(QModelIndex)
    def _double_clicked(self, index: QModelIndex) -> None:
        label = self.model.label(index.row())
        if label is None:
            return
        if index.column() == COLOUR:
            colour = QColorDialog.getColor(QColor(label.colour), self, f"Colour of {label.name}")
            if colour.isValid():
                self._session.do(edits.ChangeLabel(dataclasses.replace(label, colour=colour.name())))

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        label = self.model.label(index.row())
        if label is not None and index.column() == COUNT and self.model.count(label):
            self.show_asked.emit(label.id)
