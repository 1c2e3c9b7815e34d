"""A family's members by name."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from workbench import detectors, formats
from workbench.errors import WorkbenchError
from workbench.inference import exporters
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
    with family.owned_by("mine.py"):
        family.register("a")(int)
    family.register("c")(str)
    family.register("b")(bytes)
    assert family.names() == ("c", "b", "a")
    assert list(family) == [("c", str), ("b", bytes), ("a", int)]


def test_what_another_thread_registers_meanwhile_does_not_belong_to_the_plugin() -> None:
    family: Registry[type] = Registry("detector")
    with family.owned_by("mine.py"):
        other = threading.Thread(target=lambda: family.register("a")(int))
        other.start()
        other.join()
        family.register("b")(str)
    family.register("c")(bytes)
    assert {name: family.owner(name) for name in family.names()} == {"a": "built in", "b": "mine.py", "c": "built in"}


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
    with family.owned_by("mine.py"), pytest.raises(WorkbenchError, match="one from built in, one from mine.py"):
        family.register("csv")(str)


class Mine:
    """A format and an exporter, whole."""

    title, summary, file, cannot_store, needs = "Mine", "It is mine.", "model.mine", frozenset({"note"}), ("numpy",)
    sniff = read = places = write = code = opened = lambda *given: 0


@pytest.mark.parametrize(
    ("family", "changes", "said"),
    [
        (formats, {}, ""),
        (
            formats,
            {"places": None, "title": " "},
            "its class Mine has no `title` (a text), `places()`. CONTRIBUTING.md",
        ),
        (formats, {"cannot_store": "note"}, "has no `cannot_store`, a frozenset"),
        (formats, {"cannot_store": frozenset({"hair"})}, "`cannot_store` holds 'hair', but only difficult, "),
        (exporters, {}, ""),
        (exporters, {"code": None, "needs": "onnx"}, "has no `needs` (a tuple of texts), `code()`"),
        (exporters, {"opened": None}, "has no `runtime`, `fill()` or `opened()`, by one of which its file is read"),
    ],
)
def test_a_format_or_exporter_that_lacks_a_part_is_refused_when_registered(
    family: Any, changes: dict[str, Any], said: str
) -> None:
    refuse_or_take(family, type("Mine", (Mine,), changes), said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"name": "yours"}, "its class Mine says name = 'yours'; leave that out"),
        ({"outs": "out"}, "its class Mine has no `outs` (a tuple of texts)"),
        ({"paper": "", "summary": None}, "has no `paper` (a text), `summary` (a text)"),
        ({"settings_class": dict}, "has no `settings_class`, derived from DetectorSettings"),
        ({"forgotten": True}, "its settings, Own, lack @dataclass(frozen=True)"),
    ],
)
def test_a_detector_that_lacks_a_part_is_refused_when_registered_and_a_whole_one_named(
    changes: dict[str, Any], said: str
) -> None:
    """Not after hours of training, when its export would end in an AttributeError."""
    from tests.training.toys import Toy
    from workbench.detectors.parts.detector import Detector
    from workbench.settings import setting

    if "forgotten" in changes:
        changes = {"settings_class": type("Own", (detectors.DetectorSettings,), {"more": setting(1, "More.")})}
    kind: Any = type("Mine", (Toy,), changes)
    refuse_or_take(detectors, kind, said)
    if not said:
        assert kind.name == "mine"
        refuse_or_take(detectors, Mine, "its class Mine is not derived from Detector")
        still = {name: getattr(Toy, name) for name in ("title", "paper", "summary", "settings_class", "outs")}
        refuse_or_take(detectors, type("Mine", (Detector,), still), "its class Mine has no `forward()`")


def test_a_detector_without_a_head_is_refused_with_the_methods_that_it_lacks_when_it_is_built() -> None:
    """Else a training ends in "'Mine' object has no attribute 'head'"."""
    from tests.training.toys import Toy
    from workbench.detectors.parts.detector import Detector

    whole = {name: getattr(Toy, name) for name in ("title", "paper", "summary", "settings_class", "outs", "forward")}
    own = {"loss": Toy.loss}
    with detectors.detectors.owned_by("mine.py"):
        for name, changes in (("bare", {}), ("half", own), ("headed", {"head": object()})):
            detectors.register(name)(type(name.title(), (Detector,), whole | changes))
    settings = Toy.settings_class()
    try:
        for name, lacking in (
            ("bare", "`loss()`, `candidates()`, `assignment()`, `label_rows()`"),
            ("half", "`candidates()`, `assignment()`, `label_rows()`"),
        ):
            with pytest.raises(WorkbenchError) as refused:
                detectors.build(name, settings, 2)
            assert refused.value.sentence == (
                f"The detector '{name}' (mine.py) can't be used: its class {name.title()} sets no `head`, and has no"
                f" {lacking} of its own. CONTRIBUTING.md says what it must have."
            )
        assert detectors.build("headed", settings, 2).label_count == 2
    finally:
        detectors.detectors.unregister_owner("mine.py")


def refuse_or_take(family: Any, kind: type, said: str) -> None:
    registry = getattr(family, family.__name__.rpartition(".")[2])
    try:
        if not said:
            with registry.owned_by("mine.py"):
                assert family.register("mine")(kind) is kind
            return
        with registry.owned_by("mine.py"), pytest.raises(WorkbenchError) as refused:
            family.register("mine")(kind)
        assert f"The {registry.family} 'mine' (mine.py) can't be used: " in refused.value.sentence
        assert said in refused.value.sentence
        assert "mine" not in registry
    finally:
        registry.unregister_owner("mine.py")
