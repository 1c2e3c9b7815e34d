"""What the checks before a training say of boxes, where a limit or a word decides; test_preflight.py has the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.checks.test_preflight import findings, one_per_cell, recipe, rows, well, with_images, with_labels
from tests.training.toys import Toy, make_snapshot
from workbench import detectors
from workbench.core.project import FLAGS, Snapshot, Split, State
from workbench.training import hold_out, recipes
from workbench.training.checks import preflight_boxes
from workbench.training.checks.findings import INFO, STOPS
from workbench.training.checks.preflight import preflight
from workbench.training.settings import TrainingSettings

__all__ = ["well"]  # a fixture
pytestmark = pytest.mark.usefixtures("toy")


def crowds(snapshot: Snapshot, rows: slice) -> Snapshot:
    flags = snapshot.flags.copy()
    flags[rows, FLAGS.index("crowd")] = True
    return replace(snapshot, flags=flags)


def test_very_few_boxes_that_nothing_answers_for_are_only_told(well: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    """2 of 42, with a limit just above that."""
    monkeypatch.setattr(preflight_boxes, "FEW", 0.05)
    crowded = one_per_cell(well, [(1, 1, 8, 8), (2, 2, 7, 7), (1, 2, 6, 8)])
    yolo = recipes.default_recipe("yolov1-tiny").changed({"epochs": 100, "warm_up": 0})
    assert [one.level for one in preflight(crowded, yolo, None)] == [INFO]


class BelowBlind(Toy):
    """Answers for no box whose cell is in the first row."""

    name = "below-blind"

    def assignment(self, targets: Any, size: Any) -> Any:
        found = super().assignment(targets, size)
        return replace(found, **{name: getattr(found, name)[found.row > 0] for name in found.__dataclass_fields__})


def test_a_detector_that_answers_for_some_boxes_alone_says_how_many_it_leaves(well: Snapshot) -> None:
    detectors.register("below-blind")(BelowBlind)
    (found,) = preflight(well, replace(recipe(), detector="below-blind"), None)
    assert found.sentence == ("20 of 40 boxes (50.0 %) have no anchor, cell or point of their own and are not learnt.")
    assert found.advice.startswith("A larger input side helps; What the trainer sees")


def test_a_box_of_the_least_side_is_learnt(well: Snapshot) -> None:
    boxes = well.boxes.copy()
    boxes[0, 2:] = boxes[0, :2] + 2
    assert findings(replace(well, boxes=boxes)) == {}


def test_where_all_images_are_looked_at_no_number_of_them_is_told(well: Snapshot) -> None:
    boxes = well.boxes.copy()
    boxes[0, 2:] = boxes[0, :2] + 1
    for most, ending in ((40, "not learnt."), (39, "Of 39 images looked at.")):
        (found,) = preflight(replace(well, boxes=boxes), recipe(), None, most_images=most)
        assert found.sentence.endswith(ending)


def test_long_thin_boxes_are_unlike_the_published_anchors(well: Snapshot) -> None:
    """64 x 4 of 64 pixels; regions to ignore among them do not count."""
    low = np.zeros((48, 2))
    thin = replace(well, boxes=np.concatenate([low, low + np.array([64, 4])], axis=1))
    yolo = recipes.default_recipe("yolov3-tiny").changed({"epochs": 100})
    (found,) = (one for one in preflight(thin, yolo, None) if one.kind == "anchors")
    assert found.sentence.startswith("40 of 40 boxes (100.0 %) are unlike all of the published anchors")
    (found,) = (one for one in preflight(crowds(thin, slice(0, 4)), yolo, None) if one.kind == "anchors")
    assert found.sentence.startswith("36 of 36 boxes")


@pytest.mark.parametrize(("side", "said"), [(96, False), (128, True)])
def test_tiles_are_advised_where_the_network_sees_boxes_half_as_large(well: Snapshot, side: int, said: bool) -> None:
    """Boxes of 16 px in photographs that become 64: 10.7 or 8 px, which is faint, as all below 12."""
    large = with_images(well, lambda n: {"width": side, "height": side})
    large = replace(large, boxes=np.concatenate([well.boxes[:, :2], well.boxes[:, :2] + 16], axis=1))
    assert ("tiles" in findings(large)) == said


def test_regions_to_ignore_alone_can_not_be_learnt(well: Snapshot) -> None:
    (first, *_) = preflight(crowds(well, slice(None)), recipe(), None)
    assert first.level == STOPS


# --- labels and states ---


def test_a_single_box_is_rare_and_one_that_only_validation_has_can_not_be_learnt(well: Snapshot) -> None:
    changed = with_labels(well, ("top", "one", "judged"), [1] + [0] * 46 + [2])
    found = findings(changed)
    assert found["rare label"].sentence == "1 label with fewer than 10 boxes in training: 'one' (1)."
    assert found["only in validation"].sentence == "1 label only in the validation images: 'judged'."
    assert found["not in validation"].sentence == "1 label not in the validation images: 'one'."


def test_no_label_is_missed_in_validation_images_without_any_box(well: Snapshot) -> None:
    empty = replace(well, offsets=np.minimum(well.offsets, 40), **rows(well, range(40)))
    assert set(findings(empty)) == {"split"}, "which says that AP can't be computed"


def test_test_images_are_not_missed_in_the_training(well: Snapshot) -> None:
    test = with_images(well, lambda n: {"split": Split.TEST, "state": State.UNLABELLED} if n == 0 else {})
    assert findings(test) == {}


def test_labels_of_one_image_each_are_not_helped_by_balanced_folds(well: Snapshot) -> None:
    changed = with_labels(well, ("top", "a", "b"), [1, 2] + [0] * 46)
    found = findings(changed, folds=3, fold_by="image")["one fold"]
    assert found.count == 2
    assert found.advice.endswith("Label it in more images.")


@pytest.mark.parametrize("blocked", [False, True])
def test_balanced_folds_are_the_advice_where_they_would_help(tmp_path: Path, blocked: bool) -> None:
    """'rare' is in two images of one fold, of which none can change places if each other label has one image there."""
    plain = make_snapshot(tmp_path, 4, 0)
    settings = TrainingSettings(folds=2, fold_by="image", seed=1)
    by_id = hold_out.folds_of([image.id for image in plain.images], tuple, settings)
    mine, theirs = (np.flatnonzero(by_id == fold).tolist() for fold in (1, 2))
    shown = [(image, 0) for image in mine]
    shown += [(one, label) for label in (1, 2) for one in ((mine[label - 1], *theirs) if blocked else theirs)]
    shown.sort()
    changed = replace(
        with_labels(plain, ("rare", "a", "b"), [label for _, label in shown]),
        offsets=np.searchsorted([image for image, _ in shown], range(5)), box_ids=np.arange(len(shown)),
        boxes=np.tile(plain.boxes[:1], (len(shown), 1)), flags=np.zeros((len(shown), 4), bool),
    )  # fmt: skip
    for fold_by in ("image", "balanced"):
        found = {one.kind: one for one in preflight(changed, recipe(folds=2, fold_by=fold_by, seed=1), None)}
        if fold_by == "balanced" and not blocked:
            assert "one fold" not in found
            continue
        assert "'rare' (2 in fold 1)" in found["one fold"].sentence
        helps = " or set Fold by to balanced" if not blocked else ""
        assert found["one fold"].advice.endswith(f"Label it in more images{helps}.")


def test_balanced_folders_are_the_advice_for_folders(well: Snapshot) -> None:
    """Only images of one folder together with 'rare', or of several."""
    pairs = with_images(well, lambda n: {"path": f"{n // 2}/{n}.png"})
    settings = TrainingSettings(folds=2, fold_by="folder", seed=1)
    folds = hold_out.folds_of([image.id for image in pairs.images], lambda: pairs.images, settings)
    told = {}
    for way, images in (("two", np.flatnonzero(folds == 1)[[0, -1]].tolist()), ("one", [0, 1])):
        rare = [int(image in images) for image in np.repeat(np.arange(len(pairs)), np.diff(pairs.offsets))]
        changed = with_labels(pairs, ("common", "rare"), rare)
        told[way] = findings(changed, folds=2, fold_by="folder", seed=1)["one fold"].advice
    assert told["two"].endswith("Label it in more images or set Fold by to balanced-folder.")
    assert told["one"].endswith("Label it in more images.")
