"""A label map of TensorFlow's object detection (label_map.pbtxt): the labels in the order of their ids."""

from __future__ import annotations

import re

from workbench.core.parsing import strict_text
from workbench.errors import Refused

SIZE_LIMIT = 1 << 20  # bytes; Open Images' map of 601 labels has 60 KB
_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|-?\d+|\w+|[{}:<>;,]|(?P<other>.)""", re.ASCII
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|(.))", re.DOTALL)
_PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r"}


def parse_label_map(data: bytes, file: str) -> tuple[str, ...]:
    """The names of its items in order of their ids. Raises Refused (file, line) if it is not a label map."""
    strict_text.check_size(data, file, SIZE_LIMIT, "label maps")
    text = strict_text.decode(data, file)
    found: dict[int, str] = {}
    item: dict[str, str] | None = None
    key, line = "", 1
    for match in _TOKEN.finditer(text):
        word = match.group()
        if match["other"]:
            raise Refused(file, f"not a label map: {word[:20]!a} is not expected here", line)
        if word.isspace() or word[0] in "#:;,":
            pass
        elif word in ("{", "<") and item is None:
            item = {}
        elif word in ("}", ">") and item is not None:
            _add(item, found, file, line)
            item, key = None, ""
        elif item is not None and key:
            item[key], key = _value(word), ""
        else:
            key = word if item is not None else ""
        line += word.count("\n")
    if item is not None or not found:
        raise Refused(file, "not a label map: expected item { id: 1 name: 'cat' } and so on", line)
    return tuple(found[id] for id in sorted(found))


def _add(item: dict[str, str], found: dict[int, str], file: str, line: int) -> None:
    name, id = item.get("name") or item.get("display_name", ""), item.get("id", "")
    if not name.strip() or not re.fullmatch(r"[0-9]{1,9}", id, re.ASCII):
        raise Refused(file, "an item needs a name and an id", line)
    if int(id) in found:
        raise Refused(file, f"the id {id} occurs twice", line)
    found[int(id)] = name.strip()


def _value(word: str) -> str:
    """A string without quotes and with escapes resolved; octal ones are bytes of UTF-8."""
    if word[0] not in "\"'":
        return word
    inner = _ESCAPE.sub(lambda m: bytes([int(m[1], 8) & 255]) if m[1] else _PLAIN.get(m[2], m[2]), word[1:-1].encode())
    return inner.decode("utf-8", "replace")
