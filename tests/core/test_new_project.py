"""A new project can be worked on while its folder is still being read."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from tests.core import awkward_files as awkward
from workbench.core import edits, folder_reader, intake, new_project
from workbench.core.document import Document
from workbench.core.files import natural_key
from workbench.core.folder_reader import Names, Reader
from workbench.core.image_table import ImageTable
from workbench.core.new_project import LeftOut, Listed, Measured, Opened
from workbench.core.project import Box, Label, State
from workbench.core.store import Store
from workbench.errors import WorkbenchError


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """25 pictures in two folders, one of them damaged."""
    folder = tmp_path / "photographs"
    for number in range(25):
        file = folder / f"day {number % 2 + 9}" / f"{number} ü.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        _, data = cv2.imencode(".png", np.zeros((10 + number, 20, 3), np.uint8))
        file.write_bytes(data.tobytes())
    (folder / "day 9" / "8 ü.png").write_bytes(b"not a picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_project, "FIRST", 4)
    monkeypatch.setattr(folder_reader, "NAMES", 6)
    monkeypatch.setattr(folder_reader, "HEADERS", 5)


def test_the_first_images_come_before_all_are_listed_and_headers_last(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs, "Mine")
    opened = next(events)
    assert isinstance(opened, Opened)
    document = opened.document
    assert document.name == "Mine"
    assert len(document.images()) == 4
    assert document.undo_title == ""

    chosen = document.images()[2]
    document.do(edits.SetState((chosen.id,), State.DONE))  # somebody works on it already
    listed = next(events)
    assert isinstance(listed, Listed)
    document.adopt(listed.images, listed.comings)
    assert len(document.images()) == 25
    assert document.image(chosen.id).state is State.DONE
    paths = [image.path for image in document.images()]
    assert paths == sorted(paths, key=natural_key)
    assert paths[0] == "day 9/0 ü.png"
    assert len(document.images().unmeasured) == 25

    told = 0
    for event in events:
        assert isinstance(event, Measured)
        told += len(event.images)
        assert (event.done, event.total) == (told, 25)
        document.take_headers(event.images, kept=True)
    sizes = {image.path: image.height for image in document.images()}
    assert sizes == {f"day {n % 2 + 9}/{n} ü.png": 0 if n == 8 else 10 + n for n in range(25)}
    assert document.images().unmeasured.tolist() == []
    here = tuple(document.images())
    document.close()
    with Document.open(tmp_path / "p") as again:
        assert tuple(again.images()) == here
        assert "not an image" in next(i.problem for i in again.images() if i.path == "day 9/8 ü.png")


def test_a_reading_that_was_broken_off_goes_on_at_the_next_opening(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened, _listed, first = next(events), next(events), next(events)
    assert isinstance(opened, Opened)
    assert isinstance(first, Measured)
    events.close()  # type: ignore[attr-defined]
    opened.document.close()
    with Document.open(tmp_path / "p") as again:
        assert len(again.images().unmeasured) in (15, 20)
        done = []
        for event in new_project.measure(again):
            assert isinstance(event, Measured)
            done.append(event.done)
            again.take_headers(event.images, kept=True)
        assert again.images().unmeasured.tolist() == []
    assert done == [5, 10, 15, 20] or done == [5, 10, 15]  # the process may have been one step further than was heard


def test_an_image_is_measured_when_it_is_needed_and_labelled_ones_before_a_snapshot(
    photographs: Path, tmp_path: Path
) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    events.close()  # type: ignore[attr-defined]
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


def test_a_folder_without_images_makes_no_project(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WorkbenchError, match="no images"):
        next(new_project.new_project(tmp_path / "p", tmp_path / "empty"))
    assert not (tmp_path / "p").exists()
    with pytest.raises(WorkbenchError, match="can't be read"):
        next(new_project.new_project(tmp_path / "p", tmp_path / "missing"))


def child(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """The process runs these lines first."""
    monkeypatch.setattr(folder_reader, "CHILD", (sys.executable, "-c", "\n".join((*lines, "folder_reader.main()"))))


DYING = """
import os, resource
from workbench.core import folder_reader, intake
real = intake.measured
def measured(image, file, prove):
    if image.name in ("3 ü.png", "24 ü.png"):
        os.abort()
    return real(image, file, prove)
intake.measured = measured
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


