"""A new project can be worked on while its folder is still being read; what is read, in which order, and kept."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from tests.core.folders.new_projects import photographs, small_steps
from tests.generators import close
from workbench.core import edits, images
from workbench.core.decoding.image_files import crash_sentence
from workbench.core.document import Document
from workbench.core.files import natural_key
from workbench.core.folders import folder_reader, image_records, new_project
from workbench.core.folders.new_project import HeadersRead, ImagesListed, ProjectOpened
from workbench.core.project import Box, Label, State
from workbench.errors import WorkbenchError

__all__ = ["photographs", "small_steps"]  # fixtures


def test_the_first_images_come_before_all_are_listed_and_headers_last(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs, "Mine")
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    document = opened.document
    assert document.name == "Mine"
    assert len(document.images()) == 4
    assert document.undo_title == ""

    chosen = document.images()[2]
    document.do(edits.SetState((chosen.id,), State.DONE))  # somebody works on it already
    listed = next(events)
    assert isinstance(listed, ImagesListed)
    document.adopt(listed.images, listed.images_version)
    assert len(document.images()) == 25
    assert document.image(chosen.id).state is State.DONE
    paths = [image.path for image in document.images()]
    assert paths == sorted(paths, key=natural_key)
    assert paths[0] == "day 9/0 ü.png"
    assert len(document.images().unmeasured) == 25

    told = 0
    for event in events:
        assert isinstance(event, HeadersRead)
        told += len(event.images)
        assert (event.done, event.total) == (told, 25)
        document.update_headers(event.images, kept=True)
    sizes = {image.path: image.height for image in document.images()}
    assert sizes == {f"day {n % 2 + 9}/{n} ü.png": 0 if n == 8 else 10 + n for n in range(25)}
    assert document.images().unmeasured.tolist() == []
    here = tuple(document.images())
    document.close()
    with Document.open(tmp_path / "p") as again:
        assert tuple(again.images()) == here
        assert "not an image" in next(i.problem for i in again.images() if i.path == "day 9/8 ü.png")


def test_a_reading_that_was_broken_off_goes_on_at_the_next_opening(photographs: Path, tmp_path: Path) -> None:
    some = next(photographs.rglob("*.png"))
    for number in range(1000):  # far more than the process can read before it is ended
        os.link(some, some.with_name(f"more {number}.png"))
    events = new_project.new_project(tmp_path / "p", photographs)
    opened, _listed, first = next(events), next(events), next(events)
    assert isinstance(opened, ProjectOpened)
    assert isinstance(first, HeadersRead)
    close(events)
    opened.document.close()
    with Document.open(tmp_path / "p") as again:
        left = len(again.images().unmeasured)
        assert 0 < left <= 1020
        done = []
        for event in new_project.resume_reading(again):
            assert isinstance(event, HeadersRead)
            done.append(event.done)
            again.update_headers(event.images, kept=True)
        assert again.images().unmeasured.tolist() == []
    assert done == list(range(5, left + 1, 5))


def test_an_image_is_measured_when_it_is_needed_and_labelled_ones_before_a_snapshot(
    photographs: Path, tmp_path: Path
) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    close(events)
    document = opened.document
    first, second, third, _ = document.images()
    assert first.width == 0
    assert document.measured(first).width == 20
    document.do(edits.SetState((second.id,), State.DONE))
    shot = document.snapshot()
    assert [image.width for image in shot.images] == [20, 20, 0, 0]
    assert document.image(third.id).width == 0
    document.close()
    with Document.open(tmp_path / "p", read_only=True) as reader:
        assert [image.width for image in reader.images()] == [20, 20, 0, 0]
        assert reader.measured(third).width == 20  # known here, not written


def test_a_damaged_file_that_was_mended_is_measured_before_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an image of 0 x 0 all boxes lie outside: a training took the mended picture for background."""
    file = tmp_path / "photographs" / "a.png"
    file.parent.mkdir()
    file.write_bytes(b"\x89PNG\r\n\x1a\n")
    with Document.create(tmp_path / "p") as document:
        document.add_folder(file.parent)
        document.do(edits.SetState((1,), State.DONE))
        (before,) = document.snapshot().images
        PillowImage.new("RGB", (20, 10)).save(file)
        (after,) = document.snapshot().images
    assert (before.width, after.width, after.height, after.problem) == (0, 20, 10, "")
    assert before.problem
    with Document.open(tmp_path / "p", read_only=True) as document:
        assert document.image(1) == after
        crashed = replace(after, width=0, problem=crash_sentence(file))
        document.update_headers([crashed])
        monkeypatch.setattr(images, "info", lambda file: pytest.fail("a file that ended a process is read again"))
        assert document.measured(after) == crashed


def test_a_folder_without_images_makes_no_project(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkbenchError, match="no images"):
        next(new_project.new_project(tmp_path / "p", tmp_path / "empty"))
    assert not (tmp_path / "p").exists()
    with pytest.raises(WorkbenchError, match="can't be read"):
        next(new_project.new_project(tmp_path / "p", tmp_path / "missing"))


