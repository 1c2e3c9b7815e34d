"""Help > Plugins: every plugin file, what became of it, and the user's yes to a new one."""

from __future__ import annotations

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
from workbench.ui import theme
from workbench.ui.widgets.open_folder import open_folder

_STATES = {"loaded": "loaded", "failed": "failed", "asks": "asks to run", "later": "with PyTorch", "off": "off"}


class PluginsWindow(QDialog):
    """A table of the plugins. A plugin is a program: one from outside runs only after a yes to exactly that file."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("plugins-window")
        self.setWindowTitle("Plugins")
        folder = plugins.user_folder()
        about = QLabel(
            f"One Python file adds detectors, formats or exporters. Put yours into {folder}, or install a package that"
            " brings some. A plugin is a program: allow only those whose author you trust. workbench --safe-mode starts"
            " without any.",
            wordWrap=True,
        )
        about.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._said = QLabel(wordWrap=True)
        self._said.setObjectName("plugins-said")
        self._table = QTableWidget(0, 4)
        self._table.setObjectName("plugins-table")
        self._table.setAccessibleName("Plugins")
        self._table.setHorizontalHeaderLabels(["plugin", "state", "adds", "about"])
        self._table.verticalHeader().hide()
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.horizontalHeader().setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self._table.itemSelectionChanged.connect(self._chosen)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._allow = QPushButton("Allow this plugin")
        self._allow.setObjectName("plugins-allow")
        self._open = QPushButton("Open the folder")
        buttons.addButton(self._allow, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self._open, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.close)
        self._allow.clicked.connect(self._allow_chosen)
        self._open.clicked.connect(self._open_folder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 16)
        layout.setSpacing(theme.GRID)
        for widget in (about, self._table, self._said, buttons):
            layout.addWidget(widget)
        self._plugins = plugins.loaded()
        self._fill()
        self.resize(720, 360)

    def _fill(self) -> None:
        self._table.setRowCount(len(self._plugins))
        for row, plugin in enumerate(self._plugins):
            words = (plugin.name, _STATES[plugin.state], ", ".join(plugin.members), plugin.about)
            for column, text in enumerate(words):
                item = QTableWidgetItem(text)
                item.setToolTip(str(plugin.file) if column == 0 else text)
                self._table.setItem(row, column, item)
        self._table.resizeColumnsToContents()
        self._table.horizontalHeader().setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        self._chosen()

    def _current(self) -> plugins.Plugin | None:
        rows = self._table.selectionModel().selectedRows()
        return self._plugins[rows[0].row()] if rows else None

    @Slot()
    def _chosen(self) -> None:
        plugin = self._current()
        self._allow.setEnabled(plugin is not None and plugin.state == "asks")
        self._said.setText(plugin.problem if plugin is not None else "")

    @Slot()
    def _allow_chosen(self) -> None:
        plugin = self._current()
        if plugin is not None:
            plugins.allow(plugin)
            self._said.setText(f"{plugin.name} will be loaded at the next start.")
            self._allow.setEnabled(False)

    @Slot()
    def _open_folder(self) -> None:
        folder = plugins.user_folder()
        folder.mkdir(parents=True, exist_ok=True)
        open_folder(folder)
