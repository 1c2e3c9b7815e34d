"""Names in a zip: only those that mean the same file inside the folder on every system are accepted."""

from __future__ import annotations

import os
import struct
import unicodedata
import zlib
from functools import lru_cache

from workbench.core.files import is_reserved
from workbench.core.folders.image_lookup import is_portable
from workbench.core.formatting import visible

LONGEST, LONGEST_PART, DEEPEST = 1000, 255, 50
"""Limits: bytes of a path, bytes of one name (as in file systems), folders above a file."""
_FORBIDDEN = '<>:"|?*' if os.name == "nt" else ""  # elsewhere a frame may be named after its time, 10:30:00.jpg
_JUNK = frozenset((".ds_store", "thumbs.db", "desktop.ini"))
_UNICODE_PATH = 0x7075


def decoded(raw: bytes, is_utf8: bool, extra: bytes = b"") -> str:
    """The decoded name: UTF-8 if the zip says so or it is valid UTF-8, else IBM's code page 437.

    macOS and many libraries write UTF-8 without saying so. `extra`: Info-ZIP's field with the name in Unicode is used
    if it was made for this very name. UnicodeDecodeError if the zip says UTF-8 but it is not.
    """
    better = field(extra, _UNICODE_PATH)
    if better is not None and len(better) > 5 and better[:5] == b"\x01" + struct.pack("<L", zlib.crc32(raw)):
        return better[5:].decode("utf-8")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if is_utf8:
            raise
    return raw.decode("cp437")


def field(extra: bytes, id: int) -> bytes | None:
    """The field `id` in an entry's extra bytes. Padding and other junk at their end is common and harmless."""
    at = 0
    while at + 4 <= len(extra):
        found, length = struct.unpack_from("<HH", extra, at)
        if found == id and at + 4 + length <= len(extra):
            return extra[at + 4 : at + 4 + length]
        at += 4 + length
    return None


def path_of(name: str) -> tuple[str, str]:
    """A member's name as a posix path, and what is wrong with it: the end of a sentence that begins with the member.

    The second is "" if nothing is wrong. Both separators count: Windows' own packer wrote backslashes for years.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    path = "/".join(parts)
    if not name.isprintable() and any(unicodedata.category(letter) == "Cc" for letter in name):
        return path, "has control characters in its name"
    if not is_portable(name):
        return path, "leads outside the folder"
    if not parts:
        return path, "has no name"
    if len(parts) > DEEPEST:
        return path, f"lies more than {DEEPEST} folders deep"
    if len(path.encode()) > LONGEST:
        return path, f"has too long a name, with its folders (more than {LONGEST} bytes)"
    return path, next((wrong for part in parts if (wrong := _part_wrong(part))), "")


@lru_cache(1024)  # folders occur again and again
def _part_wrong(part: str) -> str:
    if len(part.encode()) > LONGEST_PART:
        return f"has too long a name (more than {LONGEST_PART} bytes)"
    if is_reserved(part):
        return "has a name that Windows reserves for devices"
    if part != part.rstrip(". "):
        return "has a dot or a space at the end of a name, which Windows removes"
    if _FORBIDDEN and any(letter in _FORBIDDEN for letter in part):
        return f"has one of {_FORBIDDEN} in its name, which Windows can't store"
    return ""


def is_junk(path: str) -> bool:
    """Whether this is a file that macOS or Windows leave in folders and that nobody means to pack."""
    return f"{path}/".startswith("__MACOSX/") or path[path.rfind("/") + 1 :].lower() in _JUNK


class Tree:
    """The files and folders of a zip so far: finds names that some file system would treat as the same."""

    def __init__(self) -> None:
        self._spelling: dict[str, str] = {}
        self._folders: set[str] = set()

    def add(self, path: str, is_folder: bool) -> str:
        """Add a member; returns what is wrong with it, as in `path_of`, "" if nothing."""
        above = path if is_folder else path[: max(path.rfind("/"), 0)]
        if above and above not in self._folders:
            parts = above.split("/")
            for end in range(1, len(parts) + 1):
                if wrong := self._add_folder("/".join(parts[:end])):
                    return wrong
        if is_folder:
            return ""
        known = self._spelling.get(key := _key(path))
        if known is None:
            self._spelling[key] = path
            return ""
        if known in self._folders:
            return "is a file and a folder at once"
        if known == path:
            return "is there twice"
        return f"differs from '{visible(known)}' only in capitals or in how its letters are encoded"

    def _add_folder(self, path: str) -> str:
        known = self._spelling.get(key := _key(path))
        if known is None:
            self._spelling[key] = path
            self._folders.add(path)
        elif known not in self._folders:
            return "is a file and a folder at once"
        elif known != path:
            return f"lies in a folder that differs from '{visible(known)}' only in capitals or the encoding of letters"
        return ""


def _key(path: str) -> str:
    """A key that is the same for names that Windows or macOS treat as the same."""
    if path.isascii():
        return path if path.islower() else path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
