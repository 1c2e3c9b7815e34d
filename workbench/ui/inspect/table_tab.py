"""A tab that is a table with a sentence below it; a click or Enter in a cell opens its images."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, Slot
from PySide6.QtWidgets import QAbstractItemView, QLabel, QTableView, QVBoxLayout

from workbench.ui import theme
from workbench.ui.inspect.state import InspectState
from workbench.ui.inspect.tab import InspectTab
from workbench.ui.widgets.tables import make_copyable


class TableTab(InspectTab):
    """`drawn` is the state in the table, None if there is none: a click may come while another is being computed.

    Subclasses override `open_cell`. Objects are called `inspect-NAME` and `inspect-NAME-words`.
    """

    def __init__(self, title: str, work: Callable[[InspectState], object], name: str, table: QTableView) -> None:
        super().__init__(title, work)
        self.drawn: InspectState | None = None
        table.setObjectName(f"inspect-{name}")
        table.setAccessibleName(title)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.horizontalHeader().setHighlightSections(False)
        table.clicked.connect(self._clicked)
        table.activated.connect(self._clicked)
        make_copyable(table)
        self.words = QLabel(wordWrap=True)
        self.words.setObjectName(f"inspect-{name}-words")
        self.words.setProperty("role", "muted")
        self.words.setFont(theme.font(theme.SMALL))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.GRID, 0, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(table, 1)
        column.addWidget(self.words)

    def open_cell(self, state: InspectState, row: int, column: int) -> None:
        """Emit `opened` for what is behind the cell; `state` is the one in the table."""
        raise NotImplementedError

    def clear(self) -> None:
        self.drawn = None
        self.words.setText("")

    def fail(self, sentence: str) -> None:
        self.words.setText(sentence)

    @Slot(QModelIndex)
    def _clicked(self, index: QModelIndex) -> None:
        if self.drawn is not None:
            self.open_cell(self.drawn, index.row(), index.column())
