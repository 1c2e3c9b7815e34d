"""Texts of other programs: too large ones and those in another encoding are refused, with the line."""

from __future__ import annotations

import pytest

from workbench.core.parsing import strict_text
from workbench.errors import Refused


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert strict_text.decode(b"\xef\xbb\xbfZ\xc3\xbcrich", "a.txt") == "Zürich"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_that_says_so_is_text(encoding: str) -> None:
    """As PowerShell writes a list of files."""
    mark = "" if encoding == "utf-16" else "\ufeff"
    assert strict_text.decode(f"{mark}a\nZ\u00fcrich".encode(encoding), "a.txt") == "a\nZ\u00fcrich"


def test_another_encoding_is_refused_with_its_line() -> None:
    with pytest.raises(Refused, match=r"^a\.txt:3: the text is not UTF-8; save it as UTF-8$"):
        strict_text.decode(b"a\nb\nZ\xfcrich", "a.txt")


def test_a_file_above_the_limit_is_refused_with_both_sizes() -> None:
    strict_text.check_size(bytes(2000), "a.txt", 2000, "tables")
    with pytest.raises(Refused, match=r"^a\.txt: the file has 2,001 bytes; tables of more than 2,000 are not read$"):
        strict_text.check_size(bytes(2001), "a.txt", 2000, "tables")
