"""A family's members by name: detectors, formats, exporters. Unknown names get the nearest one suggested."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from workbench.errors import WorkbenchError

Member = TypeVar("Member")
OWN = "built in"


class Registry(Generic[Member]):
    """Members of one family, the program's own first, in the order of their registration.

    `family` is the singular noun used in messages ("detector"). `owner` of a member is OWN
    unless a plugin registered it (see plugins.py, which sets `current_owner` while it imports).
    """

    def __init__(self, family: str) -> None:
        self.family = family
        self.current_owner = OWN
        self._members: dict[str, Member] = {}
        self._owners: dict[str, str] = {}

    def register(self, name: str) -> Callable[[Member], Member]:
        """Decorator: file a member under `name`. A second member of that name is an error."""

        def file(member: Member) -> Member:
            if name in self._members:
                raise WorkbenchError(
                    f"Two {self.family}s are called '{name}': one from {self._owners[name]},"
                    f" one from {self.current_owner}. Rename one of them."
                )
            self._members[name] = member
            self._owners[name] = self.current_owner
            return member

        return file

    def get(self, name: str) -> Member:
        """The member called `name`; WorkbenchError with the nearest name if there is none."""
        if name in self._members:
            return self._members[name]
        near = difflib.get_close_matches(name, self._members, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(self._members)}."
        raise WorkbenchError(f"There is no {self.family} called '{name}'.{hint}")

    def owner(self, name: str) -> str:
        """Who registered `name`: "built in" or the plugin's file name."""
        return self._owners[name]

    def unregister_owner(self, owner: str) -> None:
        """Forget all members that `owner` registered (a plugin that failed half way)."""
        for name in [n for n, o in self._owners.items() if o == owner]:
            del self._members[name], self._owners[name]

    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self)

    def __iter__(self) -> Iterator[tuple[str, Member]]:
        # stable: a plugin may come before the program's own are loaded, or after
        return iter(sorted(self._members.items(), key=lambda member: self._owners[member[0]] != OWN))

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __len__(self) -> int:
        return len(self._members)
