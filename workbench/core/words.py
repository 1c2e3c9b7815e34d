"""Numbers with their nouns, as a person writes them."""

from __future__ import annotations

import unicodedata


def count(number: int, noun: str) -> str:
    """ "1 box", "2,000 boxes", "3 images"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('x') else 's'}"


def one_line(text: str) -> str:
    """`text` as a name: one line, no spaces at the ends, no control characters or halves of characters."""
    plain = "".join(" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in text)
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cs") and c != "\ufeff").strip()
