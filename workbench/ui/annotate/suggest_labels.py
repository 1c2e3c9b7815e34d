"""A button for a network's labels that the project lacks: add them, or match them to labels of the project."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QPushButton

from workbench.core.edits import AddLabels, ChangeSetting
from workbench.core.formatting import count, named
from workbench.core.former_names import SAID, said_names
from workbench.core.project import Label
from workbench.ui.actions import escape_mnemonics
from workbench.ui.session import Session
from workbench.ui.widgets.popups import Menu

_NAMED = 3  # labels named in one line of the menu
_LISTED = 12  # labels with a menu of their own
_NONE = ("N/A", "__background__")  # meaningless entries of COCO's list


class SuggestLabels(QPushButton):
    """Hidden while the project has all of the network's labels. `show_labels` sets those it lacks."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("suggest-labels")
        self.setText("Labels it knows")
        self.setAccessibleName("Labels of the network that the project lacks")
        self.setFocusPolicy(self.focusPolicy().NoFocus)
        self._session = session
        self._missing: tuple[str, ...] = ()
        self._seen: tuple[str, ...] = ()
        self._menu = Menu(self)
        self._menu.setObjectName("suggest-labels-menu")
        self._menu.aboutToShow.connect(self.fill)
        self.setMenu(self._menu)
        self.hide()

    def show_labels(self, missing: tuple[str, ...], seen: tuple[str, ...]) -> None:
        """`missing` are the network's labels that the project lacks, `seen` those of them found in this image."""
        self._missing = tuple(dict.fromkeys(name for name in missing if name.strip() and name not in _NONE))
        self._seen = tuple(name for name in seen if name in self._missing)
        document = self._session.document
        self.setVisible(bool(self._missing) and document is not None and not document.read_only)
        self.setToolTip(
            f"The network knows {count(len(self._missing), 'label')} that the project lacks: add them, or say which of"
            " the project's they are"
        )

    @Slot()
    def fill(self) -> None:
        """Rebuild the menu."""
        menu = self._menu
        menu.clear()
        for below in menu.findChildren(Menu):  # clear() keeps them
            below.deleteLater()
        if self._seen:
            here = menu.addAction(escape_mnemonics(f"Add {_some(self._seen)}, seen here"))
            here.triggered.connect(lambda: self.add(self._seen))
        if len(self._missing) > len(self._seen):
            words = f"Add {_some(self._missing)}" if len(self._missing) <= _NAMED else f"Add all {len(self._missing):,}"
            menu.addAction(escape_mnemonics(words)).triggered.connect(lambda: self.add(self._missing))
        document = self._session.document
        if document is None:
            return
        labels = document.labels()
        if labels:
            menu.addSeparator()
        for name in [*self._seen, *(name for name in self._missing if name not in self._seen)][:_LISTED]:
            if labels:
                self._add_choices(menu.below(escape_mnemonics(f"“{name}” is")), name, labels)
        if said_names(document):
            menu.addSeparator()
            menu.addAction("By their names alone again").triggered.connect(self.forget)

    def _add_choices(self, menu: Menu, name: str, labels: tuple[Label, ...]) -> None:
        group = QActionGroup(menu)
        for label in labels:
            action = menu.addAction(escape_mnemonics(label.name))
            group.addAction(action)
            action.triggered.connect(lambda _=False, id=label.id: self.match(name, id))

    def add(self, names: tuple[str, ...]) -> None:
        """Add them to the project, as one step that can be undone."""
        self._session.do(AddLabels(tuple(Label(0, name) for name in names)))

    def match(self, name: str, label: int) -> None:
        """Match the network's label `name` to the project's `label`; saved in the project, can be undone."""
        document = self._session.document
        if document is not None:
            self._session.do(ChangeSetting(SAID, {**said_names(document), name: label}))

    @Slot()
    def forget(self) -> None:
        self._session.do(ChangeSetting(SAID, None))


def _some(names: tuple[str, ...]) -> str:
    return named([f"“{name}”" for name in names], _NAMED)