def test_a_file_that_ends_the_decoder_is_marked_and_the_others_are_read(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, DYING)
    document = None
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, Opened):
            document = event.document
        assert document is not None
        if isinstance(event, Listed):
            document.adopt(event.images, event.comings, event.writing)
        elif isinstance(event, Measured):
            document.take_headers(event.images, kept=True)
    assert document is not None
    problems = {image.name: image.problem for image in document.images() if image.problem}
    assert set(problems) == {"3 ü.png", "8 ü.png", "24 ü.png"}
    assert "ended the program that reads images" in problems["24 ü.png"]
    assert document.images().unmeasured.tolist() == []
    document.close()


def test_files_of_less_tried_kinds_are_decoded_in_the_process_and_marked(photographs: Path, tmp_path: Path) -> None:
    """Of JPEG and PNG only the headers are read: what is wrong with their pixels is found when they are shown."""
    sound, cut = awkward.saved(awkward.photograph(), "TIFF"), awkward.saved(awkward.photograph(), "PNG")[:-3000]
    for name, data in (("sound.tif", sound), ("cut.tif", sound[:-3000]), ("cut.png", cut), ("a tiff.jpg", sound[:-9])):
        (photographs / name).write_bytes(data)
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, Opened):
            event.document.close()
    with Document.open(tmp_path / "p") as document:
        problems = {image.name: image.problem for image in document.images() if image.problem}
        assert set(problems) == {"8 ü.png", "cut.tif", "a tiff.jpg"}
        assert "damaged" in problems["cut.tif"]


STALLS = """
import threading
from workbench.core import folder_reader, intake
real = intake.measured
def measured(image, file, prove):
    if image.name == "3 ü.png":
        threading.Event().wait()
    return real(image, file, prove)
intake.measured = measured
folder_reader._SECONDS = 1
"""


