"""A switch per output level of a detector: its cells and how many are trained on a box. In as few rows as fit."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QGridLayout, QSizePolicy, QWidget

from workbench.ui import theme
from workbench.ui.train.trainer_view.requests import AssignmentResult

MOST = 6
"""SSD's number of levels. Their switches exist from the start, as Tab follows the order of creation."""


class LevelSwitches(QWidget):
    """`changed` after a switch; `hidden` are the levels that are off. The switches are numbered from 1."""

    changed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._made = [self._switch(level) for level in range(MOST)]
        self._switches: list[QCheckBox] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * theme.GRID)
        self._grid.setVerticalSpacing(2)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    @property
    def hidden(self) -> frozenset[int]:
        return frozenset(level for level, switch in enumerate(self._switches) if not switch.isChecked())

    def clear(self) -> None:
        """Show no switches until the next assignment."""
        self.hide()

    def show_assignment(self, assignment: AssignmentResult) -> None:
        """Switches keep their state if the levels are the same."""
        self.show()
        if len(assignment.grids) != len(self._switches):
            self._make(len(assignment.grids))
        counts = np.bincount(assignment.level[np.unique(assignment.prior)], minlength=len(assignment.grids)).tolist()
        for switch, (rows, columns), count in zip(self._switches, assignment.grids, counts, strict=True):
            switch.setText(f"{rows} × {columns}: {count:,}")
            switch.setAccessibleName(f"Level of {rows} × {columns} cells: {count:,} positives")
            stride = assignment.side / rows
            switch.setToolTip(f"{rows} × {columns} cells of {stride:.0f} px; {count:,} positives on this level")
            switch.setEnabled(True)
        self._place()

    def _make(self, count: int) -> None:
        for switch in self._switches:
            self._grid.removeWidget(switch)
            switch.hide()
        self._made += [self._switch(level) for level in range(len(self._made), count)]
        self._switches = self._made[:count]
        for switch in self._switches:
            with QSignalBlocker(switch):
                switch.setChecked(True)
            switch.show()

    def _switch(self, level: int) -> QCheckBox:
        switch = QCheckBox(self)
        switch.setObjectName(f"{self._name}-{level + 1}")
        switch.setFont(theme.font(theme.SMALL))
        switch.toggled.connect(self.changed)
        switch.hide()
        return switch

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._place()

    def _place(self) -> None:
        if not self._switches:
            return
        widest = max(switch.sizeHint().width() for switch in self._switches) + self._grid.horizontalSpacing()
        columns = max(1, min(len(self._switches), self.width() // widest))
        for number, switch in enumerate(self._switches):
            self._grid.addWidget(switch, number // columns, number % columns, Qt.AlignmentFlag.AlignLeft)
        for column in range(len(self._switches) + 1):
            self._grid.setColumnStretch(column, int(column == columns))
