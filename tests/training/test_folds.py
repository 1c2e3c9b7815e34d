"""Cross-validation: each image is in one fold, and each fold judges one run, which has not learnt from it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core.project import FLAGS, Image, Split
from workbench.errors import WorkbenchError
from workbench.training import folds, hold_out, prepare, recipes
from workbench.training.records import record, run_actions
from workbench.training.request import DeferredRunRequest, RunRequest
from workbench.training.settings import TrainingSettings

MakeRequest = Callable[..., RunRequest]
FOLDS = 3


def images_of(names: Sequence[str]) -> tuple[Image, ...]:
    return tuple(Image(number + 1, name, 64, 64) for number, name in enumerate(names))


def in_fold(images: Sequence[Image], settings: TrainingSettings) -> np.ndarray:
    return hold_out.in_fold([image.id for image in images], lambda: images, settings)


@pytest.mark.parametrize("step", [1, 13, 21, 34, 55, 89])
def test_each_image_is_in_one_fold_of_equal_size_whichever_are_labelled(step: int) -> None:
    images = images_of([""] * 60 * step)[::step]
    for seed, number in itertools.product(range(5), (2, 5, 20)):
        each = [in_fold(images, TrainingSettings(seed=seed, folds=number, fold=1 + k)) for k in range(number)]
        assert np.array_equal(np.sum(each, axis=0), np.ones(60))
        assert {one.sum() for one in each} == {60 // number}


def test_most_images_stay_in_their_fold_when_others_come() -> None:
    images = images_of([""] * 400)
    images = tuple(images[i] for i in np.random.default_rng(0).permutation(400))
    for seed in range(5):
        settings = TrainingSettings(seed=seed, folds=5)
        few, all_ = (hold_out.folds_of([one.id for one in some], tuple, settings) for some in (images[:380], images))
        assert (few != all_[:380]).mean() < 0.1
        assert set(np.bincount(few)[1:]) == {76}


def labels_in(images: Sequence[Sequence[int]]) -> hold_out.Shown:
    """From the labels in each image."""
    pairs = [(row, label) for row, labels in enumerate(images) for label in sorted(set(labels))]
    rows, labels = np.array(pairs, np.int64).reshape(-1, 2).T
    return rows, labels


def divided(shown: Sequence[Sequence[int]], **settings: object) -> tuple[np.ndarray, np.ndarray]:
    """The folds of images with these labels, and how many images of each have each label."""
    ids = [one.id for one in images_of([""] * len(shown))]
    training = TrainingSettings(**settings)  # type: ignore[arg-type]
    folds_ = hold_out.folds_of(ids, tuple, training, labels_in(shown))
    shape = training.folds, 1 + max(label for labels in shown for label in labels)
    return folds_, hold_out.images_per_fold(folds_, labels_in(shown), shape)


@pytest.mark.parametrize("seed", range(20))
def test_each_label_is_in_as_many_folds_as_it_can_be(seed: int) -> None:
    """Of two images with a rare label both were in one fold, one time in five: the run that it judged had none."""
    random = np.random.default_rng(seed)
    rare = {label: random.choice(30, label, replace=False) for label in (1, 2, 3, 5, 6)}
    shown = [[0, *(label for label, rows in rare.items() if image in rows)] for image in range(30)]
    by_id, _ = divided(shown, folds=5, seed=seed, fold_by="image")
    folds_, held = divided(shown, folds=5, seed=seed)
    assert (held > 0).sum(axis=0).tolist() == [5, 1, 2, 3, 0, 5, 5]
    assert np.bincount(folds_).tolist() == [0, 6, 6, 6, 6, 6]
    assert 0 < (folds_ != by_id).sum() <= 16, "others stay where their ids put them"


def test_a_box_drawn_anew_moves_few_images_to_other_folds() -> None:
    """The folds of a cross-validation may be trained one by one, while labels are corrected."""
    random = np.random.default_rng(0)
    shown = [sorted(random.choice(40, 3, p=np.arange(1, 41) / 820, replace=False).tolist()) for _ in range(200)]
    before, _ = divided(shown, folds=5)
    for image in range(0, 200, 10):
        after, _ = divided([[0] if row == image else labels for row, labels in enumerate(shown)], folds=5)
        assert (before != after).sum() <= 8


def test_each_label_of_an_image_is_shown_once_but_not_regions_to_ignore(tmp_path: Path) -> None:
    """The second image has no box, and the last box is such a region."""
    snapshot = make_snapshot(tmp_path, 3, 0)
    flags = np.zeros((5, 4), bool)
    flags[4, FLAGS.index("crowd")] = True
    boxes = np.tile(snapshot.boxes[:1], (5, 1))
    snapshot = replace(
        snapshot, offsets=np.array([0, 3, 3, 5]), boxes=boxes, label_index=np.array([1, 0, 1, 0, 1]), flags=flags,
        box_ids=np.arange(5),
    )  # fmt: skip
    rows, labels = hold_out.shown_labels(snapshot)
    assert list(zip(rows.tolist(), labels.tolist(), strict=True)) == [(0, 0), (0, 1), (2, 0)]


@pytest.mark.parametrize(("validation", "share", "held"), [(0, 0.2, 2), (0, 0.01, 0), (2, 0.2, 2)])
def test_what_earlier_versions_held_out_is_a_share_if_nothing_is_in_the_validation_split(
    tmp_path: Path, validation: int, share: float, held: int
) -> None:
    snapshot, settings = make_snapshot(tmp_path, 10, validation), TrainingSettings(hold_out=share)
    before = hold_out.as_before(snapshot, settings)
    assert sum(image.split is Split.VALIDATION for image in before.images) == held
    assert (before is snapshot) == (validation > 0 or not held)
    assert [image.id for image in before.images] == [image.id for image in snapshot.images]


def test_labels_of_enough_images_leave_the_folds_to_the_ids() -> None:
    shown = [[image % 2] for image in range(100)]
    assert np.array_equal(divided(shown, folds=5)[0], divided(shown, folds=5, fold_by="image")[0])


@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_only_images_whose_labels_stay_in_as_many_folds_change_places(seed: int, blocked: bool) -> None:
    """The last image of each of two folds, as each other one has a label that its fold would lose; or none may.

    What goes may have a label of which its fold keeps one.
    """
    by_id, _ = divided([[0]] * 8, folds=2, seed=seed, fold_by="image")
    mine, theirs = (np.flatnonzero(by_id == fold).tolist() for fold in (by_id[-1], 3 - by_id[-1]))
    rare, kept, own, *owns = range(1, 8)
    having = {rare: [mine[0], mine[3]], kept: [mine[0], mine[3], theirs[0]], own: [mine[0], *theirs[:2]]}
    having |= {label: [one, *mine[1:3]] for label, one in zip(owns, theirs if blocked else theirs[:3], strict=False)}
    shown = [[0, *(label for label, images in having.items() if image in images)] for image in range(8)]
    wanted = by_id.copy()
    if not blocked:
        wanted[[mine[3], theirs[3]]] = wanted[[theirs[3], mine[3]]]
    assert divided(shown, folds=2, seed=seed)[0].tolist() == wanted.tolist()


def test_without_boxes_the_folds_are_those_of_the_ids() -> None:
    settings = TrainingSettings(folds=2)
    balanced, plain = (hold_out.folds_of(range(6), tuple, settings, shown) for shown in (labels_in([[]] * 6), None))
    assert np.array_equal(balanced, plain)


def test_other_seeds_divide_otherwise() -> None:
    images = images_of([f"{n}/a.jpg" for n in range(100)])
    for by in ("image", "folder"):
        settings = TrainingSettings(folds=4, fold=2, fold_by=by)
        one, other = (in_fold(images, replace(settings, seed=seed)) for seed in (1, 2))
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("by", ["name", "folder"])
def test_what_belongs_together_is_in_one_fold(by: str) -> None:
    photographs = [f"{chr(ord('a') + n % 26)}{n}.jpg" for n in range(60)]
    names = [f"{group}/{n}" if by == "folder" else f"{group}_{n[1:]}" for group in "abcdefg" for n in photographs[:30]]
    names += [f"z/{n}" if by == "folder" else f"z_{n[1:]}" for n in photographs]
    images = images_of(names)
    each = [in_fold(images, TrainingSettings(folds=4, fold=1 + k, fold_by=by)) for k in range(4)]
    assert np.array_equal(np.sum(each, axis=0), np.ones(len(names)))
    assert sorted(one.sum() for one in each) == [60, 60, 60, 90], "as even as eight groups can be"
    for one in each:
        inside = {names[i][0] for i in np.flatnonzero(one)}
        assert not inside & {names[i][0] for i in np.flatnonzero(~one)}


def grouped(count: int, seed: int) -> tuple[tuple[Image, ...], list[list[int]]]:
    """Images in 24 folders of 1 to 12, and their labels, of which all but the first are in two to eight folders."""
    random = np.random.default_rng(seed)
    folders = np.repeat(np.arange(24), random.integers(1, 13, 24))
    inside = [random.choice(24, random.integers(2, 9), replace=False) for _ in range(count - 1)]
    shown = [[0, *(1 + n for n, some in enumerate(inside) if folder in some)] for folder in folders]
    return images_of([f"{folder}/{n}.jpg" for n, folder in enumerate(folders)]), shown


@pytest.mark.parametrize("by", ["name", "folder"])
@pytest.mark.parametrize("seed", range(5))
def test_labels_of_groups_are_distributed_as_the_groups_allow(by: str, seed: int) -> None:
    """Dealt by the number of images alone, a label of several folders is often in one fold: that run can't learn it."""
    images, shown = grouped(6, seed)
    images = images if by == "folder" else tuple(replace(one, path=f"x/{one.path.replace('/', '_')}") for one in images)
    folders = np.array([one.path.removeprefix("x/").replace("_", "/").partition("/")[0] for one in images])
    found = {}
    for choice in (by, f"balanced-{by}"):
        settings = TrainingSettings(folds=4, fold_by=choice, seed=seed)
        folds_ = hold_out.folds_of([one.id for one in images], lambda: images, settings, labels_in(shown))
        assert all(len({*folds_[folders == folder].tolist()}) == 1 for folder in folders), "groups stay together"
        found[choice] = folds_, hold_out.images_per_fold(folds_, labels_in(shown), (4, 6))
    (_, plain), (folds_, held) = found.values()
    images_in = np.array([len({*folders[[label in one for one in shown]]}) for label in range(6)])
    assert ((held > 0).sum(axis=0) == np.minimum(images_in, 4)).mean() >= 5 / 6
    uneven = [float((table.std(axis=0) / table.mean(axis=0)).mean()) for table in (plain, held)]
    assert uneven[1] < 0.8 * uneven[0]
    sizes = np.bincount(folds_)[1:]
    assert sizes.max() - sizes.min() <= 12, "less than two groups apart"


