"""The bar below the gallery: how many images are selected, the state and split they share, and buttons for others."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from workbench.core.project import Split, State
from workbench.ui import theme
from workbench.ui.widgets.popups import Menu


class SelectionBar(QFrame):
    """The selected images' values, and buttons to change them: a value that all of them share is shown pressed."""

    state_chosen = Signal(object)
    split_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("selection-bar")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.GRID, theme.GRID // 2, theme.GRID, theme.GRID // 2)
        layout.setSpacing(theme.GRID // 2)
        self._about = QLabel()
        self._about.setObjectName("gallery-selected")
        layout.addWidget(self._about)
        layout.addSpacing(theme.GRID)
        self._marks: dict[State | Split, tuple[QPushButton, QAction]] = {}
        self._wide, self._narrow = QWidget(), QWidget()
        for part in (self._wide, self._narrow):
            row = QHBoxLayout(part)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(theme.GRID // 2)
            layout.addWidget(part)
        for word, choices, signal, name in (
            ("State", list(State), self.state_chosen, "set-state"),
            ("Split", list(Split), self.split_chosen, "set-split"),
        ):
            self._add(word, choices, signal, name)
        layout.addStretch(1)
        self._fold()

    def _add(self, word: str, choices: list[State] | list[Split], signal: SignalInstance, name: str) -> None:
        """A button for each choice if there is room, else a menu."""
        title = QLabel(f"{word}:")
        title.setProperty("role", "muted")
        wide, narrow = self._wide.layout(), self._narrow.layout()
        assert isinstance(wide, QHBoxLayout)
        assert isinstance(narrow, QHBoxLayout)
        wide.addWidget(title)
        folded = QPushButton(word)
        folded.setObjectName(f"{name}-menu")
        folded.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = Menu(folded)
        for choice in choices:
            text = (choice.words if isinstance(choice, Split) else choice.value).capitalize()
            button = QPushButton(text)
            button.setCheckable(True)
            button.setProperty("role", "choice")
            button.setObjectName(f"{name}-{choice.value}")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the focus on the tiles
            button.clicked.connect(lambda _=False, choice=choice: signal.emit(choice))
            wide.addWidget(button)
            action = menu.addAction(text)
            action.setCheckable(True)
            action.triggered.connect(lambda _=False, choice=choice: signal.emit(choice))
            self._marks[choice] = (button, action)
        wide.addSpacing(theme.GRID)
        folded.setMenu(menu)
        narrow.addWidget(folded)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fold()

    def minimumSizeHint(self) -> QSize:
        """That of the folded form: the full one must not keep the window wide."""
        rows = self._narrow.sizeHint()
        return QSize(rows.width() + self._about.sizeHint().width() + 4 * theme.GRID, super().minimumSizeHint().height())

    def _fold(self) -> None:
        room = self.width() - self._about.sizeHint().width() - 4 * theme.GRID
        fits = self._wide.sizeHint().width() <= room
        self._wide.setVisible(fits)
        self._narrow.setVisible(not fits)

    def mark(self, state: State | None, split: Split | None) -> None:
        """Show the values that all selected images share; None if they differ or nothing is selected."""
        for choice, parts in self._marks.items():
            for part in parts:
                part.setChecked(choice is (state if isinstance(choice, State) else split))

    def show_count(self, count: int) -> None:
        self._about.setText(f"{count:,} selected")
        self.setEnabled(count > 0)
        self._fold()
