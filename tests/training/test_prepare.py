"""Which images are learnt from, and what a person is told before the start."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench import detectors
from workbench.core.project import AnchorSet, Split
from workbench.core.resize import Fit
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.training import prepare, recipes
from workbench.training.batches.data import Dataset
from workbench.training.hold_out import held_out
from workbench.training.settings import TrainingSettings


def test_the_test_split_is_never_seen(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 4, 2)
    images = (replace(snapshot.images[0], split=Split.TEST), *snapshot.images[1:])
    train, validation, notes = prepare.select_images(replace(snapshot, images=images), TrainingSettings())
    assert [image.name for image in train.images] == ["1.png", "2.png", "3.png"]
    assert [image.name for image in validation.images] == ["4.png", "5.png"]
    assert not notes


def test_images_without_a_split_are_trained_on(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 4, 2)
    images = (replace(snapshot.images[0], split=Split.NONE), *snapshot.images[1:])
    assert len(prepare.select_images(replace(snapshot, images=images), TrainingSettings())[0]) == 4


def test_held_out_images_are_the_same_for_the_same_seed_and_never_trained_on(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 20, 0)
    parts = [prepare.select_images(snapshot, TrainingSettings(hold_out=0.2, seed=seed)) for seed in (1, 1, 2)]
    names = [{image.name for image in validation.images} for _, validation, _ in parts]
    assert names[0] == names[1] != names[2]
    assert 3 <= len(names[0]) <= 5
    assert not names[0] & {image.name for image in parts[0][0].images}


@pytest.mark.parametrize("seed", range(5))
def test_what_was_trained_on_judges_no_later_training_with_more_images(seed: int) -> None:
    settings = TrainingSettings(seed=seed)
    order = np.random.default_rng(seed).permutation(400) + 1  # people label in any order
    learnt: set[int] = set()
    for count in (6, 12, 30, 31, 90, 400):
        ids = order[:count]
        chosen = held_out(ids, settings)
        assert chosen.any()
        assert not learnt & set(ids[chosen].tolist())
        learnt |= set(ids[~chosen].tolist())


def test_about_the_wanted_share_is_held_out_of_images_that_follow_each_other() -> None:
    for seed, share, first in itertools.product(range(20), (0.1, 0.3), (1, 1_000_000)):
        chosen = held_out(range(first, first + 200), TrainingSettings(seed=seed, hold_out=share))
        assert abs(chosen.sum() - share * 200) <= 3


def test_too_few_images_to_hold_out_are_evaluated_themselves_with_a_warning(tmp_path: Path) -> None:
    train, validation, notes = prepare.select_images(make_snapshot(tmp_path, 3, 0), TrainingSettings())
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


def dataset(boxes: list[tuple[float, float, float, float]], labels: list[int], side: int = 448) -> Dataset:
    """One image with these boxes."""
    snapshot = SimpleNamespace(places=(), labels=(1, 2, 3))
    return Dataset(
        snapshot=snapshot,  # type: ignore[arg-type]  # only its labels are counted
        pixels=np.zeros((1, side, side, 3), np.uint8), rows=np.arange(1), fits=(Fit(1, 1),),
        boxes=np.array(boxes, np.float32), labels=np.array(labels), ignore=np.zeros(len(boxes), bool),
        offsets=np.array([0, len(boxes)]),
    )  # fmt: skip


@pytest.mark.parametrize(("power", "weights"), [(0.0, [1, 1, 1]), (0.5, [1, 2, 2]), (1.0, [1, 4, 4])])
def test_rare_labels_weigh_more_by_their_counts(power: float, weights: list[float]) -> None:
    data = dataset([(0, 0, 9, 9)] * 9, [0] * 8 + [1])
    data = replace(data, labels=np.array([0] * 4 + [1, 2, 0, 0, 0]), ignore=np.array([False] * 6 + [True] * 3))
    assert prepare.label_weights(data, power).tolist() == pytest.approx(weights)


def test_no_label_weighs_more_than_ten_times() -> None:
    data = dataset([(0, 0, 9, 9)] * 101, [0] * 100 + [1])
    assert prepare.label_weights(data, 1.0).tolist() == [1, 10, 10]


def test_images_kept_larger_than_the_input_are_judged_at_the_input_side() -> None:
    """As for inputs of many sizes: at 416 px the second box is too small, whatever it is at 608."""
    kind = detectors.load_all().get("yolov3-tiny")
    detector = detectors.build("yolov3-tiny", kind.settings_class(width=0.05, input_px=416), 3)
    boxes = [(10.0, 10.0, 150.0, 150.0), (300.0, 300.0, 302.5, 340.0)]
    found = [prepare.check(detector, dataset(boxes, [0, 1], side)) for side in (416, 608)]
    assert found[0] == []
    assert [note.sentence for note in found[1]] == ["1 box is smaller than 2 pixels at 416 px and not learnt."]


def test_a_box_that_is_not_to_be_learnt_is_not_told_to_be_too_small() -> None:
    """Such as the sliver that a tile shows of a large one."""
    kind = detectors.load_all().get("yolov3-tiny")
    detector = detectors.build("yolov3-tiny", kind.settings_class(width=0.05, input_px=416), 3)
    data = dataset([(10.0, 10.0, 150.0, 150.0), (300.0, 300.0, 301.0, 340.0)], [0, 1], 416)
    assert prepare.check(detector, replace(data, ignore=np.array([False, True]))) == []


def test_boxes_that_share_a_cell_of_yolov1s_grid_are_counted_before_the_start() -> None:
    """Cells of 64 pixels: two boxes in one, one in another, one too small."""
    kind = detectors.load_all().get("yolov1-tiny")
    detector = detectors.build("yolov1-tiny", kind.settings_class(width=0.05), 3)
    boxes = [(10.0, 10.0, 50.0, 50.0), (20.0, 20.0, 40.0, 40.0), (200.0, 200.0, 240.0, 240.0), (5.0, 5.0, 6.5, 30.0)]
    notes = prepare.check(detector, dataset(boxes, [0, 1, 2, 0]))
    assert [note.sentence for note in notes] == [
        "1 box is smaller than 2 pixels at 448 px and not learnt.",
        "Not learnt: 1 of 3 boxes, which lie in a cell with another one.",
    ]


def many(images: int, matched: int) -> tuple[Detector, Dataset]:
    """A box in each image, of which `matched` can be learnt."""
    kind = detectors.load_all().get("retinanet")
    detector = detectors.build("retinanet", kind.settings_class(width=0.1, input_px=64), 3)
    boxes = np.tile(np.array([[8.0, 8, 56, 56]], np.float32), (images, 1))
    boxes[matched:] = (5, 5, 5, 5)
    one = dataset([(0, 0, 1, 1)], [0], 64)
    return detector, replace(
        one, pixels=np.zeros((images, 64, 64, 3), np.uint8), rows=np.arange(images), fits=one.fits * images,
        boxes=boxes, labels=np.zeros(images, np.int64), ignore=np.zeros(images, bool), offsets=np.arange(images + 1),
    )  # fmt: skip


def test_of_many_images_some_are_looked_at_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "LOOKED_AT", 10)
    detector, data = many(50, matched=30)
    looked: list[int] = []
    usual = detector.assignment
    monkeypatch.setattr(detector, "assignment", lambda told, size: looked.append(len(told.labels)) or usual(told, size))
    said = [note.sentence for note in prepare.check(detector, data)]
    assert sum(looked) == 10
    assert any(sentence.startswith("20 boxes are smaller than") for sentence in said)
    looked.clear()
    assert prepare.check(detector, data, lambda: True) is not None
    assert looked == []


def test_where_none_of_these_is_learnt_the_others_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "LOOKED_AT", 2)
    detector, data = many(20, matched=20)
    data.boxes[[0, 19]] = (5, 5, 5, 5)
    prepare.check(detector, data)
    data.boxes[:] = (5, 5, 5, 5)
    with pytest.raises(WorkbenchError, match="No box matches any anchor"):
        prepare.check(detector, data)
