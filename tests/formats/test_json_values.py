"""What of a stranger's JSON is kept with a box."""

from __future__ import annotations

from workbench.formats.parts.json_values import storable_values


def test_what_says_nothing_is_left_out_and_what_is_too_long_is_named() -> None:
    values = {"id": "a", "empty": "", "none": None, "list": [], "long": "x" * 3000, "longer": "y" * 3000, "more": 0}
    assert storable_values(values) == ({"id": "a", "long": "x" * 3000, "more": 0}, ["longer"])
    assert storable_values({"id": "a", "empty": {}}) == ({"id": "a"}, [])
