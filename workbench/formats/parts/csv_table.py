"""Foreign CSV tables, read strictly and row by row: every refusal names its line, and only one row is in memory.

Open Images' table of boxes has 14.6 million rows in 2.3 GB, so a table is never held as a whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from workbench.errors import Refused
from workbench.formats.parts.reading_progress import counted

LINE_LIMIT = 1 << 20  # bytes; the longest line seen (Open Images' list of images) has 700
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def as_stream(source: bytes | IO[bytes]) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def rows(source: bytes | IO[bytes], file: str) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, values) of every row that is not blank, including the header.

    Raises Refused (file, line) at anything that is not CSV: the beginning of the next row is then unknown.
    """
    return counted(_rows(source, file), "thousand rows read")


def _rows(source: bytes | IO[bytes], file: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_lines(as_stream(source), file), strict=True)
    line = 1
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise Refused(file, f"not a CSV table: {_in_words(error)}", line, error) from error
        if row is None:
            return
        if row:
            yield line, row
        line = reader.line_num + 1


def _lines(stream: IO[bytes], file: str) -> Iterator[str]:
    number = 0
    while raw := stream.readline(LINE_LIMIT):
        number += 1
        if len(raw) == LINE_LIMIT and not raw.endswith(b"\n"):
            raise Refused(file, f"a line of more than {LINE_LIMIT:,} bytes; this is no table", number)
        if b"\0" in raw:
            raise Refused(file, "it holds NUL characters; this is not text", number)
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise Refused(file, "the text is not UTF-8; save it as UTF-8", number, error) from error


def _in_words(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text or "unexpected end" in text:
        return "a quoted value begins here and does not end"
    if "new-line character" in text:
        return "a line ends with CR alone; save it with LF or CR LF"
    return text


def header(
    found: Iterator[tuple[int, list[str]]], file: str, wanted: Collection[str], known: Collection[str] = ()
) -> tuple[dict[str, int], int]:
    """The column of each name in the first row, in any order and case, and how many columns there are.

    `wanted` columns must be there, none twice. Names in `wanted` and `known` are returned as spelt there, others as in
    the file. Unnamed columns (pandas' index) are left out.
    """
    line, names = next(found, (1, []))
    spelled = {name.casefold(): name for name in (*wanted, *known)}
    columns: dict[str, int] = {}
    for place, name in enumerate(names):
        plain = spelled.get(name.strip().casefold(), name.strip())
        if plain in columns:
            raise Refused(file, f"two columns are called '{plain[:60]}'", line)
        if plain:
            columns[plain] = place
    lacking = [name for name in wanted if name not in columns]
    if lacking:
        raise Refused(file, f"the first line must name the columns; there is no {', '.join(lacking)}", line)
    return columns, len(names)


def first_names(file: Path) -> frozenset[str]:
    """The column names in the first line, in lower case; empty if that is not a line of a CSV table."""
    with file.open("rb") as stream:
        head = stream.readline(65_536)
    try:  # damage in one name must not hide the others: reading the table reports it
        names = next(csv.reader([head.decode("utf-8-sig", "replace").replace("\0", "\ufffd")]), [])
    except csv.Error:
        return frozenset()
    return frozenset(name.strip().casefold() for name in names)


def other_values(row: list[str], columns: Mapping[str, int], known: Collection[str]) -> dict[str, str]:
    """The values of a row in columns that are not `known`, to be kept if they are not too long."""
    others = {name: row[place].strip() for name, place in columns.items() if name not in known}
    return {name: value for name, value in others.items() if value and len(name) <= 200 and len(value) <= 1000}


def sane_values(kept: object, known: Collection[str]) -> dict[str, str]:
    """What a box's `extra` holds (it may be anything), as far as it can be written into columns of its own."""
    if not isinstance(kept, dict):
        return {}
    taken = {name.casefold() for name in known}
    return {
        key: value
        for key, value in kept.items()
        if isinstance(key, str) and isinstance(value, str) and key.strip() and key.casefold() not in taken
    }


def to_row(values: Iterable[object]) -> str:
    """One line. Quoted where needed; control characters, which break many readers, become spaces."""
    return ",".join(_quoted(_CONTROL.sub(" ", str(value))) for value in values) + "\n"


def _quoted(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # lone surrogates can't be written
    return '"' + text.replace('"', '""') + '"' if '"' in text or "," in text or text != text.strip() else text
