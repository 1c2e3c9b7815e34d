"""What is said before a training starts: each check on a small project, and nothing about one that is well."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.toys import CALM, PX, Toy, ToySettings, make_snapshot
from workbench.core.project import FLAGS, AnchorSet, Label, Snapshot, Split, State
from workbench.core.resize import Fit
from workbench.training import recipes
from workbench.training.batches.data import Dataset
from workbench.training.checks import preflight as module
from workbench.training.checks.findings import INFO, STOPS, WARNING, Finding
from workbench.training.checks.preflight import preflight
from workbench.training.checks.preflight_copies import FOLDS_DECIDE, SPLITS_DECIDE, of_pictures
from workbench.training.checks.preflight_start import of_length, of_settings
from workbench.training.recipes import Recipe

pytestmark = pytest.mark.usefixtures("toy")


def recipe(**changes: Any) -> Recipe:
    return Recipe("test", "Test", "", "toy", ToySettings(input_px=PX), replace(CALM, **{"epochs": 100, **changes}))


@pytest.fixture
def well(tmp_path: Path) -> Snapshot:
    """40 images to train on and 8 to validate, half with a box of either label: nothing to complain of."""
    return unlike(make_snapshot(tmp_path, 40, 8))


def unlike(snapshot: Snapshot) -> Snapshot:
    """No two files are the same to the byte any more, though of one length."""
    for number, file in enumerate(snapshot.files):
        file.write_bytes(file.read_bytes().ljust(2000, b"\0") + number.to_bytes(2))
    return snapshot


def findings(snapshot: Snapshot, **changes: Any) -> dict[str, Finding]:
    """By kind; every one has its own here."""
    found = preflight(snapshot, recipe(**changes), None)
    assert len({one.kind for one in found}) == len(found)
    return {one.kind: one for one in found}


def with_images(snapshot: Snapshot, change: Callable[[int], dict[str, Any]]) -> Snapshot:
    return replace(snapshot, images=tuple(replace(one, **change(n)) for n, one in enumerate(snapshot.images)))


def with_labels(snapshot: Snapshot, names: Sequence[str], index: Sequence[int]) -> Snapshot:
    labels = tuple(Label(n, name, position=n - 1) for n, name in enumerate(names, 1))
    return replace(snapshot, labels=labels, label_index=np.array(index))


def test_nothing_is_said_of_a_project_that_is_well(well: Snapshot) -> None:
    assert preflight(well, recipe(), None) == ()


def test_without_labels_or_usable_images_nothing_can_be_learnt(well: Snapshot) -> None:
    empty = replace(well.take([]), labels=())
    (only,) = preflight(empty, recipe(), None)
    assert (only.level, only.kind) == (STOPS, "nothing to learn")
    assert "Add a label" in only.text
    test = with_images(well, lambda n: {"split": Split.TEST})
    assert "test split" in preflight(test, recipe(), None)[0].text


def test_images_that_the_states_leave_out_are_counted_by_their_state_and_listed(well: Snapshot) -> None:
    states = {0: State.IN_WORK, 1: State.IN_WORK, 2: State.UNLABELLED}
    found = findings(with_images(well, lambda n: {"state": states.get(n, State.DONE)}))
    assert found["state"].sentence == "3 images with 3 boxes are left out: 1 unlabelled, 2 in work."
    assert (found["state"].level, found["state"].count, found["state"].images) == (WARNING, 3, (1, 2, 3))
    assert found["state"].advice.startswith("Mark them as done if they are, ")
    one = findings(with_images(well, lambda n: {"state": State.DONE if n else State.IN_WORK}))["state"]
    assert one.text.startswith("1 image with 1 box is left out: in work. Mark it as done if it is, or choose other")
    assert "state" not in findings(
        with_images(well, lambda n: {"state": State.IN_WORK if n < 2 else State.DONE}), states="in work"
    )


def test_images_without_boxes_that_are_left_out_are_only_told(well: Snapshot) -> None:
    boxless = replace(well, offsets=np.maximum(well.offsets - 3, 0), **rows(well, range(3, 48)))
    found = findings(with_images(boxless, lambda n: {"state": State.UNLABELLED if n < 3 else State.DONE}))
    assert found["state"].level == INFO
    assert found["state"].sentence == "3 images without boxes are left out: all unlabelled."


def rows(snapshot: Snapshot, kept: range) -> dict[str, Any]:
    some = list(kept)
    names = ("boxes", "label_index", "flags", "box_ids")
    return {name: getattr(snapshot, name)[some] for name in names}


def test_mostly_empty_training_images_are_a_warning(well: Snapshot) -> None:
    """Of 48 images the first 30 have lost their boxes."""
    found = findings(replace(well, offsets=np.maximum(well.offsets - 30, 0), **rows(well, range(30, 48))))
    assert found["empty"].sentence.startswith("30 of 40 training images have no box")
    assert found["empty"].images == tuple(range(1, 31))


def test_labels_are_looked_for_in_every_split(well: Snapshot) -> None:
    """'top' and 'e' have 10 boxes or more in training, 'a' 9, 'b' some in validation alone, 'c' in test, 'd' none."""
    index = [0] * 14 + [5] * 10 + [1] * 9 + [0] * 7 + [2] * 2 + [0] * 3 + [5] + [3] * 2
    changed = with_labels(well, ("top", "a", "b", "c", "d", "e"), index)
    found = findings(with_images(changed, lambda n: {"split": Split.TEST} if n >= 46 else {}))
    said = {kind: one.sentence for kind, one in found.items()}
    assert said == {
        "unused label": "1 label without a box: 'd'.",
        "only in validation": "1 label only in the validation images: 'b'.",
        "not in training": "1 label not in the training images: 'c'.",
        "rare label": "1 label with fewer than 10 boxes in training: 'a' (9).",
        "not in validation": "1 label not in the validation images: 'a'.",
    }
    assert found["only in validation"].images == (41, 42)
    assert found["rare label"].images == tuple(range(25, 34))
    assert {one.level for one in found.values()} == {WARNING}


def test_a_label_of_regions_to_ignore_is_not_called_unused(well: Snapshot) -> None:
    """Whoever deletes it would delete them."""
    index = [0] * 20 + [1] * 28
    changed = with_labels(well, ("cat", "crowds", "none"), index)
    flags = changed.flags.copy()
    flags[20:, FLAGS.index("crowd")] = True
    said = {kind: one.sentence for kind, one in findings(replace(changed, flags=flags)).items()}
    assert said["unused label"] == "1 label without a box: 'none'."
    assert said["not in training"] == "1 label not in the training images: 'crowds'."


def test_without_a_validation_split_its_absence_is_told_and_no_label_is_missed_there(tmp_path: Path) -> None:
    alone = unlike(make_snapshot(tmp_path, 6, 0))
    found = findings(alone, epochs=1000)
    assert set(found) == {"split", "rare label"}
    assert found["split"].text.startswith("No image is in the validation split")


@pytest.mark.parametrize("by", ["image", "folder"])
def test_in_cross_validation_labels_that_one_of_its_trainings_lacks_are_told_before_any(
    well: Snapshot, by: str
) -> None:
    """'rare' is in images 1 and 2 alone: in two folds, or in one if they are of one folder."""
    index = [1, 1] + [0] * 46
    names = {n: "x" if n < 2 else f"y{n}" for n in range(48)}
    changed = with_images(with_labels(well, ("top", "rare"), index), lambda n: {"path": f"{names[n]}/{n}.png"})
    single = with_labels(changed, ("top", "rare"), [1] + [0] * 47)
    for fold in range(3):
        found = findings(changed if by == "folder" else single, folds=3, fold=fold, fold_by=by)
        where = "2 in fold 1" if by == "folder" else "1 in fold 2"
        assert found["one fold"].sentence == f"1 label with boxes in one fold alone: 'rare' ({where})."
        assert found["one fold"].advice.endswith("Label it in more images."), (
            "balanced folds keep folders together, too"
        )
        assert not {"only in validation", "not in validation"} & set(found)
    assert "one fold" not in findings(changed, folds=3)


def test_many_labels_are_named_in_part(well: Snapshot) -> None:
    names = ("top", "bottom", *"abcdefg")
    found = findings(with_labels(well, names, well.label_index.tolist()))
    assert found["unused label"].sentence == "7 labels without a box: 'a', 'b', 'c', 'd', 'e' and 2 more."


# --- boxes ---


def test_boxes_that_are_too_small_are_counted(well: Snapshot) -> None:
    boxes = well.boxes.copy()
    boxes[[3, 7], 2] = boxes[[3, 7], 0] + 1.5
    found = findings(replace(well, boxes=boxes))
    assert found["small"].sentence == "2 boxes are smaller than 2 pixels at 64 px and not learnt."
    assert found["small"].images == (4, 8)
    assert found["small"].boxes == tuple(well.box_ids[[3, 7]].tolist())
    assert found["small"].advice == "An input side of 96 px is enough for them."
    boxes[7, 2] = boxes[7, 0] + 0.4
    slip = "Such a small box is usually drawn by mistake: look at it and delete it."
    told = findings(replace(well, boxes=boxes))["small"].advice
    assert told == f"An input side of 96 px is enough for 1 of them. {slip}"
    assert set(found) == {"small"}  # and not, a second time, as what nothing answers for
    boxes[:, 2] = boxes[:, 0] + 1
    assert [one.level for one in preflight(replace(well, boxes=boxes), recipe(), None)] == [STOPS, WARNING]


def one_per_cell(snapshot: Snapshot, boxes: list[tuple[float, ...]]) -> Snapshot:
    """The first image has these boxes, all others one of 30 pixels."""
    others = np.tile([1.0, 1, 31, 31], (len(snapshot) - 1, 1))
    count = len(boxes) + len(others)
    return replace(
        snapshot, boxes=np.concatenate([np.array(boxes), others]), label_index=np.arange(count) % 2,
        offsets=np.concatenate([[0], np.arange(len(boxes), count + 1)]), flags=np.zeros((count, 4), bool),
        box_ids=np.arange(1, count + 1),
    )  # fmt: skip


def test_boxes_that_nothing_answers_for_are_counted_with_their_images(well: Snapshot) -> None:
    """At 448 px YOLOv1's cells have 64: three boxes of an image in one of them, of which one is learnt."""
    crowded = one_per_cell(well, [(1, 1, 8, 8), (2, 2, 7, 7), (1, 2, 6, 8)])
    yolo = recipes.default_recipe("yolov1-tiny").changed({"epochs": 100, "warm_up": 0})
    (found,) = preflight(crowded, yolo, None)
    assert found.sentence == "2 of 42 boxes (4.8 %) lie in a cell with another one and are not learnt."
    assert (found.level, found.count, found.images) == (WARNING, 2, (1,))
    assert preflight(crowded, yolo, None, ask=False) == ()


