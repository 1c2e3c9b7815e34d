"""Numbers with their nouns, as a person writes them."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """ "1 box", "2,000 boxes", "3 images"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('x') else 's'}"
