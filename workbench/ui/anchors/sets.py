"""Sets of anchors side by side: the shown one, the one in use, those kept by name, and published ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import anchors
from workbench.anchors import SizePool
from workbench.anchors.overlap import is_usable, rows_of
from workbench.core.project import AnchorSet
from workbench.core.resize import FIT_MODES
from workbench.ui import theme
from workbench.ui.anchors.keep_window import KeepWindow
from workbench.ui.widgets.buttons import push_button
from workbench.ui.widgets.popups import Menu
from workbench.ui.widgets.tables import align_heads, style_table

KEPT = "anchor sets"
"""The project's setting: a list of tables, each with a name and the fields of AnchorSet."""
USED, CLUSTERED, EDITED, SHOWN = "in use", "clustered", "edited", "shown"
RESERVED = (USED, CLUSTERED, EDITED, SHOWN)
_HEADS = (
    ("Set", "A click looks at a set. Bold: what is shown now. A mark: kept in this project."),
    ("k", "Number of anchors."),
    ("IoU %", "Mean IoU: of each box with its best anchor."),
    ("> 0.5 %", "Best possible recall: boxes with an anchor above an IoU of one half."),
    ("< 4 × %", "Boxes whose sides are within a factor of four of some anchor's."),
)


@dataclass(frozen=True, slots=True)
class SetEntry:
    """A named set, with sizes for the chosen input side; `source`: where they come from.

    `own`: kept in this project, and can be removed. `resize`, `tiles`: as in ShownAnchors.
    """

    name: str
    sizes: tuple[tuple[float, float], ...]
    source: str
    own: bool = False
    resize: str = ""
    tiles: int = 0

    @property
    def key(self) -> tuple[bool, str]:
        return self.own, self.name


def kept_sets(setting: Any) -> list[tuple[str, AnchorSet]]:
    """The sets in the project's setting; damaged entries are left out."""
    found = []
    for one in setting if isinstance(setting, list) else []:
        try:
            values = {key: value for key, value in one.items() if key != "name"}
            values["sizes"] = tuple((float(w), float(h)) for w, h in values["sizes"])
            kept = AnchorSet(**values)
            is_whole = kept.resize in FIT_MODES and isinstance(kept.tiles, int) and kept.tiles >= 0
            if is_whole and kept.sizes and kept.input_px >= 1 and is_usable(rows_of(kept.sizes)).all():
                found.append((str(one["name"]), kept))
        except (TypeError, KeyError, ValueError, AttributeError):
            continue
    return found


def to_setting(sets: Sequence[tuple[str, AnchorSet]]) -> list[dict[str, Any]]:
    return [{"name": name, **one.to_setting()} for name, one in sets]


def all_sets(
    px: int,
    shown: AnchorSet | None,
    clustered: AnchorSet | None,
    edited: AnchorSet | None,
    used: AnchorSet | None,
    own: Sequence[tuple[str, AnchorSet]],
) -> list[SetEntry]:
    """The sets in use, found, moved by hand, shown, kept, and published, scaled to `px`."""
    sets = ((USED, used), (CLUSTERED, clustered), (EDITED, edited), (SHOWN, shown))
    known = [(name, one, False) for name, one in sets if one is not None] + [(name, one, True) for name, one in own]
    entries = [SetEntry(name, _at(one, px), one.source, is_own, one.resize, one.tiles) for name, one, is_own in known]
    return entries + [
        SetEntry(one.title, one.at(px), f"{one.title}: {one.paper}") for one in anchors.PUBLISHED.values()
    ]


def _at(one: AnchorSet, px: int) -> tuple[tuple[float, float], ...]:
    return tuple((w * px / one.input_px, h * px / one.input_px) for w, h in one.sizes)


