"""The window: rail, top line, page, bottom line. It puts the parts together and knows nothing of the pages' work."""

from __future__ import annotations

import importlib
import os
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenuBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from workbench.core.folders.project_folder import project_at
from workbench.ui import preferences, theme
from workbench.ui.actions import escape_mnemonics, make_action, run_or_say
from workbench.ui.commands import HELP
from workbench.ui.page import Page
from workbench.ui.page_specs import PAGE_SPECS
from workbench.ui.project.project_opener import ProjectOpener
from workbench.ui.project.recent_menu import RecentMenu
from workbench.ui.session import Session
from workbench.ui.start.page import StartPage
from workbench.ui.train.trainer_view.launcher import open_trainer_view
from workbench.ui.widgets import window_geometry
from workbench.ui.widgets.dropped_files import local_paths
from workbench.ui.widgets.file_dialogs import ask_for_folder
from workbench.ui.widgets.show_once import show_once
from workbench.ui.window.file_bars import FileBars
from workbench.ui.window.menus import menu_bar
from workbench.ui.window.messages import Messages
from workbench.ui.window.page_dialogs import PageDialogs
from workbench.ui.window.project_commands import ProjectCommands
from workbench.ui.window.rail import Rail
from workbench.ui.window.status_bar import StatusBar
from workbench.ui.window.top_bar import TopBar
from workbench.ui.window.window_closing import WindowCloser

_WINDOW, _APP = Qt.ShortcutContext.WindowShortcut, Qt.ShortcutContext.ApplicationShortcut


