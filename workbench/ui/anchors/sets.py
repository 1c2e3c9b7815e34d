"""Sets of anchors side by side: those being shown, those in use, kept ones by name, and what others published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QMenu,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import anchors
from workbench.anchors import Pool
from workbench.core.project import AnchorSet

KEPT = "anchor sets"
"""The project's setting: a list of tables with a name and what AnchorSet has."""
SHOWN = "as shown"
_COLUMNS = ("Set", "", "Mean IoU", "> 0.5", "< 4 ×")


@dataclass(frozen=True, slots=True)
class Entry:
    """A set by name, with sizes for the input side being looked at. `own`: kept in this project, and may go."""

    name: str
    sizes: tuple[tuple[float, float], ...]
    help: str
    own: bool = False


def kept(setting: Any) -> list[tuple[str, AnchorSet]]:
    """What the project's setting holds, without what is damaged in it."""
    found = []
    for one in setting if isinstance(setting, list) else []:
        try:
            values = {key: value for key, value in one.items() if key != "name"}
            values["sizes"] = tuple((float(w), float(h)) for w, h in values["sizes"])
            found.append((str(one["name"]), AnchorSet(**values)))
        except (TypeError, KeyError, ValueError, AttributeError):
            continue
    return found


def to_setting(sets: Sequence[tuple[str, AnchorSet]]) -> list[dict[str, Any]]:
    return [{"name": name, **one.to_setting()} for name, one in sets]


def all_sets(
    px: int, shown: AnchorSet | None, used: AnchorSet | None, own: Sequence[tuple[str, AnchorSet]]
) -> list[Entry]:
    """What is shown and used, what is kept, and what is published: for an input side of `px`."""
    sets = [(SHOWN, shown), ("in use", used)]
    entries = [Entry(name, _scaled(one.sizes, px / one.input_px), one.source) for name, one in sets if one is not None]
    entries += [Entry(name, _scaled(one.sizes, px / one.input_px), one.source, own=True) for name, one in own]
    return entries + [Entry(one.title, one.at(px), one.paper) for one in anchors.PUBLISHED.values()]


def _scaled(sizes: Sequence[tuple[float, float]], factor: float) -> tuple[tuple[float, float], ...]:
    return tuple((w * factor, h * factor) for w, h in sizes)


class SetsTable(QWidget):
    """`chosen(entry)` to look at one; `kept(name)`: what is shown is to be kept under it; `dropped(name)`."""

    chosen = Signal(object)
    kept = Signal(str)
    dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[Entry, ...] = ()
        self._shown: AnchorSet | None = None
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setObjectName("anchors-sets")
        self.table.setAccessibleName("Sets of anchors")
        self.table.setHorizontalHeaderLabels(list(_COLUMNS))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(24)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.table.cellActivated.connect(self._activated)
        self.table.cellClicked.connect(self._activated)
        self.table.itemSelectionChanged.connect(self._enable)
        self.keep = _button("anchors-keep", "Keep as…", "Keep what is shown under a name, in this project")
        self.drop = _button("anchors-forget", "Forget", "Take this set out of the project")
        self.copy = _button("anchors-copy", "Copy", "Copy what is shown, to be pasted elsewhere")
        menu = QMenu(self.copy)
        for text, slot in (
            ("as cfg line (YOLOv3 and later)", lambda: self._copy(lambda one: anchors.as_cfg(one.sizes))),
            ("as cfg line (YOLOv2, in cells)", lambda: self._copy(lambda one: anchors.as_cfg(one.sizes, cell=32.0))),
            ("as JSON", lambda: self._copy(anchors.as_json)),
            ("as Python", lambda: self._copy(anchors.as_python)),
        ):
            menu.addAction(text, slot)
        self.copy.setMenu(menu)
        self.keep.clicked.connect(self._keep)
        self.drop.clicked.connect(self._drop)
        foot = QHBoxLayout()
        for button in (self.keep, self.drop, self.copy):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table, 1)
        column.addLayout(foot)
        self._enable()

    def show_sets(self, entries: Sequence[Entry], pool: Pool | None, shown: AnchorSet | None) -> None:
        """`shown`: what Copy and Keep are about."""
        self._entries, self._shown = tuple(entries), shown
        before = self.table.currentRow()
        self.table.setRowCount(len(self._entries))
        for row, entry in enumerate(self._entries):
            step = anchors.judge(pool, np.array(entry.sizes)) if pool is not None and len(pool) else None
            values = ("–",) * 3 if step is None else tuple(
                f"{100 * value:.1f}" for value in (step.mean_iou, step.recall, step.ratio_recall)
            )  # fmt: skip
            for column, text in enumerate((entry.name, str(len(entry.sizes)), *values)):
                item = QTableWidgetItem(text)
                item.setToolTip(entry.help)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)
        if 0 <= before < len(self._entries):
            self.table.selectRow(before)
        self._enable()

    def _entry(self) -> Entry | None:
        row = self.table.currentRow()
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @Slot()
    def _enable(self) -> None:
        entry = self._entry()
        self.drop.setEnabled(entry is not None and entry.own)
        self.keep.setEnabled(self._shown is not None)
        self.copy.setEnabled(self._shown is not None)

    @Slot(int, int)
    def _activated(self, row: int, _column: int) -> None:
        self.chosen.emit(self._entries[row])

    @Slot()
    def _keep(self) -> None:
        taken = {entry.name for entry in self._entries}
        name = next(f"Set {n}" for n in range(1, len(taken) + 2) if f"Set {n}" not in taken)
        name, is_sure = QInputDialog.getText(self, "Keep these anchors", "Name", text=name)
        if is_sure and name.strip():
            self.kept.emit(name.strip())

    @Slot()
    def _drop(self) -> None:
        entry = self._entry()
        if entry is not None and entry.own:
            self.dropped.emit(entry.name)

    def _copy(self, make: Any) -> None:
        if self._shown is not None:
            QGuiApplication.clipboard().setText(make(self._shown))


def _button(name: str, word: str, help: str) -> QPushButton:
    made = QPushButton(word)
    made.setObjectName(name)
    made.setToolTip(help)
    return made