@pytest.mark.slow
def test_a_file_that_is_read_for_ever_is_marked(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, STALLS)
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, Opened):
            event.document.close()
    with Document.open(tmp_path / "p") as document:
        assert {image.name for image in document.images() if image.problem} == {"3 ü.png", "8 ü.png"}
        assert document.images().unmeasured.tolist() == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text_are_told(photographs: Path, tmp_path: Path) -> None:
    (photographs / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    (photographs / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    (photographs / "day 9" / os.fsdecode(b"\xff")).mkdir()
    told = list(new_project.new_project(tmp_path / "p", photographs))
    (left,) = (event for event in told if isinstance(event, LeftOut))
    next(event for event in told if isinstance(event, Opened)).document.close()
    assert left.sentence.startswith("2 files or folders were left out because their names are not valid text (such as ")
    for file in photographs.rglob("*.png"):
        if "caf" not in file.name:
            file.unlink()
    with pytest.raises(WorkbenchError, match=r"no images.* rename them"):
        next(new_project.new_project(tmp_path / "q", photographs))


def test_what_goes_wrong_in_the_process_reaches_the_user_as_a_sentence(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    opened.document.close()
    (tmp_path / "p" / "project.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(WorkbenchError, match=r"project.sqlite is damaged"):
        list(events)


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
        for event in new_project.measure(document, dates=True):
            assert isinstance(event, Measured)
            document.take_headers(event.images, kept=True)
        first, *rest = document.images()
        assert (first.width, first.problem, first.date) == (20, "", 0.0), "what was known of it stays"
        assert all(image.date > 1e9 for image in rest if not image.problem)


def test_names_that_were_not_listed_come_at_the_next_opening(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    events.close()  # type: ignore[attr-defined]
    opened.document.close()
    with Document.open(tmp_path / "p") as document:
        assert len(document.images()) == 4
        assert document.unlisted == 1
        for event in new_project.measure(document):
            if isinstance(event, Listed):
                document.adopt(event.images, event.comings, event.writing)
            elif isinstance(event, Measured):
                document.take_headers(event.images, kept=True)
        assert len(document.images()) == 25
        assert document.unlisted is None
        assert document.images().unmeasured.tolist() == []


def test_an_image_that_is_removed_while_names_come_stays_away_and_can_come_back(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    document = opened.document
    removed = document.images()[0]
    document.do(edits.SetState((removed.id,), State.DONE))
    real = Reader.messages

    def messages(reader: Reader, *given: Any) -> Iterator[Any]:
        for message in real(reader, *given):
            if isinstance(message, Names):  # it has looked what is there, and what it tells is old
                document.do(edits.RemoveImages((removed.id,)))
            yield message

    monkeypatch.setattr(Reader, "messages", messages)
    for event in events:
        if isinstance(event, Listed):
            document.adopt(event.images, event.comings, event.writing)
    assert not document.images().has(removed.id)
    assert removed.path not in {image.path for image in document.images()}
    assert len(document.images()) == 24
    document.undo()
    assert document.image(removed.id).state is State.DONE
    document.close()


WALKS = """
import time
from workbench.core import folder_reader
real = folder_reader.walk_images
def walk(*given):
    time.sleep(1)
    return real(*given)
folder_reader.walk_images = walk
"""


def test_an_image_that_is_removed_while_the_folder_is_walked_stays_away(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, WALKS)
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    document = opened.document
    removed = document.images()[0]
    document.do(edits.RemoveImages((removed.id,)))
    for event in events:
        if isinstance(event, Listed):
            document.adopt(event.images, event.comings, event.writing)
    assert removed.path not in {image.path for image in document.images()}
    assert len(document.images()) == 24
    document.undo()
    assert len(document.images()) == 25
    document.close()


def test_a_removed_image_comes_back_though_it_was_found_anew_meanwhile(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", photographs) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        first = document.images()[0]
        document.do(edits.AddBoxes((Box(0, first.id, 1, (0, 0, 5, 5)),)))
        document.do(edits.RemoveImages((first.id,)))
        with document.store.transaction() as connection:
            intake.set_unlisted(connection, 1)
        for event in new_project.measure(document):
            if isinstance(event, Listed):
                document.adopt(event.images, event.comings, event.writing)
        found = next(image for image in document.images() if image.path == first.path)
        assert found.id != first.id
        before = tuple(document.images())
        document.undo()
        assert len(document.images()) == 25
        assert [box.image for box in document.boxes(first.id)] == [first.id]
        assert not document.images().has(found.id)
        document.redo()
        assert [image.path for image in document.images()] == [i.path for i in before if i.path != first.path]
        document.undo()
        assert len(document.boxes(first.id)) == 1


@pytest.mark.parametrize("name", ["cv2.py", "numpy.py", "json.py", "calendar.py"])
def test_a_script_in_the_folder_that_the_program_was_started_from_is_not_run(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_text("open('it ran', 'w').close()\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, Opened):
            document = event.document
    document.close()
    with Document.open(tmp_path / "p") as again:
        assert [image.name for image in again.images() if image.problem] == ["8 ü.png"]
    assert not (tmp_path / "it ran").exists()


ENDED_ONCE = """
import os, signal
from workbench.core import folder_reader, intake
real, note = intake.measured, {note!r}
def measured(image, file, prove):
    if not os.path.exists(note) and image.name == "3 ü.png":
        open(note, "w").close()
        os.kill(os.getpid(), signal.SIGTERM)
    return real(image, file, prove)
intake.measured = measured
"""


def test_a_good_image_is_not_marked_when_somebody_ends_the_process(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, ENDED_ONCE.format(note=str(tmp_path / "note")))
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, Opened):
            document = event.document
    document.close()
    assert (tmp_path / "note").exists()
    with Document.open(tmp_path / "p") as again:
        assert [image.name for image in again.images() if image.problem] == ["8 ü.png"]
        assert again.images().unmeasured.tolist() == []


def test_a_folder_whose_name_is_not_text_makes_no_project(photographs: Path, tmp_path: Path) -> None:
    odd = photographs.rename(os.fsdecode(os.fsencode(tmp_path) + b"/photos \xff"))
    with pytest.raises(WorkbenchError, match="is not valid text"):
        next(new_project.new_project(tmp_path / "p", odd))
    assert not (tmp_path / "p").exists()


def test_the_list_that_the_process_tells_is_what_is_on_disk(photographs: Path, tmp_path: Path) -> None:
    for name in ("IMG 7.png", "img 07.png", "img 7.png"):  # one key: the order of names decides
        (photographs / name).write_bytes((photographs / "day 9" / "0 ü.png").read_bytes())
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, Opened)
    document = opened.document
    document.do(edits.SetState((2, 3), State.DONE))
    for event in events:
        if isinstance(event, Listed):
            document.adopt(event.images, event.comings, event.writing)
        elif isinstance(event, Measured):
            document.take_headers(event.images, kept=True)
    told = tuple(document.images())
    assert len(told) == 28
    with Store(document.store.file, read_only=True) as store:
        assert tuple(store.read(ImageTable.read)) == told
    document.close()


SLOW = """
import time
from workbench.core import folder_reader, intake
real = intake.add_names
def add_names(connection, root, names, first=None):
    time.sleep(1)
    {then}
    return real(connection, root, names, first)
intake.add_names = add_names
folder_reader.NAMES = 6
"""


def shown(photographs: Path, folder: Path) -> tuple[Document, Iterator[new_project.Event], Listed]:
    """A new project whose window shows all names before they are on disk."""
    events = new_project.new_project(folder, photographs)
    opened, listed = next(events), next(events)
    assert isinstance(opened, Opened)
    assert isinstance(listed, Listed)
    opened.document.adopt(listed.images, listed.comings, listed.writing)
    assert len(opened.document.images()) == 25
    return opened.document, events, listed


def test_names_are_shown_before_they_are_on_disk_and_edits_wait(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, SLOW.format(then=""))
    document, events, listed = shown(photographs, tmp_path / "p")
    assert listed.writing is not None
    assert listed.writing.goes_on
    with Store(document.store.file, read_only=True) as store:
        assert len(store.read(ImageTable.read)) < 25
    last = document.images()[-1]
    heard: list[new_project.Event] = []
    job = threading.Thread(target=lambda: heard.extend(events))
    job.start()
    assert document.measured(last).width == 20, "looking at an image does not wait"
    assert listed.writing.goes_on
    document.do(edits.SetState((last.id,), State.DONE))  # as the window's thread does it
    assert not listed.writing.goes_on
    job.join()
    assert all(isinstance(event, Measured) for event in heard)
    with Store(document.store.file, read_only=True) as store:
        assert store.read(ImageTable.read)[-1].state is State.DONE
    document.close()


def test_names_that_could_not_be_written_are_shown_no_longer_and_no_edit_is_lost_silently(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, SLOW.format(then="import os; os._exit(1)"))
    document, events, _ = shown(photographs, tmp_path / "p")
    last = document.images()[-1]
    heard: list[new_project.Event] = []

    def listen() -> None:
        with pytest.raises(WorkbenchError, match="Open the project again"):
            for event in events:
                heard.append(event)

    job = threading.Thread(target=listen)
    job.start()
    with pytest.raises(WorkbenchError, match="not done"):
        document.do(edits.SetState((last.id,), State.DONE))
    assert document.measured(last).width == 20, "looking is not refused"
    job.join()
    assert heard == []
    assert document.forget_unwritten()
    assert not document.forget_unwritten()
    assert len(document.images()) == 4
    document.do(edits.SetState((document.images()[0].id,), State.DONE))
    document.close()
    monkeypatch.setattr(folder_reader, "CHILD", "workbench.core.folder_reader")
    with Document.open(tmp_path / "p") as again:
        for event in new_project.measure(again):
            if isinstance(event, Listed):
                again.adopt(event.images, event.comings, event.writing)
        assert len(again.images()) == 25


def test_a_second_folder_is_listed_into_a_project_that_has_one(photographs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("1.png", "2.png"):
        (other / name).write_bytes((photographs / "day 9" / "0 ü.png").read_bytes())
    with Document.create(tmp_path / "p", photographs) as document:
        root = document.add_root(other)
        with document.store.transaction() as connection:
            intake.set_unlisted(connection, root)
        for event in new_project.measure(document):
            if isinstance(event, Listed):
                document.adopt(event.images, event.comings, event.writing)
        assert [image.path for image in document.images()][-2:] == ["1.png", "2.png"]
        assert len(document.images()) == 27


def test_reading_ends_soon_when_it_is_to_stop(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_reader, "CHILD", (sys.executable, "-c", "import time; time.sleep(60)"))
    with Document.create(tmp_path / "p") as document:
        document.add_root(photographs)
        begin = time.monotonic()
        assert list(new_project.measure(document, stopped=lambda: True)) == []
        assert time.monotonic() - begin < 20, "the process sleeps for a minute"


def test_a_disk_that_is_away_makes_no_image_unreadable(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(photographs)
        names = [(f"day {n % 2 + 9}/{n} ü.png", f"{n:03}") for n in range(25)]
        with document.store.transaction() as connection:
            intake.add_names(connection, root, names)
        photographs.rename(tmp_path / "away")
        for event in new_project.measure(document):
            assert isinstance(event, Measured)
            document.take_headers(event.images, kept=True)
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
            intake.add_names(connection, root, [("day 9/0 ü.png", "0"), ("day 9/2 ü.png", "2")])
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.do(edits.AddBoxes((Box(0, 2, 1, (0, 0, 5, 5)),)))
        assert [image.width for image in document.snapshot().images] == [0, 20]


def test_marking_an_image_that_was_removed_marks_no_other(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", photographs) as document:
        file = document.store.file
        assert folder_reader._mark(file, 10**6) is None
        marked = folder_reader._mark(file, 3)
        assert marked is not None
        assert marked.id == 3
