"""The text of a file that another program wrote: of a limited size, and in UTF-8, or in UTF-16 that says so."""

from __future__ import annotations

import codecs

from workbench.errors import Refused


def check_size(data: bytes, file: str, limit: int, what: str) -> None:
    """Refused if there are more than `limit` bytes; `what`: such files, in the plural."""
    if len(data) > limit:
        raise Refused(file, f"the file has {len(data):,} bytes; {what} of more than {limit:,} are not read")


def is_utf16(head: bytes) -> bool:
    """Whether a file that begins so is UTF-16 by its BOM, as PowerShell and Windows' Notepad write it."""
    return head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def beginning(head: bytes) -> bytes:
    """The first bytes of a file, which may end within a character, as UTF-8 without BOM; as they are if they are of
    another encoding than `decode` reads.
    """
    return head.decode("utf-16", "replace").encode() if is_utf16(head) else head.removeprefix(codecs.BOM_UTF8)


def decode(data: bytes, file: str) -> str:
    """UTF-8, with or without BOM, or UTF-16 with one, as text. Refused with the line if it is another encoding."""
    try:
        if is_utf16(data):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Refused(file, "the text is not UTF-8; save it as UTF-8", line, error) from error
