"""A family's members by name: detectors, formats, exporters. Unknown names get the nearest one suggested."""

from __future__ import annotations

import ast
import contextlib
import difflib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from workbench.errors import WorkbenchError

Member = TypeVar("Member")
OWN = "built in"


def missing_attributes(
    member: object, texts: Iterable[str] = (), tuples: Iterable[str] = (), calls: Iterable[str] = ()
) -> str:
    """Which of these attributes a member lacks, as "its class Mine has no `title` (a text), `write()`"; or "".

    `texts` must be non-empty strings, `tuples` tuples (or lists) of strings, `calls` methods.
    """

    def is_text(value: Any) -> bool:
        return isinstance(value, str) and bool(value.strip())

    faults = [f"`{name}` (a text)" for name in texts if not is_text(getattr(member, name, None))]
    for name in tuples:
        value = getattr(member, name, None)
        if not isinstance(value, tuple | list) or not all(map(is_text, value)):
            faults.append(f"`{name}` (a tuple of texts)")
    faults += [f"`{name}()`" for name in calls if not callable(getattr(member, name, None))]
    return f"{class_text(member)} has no {', '.join(faults)}" if faults else ""


def class_text(member: object) -> str:
    kind = member if isinstance(member, type) else type(member)
    return f"its class {kind.__name__}"


def registered_in(source: str | bytes) -> list[str | None]:
    """The names that Python source registers, found without running it: None for one that is not written out.

    None at all if it can't be parsed.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    found = [call.args[0] for call in calls if _last_name(call.func) == "register"]
    return [str(one.value) if isinstance(one, ast.Constant) else None for one in found]


def _last_name(function: ast.expr) -> str:
    return str(getattr(function, "attr", getattr(function, "id", "")))


class _Owner(threading.local):
    """Each thread's own: while one loads a plugin, another may be the first to ask for the program's members."""

    name = OWN


class Registry(Generic[Member]):
    """The members of one family, the program's own first, in order of registration.

    `family` is the singular noun used in messages ("detector"). `owner` of a member is OWN
    unless a plugin registered it (see plugins.py, which says so by `owned_by` while it imports).
    `settle(name, member)` prepares a member and returns what is wrong with it, or "".
    `elsewhere(name)` says where an unknown name may come from, `elsewhere("")` who has not been loaded (plugins.py),
    or "".
    """

    def __init__(self, family: str, settle: Callable[[str, Member], str] = lambda name, member: "") -> None:
        self.family = family
        self._owner = _Owner()
        self.elsewhere: Callable[[str], str] = lambda name: ""
        self._settle = settle
        self._members: dict[str, Member] = {}
        self._owners: dict[str, str] = {}

    @contextlib.contextmanager
    def owned_by(self, owner: str) -> Iterator[None]:
        """What this thread registers inside belongs to `owner`."""
        before, self._owner.name = self._owner.name, owner
        try:
            yield
        finally:
            self._owner.name = before

    def register(self, name: str) -> Callable[[Member], Member]:
        """Decorator: register a member as `name`. A duplicate name, or a member that lacks a part, is an error."""

        def file(member: Member) -> Member:
            if name in self._members:
                raise WorkbenchError(
                    f"Two {self.family}s are called '{name}': one from {self._owners[name]},"
                    f" one from {self._owner.name}. Rename one of them."
                )
            if fault := self._settle(name, member):
                raise WorkbenchError(
                    f"The {self.family} '{name}' ({self._owner.name}) can't be used: {fault}. CONTRIBUTING.md says"
                    " what it must have."
                )
            self._members[name] = member
            self._owners[name] = self._owner.name
            return member

        return file

    def get(self, name: str) -> Member:
        """The member called `name`; else WorkbenchError with the plugin that may have it, or the nearest name."""
        if name in self._members:
            return self._members[name]
        raise self.unknown(name, self._members)

    def unknown(self, name: str, known: Iterable[str]) -> WorkbenchError:
        """The refusal of a name that is none of `known`: with the plugin that may have it, or the nearest name."""
        names = list(known)
        if where := self.elsewhere(name):
            return WorkbenchError(f"There is no {self.family} called '{name}'. {where}")
        near = difflib.get_close_matches(name, names, n=1)
        listed = f"There are: {', '.join(names)}. {self.elsewhere('')}".rstrip()
        hint = f"Did you mean '{near[0]}'?" if near else listed
        return WorkbenchError(f"There is no {self.family} called '{name}'. {hint}")

    def owner(self, name: str) -> str:
        """Who registered `name`: "built in" or the plugin's file name."""
        return self._owners[name]

    def plugin(self, name: str) -> str:
        """The plugin that registered `name`; "" if the program itself or nobody did."""
        owner = self._owners.get(name, OWN)
        return "" if owner == OWN else owner

    def unregister_owner(self, owner: str) -> None:
        """Forget all members that `owner` registered (a plugin that failed halfway)."""
        for name in [n for n, o in self._owners.items() if o == owner]:
            del self._members[name], self._owners[name]

    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self)

    def __iter__(self) -> Iterator[tuple[str, Member]]:
        # stable: a plugin may be loaded before or after the program's own members
        return iter(sorted(self._members.items(), key=lambda member: self._owners[member[0]] != OWN))

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __len__(self) -> int:
        return len(self._members)
