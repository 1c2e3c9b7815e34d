"""Numbers with their nouns and units, as people write them: counts, shares, bytes, times."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

PLURALS = {"is": "are", "was": "were", "has": "have", "lies": "lie"}


def count(number: int, noun: str, verb: str = "") -> str:
    """ "1 box", "2,000 boxes", "3 images"; with a verb, one of PLURALS in the singular, "1 box was", "3 boxes were"."""
    if number == 1:
        return f"1 {noun} {verb}".rstrip()
    return f"{number:,} {noun}{'es' if noun.endswith('x') else 's'} {PLURALS.get(verb, '')}".rstrip()


def named(names: Sequence[str], most: int = 5) -> str:
    """ "a, b and 3 more": the first `most` of them, and how many others there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count_views(number: int, tiled: bool) -> str:
    """ "1 image", "2,000 images"; if large images are seen in tiles, too, "2,000 images and tiles"."""
    return f"{number:,} images and tiles" if tiled else count(number, "image")


def percent(share: float, digits: int = 1) -> str:
    """ "88.6 %"; less than all is never rounded to 100 %, and more than nothing never to 0 %."""
    scale = 10**digits
    tenths = round(100 * float(share) * scale)
    if tenths >= 100 * scale and share < 1 - 1e-9:  # an IoU of 1 may be computed a little less
        tenths = 100 * scale - 1
    if tenths <= 0 < share:
        tenths = 1
    return f"{tenths / scale:.{digits}f} %"


def share(value: float, digits: int = 3) -> str:
    """ "0.886" for a number from 0 to 1, rounded as in percent(); "–" if it is undefined (NaN)."""
    if math.isnan(value):
        return "–"
    least = 10.0**-digits
    if 0 < value < 1 - 1e-9:  # an AP of 1 sums up to a little less
        value = min(max(value, least), 1 - least)
    return f"{value:.{digits}f}"


def speed(images_per_second: float) -> str:
    """ "1,250 images/s", "3.4 images/s", "0.042 images/s"."""
    digits = ",.0f" if images_per_second >= 9.95 or not images_per_second else ".2g"
    return f"{images_per_second:{digits}} images/s"


def size(number: float) -> str:
    """A number of bytes: "950 bytes", "8.4 kB", "24 MB", "1.3 GB". A unit is 1,000 of the one before, as for disks."""
    if number < 999.5:
        return count(round(number), "byte")
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.5:
            return f"{number:.{1 if number < 9.95 else 0}f} {unit}"
    return f"{number / 1000:,.1f} TB"


def duration(seconds: float) -> str:
    """To the second: "3:10", "1:02:05"; "?" if unknown."""
    if math.isnan(seconds) or math.isinf(seconds):
        return "?"
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rough_duration(seconds: float) -> str:
    """For estimates and finished work: "40 s", "12 min", "3.5 h", "2.1 days"; at least a second."""
    if seconds < 99.5:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def visible(text: str, longest: int = 80) -> str:
    """Foreign text for use in a sentence: on one line, at most `longest` long, without what turns or hides text."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[: longest + 1])
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def one_line(text: str) -> str:
    """`text` as a name: one line, no spaces at the ends, no control characters or lone surrogates."""
    plain = "".join(" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in text)
    return "".join(c for c in plain if unicodedata.category(c) not in ("Cc", "Cs") and c != "\ufeff").strip()
