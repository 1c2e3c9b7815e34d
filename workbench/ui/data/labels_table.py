"""The labels as a table in export order: colour, key, name, number of boxes. Every change can be undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.core import edits, formatting, label_lists
from workbench.core.files import natural_key
from workbench.core.label_keys import keeping_keys
from workbench.core.project import Label
from workbench.core.storage.box_criteria import BoxCriteria
from workbench.errors import WorkbenchError
from workbench.ui import new_labels, theme
from workbench.ui.actions import escape_mnemonics
from workbench.ui.data.labels_model import COLOUR, COUNT, KEY, NAME, LabelsModel
from workbench.ui.data.numbers_window import LabelEdits
from workbench.ui.session import Session
from workbench.ui.widgets.elided import cut_apart
from workbench.ui.widgets.file_dialogs import ask_for_file
from workbench.ui.widgets.label_popup import LabelPopup
from workbench.ui.widgets.popups import Menu, MenuKeyFilter
from workbench.ui.widgets.tables import style_table

LOCKED = "The order of the labels is locked: the lock in this line unlocks it."
NONE = (
    "None yet. The first box asks for the name of its label. + adds one by name, or a pasted list, one name a line; "
    "the button beside it reads a text file."
)


class LabelNames(QStyledItemDelegate):
    """The cells of the table; names that are alike are elided so that they differ."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        model = index.model()
        if index.column() == NAME and isinstance(model, LabelsModel):
            room = _room_of_text(option)
            option.text = cut_apart(index.data() or "", model.names, option.fontMetrics, room)  # type: ignore[attr-defined]


def _room_of_text(option: QStyleOptionViewItem) -> int:
    """Pixels that the style leaves for a cell's text."""
    view: QWidget = option.widget  # type: ignore[attr-defined]
    style = view.style()
    whole = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, view).width()
    return whole - 2 * (style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin, option, view) + 1)


