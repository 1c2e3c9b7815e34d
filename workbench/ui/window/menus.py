"""The menu bar: menus of actions in groups, with a line between two groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenuBar

from workbench.ui.widgets.popups import Menu


def menu_bar(menus: Mapping[str, Sequence[Sequence[QAction]]]) -> QMenuBar:
    """`menus`: groups of actions by title."""
    bar = QMenuBar()
    bar.setObjectName("menus")
    for title, groups in menus.items():
        menu = Menu(title, bar)
        bar.addMenu(menu)
        for number, group in enumerate(groups):
            if number:
                menu.addSeparator()
            menu.addActions(group)
    return bar