def test_a_project_whose_first_names_can_not_be_written_leaves_nothing_in_the_way(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk an empty one was left, and the next attempt was told that there is one already."""

    def full(*_: object) -> None:
        raise WorkbenchError("The disk is full.")

    with monkeypatch.context() as disk, pytest.raises(WorkbenchError, match="disk is full"):
        disk.setattr(image_records, "add_names", full)
        next(new_project.new_project(tmp_path / "p", photographs))
    assert list((tmp_path / "p").iterdir()) == []
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    close(events)
    assert isinstance(opened, ProjectOpened)
    assert not opened.document.read_only, "nobody holds its lock"
    opened.document.close()


def test_dates_are_the_cameras_or_the_files_and_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    picture = PillowImage.new("RGB", (8, 8))
    exif = PillowImage.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:08:07 06:05:04"
    picture.save(folder / "camera.jpg", exif=exif)
    exif = PillowImage.Exif()
    exif.get_ifd(0x8769)[0x9003] = "0000:00:00 99:99:99"  # as cameras write that were never set
    picture.save(folder / "unset.jpg", exif=exif)
    picture.save(folder / "plain.png")
    for name, seconds in (("camera.jpg", 5e8), ("unset.jpg", 1.6e9), ("plain.png", 1.5e9 + 0.1234567)):
        os.utime(folder / name, (seconds, seconds))
    taken = datetime(2019, 8, 7, 6, 5, 4).timestamp()
    with Document.create(tmp_path / "p", folder) as document:
        assert [image.date for image in document.images()] == [taken, 1.5e9 + 0.123, 1.6e9]
        document.do(edits.RemoveImages((1,)))
        document.undo()
    with Document.open(tmp_path / "p") as again:
        assert [image.date for image in again.images()] == [taken, 1.5e9 + 0.123, 1.6e9]
        assert again.images().undated.tolist() == []


def test_dates_that_an_older_version_did_not_keep_are_read_when_asked_for(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", photographs) as document:
        with document.store.transaction() as connection:
            connection.execute("UPDATE image SET date = 0")
        (photographs / "day 9" / "0 ü.png").unlink()  # a disk that is away now
    with Document.open(tmp_path / "p") as document:
        assert len(document.images().undated) == 24  # the damaged one has none
        for event in new_project.resume_reading(document, dates=True):
            assert isinstance(event, HeadersRead)
            document.update_headers(event.images, kept=True)
        first, *rest = document.images()
        assert (first.width, first.problem, first.date) == (20, "", 0.0), "what was known of it stays"
        assert all(image.date > 1e9 for image in rest if not image.problem)


def test_a_folder_whose_name_is_not_text_makes_no_project(photographs: Path, tmp_path: Path) -> None:
    odd = photographs.rename(os.fsdecode(os.fsencode(tmp_path) + b"/photos \xff"))
    with pytest.raises(WorkbenchError, match="is not valid text"):
        next(new_project.new_project(tmp_path / "p", odd))
    assert not (tmp_path / "p").exists()


def test_a_second_folder_is_listed_into_a_project_that_has_one(photographs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("1.png", "2.png"):
        (other / name).write_bytes((photographs / "day 9" / "0 ü.png").read_bytes())
    with Document.create(tmp_path / "p", photographs) as document:
        root = document.add_root(other)
        with document.store.transaction() as connection:
            image_records.set_unlisted_root(connection, root)
        for event in new_project.resume_reading(document):
            if isinstance(event, ImagesListed):
                document.adopt(event.images, event.images_version, event.writing)
        assert [image.path for image in document.images()][-2:] == ["1.png", "2.png"]
        assert len(document.images()) == 27


def test_reading_ends_soon_when_it_is_to_stop(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_reader, "CHILD", (sys.executable, "-c", "import time; time.sleep(60)"))
    with Document.create(tmp_path / "p") as document:
        document.add_root(photographs)
        begin = time.monotonic()
        assert list(new_project.resume_reading(document, stopped=lambda: True)) == []
        assert time.monotonic() - begin < 20, "the process sleeps for a minute"


def test_a_disk_that_is_away_makes_no_image_unreadable(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(photographs)
        names = [(f"day {n % 2 + 9}/{n} ü.png", f"{n:03}") for n in range(25)]
        with document.store.transaction() as connection:
            image_records.add_names(connection, root, names)
        photographs.rename(tmp_path / "away")
        for event in new_project.resume_reading(document):
            assert isinstance(event, HeadersRead)
            document.update_headers(event.images, kept=True)
        assert document.measured(document.images()[0]).problem == ""
        assert len(document.images().unmeasured) == 25
        (tmp_path / "away").rename(photographs)
        assert document.measured(document.images()[0]).width == 20
        assert document.images()[8].problem == ""
        assert "not an image" in document.measured(document.images()[8]).problem


def test_an_image_with_boxes_is_measured_before_a_snapshot_whatever_its_state(
    photographs: Path, tmp_path: Path
) -> None:
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(photographs)
        with document.store.transaction() as connection:
            image_records.add_names(connection, root, [("day 9/0 ü.png", "0"), ("day 9/2 ü.png", "2")])
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.do(edits.AddBoxes((Box(0, 2, 1, (0, 0, 5, 5)),)))
        assert [image.width for image in document.snapshot().images] == [0, 20]