def test_of_many_images_a_sample_is_looked_at(well: Snapshot) -> None:
    crowded = one_per_cell(well, [(1, 1, 8, 8), (2, 2, 7, 7)])
    yolo = recipes.default_recipe("yolov1-tiny").changed({"epochs": 100})
    (found,) = preflight(crowded, yolo, None, most_images=5)
    assert found.sentence == (
        "1 of 6 boxes (16.7 %) lie in a cell with another one and are not learnt. Of 5 images looked at."
    )


class Blind(Toy):
    """Answers for no box."""

    name = "blind"

    def assignment(self, targets: Any, size: Any) -> Any:
        found = super().assignment(targets, size)
        return replace(found, **{name: getattr(found, name)[:0] for name in found.__dataclass_fields__})


def test_a_detector_that_answers_for_no_box_stops_the_training(well: Snapshot) -> None:
    from workbench import detectors

    detectors.register("blind")(Blind)
    (found,) = preflight(well, replace(recipe(), detector="blind"), None)
    assert (found.level, found.kind) == (STOPS, "no positive")
    assert found.advice == "Choose a larger input side or another detector."  # it has no anchors


def test_anchors_unlike_the_boxes_are_named_with_whose_they_are(well: Snapshot) -> None:
    """Boxes are 32 of 64, which is 208 of 416; an IoU of 0.25 is that of a square of 104."""
    yolo = recipes.default_recipe("yolov3-tiny").changed({"epochs": 100})
    for side, said in ((100.0, True), (110.0, False), (415.0, False), (420.0, True)):
        found = preflight(well, yolo, AnchorSet(((side, side),) * 6, 416))
        assert bool(found) == said, side
    assert found[0].sentence.startswith("40 of 40 boxes (100.0 %) are unlike all of the project's anchors")
    assert preflight(well, yolo, None) == ()


