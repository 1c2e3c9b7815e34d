"""The sheet of keys on `?` and F1: every command with its key, in another program's or the user's own scheme."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from workbench.ui import keys, theme
from workbench.ui.actions import CANVAS_KEY, key_text, renew_keys
from workbench.ui.commands import BY_NAME, COMMANDS, Command
from workbench.ui.widgets.popups import Combo


class KeysSheet(QDialog):
    """Not modal: it may stay open beside the work. A click on a key lets the user change it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys-sheet")
        self.setWindowTitle("Keys")
        self._profile = Combo()
        self._profile.setObjectName("keys-profile")
        self._profile.setAccessibleName("Keys as in")
        self._profile.addItems(list(keys.PROFILES))
        self._profile.setCurrentText(keys.profile())
        self._profile.setToolTip("The keys of a program that you know")
        self._mine = QLabel()
        self._mine.setObjectName("keys-mine")
        self._mine.setProperty("role", "muted")
        self._reset = QPushButton("Undo my changes")
        self._reset.setObjectName("keys-reset")
        self._reset.setAutoDefault(False)
        close = QPushButton("Close")
        close.setObjectName("keys-close")
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        self._buttons: dict[str, QPushButton] = {}
        content = QWidget()
        columns = QHBoxLayout(content)
        columns.setContentsMargins(theme.GRID * 2, theme.GRID, theme.GRID * 2, theme.GRID)
        columns.setSpacing(theme.GRID * 3)
        for headings in (("Label",), ("Window", "Data", "Anchors", "Train", "Queue", "Inspect", "Export")):
            column = QVBoxLayout()
            column.setSpacing(theme.GRID // 2)
            for heading in headings:
                column.addWidget(_heading(heading))
                column.addLayout(
                    self._rows(
                        [
                            c
                            for c in COMMANDS
                            if c.where == heading and (c.keys or not (c.by_hand or c.name.startswith("help-")))
                        ]
                    )
                )
            column.addStretch(1)
            columns.addLayout(column)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(content)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # its buttons take the focus
        head = QHBoxLayout()
        head.setContentsMargins(theme.GRID * 2, theme.GRID, theme.GRID * 2, 0)
        head.addWidget(QLabel("Keys as in"))
        head.addWidget(self._profile)
        head.addSpacing(theme.GRID)
        head.addWidget(self._mine, 1)
        head.addWidget(self._reset)
        head.addWidget(close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        layout.addWidget(scroll)
        self._profile.currentTextChanged.connect(self._profile_chosen)
        self._reset.clicked.connect(self._undo_changes)
        self._show()
        columns.activate()
        wanted = content.sizeHint()
        room = scroll.verticalScrollBar().sizeHint().width() + theme.GRID
        self.resize(
            min(wanted.width() + room + 16, parent.width() - 32), min(wanted.height() + 80, parent.height() - 32)
        )
        if self.width() < wanted.width() + room:  # otherwise the keys of the second column are out of view
            for words in content.findChildren(QLabel, "keys-words"):
                words.setWordWrap(True)

    def _rows(self, commands: list[Command]) -> QGridLayout:
        grid = QGridLayout()
        grid.setVerticalSpacing(0)
        grid.setHorizontalSpacing(theme.GRID * 2)
        for row, command in enumerate(commands):
            words = QLabel(command.text.rstrip("…"))
            words.setObjectName("keys-words")
            grid.addWidget(words, row, 0)
            if command.by_hand:
                fixed = QLabel(_words(command.keys))
                fixed.setProperty("role", "muted")
                fixed.setContentsMargins(0, 0, theme.GRID, 0)
                grid.addWidget(fixed, row, 1, Qt.AlignmentFlag.AlignRight)
            else:
                button = QPushButton(flat=True)
                button.setStyleSheet("text-align: right; min-width: 0; padding: 2px 8px;")
                button.setAutoDefault(False)
                button.setObjectName(f"key-{command.name}")
                button.setToolTip("Click to choose another key")
                button.setAccessibleName(f"Key of: {command.text}")
                button.clicked.connect(lambda _=False, name=command.name: self._ask(name))
                self._buttons[command.name] = button
                grid.addWidget(button, row, 1, Qt.AlignmentFlag.AlignRight)
            grid.setRowMinimumHeight(row, 24)
        grid.setColumnStretch(0, 1)
        return grid

    def _show(self) -> None:
        changed = keys.changes()
        for name, button in self._buttons.items():
            button.setText(_words(keys.of(name)) or "–")
            button.setFont(theme.font(theme.BODY, bold=name in changed))
        count = len(changed)
        self._mine.setText(f"{count} of your own, in bold" if count else "Click a key to choose another.")
        self._reset.setVisible(bool(count))

    def _use(self, profile: str, changed: keys.Keys) -> None:
        keys.use(profile, changed)
        renew_keys()
        self._show()

    @Slot(str)
    def _profile_chosen(self, profile: str) -> None:
        """Drop own keys that would now have two meanings."""
        changed = dict(keys.changes())
        while taken := {name for names in keys.conflicts(keys.in_force(profile, changed)).values() for name in names}:
            if not taken & set(changed):
                break  # a clash within the profile, which a test rules out
            changed = {name: own for name, own in changed.items() if name not in taken}
        self._use(profile, changed)

    @Slot()
    def _undo_changes(self) -> None:
        self._use(keys.profile(), {})

    def _ask(self, name: str) -> None:
        dialog = KeyDialog(name, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._answered(name, dialog.answer))
        dialog.show()

    def _answered(self, name: str, answer: tuple[str, ...] | None) -> None:
        changed = dict(keys.changes())
        changed.pop(name, None)
        if answer is not None and answer != keys.in_force(keys.profile(), {})[name]:
            changed[name] = answer
        self._use(keys.profile(), changed)


class KeyDialog(QDialog):
    """Waits for a key. `answer`: the new keys, or None for those of the profile. Keys already in use are refused."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("ask-key")
        self.setWindowTitle("Another key")
        self._name = name
        self.answer: tuple[str, ...] | None = None
        self._edit = QKeySequenceEdit()
        self._edit.setObjectName("ask-key-edit")
        self._edit.setAccessibleName("The key")
        self._edit.setMaximumSequenceLength(1)
        self._words = QLabel(f"Press the key for “{BY_NAME[name].text.rstrip('…')}”.", wordWrap=True)
        self._words.setObjectName("ask-key-words")
        self._use = QPushButton("Use it")
        self._use.setObjectName("ask-key-use")
        self._use.setProperty("role", "primary")
        self._use.setEnabled(False)
        none, back = QPushButton("No key"), QPushButton("As in the profile")
        none.setObjectName("ask-key-none")
        back.setObjectName("ask-key-back")
        buttons = QHBoxLayout()
        for button in (back, none, self._use):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self._words)
        layout.addWidget(self._edit)
        layout.addLayout(buttons)
        self._edit.keySequenceChanged.connect(self._pressed)
        self._use.clicked.connect(self.accept)
        none.clicked.connect(lambda: self._end(()))
        back.clicked.connect(self._back)
        self._edit.setFocus()

    def _end(self, answer: tuple[str, ...] | None) -> None:
        self.answer = answer
        self.accept()

    @Slot()
    def _back(self) -> None:
        """Back to the profile's keys, unless another command was given one of them."""
        own = keys.in_force(keys.profile(), {})[self._name]
        taken = keys.conflicts(keys.in_force(keys.profile(), {**keys.changes(), self._name: own}))
        others = [name for key in own for name in taken.get(key, ()) if name != self._name]
        if others:
            self._words.setText(f"“{BY_NAME[others[0]].text.rstrip('…')}” has that key now. Give it another first.")
        else:
            self._end(None)

    @Slot(QKeySequence)
    def _pressed(self, sequence: QKeySequence) -> None:
        key = sequence.toString(QKeySequence.SequenceFormat.PortableText)
        problem = self._problem(key) if key else "Press a key."
        self._words.setText(problem or f"{key_text(key)} is free.")
        self._use.setEnabled(not problem)
        self.answer = (key,)

    def _problem(self, key: str) -> str:
        """Why this command can't have the key, or ""."""
        if key == CANVAS_KEY and self._name != "verify":
            return "Space is kept for verifying, and for moving the picture while it is held."
        if key.split("+")[-1] in ("Left", "Right", "Up", "Down"):
            return "The arrow keys are kept for moving boxes."
        if key in tuple("1234567890"):
            return "The digits are kept for labels."
        wanted = keys.in_force(keys.profile(), {**keys.changes(), self._name: (key,)})
        named = (name for name in keys.conflicts(wanted).get(key, ()) if name != self._name)
        others = [name for name in named if key in keys.of(name)]  # not those that gave it up to a key of one's own
        if others:
            return (
                f"{key_text(key)} is “{BY_NAME[others[0]].text.rstrip('…')}” already. Give that one another key first."
            )
        return ""


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setFont(theme.font(theme.BODY, bold=True))
    label.setContentsMargins(0, theme.GRID, 0, theme.GRID // 2)
    label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    return label


def _words(own: tuple[str, ...]) -> str:
    return "  or  ".join(key_text(key) for key in own)
