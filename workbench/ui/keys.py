"""Which shortcuts are in force: those of a profile modelled on another program, with a person's changes.

A profile lists only what differs from the table of commands, which has labelImg's. The window's shortcuts work on every
page, so none may have a meaning both in the window and on a page.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping

from workbench.ui import preferences
from workbench.ui.commands import BY_NAME, COMMANDS

Keys = Mapping[str, tuple[str, ...]]
PROFILES: dict[str, Keys] = {
    "labelImg": {},
    "X-AnyLabeling": {
        "draw": ("R",), "verify": ("Ctrl+Alt+K",), "take-over": ("Ctrl+P",), "zoom-100": ("Ctrl+=",),
        "next-unlabelled": ("Ctrl+Shift+D",), "previous-unlabelled": ("Ctrl+Shift+A",),
    },
    "labelme": {"draw": ("Ctrl+R",), "take-over": ("Ctrl+P",), "zoom-100": ("Ctrl+0",), "hide-boxes": ("T",)},
    "CVAT": {
        "draw": ("N",), "next-image": ("F",), "previous-image": ("D",), "done": ("Shift+N",), "take-over": ("Ctrl+B",),
        "next-unlabelled": ("Shift+F",), "previous-unlabelled": ("Shift+D",), "hide-boxes": ("T", "H"),
        "delete-boxes": ("Del", "Shift+Del"), "fit": ("Ctrl+F",), "zoom-100": ("Ctrl+0",),
        "remove-image": ("Alt+Del",), "reopen-image": ("Ctrl+Alt+N",),
    },
}  # fmt: skip
"""After the default shortcuts of these programs in 2026 (labelImg 1.8, X-AnyLabeling 4, labelme 7, CVAT 2)."""
MAC = sys.platform == "darwin"
_OURS_ON_A_MAC = {"Ctrl+H": "Shift+H"}
"""Keys that macOS reserves (⌘H hides the program), and their replacements."""
_PROFILE, _CHANGES = "keys/profile", "keys/changes"
_cached: dict[str, tuple[str, ...]] | None = None


def profile() -> str:
    kept = str(preferences.get(_PROFILE, "labelImg"))
    return kept if kept in PROFILES else "labelImg"


def changes() -> dict[str, tuple[str, ...]]:
    """What a person changed, by command."""
    try:
        kept = json.loads(str(preferences.get(_CHANGES, "{}")))
        return {name: tuple(map(str, keys)) for name, keys in kept.items() if name in BY_NAME}
    except (ValueError, AttributeError, TypeError):
        return {}  # not written by this program


def in_force(profile: str, changes: Keys) -> dict[str, tuple[str, ...]]:
    """The keys of every command."""
    given = {command.name: command.keys for command in COMMANDS} | dict(PROFILES[profile])
    if MAC:
        given = {name: _on_a_mac(keys) for name, keys in given.items()}
    return given | dict(changes)


def _on_a_mac(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Small Mac keyboards have no Del: their delete key is Backspace elsewhere."""
    own = [_OURS_ON_A_MAC.get(key, key) for key in keys]
    more = [f"{key.removesuffix('Del')}Backspace" for key in own if key.split("+")[-1] == "Del"]
    return tuple(dict.fromkeys([*own, *more]))


def of(name: str) -> tuple[str, ...]:
    """The keys of a command; a person's own choice keeps its key from others."""
    global _cached
    if _cached is None:
        changed = changes()
        _cached = in_force(profile(), changed)
        for key, names in conflicts(_cached).items():
            if set(names) & set(changed):  # a person gave it away before another command came with it
                _cached |= {one: tuple(k for k in _cached[one] if k != key) for one in set(names) - set(changed)}
    return _cached[name]


def use(profile: str, changed: Keys) -> None:
    """Put these in force and save them; existing actions get them through actions.renew_keys()."""
    global _cached
    preferences.put(_PROFILE, profile)
    preferences.put(_CHANGES, json.dumps({name: list(keys) for name, keys in changed.items()}))
    _cached = None


def forget() -> None:
    """Read the saved keys again."""
    global _cached
    _cached = None


def conflicts(keys: Keys) -> dict[str, tuple[str, ...]]:
    """Keys that would have several meanings in one place, with the commands that claim them."""
    found: dict[str, tuple[str, ...]] = {}
    for where in dict.fromkeys(command.where for command in COMMANDS):
        claimed: dict[str, list[str]] = defaultdict(list)
        for command in COMMANDS:
            if command.where in ("Window", where):
                for key in keys[command.name]:
                    claimed[key].append(command.name)
        for key, names in claimed.items():
            if len(names) > 1:  # a window's key may be taken on several pages
                found[key] = tuple(dict.fromkeys((*found.get(key, ()), *names)))
    return found