def test_darknets_weights_to_begin_from_bring_their_anchors_in_pixels(well: Snapshot, tmp_path: Path) -> None:
    small = replace(well, boxes=np.concatenate([well.boxes[:, :2], well.boxes[:, :2] + 4], axis=1))
    yolo, file = recipes.default_recipe("yolov4").changed({"epochs": 100, "input_px": 64}), tmp_path / "a.weights"
    assert preflight(small, yolo, None) == ()  # whose least one is 1.3 x 1.7 of 64, and 12 x 16 of 608
    assert "anchors" in [one.kind for one in preflight(small, yolo, None, file)]


@pytest.mark.parametrize(("number", "said"), [(1, False), (2, True)])
def test_a_few_boxes_unlike_the_anchors_are_not_worth_a_word(well: Snapshot, number: int, said: bool) -> None:
    """One or two of 40 boxes, which is 5 %, are a quarter as wide and high."""
    boxes = well.boxes.copy()
    boxes[:number, 2:] = boxes[:number, :2] + 8
    yolo = recipes.default_recipe("yolov3-tiny").changed({"epochs": 100})
    found = preflight(replace(well, boxes=boxes), yolo, AnchorSet(((208.0, 208.0),) * 6, 416))
    assert [one.kind for one in found] == ["anchors"] * said