def test_balanced_groups_do_not_depend_on_the_order_of_the_images_nor_leave_a_fold_empty() -> None:
    images, shown = grouped(6, 0)
    order = np.random.default_rng(1).permutation(len(images)).tolist()
    for number in (4, 20):
        found = []
        for rows in (range(len(images)), order):
            some, settings = [images[i] for i in rows], TrainingSettings(folds=number, fold_by="balanced-folder")
            seen = labels_in([shown[i] for i in rows])
            found.append(hold_out.folds_of([one.id for one in some], partial(tuple, some), settings, seen))
        assert found[0][order].tolist() == found[1].tolist()
        assert set(found[0].tolist()) == set(range(1, number + 1))


def test_a_later_version_judges_the_runs_of_this_one_by_the_same_images() -> None:
    """Who has learnt from which image is worked out from the recipe: otherwise numbers would be too good, untold."""
    ids = np.arange(1, 21)
    settings = TrainingSettings(seed=7, folds=3, hold_out=0.2, fold_by="image")
    assert (np.flatnonzero(hold_out.held_out(ids, settings)) + 1).tolist() == [7, 12, 20]
    by_id = hold_out.folds_of(ids, lambda: (), settings)
    assert by_id.tolist() == [2, 3, 3, 2, 1, 2, 1, 1, 3, 3, 1, 3, 2, 1, 2, 3, 1, 2, 2, 1]
    shown = labels_in([[0, *([1] if n in (0, 3, 5) else [])] for n in range(20)])
    balanced = hold_out.folds_of(ids, tuple, replace(settings, fold_by="balanced"), shown)
    assert balanced.tolist() == [1, 2, 3, 3, 2, 2, 1, 1, 3, 3, 1, 3, 2, 1, 2, 3, 1, 2, 2, 1]
    images = images_of([f"{n % 7}/{n}.jpg" for n in range(20)])
    by_folder = hold_out.folds_of(ids, lambda: images, replace(settings, fold_by="folder"))
    assert by_folder.tolist() == [2, 3, 1, 3, 1, 2, 1, 2, 3, 1, 3, 1, 2, 1, 2, 3, 1, 3, 1, 2]
    by_folder = hold_out.folds_of(ids, lambda: images, replace(settings, fold_by="balanced-folder"), shown)
    assert by_folder.tolist() == [1, 3, 2, 2, 1, 3, 1, 1, 3, 2, 2, 1, 3, 1, 1, 3, 2, 2, 1, 3]