class MainWindow(QMainWindow):
    """Created with a session; `open(folder)` shows a project; until then the start page is shown."""

    def __init__(self, session: Session | None = None, log_file: Path | None = None) -> None:
        super().__init__()
        self.setObjectName("main-window")
        self.setWindowTitle("Workbench")
        self.setAcceptDrops(True)
        self.session = session or Session(self)
        self._log_file = log_file
        self._pages: dict[str, Page] = {}
        self._shown = ""  # the page that was shown last
        self._page_dialogs, self.closing = PageDialogs(self.session, self), WindowCloser(self.session, self)
        self._projects = ProjectOpener(self.session, self)
        self._projects.opened.connect(self._opened)
        self._make_actions()
        self._build()
        self.session.document_changed.connect(self._document_changed)
        self.session.edited.connect(self._renew_undo)
        self.session.undo_changed.connect(self._renew_undo)
        self.session.page_requested.connect(self.show_page)
        self.session.command_requested.connect(self._run_there)
        self.session.training_requested.connect(self._train)
        self.session.help_requested.connect(self.show_help)
        self.session.message.connect(self._messages.say)
        self.session.offered.connect(self._messages.offer)
        self.session.closing.connect(self._messages.go)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._scheme_changed)
        self._document_changed()
        window_geometry.restore(self, "window", (1280, 800), (960, 600), free=0)

    # --- building ---

    def _make_actions(self) -> None:
        def action(name: str, slot: object, where: Qt.ShortcutContext = _WINDOW, *, checkable: bool = False) -> QAction:
            return make_action(self, name, slot, context=where, checkable=checkable)  # type: ignore[arg-type]

        self._new = action("new-project", self.choose_photographs)
        self._open = action("open-project", self.choose_project)
        self._again = RecentMenu(self.session, self.open, self).menuAction()
        self._close = action("close-project", self.closing.close_project)
        self._quit = action("quit", self.close, _APP)
        self._project = ProjectCommands(self.session, self)
        self._trainer_view = action("seen", partial(open_trainer_view, self.session, self))
        self._undo = action("undo", self.session.undo_last)
        self._redo = action("redo", self.session.redo_last)
        self._history = action("history", self.show_history)
        self._find = action("find", self.show_finder)
        self._help_pages = [action(f"help-{page}", partial(self.show_help, page)) for page in HELP]
        self._keys = action("keys", self.show_keys)
        self._log = action("log", self.show_log)
        self._plugins = action("plugins", self.show_plugins)
        self._tour = action("tour", self.show_tour)
        self._about = action("about", self.show_about)
        self._page_actions = {p.name: action(f"page-{p.name}", partial(self._go_to, p.name), _APP) for p in PAGE_SPECS}
        group = QActionGroup(self)
        self._themes = {}
        for mode in theme.MODES:
            chosen = action(f"theme-{mode}", partial(self.set_theme, mode), checkable=True)
            chosen.setChecked(theme.theme().mode == mode)
            group.addAction(chosen)
            self._themes[mode] = chosen

    def _menus(self) -> QMenuBar:
        return menu_bar(
            {
                "&Project": [
                    [self._new, self._open, self._again, self._close],
                    [*self._project.actions],
                    [self._quit],
                ],
                "&Edit": [[self._undo, self._redo, self._history], [self._find]],
                "&View": [[*self._page_actions.values(), self._trainer_view], [*self._themes.values()]],
                "&Help": [[self._tour, *self._help_pages], [self._keys, self._log, self._plugins], [self._about]],
            }
        )

    def _build(self) -> None:
        self._top = TopBar(self.session, self._menus(), self._find)
        self.setMenuWidget(self._top)
        self._rail = Rail([(p.name, p.title, p.icon) for p in PAGE_SPECS])
        self._rail.chosen.connect(self.show_page)
        self._stack = QStackedWidget()
        self._stack.setObjectName("pages")
        self._start = StartPage(self._stack)
        self._start.folder_requested.connect(self.choose_photographs)
        self._start.open_requested.connect(self.choose_project)
        self._start.sample_requested.connect(self._projects.sample)
        self._projects.sample_progress.connect(self._start.sample.show_progress)
        self._start.tour_requested.connect(self.show_tour)
        self._start.create_requested.connect(self._projects.create)
        self._start.form_left.connect(lambda: self.show_page(self._shown))
        self._start.recent_chosen.connect(self.open)
        self._start.recent_located.connect(self._projects.open_moved)
        self._stack.addWidget(self._start)
        self._opening = QLabel("Opening …", alignment=Qt.AlignmentFlag.AlignCenter)
        self._opening.setObjectName("page-opening")
        self._opening.setProperty("role", "muted")
        self._stack.addWidget(self._opening)
        centre = QWidget()
        rows = QVBoxLayout(centre)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        self._files = FileBars(self.session, self.open)
        rows.addWidget(self._files)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._rail)
        middle.addWidget(self._stack, 1)
        rows.addLayout(middle, 1)
        rows.addWidget(StatusBar(self.session, self._keys))
        self.setCentralWidget(centre)
        self._messages = Messages(self._stack)
        self._stack.currentChanged.connect(self._messages.place)  # a newly shown page would cover them
        self._stack.currentChanged.connect(self._renew_undo)

    # --- projects ---

    @Slot(object)
    def open(self, folder: Path) -> bool:
        """Open the project in `folder`; False after a failure, which is reported in the corner."""
        return self._projects.open(folder)

    @Slot()
    def choose_project(self) -> None:
        if chosen := ask_for_folder(self, "Open a project"):
            self.open(chosen)

    @Slot()
    def choose_photographs(self) -> None:
        if chosen := ask_for_folder(self, "The folder of your photographs"):
            self.offer(chosen)

    def offer(self, photographs: Path) -> None:
        """Show the start page with the form for a new project of this folder; the current one stays open meanwhile."""
        self._show_start()
        self._start.offer(photographs)

    def _show_start(self) -> None:
        self._page_dialogs.hide_all(self._pages.values())
        self._stack.setCurrentWidget(self._start)
        self._rail.show_page("")
        self._start.refresh()

    def close_project(self) -> None:
        self.session.close()

    @Slot()
    def _opened(self) -> None:
        """Show this project's last page; if it has no boxes yet, one where there is something to do."""
        kept, document = self.session.page, self.session.document
        nothing = document is None or not document.counts().total
        pages = ("data", "label") if nothing else self._page_actions
        self.show_page(kept if kept in pages else "data")

    @Slot()
    def _document_changed(self) -> None:
        document = self.session.document
        on_project = (self._close, self._trainer_view, self._history, *self._page_actions.values())
        for action in on_project:
            action.setEnabled(document is not None)
        self._rail.set_pages_enabled(document is not None)
        self._renew_undo()
        if document is None:
            self._show_start()

    @Slot()
    def _renew_undo(self, _applied: object = None) -> None:
        for action, word, what in (
            (self._undo, "Undo", self.session.undo_title),
            (self._redo, "Redo", self.session.redo_title),
        ):
            action.setEnabled(bool(what) and self._stack.currentWidget() is not self._start)  # undo where it is seen
            action.setText(escape_mnemonics(f"{word}: {what}") if what else word)

    # --- pages ---

    @Slot(str)
    def show_page(self, name: str) -> None:
        """Show a page by name; does nothing without a project."""
        if name not in self._page_actions or self.session.document is None:
            return
        self._rail.show_page(name)
        if name not in self._pages and self.isVisible():
            self._stack.setCurrentWidget(self._opening)
            self.repaint()  # now: creating a page takes up to seconds
        page = self._page(name)
        self._stack.setCurrentWidget(page)
        self._shown = self.session.page = name
        page.shown()
        page.take_keyboard()
        self._page_dialogs.restore()

    def _go_to(self, name: str, _checked: bool = False) -> None:
        """On a page's key, which also works in the program's other windows: the page gets the keyboard."""
        self.show_page(name)
        self.activateWindow()

    def _page(self, name: str) -> Page:
        if name not in self._pages:  # created when first needed
            spec = next(spec for spec in PAGE_SPECS if spec.name == name)
            kind = getattr(importlib.import_module(spec.module), spec.kind)
            page: Page = kind(self.session, self._stack)  # at once: later, all within would be told of another style
            self._pages[name] = page
            self._stack.addWidget(page)
        return self._pages[name]

    @Slot(object)
    def _train(self, request: object) -> None:
        """Begin a training that another page asks for, on the Train page, which is created if needed but not shown."""
        page: Any = self._page("train")
        page.continue_run(request)

    # --- finding, help ---

    @Slot()
    def show_finder(self) -> None:
        """On Ctrl+K."""
        from workbench.ui.window import finder_entries

        finder_actions = finder_entries.FinderActions(
            self._run, self._run_there, self._show_image, self.open, self._show_setting
        )
        finder_entries.open_finder(self, self.session, self._pages, finder_actions)

    def _run(self, action: QAction) -> None:
        """Run a command; one that belongs to a page runs there."""
        owner = action.parent()
        while owner is not None and not isinstance(owner, Page):
            owner = owner.parent()
        if isinstance(owner, Page) and not owner.isVisible():
            self.show_page(owner.name)
        action.trigger()

    @Slot(str, str)
    def _run_there(self, page: str, command: str) -> None:
        """Run a command of a page that may not be shown."""
        self.show_page(page)
        run_or_say(self._pages[page].findChild(QAction, f"action-{command}"), self.session.inform)

    def _show_setting(self, name: str) -> None:
        self.show_page("train")
        self.session.setting_requested.emit(name)

    def _show_image(self, id: int) -> None:
        self.session.select_image(id)
        if self._stack.currentWidget() not in (self._pages.get("label"), self._pages.get("inspect")):
            self.show_page("label")

    @Slot()
    def show_keys(self) -> None:
        from workbench.ui.window.keys_sheet import KeysSheet

        open_ones = [sheet for sheet in self.findChildren(KeysSheet) if sheet.isVisible()]
        if open_ones:  # the key that opened the sheet closes it
            open_ones[0].close()
            return
        show_once(self, KeysSheet, lambda: KeysSheet(self))

    @Slot(str)
    def show_help(self, name: str, _checked: bool = False) -> None:
        from workbench.ui.window.help_window import HelpWindow

        show_once(self, HelpWindow, lambda: HelpWindow(name, self))

    @Slot()
    def show_history(self) -> None:
        from workbench.ui.window.history_window import HistoryWindow

        if self.session.document is not None:
            show_once(self, HistoryWindow, lambda: HistoryWindow(self.session, self))

    @Slot()
    def show_tour(self) -> None:
        """Go through the pages of the open project, or of the sample project if none is open."""
        if self.session.document is None:
            self._projects.sample(then=self.show_tour)
            return
        from workbench.ui.window.tour import begin_tour

        begin_tour(self, self.session.closing, self.show_page, self._shown)

    @Slot()
    def show_log(self) -> None:
        from workbench.ui.app import log_file
        from workbench.ui.window.log_window import LogWindow

        show_once(self, LogWindow, lambda: LogWindow(self._log_file or log_file(), self))

    @Slot()
    def show_plugins(self) -> None:
        from workbench.ui.window.plugins_window import PluginsWindow

        show_once(self, PluginsWindow, lambda: PluginsWindow(self))

    @Slot()
    def show_about(self) -> None:
        from workbench.ui.window.about_window import AboutWindow

        show_once(self, AboutWindow, lambda: AboutWindow(self))

    # --- look ---

    def set_theme(self, mode: str, _checked: bool = False) -> None:
        """ "system", "light" or "dark", now and at the next start."""
        preferences.put("theme", mode)
        theme.apply(mode)
        self._themes[mode].setChecked(True)

    @Slot()
    def _scheme_changed(self, _scheme: object = None) -> None:
        if theme.theme().mode == "system":
            theme.apply()

    # --- the window's end, and what is dropped on it ---

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter, if not handled elsewhere, presses the focused button, as Space does: held down, only once."""
        focused, is_enter = self.focusWidget(), event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and isinstance(focused, QAbstractButton) and not event.isAutoRepeat():
            focused.animateClick()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self.closing.delays_close(event):
            return
        for page in self._pages.values():
            page.closing()
        self._projects.close()
        self.close_project()
        self.closing.finish()
        self._files.close_down()
        self._start.closing()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """A project is opened; images are added to the open project, or their folder is offered for a new one."""
        paths = local_paths(event)
        if (folder := project_at(paths[0])) is not None:
            self.open(folder)
        elif self.session.document is not None:
            data: Any = self._page("data")
            data.image_adder.add(paths)
        else:
            self.offer(paths[0] if os.path.isdir(paths[0]) else paths[0].parent)