def test_settings_that_the_network_can_not_be_built_with_stop(well: Snapshot) -> None:
    (found,) = preflight(well, recipes.default_recipe("yolov3-tiny").changed({"input_px": 100, "epochs": 100}), None)
    assert (found.level, found.kind) == (STOPS, "detector")


# --- copies ---


def test_the_same_file_in_training_and_validation_is_a_leak(well: Snapshot) -> None:
    shutil.copy(well.files[3], well.files[44])
    shutil.copy(well.files[4], well.files[5])  # both are trained on
    found = findings(well)["leak"]
    assert found.sentence == (
        "The same file is in validation and training, 1 time: 3.png is 44.png. AP will be too good."
    )
    assert found.images == (4, 45)
    test = with_images(well, lambda n: {"split": Split.TEST} if n == 44 else {})
    assert "training and test" in findings(test)["leak"].sentence


def test_in_cross_validation_splits_are_no_advice_against_copies(well: Snapshot) -> None:
    for row in range(1, 48):
        shutil.copy(well.files[0], well.files[row])
    assert findings(well, folds=3)["leak"].advice == FOLDS_DECIDE


def test_files_of_one_length_with_the_same_middle_are_no_copies(well: Snapshot) -> None:
    head = bytes(20_000)
    for row, start in ((0, b"a"), (45, b"b")):
        well.files[row].write_bytes(start + head)
    assert "leak" not in findings(well)


def test_a_file_that_is_gone_is_left_to_whoever_reads_it(well: Snapshot) -> None:
    well.files[0].unlink()
    assert preflight(well, recipe(), None) == ()


def read(pictures: Sequence[np.ndarray], snapshot: Snapshot) -> Dataset:
    count = len(pictures)
    return Dataset(
        snapshot, np.stack(pictures), np.arange(count), (Fit(1, 1),) * count, snapshot.boxes.astype(np.float32),
        snapshot.label_index, np.zeros(count, bool), snapshot.offsets,
    )  # fmt: skip


