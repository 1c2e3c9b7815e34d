"""Creates actions from the table of commands, with the shortcuts in force."""

from __future__ import annotations

import re
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QWidget

from workbench.ui import keys, theme
from workbench.ui.commands import BY_NAME, Command

CANVAS_KEY = "Space"
"""The key that the canvas handles itself: a tap verifies, holding it moves the picture."""
_TOOLTIP, _TEXT = "key-told", "key-written"
"""Properties of widgets that tell the key of a command: its name, and the words around it."""


def make_action(
    owner: QWidget,
    name: str,
    slot: Callable[..., object],
    *,
    context: Qt.ShortcutContext = Qt.ShortcutContext.WidgetWithChildrenShortcut,
    checkable: bool = False,
) -> QAction:
    """The QAction of command `name`, added to `owner`: its key works within `owner` as `context` says.

    Its object name is "action-" and the command's name, its tooltip shows the key. `slot` is called on trigger.
    """
    command = BY_NAME[name]
    action = QAction(command.text, owner)
    action.setObjectName(f"action-{name}")
    action.setShortcutContext(context)
    action.setCheckable(checkable)
    _give_keys(action, command)
    if command.icon:
        theme.set_icon(action, command.icon)
    action.triggered.connect(slot)
    owner.addAction(action)
    return action


def _give_keys(action: QAction, command: Command) -> None:
    action.setShortcuts([QKeySequence(key) for key in keys.of(command.name) if key != CANVAS_KEY])
    action.setToolTip(tooltip(command))


def offer_in(menu: QMenu, name: str, page: QWidget) -> None:
    """Add the action of command `name`, which the window around `page` has, to a context menu of the page."""
    action = page.window().findChild(QAction, f"action-{name}")
    if isinstance(action, QAction):
        action.setShortcutVisibleInContextMenu(True)  # a Mac would hide it
        menu.addAction(action)


def run_or_say(action: QAction | None, say: Callable[[str], object]) -> None:
    """Run a command of a page that has just been shown, or say why nothing happens; None: the page has none."""
    if action is not None and action.isEnabled():
        action.trigger()
    elif action is not None:
        say(f"“{action.text().rstrip('…')}” is not possible yet: choose on this page what it is for.")


def tell_key(widget: QWidget, name: str, words: str = "{}") -> None:
    """Give `widget` the tooltip `words`, with command `name` and its first key for {}: now, and when keys change."""
    widget.setProperty(_TOOLTIP, [name, words])
    widget.setToolTip(words.replace("{}", tooltip(BY_NAME[name])))


def write_key(button: QAbstractButton, name: str, words: str, which: int = 0) -> None:
    """Write `words` on `button`, with a key of command `name` for {}: now, and when keys change."""
    button.setProperty(_TEXT, [name, words, which])
    own = keys.of(name)
    button.setText(native_keys(words.replace("{}", key_text(own[which]) if own else "")).rstrip())


def renew_keys() -> None:
    """Give every action of the program, and what tells their keys, the shortcuts in force now."""
    app = QApplication.instance()
    for widget in app.allWidgets() if isinstance(app, QApplication) else ():
        if told := widget.property(_TOOLTIP):
            tell_key(widget, *told)
        if isinstance(widget, QAbstractButton) and (written := widget.property(_TEXT)):
            write_key(widget, *written)
        for action in widget.actions():
            command = BY_NAME.get(action.objectName().removeprefix("action-"))
            if command is not None and action.objectName().startswith("action-"):
                _give_keys(action, command)


def tooltip(command: Command) -> str:
    """The command's text with its first shortcut."""
    words, own = command.text.rstrip("…"), keys.of(command.name)
    return f"{words}  ({key_text(own[0])})" if own else words


def key_text(key: str) -> str:
    """A shortcut in this system's notation (⌘ on a Mac)."""
    by_hand = ("click", "drag", "wheel", "arrows", "button", "…")
    if any(part in key.lower() for part in by_hand):
        return native_keys(key)
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) or key


_SIGNS = {"Alt": "⌥", "Shift": "⇧", "Ctrl": "⌘"}
"""Mac symbols of other systems' modifier keys, in the order in which Macs show them."""


def native_keys(words: str) -> str:
    """A text with its shortcuts in this system's notation: Ctrl+Shift+S is ⇧⌘S on a Mac. A terminal's Ctrl-C has the
    same name there, so it stays.
    """
    if not keys.MAC:
        return words

    def signs(found: re.Match[str]) -> str:
        return "".join(sign for name, sign in _SIGNS.items() if name in found[0])

    return re.sub(r"\b(?:(?:Ctrl|Shift|Alt)\+)+|\bCtrl\b(?!-)", signs, words)


def escape_mnemonics(words: str) -> str:
    """For a menu or a button, where a single & marks a mnemonic: names may contain one."""
    return words.replace("&", "&&")


def with_keys(words: str) -> str:
    """Replace each {command} by its shortcut in force."""
    for name in {part.split("}")[0] for part in words.split("{")[1:]}:
        own = keys.of(name)
        words = words.replace(f"{{{name}}}", key_text(own[0]) if own else native_keys("Ctrl+K and its name"))
    return words