class LabelsTable(QWidget):
    """The table with its buttons."""

    show_requested = Signal(int)  # show the images with this label

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
        self._view.setItemDelegate(LabelNames(self._view))
        header = style_table(self._view)
        metrics = self._view.fontMetrics()
        self._view.verticalHeader().setDefaultSectionSize(max(28, metrics.height() + 6))
        self._view.setShowGrid(False)
        self._view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(COLOUR, 32)
        for column, least, widest in ((KEY, 40, "Key"), (COUNT, 80, "1,234,567")):
            header.resizeSection(column, max(least, metrics.horizontalAdvance(widest) + 2 * theme.GRID))
        self._view.clicked.connect(self._clicked)
        self._view.doubleClicked.connect(self._double_clicked)
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._view.customContextMenuRequested.connect(self._open_menu)
        MenuKeyFilter(self._view)
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
        self._before: tuple[int, list[int]] = (-1, [])  # current row and all ids before the last change
        self.model.modelAboutToBeReset.connect(self._remember)
        self.model.modelReset.connect(self._choose_again)
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
            ("label-file", "Add labels from a text file, one name a line", "mdi6.playlist-plus", self._add_list),
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

    def _labels(self) -> list[Label]:
        """In the order of the table."""
        labels = (self.model.label(row) for row in range(self.model.rowCount()))
        return [label for label in labels if label is not None]

    def _ids(self) -> list[int]:
        return [label.id for label in self._labels()]

    @Slot()
    def _remember(self) -> None:
        self._before = self._view.currentIndex().row(), self._ids()

    @Slot()
    def _choose_again(self) -> None:
        """Select the one new label, as after an undo; else the label that was current, or the one now in its place."""
        (row, before), now = self._before, self._ids()
        if not (0 <= row < len(before) and now):
            return
        added = [id for id in now if id not in before]
        wanted = added[0] if len(added) == 1 else before[row]
        self._view.setCurrentIndex(
            self.model.index(now.index(wanted) if wanted in now else min(row, len(now) - 1), NAME)
        )

    @Slot()
    def _show_lock(self) -> None:
        """Show the lock's state, and disable what it forbids."""
        document = self._session.document
        locked = document is not None and document.labels_locked
        lock = self._buttons["label-lock"]
        lock.setChecked(locked)
        theme.set_icon(lock, "mdi6.lock-outline" if locked else "mdi6.lock-open-variant-outline")
        for name in ("label-up", "label-down", "label-merge", "label-remove"):
            button = self._buttons[name]
            button.setEnabled(not locked)
            button.setToolTip(LOCKED if locked else button.accessibleName())

    @Slot()
    def _lock(self) -> None:
        """While locked, the numbers of labels in exported files stay the same."""
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
        """Add a row to type a name in; Esc removes it."""
        editor = self._view.indexWidget(self.model.index(self.model.rowCount() - 1, NAME))
        if editor is not None:  # the previous row's: the button has not taken the focus from it
            self._view.commitData(editor)
            self._view.closeEditor(editor, QAbstractItemDelegate.EndEditHint.NoHint)
        self.model.end_draft()
        if self._session.document is not None:
            index = self.model.begin_draft()
            self._view.setCurrentIndex(index)
            self._view.edit(index)

    @Slot()
    def _add_list(self) -> None:
        chosen = ask_for_file(self, "A list of label names", "Lists of names (*.txt *.names);;All files (*)")
        if chosen is not None:
            try:
                new_labels.add(self._session, label_lists.read_names(chosen))
            except WorkbenchError as error:
                self._session.report_error(error)

    def _move(self, step: int) -> None:
        label, row = self._chosen(), self._view.currentIndex().row() + step
        labels = self._labels()
        if label is None or not 0 <= row < len(labels):
            return
        order = [other for other in labels if other.id != label.id]
        order.insert(row, label)
        self._arrange(order, f"Move label '{label.name}'")

    def _arrange(self, order: list[Label], title: str) -> None:
        """Put the labels into this order, as one step."""
        moved = tuple(
            edits.ChangeLabel(dataclasses.replace(label, position=place.position))
            for label, place in zip(order, self._labels(), strict=True)
            if label.position != place.position
        )
        if moved:
            self._edits.do(edits.Batch(moved, title))

    def _sort(self, by: str, key: Callable[[Label], Any]) -> None:
        self._arrange(sorted(self._labels(), key=key), f"Sort labels by {by}")

    @Slot()
    def _remove(self) -> None:
        """If boxes would be deleted, confirm first, with how many and where."""
        label, document = self._chosen(), self._session.document
        if label is None or document is None:
            return
        if not self.model.count(label):
            self._edits.do(keeping_keys(edits.RemoveLabel(label.id), {label.id}, document.labels()))
            return
        menu = Menu(self)
        menu.setObjectName("remove-menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        choice = menu.addAction(escape_mnemonics(f"Delete '{label.name}' and {self._affected(label)}"))
        choice.triggered.connect(lambda: self._delete(label))
        theme.set_icon(choice, "mdi6.delete-outline")
        menu.addAction(escape_mnemonics(f"Keep '{label.name}'"))  # a menu with one entry looks like a tooltip
        row = self._view.visualRect(self._view.currentIndex())
        menu.popup(self._view.viewport().mapToGlobal(row.bottomLeft()))

    def _delete(self, label: Label) -> None:
        touched, document = self._affected(label), self._session.document
        assert document is not None
        self._edits.do(
            keeping_keys(edits.RemoveLabel(label.id), {label.id}, document.labels()),
            lambda: self._session.inform(f"'{label.name}' and {touched} were deleted. Undo brings them back."),
        )

    def _unused(self) -> list[int]:
        """Ids of the labels without boxes."""
        document = self._session.document
        counts = document.label_counts() if document else {}
        return [id for id in self._ids() if not counts.get(id)]

    @Slot()
    def _remove_unused(self) -> None:
        """A list of names that was imported may have many that this project doesn't need."""
        document, unused = self._session.document, self._unused()
        if document is None:
            return
        what = formatting.count(len(unused), "label") + " without boxes"
        parts = edits.Batch(tuple(map(edits.RemoveLabel, unused)), f"Delete {what}")
        self._edits.do(
            keeping_keys(parts, set(unused), document.labels()),
            lambda: self._session.inform(f"{what} deleted. Undo brings them back."),
        )

    def _affected(self, label: Label) -> str:
        """How many boxes in how many images an edit of the label would touch."""
        document = self._session.document
        images = len(document.images_with(BoxCriteria(label=label.id))) if document else 0
        boxes = self.model.count(label)
        return f"its {formatting.count(boxes, 'box')} in {formatting.count(images, 'image')}"

    @Slot()
    def _merge(self) -> None:
        """Merge into a label chosen in a searchable list: a menu of hundreds of labels would fill the screen."""
        label, document = self._chosen(), self._session.document
        if label is None or document is None:
            return
        others = [other for other in document.labels() if other.id != label.id]
        if not others:
            self._session.inform("There is no other label to merge it into.")
            return
        hint = f"Merges '{label.name}', {self._affected(label)}, into the label that is chosen. Undo takes it back."
        popup = LabelPopup(others, self.window(), hint, may_make=False)
        popup.chosen.connect(lambda id: self._merge_into(label, id))
        row = self._view.visualRect(self._view.currentIndex())
        popup.open_at(self._view.viewport().mapToGlobal(row.bottomLeft()))

    def _merge_into(self, label: Label, other: int) -> None:
        document = self._session.document
        if document is not None:
            self._edits.do(keeping_keys(edits.MergeLabels(label.id, other), {label.id}, document.labels()))

    @Slot()
    def _show(self) -> None:
        label = self._chosen()
        if label is not None:
            self.show_requested.emit(label.id)

    @Slot(QPoint)
    def _open_menu(self, at: QPoint) -> None:
        """The buttons' actions, in words, for the label under the pointer."""
        index = self._view.indexAt(at)
        label = self.model.label(index.row())
        if label is None:
            return
        self._view.setCurrentIndex(index)
        menu = Menu(self)
        menu.setObjectName("labels-menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for title, column, do in (
            ("Rename", NAME, self._view.edit), ("Another key", KEY, self._view.edit),
            ("Another colour…", COLOUR, self._double_clicked),
        ):  # fmt: skip
            at_cell = self.model.index(index.row(), column)
            menu.addAction(title).triggered.connect(lambda _=False, do=do, cell=at_cell: do(cell))
        menu.addSeparator()
        may = self._buttons["label-up"].isEnabled()
        entries: list[tuple[str, Callable[[], object], bool]] = [
            *map(self._entry, ("label-show", "label-up", "label-down")),
            ("Move to the top", lambda: self._move(-index.row()), may),
            ("Move to the bottom", lambda: self._move(len(self._labels()) - 1 - index.row()), may),
            ("Sort all by name", lambda: self._sort("name", lambda one: natural_key(one.name)), may),
            ("Sort all by number of boxes", lambda: self._sort("number of boxes", lambda x: -self.model.count(x)), may),
            *map(self._entry, ("label-merge", "label-remove")),
        ]
        if (unused := len(self._unused())) > 1:
            entries.append((f"Delete the labels without boxes ({unused:,})", self._remove_unused, may))
        for title, act, enabled in entries:
            action = menu.addAction(title)
            action.setEnabled(enabled)
            action.triggered.connect(act)
        menu.popup(self._view.viewport().mapToGlobal(at))

    def _entry(self, name: str) -> tuple[str, Callable[[], object], bool]:
        button = self._buttons[name]
        return button.toolTip(), button.click, button.isEnabled()

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
            self.show_requested.emit(label.id)
