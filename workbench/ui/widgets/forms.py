"""A form built from settings: a row per field, its help as tooltip, and a sentence on what is wrong with a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.errors import WorkbenchError
from workbench.settings import FOLDER, SPELLINGS, SettingRow, check_value
from workbench.ui import theme
from workbench.ui.widgets.file_dialogs import ask_for_file, ask_for_folder
from workbench.ui.widgets.folding_title import FoldingTitle
from workbench.ui.widgets.popups import Combo


class Form(QWidget):
    """Editors for `rows`, in collapsible groups. An editor's object name is `<name>-<row name>`.

    `changed` after a person changed a value, whether it is valid or not.
    """

    changed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._entries: dict[str, _Entry] = {}
        self._heads: dict[str, FoldingTitle] = {}  # by row name: the title of its group
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._open: dict[str, bool] = {}

    def set_rows(self, rows: Sequence[SettingRow], open_groups: Sequence[str] = ()) -> None:
        """Show these rows with their defaults instead of the previous ones; groups that a person opened stay open."""
        self._entries.clear()
        while self._column.count():
            item = self._column.takeAt(0)
            old = item.widget() if item is not None else None
            if old is not None:
                old.hide()
                old.deleteLater()
        for group in dict.fromkeys(row.group for row in rows):
            self._add_group(group, [row for row in rows if row.group == group], group in open_groups)
        self._column.addStretch(1)

    def _add_group(self, title: str, rows: Sequence[SettingRow], is_open: bool) -> None:
        body, words = QWidget(), title or "General"
        head = FoldingTitle(f"{self.objectName()}-group-{words}", body, words)
        head.setFont(theme.font(theme.BODY, bold=True))
        form = QFormLayout(body)
        form.setContentsMargins(2 * theme.GRID, 0, 0, theme.GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for row in rows:
            entry = _Entry(row, f"{self.objectName()}-{row.name}")
            entry.changed.connect(self.changed)
            label = QLabel(row.title)
            label.setToolTip(row.help)
            form.addRow(label, entry)
            self._entries[row.name] = entry
            self._heads[row.name] = head
        self._column.addWidget(head)
        self._column.addWidget(body)
        head.set_open(self._open.setdefault(title, is_open))
        head.folded.connect(lambda on: self._open.update({title: on}))

    def show_row(self, name: str) -> QWidget:
        """Open the group of this row, and give its editor the focus; returns the row, to be scrolled to."""
        entry, head = self._entries[name], self._heads[name]
        head.set_open(True)
        entry.take_focus()
        return entry

    def row_in_use(self) -> str:
        """The name of the row whose editor has the focus, or would have it in the active window; empty: none."""
        used = self.window().focusWidget()
        return next((name for name, entry in self._entries.items() if used and entry.isAncestorOf(used)), "")

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Fill in values by row name; unknown names are ignored. Does not emit `changed`."""
        for name, value in values.items():
            if name in self._entries:
                self._entries[name].set_value(value)

    def values(self) -> dict[str, Any]:
        """All values, validated. WorkbenchError for the first that is not valid."""
        return {name: entry.value() for name, entry in self._entries.items()}

    def text(self, name: str) -> Any:
        """The content of this row's editor, as typed."""
        return self._entries[name].raw()

    def problems(self) -> dict[str, str]:
        """Error messages by row name."""
        return {name: entry.problem for name, entry in self._entries.items() if entry.problem}

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)


class _Entry(QWidget):
    """A row's editor and, while its value is not valid, a line that says why."""

    changed = Signal()

    def __init__(self, row: SettingRow, name: str) -> None:
        super().__init__()
        self._row = row
        self._quiet = False
        self.problem = ""
        self._editor = _editor(row)
        self._editor.setObjectName(name)
        self._editor.setToolTip(_tooltip(row))
        self._editor.setAccessibleName(row.title)
        self._wrong = QLabel(wordWrap=True)
        self._wrong.setObjectName(f"{name}-problem")
        self._wrong.setProperty("role", "error")
        self._wrong.setFont(theme.font(theme.SMALL))
        self._wrong.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._with_browse(name))
        column.addWidget(self._wrong)
        self.set_value(row.default)
        if isinstance(self._editor, QCheckBox):
            self._editor.toggled.connect(self._edited)
        elif isinstance(self._editor, QComboBox):
            self._editor.currentIndexChanged.connect(self._edited)
        else:
            self._editor.textChanged.connect(self._edited)

    def _with_browse(self, name: str) -> QHBoxLayout:
        """The editor, with a button to choose the file or folder for it."""
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.GRID // 2)
        line.addWidget(self._editor, 1)
        if self._row.files:
            button = QToolButton()
            button.setText("…")
            button.setObjectName(f"{name}-browse")
            button.setToolTip("Choose it")
            button.setAccessibleName(f"Choose: {self._row.title}")
            button.clicked.connect(self._browse)
            line.addWidget(button)
        return line

    @Slot()
    def _browse(self) -> None:
        title, files = self._row.title, self._row.files
        if files == FOLDER:
            chosen = ask_for_folder(self, title)
        else:
            chosen = ask_for_file(self, title, f"{title} ({files});;All files (*)")
        if chosen and isinstance(self._editor, QLineEdit):
            self._editor.setText(str(chosen))

    def take_focus(self) -> None:
        self._editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_value(self, value: Any) -> None:
        self._quiet = True
        if isinstance(self._editor, QCheckBox):
            self._editor.setChecked(bool(value))
        elif isinstance(self._editor, QComboBox):
            row = self._editor.findData(_as_text(value))
            self._editor.setCurrentIndex(row if row >= 0 else self._editor.currentIndex())
        else:
            self._editor.setText(_as_text(value))
        self._quiet = False
        self._judge()

    def raw(self) -> Any:
        if isinstance(self._editor, QCheckBox):
            return self._editor.isChecked()
        return self._editor.currentData() if isinstance(self._editor, QComboBox) else self._editor.text()

    def value(self) -> Any:
        return check_value(self._row, self.raw(), self._row.title)

    @Slot()
    def _edited(self) -> None:
        if not self._quiet:
            self._judge()
            self.changed.emit()

    def _judge(self) -> None:
        try:
            self.value()
            self.problem = ""
        except WorkbenchError as error:
            self.problem = error.sentence
        self._wrong.setText(self.problem)
        self._wrong.setVisible(bool(self.problem))


class _Combo(Combo):
    """A combo box that leaves the wheel to the form around it, so that scrolling changes no setting."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def _editor(row: SettingRow) -> QCheckBox | QComboBox | QLineEdit:
    if row.kind is bool:
        return QCheckBox()
    if row.choices:
        combo = _Combo()
        if row.optional:
            combo.addItem("auto", "auto")
        spelt = (SPELLINGS.get(choice, choice) for choice in row.choices)
        for choice, title in zip(row.choices, row.titles or spelt, strict=True):
            combo.addItem(title, choice)
        return combo
    line = QLineEdit()
    line.setMinimumWidth(60)
    if row.unit:
        line.setPlaceholderText(row.unit)
    return line


def _as_text(value: Any) -> str:
    if value is None:
        return "auto"
    if isinstance(value, tuple | list):
        return ", ".join(_as_text(part) for part in value)
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _tooltip(row: SettingRow) -> str:
    limits = [f"from {row.low:g}" if row.low is not None else "", f"to {row.high:g}" if row.high is not None else ""]
    words = " ".join(part for part in (*limits, row.unit) if part)
    return f"{row.help}\n({words})" if words else row.help
