"""Copies of a picture in two splits, as the checks before a training tell of them; test_preflight.py has the rest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.checks.test_preflight import findings, read, recipe, unlike, well, with_images
from tests.training.toys import make_snapshot
from workbench.core.project import Snapshot, Split, State
from workbench.core.resize import PADDING, Fit
from workbench.training.checks import preflight_copies
from workbench.training.checks.preflight import preflight
from workbench.training.checks.preflight_copies import of_pictures

__all__ = ["well"]  # a fixture
pytestmark = pytest.mark.usefixtures("toy")


def test_the_two_that_are_named_are_in_different_splits(well: Snapshot) -> None:
    """Images 1 and 2 are both trained on, 41 judges."""
    for row in (1, 40):
        shutil.copy(well.files[0], well.files[row])
    found = findings(well)["leak"]
    assert "1 time: 0.png is 40.png. AP" in found.sentence
    assert found.images == (1, 2, 41)


def test_several_pictures_that_are_in_two_splits_are_counted(well: Snapshot) -> None:
    for row, copy in ((0, 40), (1, 41)):
        shutil.copy(well.files[row], well.files[copy])
    found = findings(well)["leak"]
    assert (found.count, found.images) == (2, (1, 41, 2, 42))
    assert "2 times: 0.png is 40.png." in found.sentence


def test_copies_of_images_that_are_left_out_do_no_harm(well: Snapshot) -> None:
    shutil.copy(well.files[0], well.files[5])
    left_out = with_images(well, lambda n: {"state": State.UNLABELLED if n == 5 else State.DONE})
    assert "leak" not in findings(left_out)


def test_files_that_are_gone_are_no_copies_of_each_other(well: Snapshot) -> None:
    for row in (0, 40):
        well.files[row].unlink()
    assert findings(well) == {}


def test_without_a_validation_split_copies_are_in_training_and_test(tmp_path: Path) -> None:
    alone = with_images(make_snapshot(tmp_path, 12, 0), lambda n: {"split": Split.TEST if n == 11 else Split.TRAIN})
    unlike(alone)
    shutil.copy(alone.files[0], alone.files[11])
    (found,) = (one for one in preflight(alone, recipe(hold_out=0.0), None) if one.kind == "leak")
    assert found.sentence.startswith("The same file is in training and test, 1 time: 0.png is 11.png.")


def test_only_files_of_one_length_are_read_and_only_likely_copies_whole(
    well: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row, file in enumerate(well.files):
        file.write_bytes(file.read_bytes().ljust(3000 + max(row, 3), b"\0"))  # the first four are as long
    shutil.copy(well.files[0], well.files[1])
    asked, digest = list[tuple[str, int | None]](), preflight_copies._digest
    monkeypatch.setattr(
        preflight_copies, "_digest", lambda file, part: asked.append((file.name, part)) or digest(file, part)
    )
    assert findings(well) == {}, "both are trained on"
    some = preflight_copies.SAMPLE
    assert asked == [*((f"{row}.png", some) for row in range(4)), ("0.png", None), ("1.png", None)]


@pytest.mark.parametrize(("order", "said"), [([1, 4, 5], True), ([4, 5, 1], True), ([4, 4, 5], False)])
def test_the_pictures_are_of_different_splits(well: Snapshot, order: list[int], said: bool) -> None:
    """Three learnt, 0 to 2; of the three that judge, one is the same as one of those, or two are the same."""
    coarse = np.random.default_rng(0).integers(0, 200, (6, 8, 8, 3), np.uint8)
    pictures = [np.kron(one, np.ones((8, 8, 1), np.uint8)) for one in coarse]
    train = read(pictures[:3], well.take([0, 1, 2]))
    found = of_pictures(train, read([pictures[row] for row in order], well.take([40, 41, 42])), "")
    assert [one.images for one in found] == ([(2, 41 + order.index(1))] if said else [])


def test_the_grey_of_a_letterbox_makes_no_pictures_alike(well: Snapshot) -> None:
    """Strips of one shape had only the bits of their one row of fields to differ in."""
    learnt, judged = well.take(list(range(40))), well.take([40, 41, 42])
    noise = np.random.default_rng(0).integers(0, 256, (43, 4, 8, 3), np.uint8)
    strips = np.full((43, 64, 64, 3), PADDING, np.uint8)
    strips[:, 30:34] = noise.repeat(8, axis=2)
    train, validation = (
        replace(read(list(some), of), fits=(Fit(1, 1, 0, 30),) * len(of))
        for some, of in ((strips[:40], learnt), (strips[40:], judged))
    )
    assert of_pictures(train, validation, "") == ()
