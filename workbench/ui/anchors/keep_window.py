"""Asks for the name under which to keep a set of anchors, and says beforehand what the name would do."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from workbench.core import formatting


class KeepWindow(QDialog):
    """`named(name)` once the user has chosen. Names in `own` may be used again, those in `others` may not."""

    named = Signal(str)

    def __init__(self, own: frozenset[str], others: frozenset[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("keep-anchors")
        self.setWindowTitle("Keep these anchors")
        self._own, self._others = own, {name.casefold() for name in others}
        self._field = QLineEdit(next(f"Set {n}" for n in range(1, len(own) + 2) if f"Set {n}" not in own))
        self._field.setObjectName("keep-anchors-name")
        self._field.setAccessibleName("Name of the set")
        self._field.selectAll()
        self._hint = QLabel(wordWrap=True)
        self._hint.setObjectName("keep-anchors-told")
        self._hint.setProperty("role", "muted")
        self._hint.setMinimumHeight(2 * self._hint.fontMetrics().lineSpacing())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._ok = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._ok.setObjectName("keep-anchors-ok")
        column = QVBoxLayout(self)
        for widget in (QLabel("Name"), self._field, self._hint, buttons):
            column.addWidget(widget)
        self.setMinimumWidth(360)
        self._field.textChanged.connect(self._judge)
        buttons.accepted.connect(self._done)
        buttons.rejected.connect(self.reject)
        self.finished.connect(self.deleteLater)
        self._judge()

    def _name(self) -> str:
        return formatting.one_line(self._field.text())

    @Slot()
    def _judge(self) -> None:
        name = self._name()
        is_taken, is_own = name.casefold() in self._others, name in self._own
        self._ok.setEnabled(bool(name) and not is_taken)
        self._ok.setText("Replace" if is_own else "Keep")
        if is_taken:
            self._hint.setText(f"“{name}” is the name of another set in the table. Choose a name of your own.")
        elif is_own:
            self._hint.setText(f"“{name}” is kept already, and would be replaced. Can be undone.")
        else:
            self._hint.setText("")

    @Slot()
    def _done(self) -> None:
        self.named.emit(self._name())
        self.accept()
