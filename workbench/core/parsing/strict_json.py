"""Foreign JSON, read strictly: no NaN, no duplicate keys, no deep nesting, and a line for each refusal.

The standard parser does the work at full speed; only if it objects does a slow pass find the line.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from workbench.core.parsing import strict_text
from workbench.errors import Refused

SIZE_LIMIT = 600 << 20  # bytes; instances_train2017.json has 448 MB
DEPTH_LIMIT = 64  # COCO needs 6
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[\[\]{}]|-?Infinity|NaN|-?[\d.eE+-]+', re.DOTALL)


class _Objection(Exception):
    pass


def parse(data: bytes, file: str) -> Any:
    """The value of a JSON document (UTF-8, with or without BOM). Raises Refused with the line."""
    strict_text.check_size(data, file, SIZE_LIMIT, "JSON files")
    text = strict_text.decode(data, file)
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        reason = _trailing_comma(text, error.pos) or f"not valid JSON: {error.msg}"
        raise Refused(file, reason, line=error.lineno, cause=error) from error
    except RecursionError:
        line, reason = _explain(text)
        raise Refused(file, reason or f"nested more than {DEPTH_LIMIT} deep", line=line) from None
    except (_Objection, ValueError) as error:  # ValueError: an integer of more than 4,300 digits
        line, reason = _explain(text)
        raise Refused(file, reason or f"not valid JSON: {error}", line=line, cause=error) from error


def _trailing_comma(text: str, place: int) -> str:
    """What is wrong at `place`, if it is a comma behind the last value, as people and some programs leave it."""
    comma = text.rfind(",", 0, place + 1)
    found = re.compile(r",\s*([}\]])").match(text, comma) if comma >= 0 else None
    if found is None or place not in (comma, found.end() - 1):  # in a text in which something else is wrong
        return ""
    return f"not valid JSON: there is a comma before the closing {found[1]}; remove it"


def _refuse_constant(word: str) -> NoReturn:
    raise _Objection(word)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Objection("duplicate key")
    return made


def _explain(text: str) -> tuple[int, str]:
    """(line, reason) of the first thing in `text` that strict reading rejects; (0, "") if nothing is found."""
    keys: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        word, reason = token.group(), ""
        if word in "[{":
            keys.append(set())
            reason = f"nested more than {DEPTH_LIMIT} deep" if len(keys) > DEPTH_LIMIT else ""
        elif word in "]}" and keys:
            keys.pop()
        elif token.group(2) and keys:
            key = token.group(1)
            reason = f'the key "{key[:60]}" occurs twice in one object' if key in keys[-1] else ""
            keys[-1].add(key)
        elif word in ("NaN", "Infinity", "-Infinity"):
            reason = f"{word} is not a number"
        elif word[0] != '"' and len(word) > 1000:
            reason = f"a number of {len(word):,} digits"
        if reason:
            return text.count("\n", 0, token.start()) + 1, reason
    return 0, ""