class SetsTable(QWidget):
    """`chosen(entry)`: view it; `keep_requested(name)`: keep the shown set so; `remove_requested(name)`: remove it.

    `copied(words)`: what is in the clipboard now.
    """

    chosen = Signal(object)
    keep_requested = Signal(str)
    remove_requested = Signal(str)
    copied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[SetEntry, ...] = ()
        self._shown: AnchorSet | None = None
        self._ratio: float | None = None
        self.table = QTableWidget(0, len(_HEADS))
        self.table.setObjectName("anchors-sets")
        self.table.setAccessibleName("Sets of anchors")
        for place, (word, help) in enumerate(_HEADS):
            head = QTableWidgetItem(word)
            head.setToolTip(help)
            self.table.setHorizontalHeaderItem(place, head)
        header = style_table(self.table)
        align_heads(header, range(1, len(_HEADS)))
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.cellActivated.connect(self._activated)
        self.table.cellClicked.connect(self._activated)
        self.table.itemSelectionChanged.connect(self._enable)
        self.keep = push_button("anchors-keep", "Keep as…", "Keep what is shown under a name, in this project")
        self.drop = push_button("anchors-forget", "Remove", "Take the selected set out of the project. Can be undone.")
        self.copy = push_button("anchors-copy", "Copy", "Copy what is shown, to be pasted elsewhere")
        menu = Menu(self.copy)
        for text, make in (
            ("as cfg line (YOLOv3 and later)", lambda one: anchors.as_cfg(one.sizes)),
            ("as cfg line (YOLOv2, in cells)", lambda one: anchors.as_cfg(one.sizes, cell=32.0)),
            ("as JSON", lambda one: anchors.as_json(one, self._ratio)),
            ("as Python", anchors.as_python),
        ):
            menu.addAction(text, partial(self._copy, text, make))
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
        theme.theme().changed.connect(self._restyle)
        self._enable()

    def show_sets(self, entries: Sequence[SetEntry], pool: SizePool | None, shown: AnchorSet | None) -> None:
        """`shown`: the set that Copy and Keep act on."""
        before, is_same = self._selected(), shown is not None and shown == self._shown
        blocker = QSignalBlocker(self.table)
        self._entries, self._shown, self._ratio = tuple(entries), shown, None
        self.table.setRowCount(len(self._entries))
        shown_rows: list[int] = []
        for row, entry in enumerate(self._entries):
            step = anchors.rate_anchors(pool, np.array(entry.sizes)) if pool is not None and len(pool) else None
            values = ("–",) * 3 if step is None else tuple(
                anchors.percent(value)[:-2] for value in (step.mean_iou, step.recall, step.ratio_recall)
            )  # fmt: skip
            if entry.key == (False, SHOWN) and step is not None:
                self._ratio = step.ratio_recall
            is_shown = entry.key != (False, SHOWN) and shown is not None and _are_same(entry.sizes, shown.sizes)
            if is_shown:
                shown_rows.append(row)
            for column, text in enumerate((entry.name, str(len(entry.sizes)), *values)):
                item = QTableWidgetItem(text)
                item.setToolTip(f"{entry.name}\n{entry.source}")
                item.setFont(theme.font(theme.BODY, bold=is_shown and not column))
                if not column and entry.own:
                    item.setIcon(theme.icon("mdi6.bookmark-outline"))
                    item.setToolTip(f"{entry.name}, kept in this project\n{entry.source}")
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)
        self._select(before, shown_rows, stays=is_same)
        blocker.unblock()
        self._enable()

    def _select(self, before: tuple[bool, str] | None, shown: list[int], *, stays: bool) -> None:
        """Select the shown set's row and scroll to it; `before`'s if it is one of them or nothing else is shown now."""
        row = next((row for row, entry in enumerate(self._entries) if entry.key == before), None)
        if row is not None and (stays or row in shown):
            self.table.selectRow(row)
        elif shown and not stays:
            self.table.selectRow(shown[0])
            self.table.scrollTo(self.table.model().index(shown[0], 0))
        else:
            self.table.setCurrentCell(-1, -1)
            self.table.clearSelection()

    def _selected(self) -> tuple[bool, str] | None:
        entry = self._entry()
        return None if entry is None else entry.key

    def _entry(self) -> SetEntry | None:
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
        own = frozenset(entry.name for entry in self._entries if entry.own)
        others = frozenset(RESERVED) | {entry.name for entry in self._entries if not entry.own}
        window = KeepWindow(own, others, self)
        window.named.connect(self.keep_requested)
        window.open()

    @Slot()
    def _drop(self) -> None:
        entry = self._entry()
        if entry is not None and entry.own:
            self.remove_requested.emit(entry.name)

    def _copy(self, words: str, make: Callable[[AnchorSet], str]) -> None:
        if self._shown is not None:
            QGuiApplication.clipboard().setText(make(self._shown))
            self.copied.emit(f"Copied {len(self._shown.sizes)} {words}.")

    @Slot()
    def _restyle(self) -> None:
        for row, entry in enumerate(self._entries):
            item = self.table.item(row, 0)
            if entry.own and item is not None:
                item.setIcon(theme.icon("mdi6.bookmark-outline"))


def _are_same(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> bool:
    """Equal to thousandths of a pixel, to which sets are rounded."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=0.002))
