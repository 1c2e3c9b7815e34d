"""The process that reads a new project's images: files that end or hold it, and what it tells."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.core import awkward_files as awkward
from tests.core.folders.new_projects import child, photographs, small_steps
from tests.shut_folder import make_shut
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders import new_project
from workbench.core.folders.new_project import HeadersRead, ImagesListed, ImagesSkipped, ProjectOpened
from workbench.core.project import State
from workbench.core.storage.image_table import ImageTable
from workbench.core.store import Store
from workbench.errors import WorkbenchError

__all__ = ["photographs", "small_steps"]  # fixtures

DYING = """
import os, resource
from workbench.core.folders import folder_reader
from workbench.core.folders import image_records
real = image_records.with_header
def measured(image, file, prove):
    if image.name in ("3 ü.png", "24 ü.png"):
        os.abort()
    return real(image, file, prove)
image_records.with_header = measured
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
"""


def test_a_file_that_ends_the_decoder_is_marked_and_the_others_are_read(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, DYING)
    document = None
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, ProjectOpened):
            document = event.document
        assert document is not None
        if isinstance(event, ImagesListed):
            document.adopt(event.images, event.images_version, event.writing)
        elif isinstance(event, HeadersRead):
            document.update_headers(event.images, kept=True)
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
        if isinstance(event, ProjectOpened):
            event.document.close()
    with Document.open(tmp_path / "p") as document:
        problems = {image.name: image.problem for image in document.images() if image.problem}
        assert set(problems) == {"8 ü.png", "cut.tif", "a tiff.jpg"}
        assert "damaged" in problems["cut.tif"]


STALLS = """
import threading
from workbench.core.folders import folder_reader
from workbench.core.folders import image_records
real = image_records.with_header
def measured(image, file, prove):
    if image.name == "3 ü.png":
        threading.Event().wait()
    return real(image, file, prove)
image_records.with_header = measured
folder_reader._SECONDS = 1
"""


@pytest.mark.slow
def test_a_file_that_is_read_for_ever_is_marked(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, STALLS)
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, ProjectOpened):
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
    (left,) = (event for event in told if isinstance(event, ImagesSkipped))
    next(event for event in told if isinstance(event, ProjectOpened)).document.close()
    assert left.sentence.startswith("2 files or folders were left out because their names are not valid text (such as ")
    for file in photographs.rglob("*.png"):
        if "caf" not in file.name:
            file.unlink()
    with pytest.raises(WorkbenchError, match=r"no images.* rename them"):
        next(new_project.new_project(tmp_path / "q", photographs))


def test_what_goes_wrong_in_the_process_reaches_the_user_as_a_sentence(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    opened.document.close()
    (tmp_path / "p" / "project.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(WorkbenchError, match=r"project.sqlite is damaged"):
        list(events)


@pytest.mark.parametrize("name", ["cv2.py", "numpy.py", "json.py", "calendar.py"])
def test_a_script_in_the_folder_that_the_program_was_started_from_is_not_run(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_text("open('it ran', 'w').close()\nraise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, ProjectOpened):
            document = event.document
    document.close()
    with Document.open(tmp_path / "p") as again:
        assert [image.name for image in again.images() if image.problem] == ["8 ü.png"]
    assert not (tmp_path / "it ran").exists()


ENDED_ONCE = """
import os, signal
from workbench.core.folders import folder_reader
from workbench.core.folders import image_records
real, note = image_records.with_header, {note!r}
def measured(image, file, prove):
    if not os.path.exists(note) and image.name == "3 ü.png":
        open(note, "w").close()
        os.kill(os.getpid(), signal.SIGTERM)
    return real(image, file, prove)
image_records.with_header = measured
"""


def test_a_good_image_is_not_marked_when_somebody_ends_the_process(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, ENDED_ONCE.format(note=str(tmp_path / "note")))
    for event in new_project.new_project(tmp_path / "p", photographs):
        if isinstance(event, ProjectOpened):
            document = event.document
    document.close()
    assert (tmp_path / "note").exists()
    with Document.open(tmp_path / "p") as again:
        assert [image.name for image in again.images() if image.problem] == ["8 ü.png"]
        assert again.images().unmeasured.tolist() == []


def test_the_list_that_the_process_tells_is_what_is_on_disk(photographs: Path, tmp_path: Path) -> None:
    for name in ("IMG 7.png", "img 07.png", "img 7.png"):  # one key: the order of names decides
        (photographs / name).write_bytes((photographs / "day 9" / "0 ü.png").read_bytes())
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    document = opened.document
    document.do(edits.SetState((2, 3), State.DONE))
    for event in events:
        if isinstance(event, ImagesListed):
            document.adopt(event.images, event.images_version, event.writing)
        elif isinstance(event, HeadersRead):
            document.update_headers(event.images, kept=True)
    told = tuple(document.images())
    assert len(told) == 28
    with Store(document.store.file, read_only=True) as store:
        assert tuple(store.read(ImageTable.read)) == told
    document.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other longest paths")
def test_folders_that_can_not_be_read_are_told(photographs: Path, tmp_path: Path) -> None:
    make_shut(photographs / "shut")
    told = list(new_project.new_project(tmp_path / "p", photographs))
    (left,) = (event for event in told if isinstance(event, ImagesSkipped))
    next(event for event in told if isinstance(event, ProjectOpened)).document.close()
    assert left.sentence.startswith("1 folder (shut/xxx")
    assert left.sentence.endswith("so its images are missing: fix that and add the folder again.")
    (tmp_path / "empty").mkdir()
    make_shut(tmp_path / "empty" / "shut")
    with pytest.raises(WorkbenchError, match=r"no images.*could not be read.* fix that"):
        next(new_project.new_project(tmp_path / "q", tmp_path / "empty"))
