"""Texts and names as they are compared and searched, whichever way they are written."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """Without capitals, and with composed characters: é may also be an e and an accent, and a Korean syllable its
    letters, as in file names of a Mac, while keyboards type one character. Disks of Macs take such names for the same.
    """
    return unicodedata.normalize("NFC", text).casefold()
