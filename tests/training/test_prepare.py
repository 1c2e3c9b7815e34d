"""Which images are learnt from, and what a person is told before the start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.toys import make_snapshot
from workbench.core.project import AnchorSet, Split
from workbench.training import prepare, recipes
from workbench.training.settings import TrainingSettings


def test_the_test_split_is_never_seen(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 4, 2)
    images = (replace(snapshot.images[0], split=Split.TEST), *snapshot.images[1:])
    train, validation, notes = prepare.parts(replace(snapshot, images=images), TrainingSettings())
    assert [image.name for image in train.images] == ["1.png", "2.png", "3.png"]
    assert [image.name for image in validation.images] == ["4.png", "5.png"]
    assert not notes


def test_images_without_a_split_are_trained_on(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 4, 2)
    images = (replace(snapshot.images[0], split=Split.NONE), *snapshot.images[1:])
    assert len(prepare.parts(replace(snapshot, images=images), TrainingSettings())[0]) == 4


def test_held_out_images_are_the_same_for_the_same_seed_and_never_trained_on(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 20, 0)
    parts = [prepare.parts(snapshot, TrainingSettings(hold_out=0.2, seed=seed)) for seed in (1, 1, 2)]
    names = [{image.name for image in validation.images} for _, validation, _ in parts]
    assert names[0] == names[1] != names[2]
    assert len(names[0]) == 4
    assert not names[0] & {image.name for image in parts[0][0].images}


def test_too_few_images_to_hold_out_are_evaluated_themselves_with_a_warning(tmp_path: Path) -> None:
    train, validation, notes = prepare.parts(make_snapshot(tmp_path, 3, 0), TrainingSettings())
    assert len(train) == len(validation) == 3
    assert notes[0].level == "warning"


@pytest.mark.parametrize(("from_px", "factor"), [(320, 1.0), (640, 0.5)])
def test_anchors_are_brought_to_the_input_side(from_px: int, factor: float) -> None:
    sizes = tuple((10.0 * i, 12.0 * i) for i in range(1, 7))
    detector = prepare.build(recipes.preset("quick-cpu"), 3, AnchorSet(sizes, from_px))
    assert detector.anchors == tuple((w * factor, h * factor) for w, h in sizes)


def test_without_anchors_the_published_ones_are_used() -> None:
    detector = prepare.build(recipes.preset("quick-cpu"), 3, None)
    assert len(detector.anchors) == 6
