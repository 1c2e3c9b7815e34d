"""The right side of the Label page: labels with their keys, this image's boxes, and details of the selected ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from workbench.core import box_faults
from workbench.core.box_faults import FAULTS
from workbench.core.label_keys import label_keys
from workbench.core.project import FLAGS, Box, Label
from workbench.ui import theme
from workbench.ui.widgets.announcements import announce
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.widgets.escape_filter import EscapeFilter
from workbench.ui.widgets.rows import HEIGHT, ROW, ListRow, RowsView, ranges

_HIDDEN, _NONE = "hidden  ", "No box is selected"


_FOR_A_WHILE = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)
"""Its menu, or the dialog for a new name, has the keyboard; both concern the row on which they were opened."""


class LabelRows(RowsView):
    """Enter chooses the label that the arrow keys reached, as a click does; leaving without it chooses none."""

    keyboard_released = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and plain and self.currentIndex().isValid():
            self.clicked.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in _FOR_A_WHILE:
            self.keyboard_released.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The label of the next box stays in sight when the list of boxes takes room."""
        super().resizeEvent(event)
        self.scrollTo(self.currentIndex())


class LabelsPanel(QWidget):
    """The project's labels: a click chooses one, the field at the bottom creates one."""

    chosen = Signal(int)
    new_label_requested = Signal(str)  # a new label of this name
    keyboard_released = Signal()  # Esc in the field: back to the canvas

    def __init__(self) -> None:
        super().__init__()
        self._current = 0  # id of the label of new boxes
        self._view = LabelRows("label-list", "Labels", "None yet. The first box asks for the name of its label.")
        self._view.setToolTip(
            "Click or Enter: the label of the selected boxes, and of new ones. Double-click: another name"
        )
        self._view.clicked.connect(self._clicked)
        self._view.keyboard_released.connect(self._mark)
        self._field = QLineEdit(placeholderText="Add a label", clearButtonEnabled=True)
        self._field.setToolTip("Enter adds it, and takes another; Esc, or a click on the picture, ends")
        self._field.setObjectName("new-label")
        self._field.setAccessibleName("Name of a new label")
        self._field.returnPressed.connect(self._ask)
        escape_filter = EscapeFilter(self._field)
        escape_filter.pressed.connect(self._field.clear)
        escape_filter.pressed.connect(self.keyboard_released)
        layout = _column(self, "Labels")
        layout.addWidget(self._view, 1)
        layout.addLayout(_inset(self._field))

    def show_labels(
        self, labels: Sequence[Label], counts: dict[int, int], current: int, hidden: frozenset[int] = frozenset()
    ) -> None:
        """Show labels with their numbers of boxes, and a word on those that are hidden."""
        keys = {label.id: key for key, label in label_keys(labels).items()}
        self._view.rows.set_rows(
            [
                ListRow(
                    label.id,
                    label.name,
                    _HIDDEN * (label.id in hidden) + f"{counts.get(label.id, 0):,}",
                    label.colour,
                    keys.get(label.id, ""),
                )
                for label in labels
            ]
        )
        self._current = current
        self._mark()

    @Slot()
    def _mark(self) -> None:
        row = self._view.rows.row_of(self._current)
        if row >= 0:
            self._view.setCurrentIndex(self._view.rows.index(row))

    @property
    def view(self) -> RowsView:
        return self._view

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        self.chosen.emit(index.data(ROW).id)

    @Slot()
    def _ask(self) -> None:
        name = self._field.text().strip()
        if name:
            self._field.clear()
            self.new_label_requested.emit(name)


class BoxesPanel(QWidget):
    """The boxes of the shown image; the selection here and on the canvas follow each other."""

    selected = Signal(object)  # list of box ids

    def __init__(self) -> None:
        super().__init__()
        self._view = RowsView(
            "box-list",
            "Boxes of this image",
            "None here. Drag on the picture ({draw}), or let a trained run suggest some ({suggest}).",
        )
        self._view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._following, self._said = False, ""
        layout = _column(self, "Boxes here (px)")
        layout.addWidget(self._view, 1)
        self._view.selectionModel().selectionChanged.connect(self._changed)

    @property
    def view(self) -> RowsView:
        return self._view

    def show_boxes(self, boxes: Sequence[Box], labels: dict[int, Label], size: tuple[float, float]) -> None:
        """`size` is the image's, (0, 0) if unknown; boxes with a fault are marked. A new box is scrolled into view."""
        self._following = True
        before = {row.id for row in self._view.rows.rows}
        wrong = box_faults.faults(np.array([box.xyxy for box in boxes]), np.array(size))
        self._view.rows.set_rows(
            [_row(box, labels.get(box.label), _words(one)) for box, one in zip(boxes, wrong.tolist(), strict=True)],
            [label.name for label in labels.values()],
        )
        new = [number for number, box in enumerate(boxes) if box.id not in before]
        if before and len(new) == 1:
            self._view.scrollTo(self._view.rows.index(new[0]))
        self._following = False

    def follow(self, ids: Sequence[int]) -> None:
        """Select these rows without emitting a signal."""
        self._following = True
        model = self._view.selectionModel()
        chosen = QItemSelection()
        wanted = set(ids)
        rows = [number for number, row in enumerate(self._view.rows.rows) if row.id in wanted]
        for part in ranges(rows):
            chosen.select(self._view.rows.index(part[0]), self._view.rows.index(part[-1]))
        model.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if rows:
            self._view.scrollTo(self._view.rows.index(rows[-1]))
        self._following = False
        before, self._said = self._said, self._words(rows)
        if self._said != before and self._view.isVisible() and not self._view.hasFocus():
            announce(self._view, self._said or _NONE)

    def _words(self, rows: Sequence[int]) -> str:
        return f"{len(rows):,} boxes selected" if rows[1:] else "".join(self._view.rows.rows[row].tip for row in rows)

    @Slot()
    def _changed(self) -> None:
        if not self._following:
            self.selected.emit(self._view.chosen())