def test_pictures_that_are_nearly_the_same_are_found_once_they_are_read(well: Snapshot) -> None:
    """The third validation picture is the second training picture, a little lighter and of another side."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 200, (6, 8, 8, 3), dtype=np.uint8)
    pictures = [np.kron(one, np.ones((8, 8, 1), np.uint8)) for one in coarse]
    copy = np.kron(coarse[1] + 9, np.ones((4, 4, 1), np.uint8))
    small = [one[::2, ::2] for one in pictures[3:5]]
    train, validation = read(pictures[:3], well.take([0, 1, 2])), read([*small, copy], well.take([40, 41, 42]))
    (found,) = of_pictures(train, validation, SPLITS_DECIDE)
    assert found.sentence == "Nearly the same picture is in training and validation, 1 time: 1.png is 42.png."
    assert found.images == (2, 43)
    assert of_pictures(train, read(small, well.take([40, 41])), SPLITS_DECIDE) == ()
    twice = read([pictures[1], *pictures[:2]], well.take([0, 1, 2]))  # both are trained on
    assert of_pictures(twice, read(small, well.take([40, 41])), SPLITS_DECIDE) == ()
    assert of_pictures(train, train, SPLITS_DECIDE) == ()  # which are evaluated themselves


# --- settings ---


@pytest.mark.parametrize(
    ("name", "changes", "kinds"),
    [
        ("quick-cpu", {}, []),
        ("quick-cpu", {"epochs": 1}, ["steps"]),
        ("quick-cpu", {"learning_rate": 0.0}, ["learning rate"]),
        ("quick-cpu", {"freeze": 0.1}, ["fresh"]),
        ("fine-tune", {}, ["fresh"]),
        ("fine-tune", {"freeze": 0.0}, []),
    ],
)
def test_settings_that_do_not_go_together(name: str, changes: dict[str, Any], kinds: list[str]) -> None:
    wanted = recipes.preset(name).changed(changes)
    assert [one.kind for one in of_settings(wanted, 200, None)] == kinds


def test_a_hundred_steps_are_enough() -> None:
    assert [one.count for one in of_settings(recipe(batch=1, epochs=1), 99, None)] == [99]
    assert list(of_settings(recipe(batch=1, epochs=1), 100, None)) == []


def test_what_the_least_steps_change_is_said_before(well: Snapshot) -> None:
    few = recipes.preset("small-data")
    assert [one.sentence for one in of_length(few, 8)] == [
        "8 images would make 300 steps, too few to learn much: batches of 4 instead of 8 and 600 epochs instead of"
        " 300 make 1,200."
    ]
    (tiled,) = of_length(few.changed({"tiles": 640}), 8)
    assert tiled.sentence.startswith("8 images and tiles would make 300 steps")
    assert list(of_length(few, 80)) == []
    assert "length" in findings(well, least_steps=2_000)


def test_what_fine_tuning_says_depends_on_the_weights(tmp_path: Path) -> None:
    tuned = recipes.preset("fine-tune")
    assert "“Fine-tune” is made for training on from others" in next(of_settings(tuned, 200, None)).sentence
    assert list(of_settings(tuned, 200, tmp_path)) == []
    frozen = tuned.with_detector("fcos")
    assert "batch norms" in next(of_settings(frozen, 200, None)).sentence
    held = recipes.preset("quick-cpu").changed({"freeze": 0.1})
    assert "freeze keeps those of the backbone" in next(of_settings(held, 200, None)).sentence
    assert [one.kind for one in of_settings(recipe(freeze=0.5, batch=1), 200, tmp_path)] == ["freeze"]
    assert list(of_settings(recipe(batch=1), 200, tmp_path)) == []


def test_what_a_run_tells_itself_is_known_by_its_kind(well: Snapshot) -> None:
    assert set(module.TOLD_BY_RUN) == {"split", "small", "no positive", "length", "goes on", "learnt"}
    order = preflight(well, recipe(learning_rate=0.0, epochs=1), None)
    assert [one.level for one in order] == [STOPS, WARNING]


@pytest.mark.parametrize("name", ["yolov1-tiny", "yolov3-tiny", "ssdlite", "faster-rcnn", "fcos", "retinanet"])
def test_a_check_draws_no_random_numbers_for_a_training_beside_it_would_be_another(well: Snapshot, name: str) -> None:
    """What is queued during a training is checked in its process, which has one generator."""
    before = torch.get_rng_state()
    found = preflight(well, recipes.default_recipe(name), None)
    assert not [one for one in found if one.kind == "detector"], "it was built"
    assert torch.equal(torch.get_rng_state(), before)
