"""What of a stranger's JSON is kept with a box."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.formats.parts.json_values import storable_values


def test_what_says_nothing_is_left_out_and_what_is_too_long_is_named() -> None:
    values = {"id": "a", "empty": "", "none": None, "list": [], "long": "x" * 3000, "longer": "y" * 3000, "more": 0}
    assert storable_values(values) == ({"id": "a", "long": "x" * 3000, "more": 0}, {"longer": "too long"})
    assert storable_values({"id": "a", "empty": {}}) == ({"id": "a"}, {})


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([[[[[[7]]]]]], "nested too deep"),
        ({"half": "\ud83d"}, "no text or number that can be written"),
        ({"\ud83d": 1}, "no text or number that can be written"),
        (10**40, "no text or number that can be written"),
        ("x" * 5000, "too long"),
    ],
)
def test_what_is_not_kept_is_told_by_its_own_reason(value: Any, fault: str) -> None:
    assert storable_values({"id": "a", "odd": value}) == ({"id": "a"}, {"odd": fault})
