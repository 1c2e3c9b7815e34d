"""A page's main button, which its command's key presses too; while it can't be pressed, it says why."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from workbench.ui.actions import make_action, tell_key


class CommandButton(QPushButton):
    """The key works wherever the focus is while `owner` is visible; `refused`: why not, for who pressed it in vain.

    `help`: what its tooltip says below the command and its key.
    """

    refused = Signal(str)

    def __init__(self, name: str, word: str, command: str, owner: QWidget, help: str = "") -> None:
        super().__init__(word)
        self.setObjectName(name)
        self._command, self._help, self._why_not = command, help, ""
        make_action(owner, command, self._press_by_key, context=Qt.ShortcutContext.WindowShortcut)
        self.offer("")

    def offer(self, why_not: str) -> None:
        """Enable it, or say on it why it can't be pressed."""
        self._why_not = why_not
        self.setEnabled(not why_not)
        tell_key(self, self._command, "\n".join(filter(None, (why_not, "{}", self._help))))

    @Slot()
    def _press_by_key(self) -> None:
        if self.isEnabled():
            self.click()
        else:
            self.refused.emit(self._why_not)
