"""Copies of a picture in two splits, as the checks before a training tell of them; test_preflight.py has the rest."""

from __future__ import annotations

import shutil

import pytest

from tests.training.test_preflight import findings, well, with_images
from workbench.core.project import Snapshot, State

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
