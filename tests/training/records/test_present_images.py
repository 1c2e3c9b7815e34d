"""Which image of the project each image of a run's record is now, after files were renamed or a copy was restored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.training.toys import make_snapshot
from workbench.core.project import Image, Snapshot
from workbench.core.storage.image_table import ImageTable
from workbench.training import recipes
from workbench.training.records import record
from workbench.training.records.present_images import _recorded, present_ids, renumbered
from workbench.training.request import RunRequest

THEN = (Image(1, "a.png", date=10.0), Image(2, "b.png", date=20.0), Image(3, "c.png", date=30.0))


def recorded(tmp_path: Path, then: tuple[Image, Image, Image] = THEN) -> Path:
    """The folder of a run that was started with three images."""
    made: Snapshot = make_snapshot(tmp_path / "images", 2, 1)
    images = tuple(
        replace(one, id=new.id, path=new.path, date=new.date) for one, new in zip(made.images, then, strict=True)
    )
    folder = tmp_path / "runs" / "tiny-1"
    folder.mkdir(parents=True)
    record.write_request(RunRequest(folder, replace(made, images=images), recipes.preset("quick-cpu")))
    return folder


def test_images_of_other_ids_are_found_by_their_path_and_others_of_their_ids_are_not_taken_for_them(
    tmp_path: Path,
) -> None:
    folder = recorded(tmp_path)
    assert present_ids(folder, ImageTable.of(THEN)) == {1: 1, 2: 2, 3: 3}
    restored = (Image(1, "a.png", date=10.0), Image(2, "c.png", date=30.0), Image(3, "new.png", date=5.0))
    present = present_ids(folder, ImageTable.of(restored))
    assert present == {1: 1, 3: 2}
    assert renumbered(np.array([3, 2, 1]), present).tolist() == [2, 0, 1]


def test_a_renamed_image_is_known_by_its_id_and_date(tmp_path: Path) -> None:
    renamed = (THEN[0], Image(2, "better.png", date=20.0), Image(3, "other.png"))
    assert present_ids(recorded(tmp_path), ImageTable.of(renamed)) == {1: 1, 2: 2}


def test_an_image_that_took_the_id_and_the_date_of_another_is_known_by_its_path(tmp_path: Path) -> None:
    """Of a film's frames many have one date."""
    then = (THEN[0], Image(2, "b.png", date=20.0), Image(3, "c.png", date=20.0))
    restored = (THEN[0], Image(2, "c.png", date=20.0))
    assert present_ids(recorded(tmp_path, then), ImageTable.of(restored)) == {1: 1, 3: 2}


def test_no_date_tells_nothing_of_an_image_of_another_name(tmp_path: Path) -> None:
    then = (THEN[0], Image(2, "b.png"), THEN[2])
    assert present_ids(recorded(tmp_path, then), ImageTable.of((THEN[0], Image(2, "new.png"), THEN[2]))) == {1: 1, 3: 3}


def test_a_path_in_another_folder_of_the_project_is_another_image(tmp_path: Path) -> None:
    there = (Image(1, "a.png", root=2, date=11.0), *THEN[1:])
    assert present_ids(recorded(tmp_path), ImageTable.of(there)) == {2: 2, 3: 3}


def test_a_record_of_before_is_read_too(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    new = _recorded(folder / record.DATA, (0, 0))
    with np.load(folder / record.DATA) as arrays:
        old = {name: arrays[name] for name in arrays.files if name not in record.IMAGE_ARRAYS}
    np.savez(folder / record.DATA, **old)
    assert _recorded(folder / record.DATA, (0, 1)) == new
    assert len(new) == len(THEN)


def test_without_a_record_ids_are_what_they_were(tmp_path: Path) -> None:
    folder = recorded(tmp_path)
    (folder / record.DATA).write_bytes((folder / record.DATA).read_bytes()[:100])
    assert present_ids(folder, ImageTable.of(THEN)) is None
    assert renumbered(np.array([3, 2]), None).tolist() == [3, 2]