def test_the_first_fold_stands_for_each_in_turn() -> None:
    images = images_of([""] * 30)
    each_in_turn, first = (in_fold(images, TrainingSettings(folds=3, fold=fold)) for fold in (0, 1))
    assert np.array_equal(each_in_turn, first)


@pytest.mark.parametrize(("number", "fold"), [(5, 6), (5, -1), (1, 1)])
def test_folds_that_do_not_exist_are_refused(number: int, fold: int) -> None:
    with pytest.raises(WorkbenchError, match=rf"There is no fold {fold} of {number}\. Folds are 2 to 20"):
        in_fold(images_of([""] * 100), TrainingSettings(folds=number, fold=fold))


def test_all_splits_but_test_are_divided(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 9, 3)
    tested = {1, 10}
    images = tuple(replace(one, split=Split.TEST) if one.id in tested else one for one in snapshot.images)
    judges: list[int] = []
    for fold in range(1, FOLDS + 1):
        settings = TrainingSettings(folds=FOLDS, fold=fold)
        learnt, judging, notes = prepare.select_images(replace(snapshot, images=images), settings)
        own = {image.id for image in judging.images}
        assert own | {image.id for image in learnt.images} == {image.id for image in images} - tested
        assert not own & {image.id for image in learnt.images}
        assert notes[0].sentence.startswith(f"Cross-validation: fold {fold} of 3, {len(own)} images of any split")
        judges += own
    assert sorted(judges) == [2, 3, 4, 5, 6, 7, 8, 9, 11, 12]


