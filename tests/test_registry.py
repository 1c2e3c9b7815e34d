"""A family's members by name."""

from __future__ import annotations

import pytest

from workbench.errors import WorkbenchError
from workbench.registry import Registry


def test_a_member_is_found_by_its_name_and_keeps_the_order() -> None:
    family: Registry[type] = Registry("detector")
    family.register("b")(int)
    family.register("a")(str)
    assert family.get("a") is str
    assert family.names() == ("b", "a")
    assert family.owner("a") == "built in"


def test_the_programs_own_come_before_a_plugins_whichever_was_there_first() -> None:
    family: Registry[type] = Registry("detector")
    family.current_owner = "mine.py"
    family.register("a")(int)
    family.current_owner = "built in"
    family.register("c")(str)
    family.register("b")(bytes)
    assert family.names() == ("c", "b", "a")
    assert list(family) == [("c", str), ("b", bytes), ("a", int)]


def test_an_unknown_name_gets_the_nearest_suggested() -> None:
    family: Registry[type] = Registry("detector")
    family.register("yolov3")(int)
    with pytest.raises(WorkbenchError, match="There is no detector called 'yolo3'. Did you mean 'yolov3'?"):
        family.get("yolo3")
    with pytest.raises(WorkbenchError, match="There are: yolov3"):
        family.get("zebra")


def test_a_second_member_of_a_name_is_refused_and_names_both_owners() -> None:
    family: Registry[type] = Registry("format")
    family.register("csv")(int)
    family.current_owner = "mine.py"
    with pytest.raises(WorkbenchError, match="one from built in, one from mine.py"):
        family.register("csv")(str)
