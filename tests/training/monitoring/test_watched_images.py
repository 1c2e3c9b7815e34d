"""The pictures of a training: the same few images after each evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core.detections import Detections
from workbench.training.monitoring import watched_images

NOTHING = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))
TWO = Detections(
    np.array([[1, 2, 30.04, 40], [5, 5, 9, 9]], np.float32),
    np.array([0.9, 0.02], np.float32),
    np.array([1, 0], np.int32),
)


def test_images_with_boxes_are_watched_evenly(tmp_path: Path) -> None:
    assert watched_images.choose_images(make_snapshot(tmp_path, train=20, validation=0)) == (0, 2, 5, 7, 10, 12, 15, 17)
    assert watched_images.choose_images(make_snapshot(tmp_path, train=3, validation=0)) == (0, 1, 2)


def test_what_was_found_comes_back_without_the_faint_ones(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=2, validation=0)
    watched_images.append_detections(tmp_path, 1, 6, snapshot, [TWO, NOTHING])
    (look,) = watched_images.read(tmp_path)
    first, second = look.pictures
    assert (look.epoch, look.step, first.image, first.name) == (1, 6, 1, "0.png")
    np.testing.assert_array_equal(first.boxes, np.array([[1, 2, 30, 40]], np.float32))
    assert (first.labels, float(first.scores[0]), len(second.boxes)) == (("bottom",), pytest.approx(0.9), 0)


def test_what_is_learnt_again_after_a_kill_goes_and_torn_lines_are_passed_over(tmp_path: Path) -> None:
    """Else the newest picture is of an epoch that is no more, until the training is there again."""
    snapshot = make_snapshot(tmp_path / "images", train=1, validation=0)
    for epoch, found in ((1, NOTHING), (2, NOTHING), (3, NOTHING), (2, TWO)):
        watched_images.append_detections(tmp_path, epoch, epoch * 6, snapshot, [found])
    with open(tmp_path / watched_images.FILE, "a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "step": 9, "pictures": [{"image": 1, "na\n[]\n{"epoch": 4}\n')
    assert [(look.epoch, len(look.pictures[0].boxes)) for look in watched_images.read(tmp_path)] == [(1, 0), (2, 1)]
    watched_images.append_detections(tmp_path, 3, 18, snapshot, [TWO])
    assert [(look.epoch, len(look.pictures[0].boxes)) for look in watched_images.read(tmp_path)] == [
        (1, 0),
        (2, 1),
        (3, 1),
    ]


def test_a_run_without_pictures_has_none(tmp_path: Path) -> None:
    assert watched_images.read(tmp_path) == ()