def test_more_folds_than_images_are_refused(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path, 4, 1)
    refused = []
    for fold in range(1, 21):
        try:
            prepare.select_images(snapshot, TrainingSettings(folds=20, fold=fold))
        except WorkbenchError as error:
            refused.append(error.sentence)
    assert refused[0].endswith("of 20, as there are only 5. Choose fewer folds.")
    assert len(refused) == 15


def test_a_recipe_without_a_fold_is_of_each_in_turn(tmp_path: Path) -> None:
    recipe = recipes.default_recipe("yolov4-tiny").changed({"folds": 3})
    each = folds.of_each(recipe, "cells", tmp_path)
    assert [name for name, _ in each] == ["cells-fold-1", "cells-fold-2", "cells-fold-3"]
    assert [one.training.fold for _, one in each] == [1, 2, 3]
    second = recipe.changed({"fold": 2})
    for name in ("cells", "cells-fold-2"):
        assert folds.of_each(second, name, tmp_path) == [("cells-fold-2", second)]
    plain = recipe.changed({"folds": 0})
    assert folds.of_each(plain, "", tmp_path) == [("", plain)]
    with pytest.raises(WorkbenchError, match="A fold is one of several. Say of how many"):
        folds.of_each(plain.changed({"fold": 2}), "", tmp_path)
    assert folds.base_name("my-fold-runs-fold-12") == "my-fold-runs"
    assert folds.base_name("mine") == "mine"
    assert [folds.base_name(f"a-fold-3{end}") for end in ("-to-40", "-2")] == ["a", "a"]
    names = {name for name, _ in folds.of_each(recipe, 60 * "ü😀", tmp_path)}
    assert {name[-7:] for name in names} == {f"-fold-{n}" for n in (1, 2, 3)}
    assert folds.base_name("my-fold-runs") == "my-fold-runs"


def test_a_fold_that_has_begun_has_the_data_for_the_others_but_not_one_that_was_called_so_earlier(
    tmp_path: Path,
) -> None:
    recipe = recipes.default_recipe("yolov4-tiny").changed({"folds": 3, "fold": 1})
    snapshot, runs_folder = make_snapshot(tmp_path, 4, 1), tmp_path / "runs"
    wanted = runs_folder / "Cells-fold-2"
    assert folds.begun_run(wanted, 3) is None
    for name, unlike in (("other-fold-1", recipe), ("cells", folds.without(recipe))):
        (runs_folder / name).mkdir(parents=True)
        record.write_request(RunRequest(runs_folder / name, snapshot, unlike))
    (runs_folder / "cells-fold-3").mkdir()  # refused before it began
    assert folds.begun_run(wanted, 3) is None
    begun = runs_folder / "cells-fold-1"
    begun.mkdir()
    record.write_request(RunRequest(begun, snapshot, recipe))
    (begun / "events.jsonl").touch()
    assert folds.begun_run(wanted, 3) == begun
    assert folds.begun_run(wanted, 4) is None, "divided otherwise"
    request = DeferredRunRequest(tmp_path, wanted, recipe.changed({"fold": 2}), data_of=begun).request()
    assert (request.folder, request.recipe.training.fold) == (wanted, 2)
    assert request.snapshot.digest == snapshot.digest
    assert request.data_time == record.read_request(begun).data_time
    run_actions.rename(begun, "old-fold-1")  # to train all anew, after corrections
    assert folds.begun_run(wanted, 3) is None


def test_a_free_name_is_of_no_cross_validation(tmp_path: Path) -> None:
    recipe = recipes.default_recipe("yolov4-tiny").changed({"folds": 3, "fold": 1})

    def name(*taken: str) -> str:
        return folds.of_each(recipe, "", tmp_path / "runs", taken)[0][0]

    assert name() == "yolov4-tiny-1-fold-1"
    for taken in ("yolov4-tiny-1", "YOLOv4-tiny-2-fold-4"):
        (tmp_path / "runs" / taken).mkdir(parents=True)
    assert name() == "yolov4-tiny-3-fold-1"
    assert name("yolov4-tiny-3-fold-2", "other") == "yolov4-tiny-4-fold-1"
