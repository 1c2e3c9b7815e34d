"""What the notes before a training say of the weights that it starts from; test_preflight.py has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.checks.test_preflight import recipe
from workbench.core.project import Label
from workbench.training import recipes
from workbench.training.checkpoints.checkpoint import CheckpointHeader, save_detector
from workbench.training.checks.findings import INFO, STOPS, WARNING
from workbench.training.checks.preflight_start import of_weights

pytestmark = pytest.mark.usefixtures("toy")


def checkpoint(file: Path, labels: Sequence[str], detector: str = "toy", width: float = 1.0) -> Path:
    made = tuple(Label(n, name) for n, name in enumerate(labels, 1))
    save_detector(file, {}, CheckpointHeader(detector, {"width": width}, made, (), 64, "stretch"))
    return file


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("top", "Bottom"), []),
        (("Top", "BOTTOM", "more"), []),
        (("bottom", "top"), ["w.safetensors has its labels in another order (bottom, top): they are matched by name."]),
        (("top", "other"), ["w.safetensors does not know Bottom: it starts fresh."]),
        (("other",), ["w.safetensors knows none of the project's labels: what belongs to labels starts fresh."]),
    ],
)
def test_labels_of_a_checkpoint_are_compared_by_name(tmp_path: Path, labels: Sequence[str], said: list[str]) -> None:
    file = checkpoint(tmp_path / "w.safetensors", labels)
    found = list(of_weights(file, recipe(going_on_rate=1.0), ["top", "Bottom"]))
    assert [one.sentence for one in found] == said
    assert all((one.level, one.kind) == (INFO, "class ids") for one in found)


def test_labels_that_start_fresh_are_counted(tmp_path: Path) -> None:
    file = checkpoint(tmp_path / "w.safetensors", ["top"])
    (found,) = of_weights(file, recipe(going_on_rate=1.0), ["top", "one", "two"])
    assert (found.sentence, found.count) == ("w.safetensors does not know one, two: they start fresh.", 2)


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    other = checkpoint(tmp_path / "a.safetensors", ["top"], "yolov3")
    assert "is for yolov3, not for toy" in next(of_weights(other, recipe(), ["top"])).sentence
    narrow = checkpoint(tmp_path / "b.safetensors", ["top"], width=0.5)
    found = next(of_weights(narrow, recipe(), ["top"]))
    assert (found.level, found.advice) == (WARNING, "Set the width to 0.5.")
    almost = checkpoint(tmp_path / "c.safetensors", ["top"], width=0.995)
    assert next(of_weights(almost, recipe(), ["top"])).kind == "weights"


def test_a_checkpoint_without_a_width_is_of_the_whole_network(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_detector(file, {}, CheckpointHeader("toy", {}, (Label(1, "top"),), (), 64, "stretch"))
    assert list(of_weights(file, recipe(going_on_rate=1.0), ["top"])) == []


def test_only_weights_that_know_all_labels_are_gone_on_from(tmp_path: Path) -> None:
    file = checkpoint(tmp_path / "w.safetensors", ["top"])
    assert [one.kind for one in of_weights(file, recipe(going_on_rate=0.3), ["top"])] == ["goes on"]
    assert [one.kind for one in of_weights(file, recipe(going_on_rate=0.3), ["top", "new"])] == ["class ids"]


def test_darknets_files_do_not_name_their_labels(tmp_path: Path) -> None:
    for name, said in (("yolov4.weights", True), ("yolov4.conv.137", False)):
        file = tmp_path / name
        file.write_bytes(b"")
        found = list(of_weights(file, recipe(), ["cat", "dog"]))
        assert bool(found) == said


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("ab", "if it has 2, they are taken in the project's order, 0 a, 1 b."),
        ("abcdefgh", "if it has 8, they are taken in the project's order, 0 a, 1 b, 2 c, 3 d, 4 e, 5 f, 6 g, 7 h."),
        ("abcdefghi", "if it has 9, they are taken in the project's order, 0 a, 1 b, 2 c, 3 d, 4 e, 5 f, 6 g, 7 h, …."),
    ],
)
def test_the_first_eight_labels_are_listed_with_their_numbers(tmp_path: Path, labels: str, said: str) -> None:
    (tmp_path / "a.weights").touch()
    (found,) = of_weights(tmp_path / "a.weights", recipe(), list(labels))
    assert found.sentence == f"a.weights does not name its labels: {said}"


def test_weights_that_are_not_there_or_damaged_stop(tmp_path: Path) -> None:
    (tmp_path / "b.safetensors").write_bytes(b"no")
    for name in ("a.safetensors", "b.safetensors", "a.weights", "a.pth"):
        (found,) = of_weights(tmp_path / name, recipe(), ["top"])
        assert (found.level, found.kind) == (STOPS, "weights")
        assert found.sentence.endswith("there is no such file.") == (name[0] == "a")


def test_published_weights_need_the_whole_width(tmp_path: Path) -> None:
    file = tmp_path / "ssd300_vgg16_coco-b556d3b4.pth"
    file.touch()
    found = list(of_weights(file, recipes.preset("quick-cpu").with_detector("ssd300"), ["person", "cell"]))
    assert [one.kind for one in found] == ["weights", "class ids"]
    assert "the recipe's network has width 0.25" in found[0].sentence
    assert found[1].sentence.endswith("does not know cell: it starts fresh.")


@pytest.mark.parametrize("detector", ["ssd300", "toy"])
def test_nothing_is_known_of_the_labels_of_other_files_of_pytorch(tmp_path: Path, detector: str) -> None:
    """One that is published for the detector, and one that nothing is published for."""
    file = tmp_path / "mine.pth"
    file.touch()
    assert list(of_weights(file, replace(recipe(), detector=detector), ["cell"])) == []


def test_a_checkpoint_of_a_run_is_called_by_the_run(tmp_path: Path) -> None:
    file = checkpoint(tmp_path / "first" / "best.safetensors", ["top"])
    (tmp_path / "first" / "events.jsonl").touch()
    (found,) = of_weights(file, recipe(going_on_rate=1.0), ["top", "bottom"])
    assert found.sentence == "first/best.safetensors does not know bottom: it starts fresh."