_SHORT = {"difficult": "diff.", "truncated": "trunc.", "occluded": "occl.", "crowd": "crowd", "note": "note"}


def _words(wrong: Sequence[bool]) -> str:
    return "\n".join(box_faults.sentence(fault) for fault, is_so in zip(FAULTS, wrong, strict=True) if is_so)


def _row(box: Box, label: Label | None, wrong: str) -> ListRow:
    flags = [mark for mark in (*FLAGS, "note") if getattr(box, mark)]
    one = not wrong and len(flags) == 1  # otherwise a letter each: the name needs the space
    marks = ("\N{WARNING SIGN} " if wrong else "") + (_SHORT[flags[0]] if one else "".join(f[0] for f in flags))
    size = f"{box.width:.0f} × {box.height:.0f}"
    words = label.name if label else "?"
    x0, y0 = box.xyxy[:2]
    named = ", ".join(flags) if one else ", ".join(f"{flag[0]} {flag}" for flag in flags)
    lines = (f"{words}: {size} at {x0:g}, {y0:g}", named, wrong, box.note)
    tip = "\n".join(part for part in lines if part)
    return ListRow(box.id, words, f"{marks}  {size}" if marks else size, label.colour if label else "#b3b3b3", tip=tip)


class DetailsPanel(QWidget):
    """The marks and the note of the selected boxes. A note being typed is never lost: `finish` saves it."""

    changed = Signal(object)  # tuple[Box, ...]
    note_changed = Signal(object, str)  # tuple[Box, ...] as they were shown, and their new note
    keyboard_released = Signal()  # Enter or Esc in the note, or the selection is gone: back to the canvas

    def __init__(self) -> None:
        super().__init__()
        self._boxes: tuple[Box, ...] = ()
        self._flags = {}
        layout = _column(self, "Selected")
        self._about = ElidedLabel()  # no box may make the panel wider: the picture would move
        self._about.setObjectName("selection-about")
        self._about.setProperty("role", "muted")
        self._about.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        layout.addWidget(self._about)
        grid = QGridLayout()
        grid.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        for number, flag in enumerate(FLAGS):
            check = QCheckBox(flag.capitalize())
            check.setObjectName(f"flag-{flag}")
            check.setToolTip(_MEANINGS[flag])
            check.clicked.connect(self._flag_clicked)
            self._flags[flag] = check
            grid.addWidget(check, number // 2, number % 2)
        layout.addLayout(grid)
        self._note = NoteField(placeholderText="Note")
        self._note.setObjectName("box-note")
        self._note.setAccessibleName("Note on the selected boxes")
        self._note.editingFinished.connect(self.finish)
        self._note.command_coming.connect(self.finish)
        self._note.returnPressed.connect(self.keyboard_released)
        escape_filter = EscapeFilter(self._note)
        escape_filter.pressed.connect(self.finish)
        escape_filter.pressed.connect(self.keyboard_released)
        layout.addLayout(_inset(self._note))
        self.show_boxes(())

    def show_boxes(self, boxes: Sequence[Box], are_selected: bool = True) -> None:
        """Show these boxes; with `are_selected` False, it is the one just drawn."""
        ids = [box.id for box in boxes]
        goes_on = self._note.isModified() and ids == [box.id for box in self._boxes]
        if not goes_on and self.finish() and ids == [box.id for box in self._boxes]:
            return  # that edit has already updated the panel, and these are older
        self._boxes = tuple(boxes)
        has_keyboard = self.window().focusWidget()
        if not boxes and has_keyboard is not None and self.isAncestorOf(has_keyboard):
            self.keyboard_released.emit()  # a disabled widget loses the keyboard, and nothing else would get it
        self.setEnabled(bool(boxes))
        if len(boxes) == 1:
            x0, y0, x1, y1 = boxes[0].xyxy
            width, height, x, y = (f"{round(side, 1):g}" for side in (x1 - x0, y1 - y0, x0, y0))
            self._about.setText(
                f"{width} × {height} px at {x}, {y}" if are_selected else f"Just drawn: {width} × {height} px"
            )
        else:
            self._about.setText(f"{len(boxes):,} boxes" if boxes else _NONE)
        self._about.setToolTip("" if are_selected else JUST_DRAWN)
        for flag, check in self._flags.items():
            values = {bool(getattr(box, flag)) for box in boxes}
            check.setTristate(len(values) == 2)
            state = Qt.CheckState.PartiallyChecked if len(values) == 2 else (
                Qt.CheckState.Checked if values == {True} else Qt.CheckState.Unchecked
            )  # fmt: skip
            check.setCheckState(state)
        if not goes_on:
            notes = {box.note for box in boxes}
            self._note.setText(notes.pop() if len(notes) == 1 else "")

    @Slot()
    def _flag_clicked(self) -> None:
        for flag, check in self._flags.items():
            if check is self.sender():
                on = check.checkState() != Qt.CheckState.Unchecked
                self.changed.emit(tuple(dataclasses.replace(box, **{flag: on}) for box in self._boxes))  # type: ignore[arg-type]
                return

    @Slot()
    def finish(self) -> bool:
        """Emit the edit of a note being typed before something else is shown; False if there is none."""
        note, boxes = self._note.text(), self._boxes
        different = self._note.isModified() and any(box.note != note for box in boxes)
        self._note.setModified(False)
        if different and (note or len(boxes) == 1):
            self.note_changed.emit(boxes, note)
            return True
        return False


class NoteField(QLineEdit):
    """Tells when a key was pressed that types nothing: a command may follow, which may show another image."""

    command_coming = Signal()

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.ShortcutOverride and not event.isAccepted():
            self.command_coming.emit()
        return done


JUST_DRAWN = (
    "Arrows, Delete and the keys of the marks are for the box just drawn. A number key is for the next boxes; the same"
    " number again is for this box, too"
)
_MEANINGS = {
    "difficult": "Hard to see even for a person: evaluation counts it like any other, training may leave it out",
    "truncated": "A part of the object lies outside the picture",
    "occluded": "Something stands before the object",
    "crowd": "A region to ignore, such as a group whose members are not told apart: training and evaluation"
    " pass over it",
}


_LABELS = 0.45
"""The labels' share of the height of both lists if the boxes need the rest."""
_FEWEST = 3
"""Rows for which the list of boxes always has room, also for its message when it is empty."""


class SidePanel(QSplitter):
    """The three panels above one another. Height that the image's boxes don't need goes to the labels."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.setObjectName("side-panel")
        self.labels, self.boxes, self.details = LabelsPanel(), BoxesPanel(), DetailsPanel()
        for panel in (self.labels, self.boxes, self.details):
            self.addWidget(panel)
        self.setChildrenCollapsible(False)
        self.setStretchFactor(0, 2)
        self.setStretchFactor(1, 3)
        self.setStretchFactor(2, 0)
        self._is_by_hand = False
        self.splitterMoved.connect(self._moved)
        for panel in (self.labels, self.boxes):
            panel.view.rows.modelReset.connect(self.share)

    @Slot()
    def _moved(self) -> None:
        self._is_by_hand = True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.share()

    @Slot()
    def share(self) -> None:
        """Divide the height between the lists again, unless the user has set it."""
        labels, boxes, rest = self.sizes()
        if self._is_by_hand or not labels + boxes:
            return
        left = labels + boxes - _wanted(self.boxes, self.boxes.view, _FEWEST)
        mine = max(round(_LABELS * (labels + boxes)), min(left, _wanted(self.labels, self.labels.view, 0)))
        if mine != labels:
            self.setSizes([mine, labels + boxes - mine, rest])


def _wanted(panel: QWidget, view: RowsView, fewest: int) -> int:
    """Height in pixels at which all rows of a panel's list are visible."""
    layout = panel.layout()
    assert layout is not None
    around = layout.minimumSize().height() - view.minimumSizeHint().height()
    return around + 2 * view.frameWidth() + HEIGHT * max(fewest, len(view.rows.rows))


def _inset(field: QWidget) -> QVBoxLayout:
    row = QVBoxLayout()
    row.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
    row.addWidget(field)
    return row


def _column(panel: QWidget, title: str) -> QVBoxLayout:
    layout = QVBoxLayout(panel)
    layout.setContentsMargins(0, theme.GRID, 0, theme.GRID)
    layout.setSpacing(theme.GRID // 2)
    heading = QLabel(title)
    heading.setFont(theme.font(theme.BODY, bold=True))
    heading.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
    layout.addWidget(heading)
    return layout
