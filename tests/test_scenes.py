"""The demo's photographs are the same for the same seed, and their boxes are right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from workbench.core import images
from workbench.core.project import Split, State
from workbench.errors import WorkbenchError
from workbench.scenes import LABELS, PHOTOGRAPHS, Scene, project_of, write_scenes
from workbench.scenes.composition import LEAST_VISIBLE, SMALLEST_BOX, _arranged, compose


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Scene]]:
    folder = tmp_path_factory.mktemp("scenes")
    return folder, list(write_scenes(folder, 40, seed=3))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = list(write_scenes(tmp_path / "a", 3, seed=1))
    second = list(write_scenes(tmp_path / "b", 2, seed=1))
    other = list(write_scenes(tmp_path / "c", 2, seed=2))
    assert first[:2] == second
    assert first[:2] != other
    for scene in second:
        assert (tmp_path / "a" / scene.file).read_bytes() == (tmp_path / "b" / scene.file).read_bytes()
        assert (tmp_path / "a" / scene.file).read_bytes() != (tmp_path / "c" / scene.file).read_bytes()


def test_files_have_the_size_that_was_asked_for(tmp_path: Path, written: tuple[Path, list[Scene]]) -> None:
    folder, scenes = written
    assert {images.read(folder / scene.file).shape for scene in scenes} == {(312, 416, 3)}
    (small,) = write_scenes(tmp_path, 1, seed=3, size=(320, 240))
    assert (small.width, small.height) == (320, 240)
    assert images.read(tmp_path / small.file).shape == (240, 320, 3)


def test_boxes_lie_inside_and_are_not_tiny(written: tuple[Path, list[Scene]]) -> None:
    boxes = np.array([box for scene in written[1] for box in scene.boxes])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= (416, 312)).all()
    assert (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_BOX).all()


def test_every_label_occurs_and_every_scene_has_one_to_eight_things(written: tuple[Path, list[Scene]]) -> None:
    counts = Counter(label for scene in written[1] for label in scene.labels)
    assert set(counts) == set(LABELS)
    assert min(counts.values()) >= 10
    assert all(1 <= len(scene.boxes) == len(scene.labels) <= 8 for scene in written[1])


@pytest.mark.parametrize("seed", range(8))
def test_a_box_touches_the_outline_on_all_four_sides_and_enough_of_each_thing_is_seen(seed: int) -> None:
    objects = _arranged(416, 312, np.random.default_rng(seed))
    owner = np.full((312 + 400, 416 + 400), -1)  # with a margin of 200, so that things at the border are whole
    for number, placed in enumerate(objects):
        side = len(placed.inside)
        owner[200 + placed.top :, 200 + placed.left :][:side, :side][placed.inside] = number
    for number, placed in enumerate(objects):
        alone = np.zeros(owner.shape, bool)
        side = len(placed.inside)
        alone[200 + placed.top :, 200 + placed.left :][:side, :side][placed.inside] = True
        rows, columns = np.nonzero(alone)
        outline = [columns.min() - 200, rows.min() - 200, columns.max() - 199, rows.max() - 199]
        assert list(placed.box) == outline
        seen = (owner[200:512, 200:616] == number).sum()
        assert seen >= LEAST_VISIBLE * alone.sum()


def test_the_picture_changes_where_the_boxes_say_that_something_lies() -> None:
    varied = []
    for seed in range(6):
        image, objects = compose(416, 312, np.random.default_rng(seed))
        assert image.std() > 10
        varied += [image[int(b[1]) : int(b[3]), int(b[0]) : int(b[2])].std() for _, b in objects]
    assert min(varied) > 5


def test_photographs_that_are_there_are_never_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "photograph-001.jpg"
    mine.write_bytes(b"mine")
    with pytest.raises(WorkbenchError, match="already"):
        next(write_scenes(tmp_path, 1, seed=1))
    assert mine.read_bytes() == b"mine"


def test_the_demo_project_is_labelled_split_and_leaves_some_images_to_the_user(tmp_path: Path) -> None:
    scenes = write_scenes(tmp_path / PHOTOGRAPHS, 20, seed=7)
    with project_of(tmp_path, scenes, unlabelled=4, seed=7) as document:
        labels = document.labels()
        assert [label.name for label in labels] == list(LABELS)
        assert len({label.colour for label in labels}) == len(labels)
        pictures = document.images()
        assert len(pictures) == 20
        assert Counter(image.state for image in pictures) == {State.DONE: 16, State.UNLABELLED: 4}
        splits = Counter(image.split for image in pictures)
        assert splits == {Split.TRAIN: 12, Split.VALIDATION: 2, Split.TEST: 2, Split.NONE: 4}
        for image in pictures:
            assert bool(document.boxes(image.id)) == (image.state == State.DONE)
            assert document.file(image).parent == tmp_path / PHOTOGRAPHS


def test_the_demo_project_holds_the_boxes_of_its_scenes(tmp_path: Path) -> None:
    scenes = {scene.file: scene for scene in write_scenes(tmp_path / PHOTOGRAPHS, 6, seed=7)}
    with project_of(tmp_path, scenes.values(), unlabelled=0, seed=7) as document:
        names = {label.id: label.name for label in document.labels()}
        for image in document.images():
            boxes = document.boxes(image.id)
            assert tuple(box.xyxy for box in boxes) == scenes[image.name].boxes
            assert tuple(names[box.label] for box in boxes) == scenes[image.name].labels
