"""Help > Plugins: every plugin file with its state, and the user's consent to new ones."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from workbench import plugins
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.widgets.open_folder import open_folder
from workbench.ui.widgets.tables import align_heads, style_table

_MEANS = {  # explains a state whose word says too little
    "later": "It imports PyTorch, and is loaded together with it when a page first needs that.",
    "asks": "It has not run. It runs once you have allowed it and restarted the program.",
}


class PluginsWindow(QDialog):
    """A table of the plugins. A plugin is a program: one from outside runs only after consent to exactly that file."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("plugins-window")
        self.setWindowTitle("Plugins")
        about = QLabel(
            "One Python file adds detectors, formats or exporters. Put yours into the folder below, or install a"
            " package that brings some. A plugin is a program: allow only those whose author you trust. workbench"
            " --safe-mode starts without any.",
            wordWrap=True,
        )
        folder = QLabel(str(plugins.user_folder()))  # in a line of its own, which never wraps
        folder.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._state_text = QLabel(wordWrap=True)
        self._state_text.setObjectName("plugins-said")
        self._table = QTableWidget(0, 4)
        self._table.setObjectName("plugins-table")
        self._table.setAccessibleName("Plugins")
        self._table.setHorizontalHeaderLabels(["Plugin", "State", "Adds", "About"])
        align_heads(style_table(self._table))
        self._table.setTextElideMode(Qt.TextElideMode.ElideRight)  # of a sentence the beginning tells most
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.horizontalHeader().setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self._table.itemSelectionChanged.connect(self._chosen)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        # Enter in the table presses none of them: nobody should allow a program by accident.
        self._allow = QPushButton("Allow this plugin", autoDefault=False)
        self._allow.setObjectName("plugins-allow")
        self._forget = QPushButton("Do not allow it", autoDefault=False)
        self._forget.setObjectName("plugins-forget")
        self._open = QPushButton("Open the folder", autoDefault=False)
        self._open.setObjectName("plugins-open")
        buttons.addButton(self._allow, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._forget, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._open, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        buttons.rejected.connect(self.close)
        self._allow.clicked.connect(lambda: self._change(plugins.allow))
        self._forget.clicked.connect(lambda: self._change(plugins.forget))
        self._open.clicked.connect(self._open_folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(2 * theme.GRID,) * 4)
        layout.setSpacing(theme.GRID)
        for widget in (about, folder, self._table, self._state_text, buttons):
            layout.addWidget(widget)
        self._plugins = plugins.listed()
        self._fill()
        self.resize(720, 360)

    def _fill(self) -> None:
        self._table.setRowCount(len(self._plugins))
        for row, plugin in enumerate(self._plugins):
            words = (plugin.name, plugins.state_text(plugin), ", ".join(plugin.members), plugin.about)
            tips = (str(plugin.file), _MEANS.get(plugin.state, plugin.problem), *words[2:])
            for column, (text, tip) in enumerate(zip(words, tips, strict=True)):
                item = QTableWidgetItem(text)
                item.setToolTip(tip)
                self._table.setItem(row, column, item)
        self._table.resizeColumnsToContents()
        self._chosen()

    def _current(self) -> plugins.Plugin | None:
        rows = self._table.selectionModel().selectedRows()
        return self._plugins[rows[0].row()] if rows else None

    @Slot()
    def _chosen(self) -> None:
        plugin = self._current()
        why = (
            "Choose a plugin in the list first."
            if plugin is None
            else "It came with the program, and needs no consent."
            if plugins.is_shipped(plugin)
            else ""
        )
        allowed = plugin is not None and plugins.is_allowed(plugin)
        self._allow.setEnabled(not why and not allowed)
        self._forget.setEnabled(not why and allowed)
        self._allow.setToolTip(why or ("It is allowed already." if allowed else "It runs from the next start on."))
        self._forget.setToolTip(why or ("It asks again at the next start." if allowed else "It is not allowed now."))
        self._state_text.setText("" if plugin is None else _sentence(plugin))

    def _change(self, consent: Callable[[plugins.Plugin], None]) -> None:
        """Give the chosen plugin consent, or take it back."""
        plugin = self._current()
        if plugin is None:
            return
        try:
            consent(plugin)
        except WorkbenchError as error:
            self._state_text.setText(error.sentence)
        except OSError as error:
            why = error.strerror or error
            self._state_text.setText(f"{plugin.file} can't be read ({why}). Put it back, or start again without it.")
        else:
            self._fill()

    @Slot()
    def _open_folder(self) -> None:
        folder = plugins.user_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._state_text.setText(
                f"{folder} can't be made ({error.strerror or error}). Make it, or allow writing there."
            )
            return
        if not open_folder(folder):
            self._state_text.setText(f"Nothing on this computer shows folders. Open {folder} by hand.")


def _sentence(plugin: plugins.Plugin) -> str:
    """What to know about the selected plugin: what will happen, if that differs from its state."""
    if plugin.state == "asks" and plugins.is_allowed(plugin):
        return f"{plugin.name} will be loaded at the next start, as it is now."
    if plugin.state in ("loaded", "failed", "later") and not plugins.is_allowed(plugin):
        why = "It is no longer allowed, or has changed since. It asks again at the next start, unless you allow it."
        return f"{plugin.problem} {why}".lstrip()
    return plugin.problem
