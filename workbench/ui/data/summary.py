"""How many images are in which state and split, and how many can't be read; clicking a number shows these images."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core.applied_edit import AppliedEdit
from workbench.core.project import Split, State
from workbench.core.storage.image_table import ImageTable
from workbench.ui import theme
from workbench.ui.images import unread_images
from workbench.ui.images.images_model import Filter
from workbench.ui.session import Session

_COUNT_AFTER = 150
"""Milliseconds after the last edit until images are counted again: counting 100,000 takes 50 ms."""


class Summary(QWidget):
    """Two small tables. Emits the Filter for the clicked number."""

    filter_requested = Signal(object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._numbers: dict[State | Split, QPushButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        grid.setHorizontalSpacing(theme.GRID)
        grid.setVerticalSpacing(0)
        for column, (members, wanted) in enumerate((([*State], "state"), ([*Split], "split"))):
            for row, member in enumerate(members):
                word = _word(member)
                number = self._add(grid, row, 2 * column, word, f"count-{wanted}-{member.value}")[1]
                number.clicked.connect(lambda _=False, w=wanted, m=member: self.filter_requested.emit(Filter(**{w: m})))
                self._numbers[member] = number
        self._unread = unread_images.of(session)
        self._broken = self._add(grid, len(State), 0, "can't be read", "count-unreadable")
        self._broken[1].clicked.connect(self._ask_for_broken)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(2, 1)
        title = QLabel("Images")
        title.setFont(theme.font(theme.BODY, bold=True))
        title.setContentsMargins(theme.GRID, theme.GRID, theme.GRID, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, theme.GRID)
        layout.setSpacing(theme.GRID // 2)
        layout.addWidget(title)
        layout.addLayout(grid)
        self._later = QTimer(self, singleShot=True, interval=_COUNT_AFTER)
        self._later.timeout.connect(self._count)
        session.document_changed.connect(self._count)
        session.edited.connect(self._edited)
        session.images_found.connect(self._count_soon)
        self._count()

    def _add(self, grid: QGridLayout, row: int, column: int, word: str, name: str) -> tuple[QLabel, QPushButton]:
        """Add a row to one of the tables; its click is not connected yet."""
        title = QLabel(word)
        title.setProperty("role", "muted")
        number = QPushButton("0", flat=True)
        number.setObjectName(name)
        number.setProperty("role", "count")
        number.setToolTip(f"Show these images ({word})")
        number.setCursor(Qt.CursorShape.PointingHandCursor)
        grid.addWidget(title, row, column)
        grid.addWidget(number, row, column + 1, Qt.AlignmentFlag.AlignRight)
        return title, number

    @Slot()
    def _count_soon(self, _ids: object = None) -> None:
        if not self._later.isActive():  # signals come faster than that: they must not postpone it forever
            self._later.start()

    @Slot(object)
    def _edited(self, applied: AppliedEdit) -> None:
        if applied.images_changed:
            self._later.start()

    @Slot()
    def _count(self) -> None:
        document = self._session.document
        images = document.images() if document else ImageTable.of(())
        for member, number in self._numbers.items():
            count = int((images.in_state(member) if isinstance(member, State) else images.in_split(member)).sum())
            _show(number, count, _word(member))
            number.setEnabled(count > 0)
        broken = len(self._unread.ids())
        _show(self._broken[1], broken, "can't be read")
        for widget in self._broken:
            widget.setVisible(broken > 0)

    @Slot()
    def _ask_for_broken(self) -> None:
        self.filter_requested.emit(Filter(only=self._unread.ids(), why="that can't be read"))


def _word(member: State | Split) -> str:
    return member.words if isinstance(member, Split) else member.value


def _show(number: QPushButton, count: int, word: str) -> None:
    """With the word beside it for those who only hear it."""
    number.setText(f"{count:,}")
    number.setMinimumWidth(max(72, number.sizeHint().width()))
    number.setAccessibleName(f"{word}: {count:,}")
