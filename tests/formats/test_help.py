"""The help page on formats says what the formats say of themselves."""

from __future__ import annotations

from workbench import formats
from workbench.core.files import resource
from workbench.formats import LOSSES


def test_the_help_page_tells_what_each_format_cannot_hold() -> None:
    page = resource("help", "labels-in-and-out.md").read_text(encoding="utf-8")
    rows = dict(line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| "))
    members = {name: member for name, member in formats.load_all() if name != "csv"}  # a plugin's
    odd = set(rows) ^ {"Format", *(member.title for member in members.values())}
    assert not odd, f"a row, or a format, is missing in the table of labels-in-and-out.md: {', '.join(sorted(odd))}"
    for member in members.values():
        lost = "; ".join(words for kind, words in LOSSES.items() if kind in member.cannot_store)
        assert rows[member.title] == (lost or "nothing is lost"), f"{member.title}: write this row of the table anew"
