"""The commands for selected boxes as actions of the Label page, and their menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from workbench.core.project import FLAGS
from workbench.ui.actions import make_action
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.widgets.popups import Menu


class BoxActions(QObject):
    """`refuse` may do something instead of deleting, and then returns True; `ask_label` asks for another label.

    All but Tab act once for a key that is held, by `once`: marks and Z would switch on and off, copies pile up.
    """

    def __init__(
        self,
        page: QWidget,
        canvas: Canvas,
        commands: BoxCommands,
        refuse: Callable[[], bool],
        ask_label: Callable[[], object],
        once: Callable[[Callable[[], object]], Callable[[], None]],
    ) -> None:
        super().__init__(page)
        only_canvas = Qt.ShortcutContext.WidgetShortcut

        def action(name: str, do: Callable[[], object]) -> QAction:
            return make_action(page, name, once(do))

        self._first = [
            action("change-label", ask_label),
            action("duplicate", commands.duplicate),
            action("delete-boxes", partial(commands.delete, refuse)),
        ]
        self._marks = [action(f"mark-{flag}", partial(commands.mark, flag)) for flag in FLAGS]
        self._rest = [
            action("copy-boxes", commands.copy),
            action("paste-boxes", commands.paste),
            action("select-all", lambda: canvas.select(canvas.layer.ids)),
            action("zoom-boxes", commands.zoom),
        ]
        action("fill-between", commands.fill_between)
        make_action(canvas, "next-box", lambda: canvas.select_next(1), context=only_canvas)
        make_action(canvas, "previous-box", lambda: canvas.select_next(-1), context=only_canvas)

    def menu(self, parent: QWidget) -> Menu:
        """A new one, deleted when closed."""
        menu = Menu(parent)
        menu.setObjectName("canvas-menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for group in (self._first, self._marks, self._rest):
            menu.addActions(group)
            menu.addSeparator()
        return menu
