"""Random splits: shares, the seed, and what has a split already."""

from __future__ import annotations

from collections import Counter

from workbench.core.edits import walk
from workbench.core.project import Image, Split
from workbench.core.splits import random_split


def drawn(images: list[Image], seed: int = 0) -> dict[int, Split]:
    edit = random_split(images, seed)
    assert edit is not None
    return {id: part.split for part in walk(edit) for id in part.ids}  # type: ignore[union-attr]


def test_of_a_hundred_images_eighty_train_ten_validate_and_ten_test() -> None:
    counts = Counter(drawn([Image(id, f"{id}.png") for id in range(1, 101)]).values())
    assert counts == {Split.TRAIN: 80, Split.VALIDATION: 10, Split.TEST: 10}


def test_the_same_seed_draws_the_same() -> None:
    images = [Image(id, f"{id}.png") for id in range(1, 31)]
    assert drawn(images, 3) == drawn(images, 3)
    assert drawn(images, 3) != drawn(images, 4)


def test_images_that_have_a_split_keep_it() -> None:
    images = [Image(1, "a.png", split=Split.TEST), Image(2, "b.png"), Image(3, "c.png")]
    assert set(drawn(images)) == {2, 3}
    assert random_split(images[:1], 0) is None


def test_two_images_give_one_for_training_and_one_for_validation() -> None:
    assert sorted(drawn([Image(1, "a.png"), Image(2, "b.png")]).values()) == [Split.TRAIN, Split.VALIDATION]


def test_a_single_image_is_for_training() -> None:
    assert drawn([Image(1, "a.png")]) == {1: Split.TRAIN}
