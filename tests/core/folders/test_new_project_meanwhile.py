"""What is done to a new project while the names of its images still come: nothing of it is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.folders.new_projects import child, photographs, small_steps
from tests.generators import close
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders import folder_reader, image_records, new_project
from workbench.core.folders.folder_reader import FolderReader, NamesListed
from workbench.core.folders.new_project import HeadersRead, ImagesListed, ProjectOpened
from workbench.core.project import Box, Label, State
from workbench.core.storage.image_table import ImageTable
from workbench.core.store import Store
from workbench.errors import WorkbenchError

__all__ = ["photographs", "small_steps"]  # fixtures


def test_names_that_were_not_listed_come_at_the_next_opening(photographs: Path, tmp_path: Path) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    close(events)
    opened.document.close()
    with Document.open(tmp_path / "p") as document:
        assert len(document.images()) == 4
        assert document.unlisted == 1
        for event in new_project.resume_reading(document):
            if isinstance(event, ImagesListed):
                document.adopt(event.images, event.images_version, event.writing)
            elif isinstance(event, HeadersRead):
                document.update_headers(event.images, kept=True)
        assert len(document.images()) == 25
        assert document.unlisted is None
        assert document.images().unmeasured.tolist() == []


def test_an_image_that_is_removed_while_names_come_stays_away_and_can_come_back(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = new_project.new_project(tmp_path / "p", photographs)
    opened = next(events)
    assert isinstance(opened, ProjectOpened)
    document = opened.document
    removed = document.images()[0]
    document.do(edits.SetState((removed.id,), State.DONE))
    real = FolderReader.messages

    def messages(reader: FolderReader, *given: Any) -> Iterator[Any]:
        for message in real(reader, *given):
            if isinstance(message, NamesListed):  # it has looked what is there, and what it tells is old
                document.do(edits.RemoveImages((removed.id,)))
            yield message

    monkeypatch.setattr(FolderReader, "messages", messages)
    for event in events:
        if isinstance(event, ImagesListed):
            document.adopt(event.images, event.images_version, event.writing)
    assert not document.images().has(removed.id)
    assert removed.path not in {image.path for image in document.images()}
    assert len(document.images()) == 24
    document.undo()
    assert document.image(removed.id).state is State.DONE
    document.close()


WALKS = """
import time
from workbench.core.folders import folder_reader
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
    assert isinstance(opened, ProjectOpened)
    document = opened.document
    removed = document.images()[0]
    document.do(edits.RemoveImages((removed.id,)))
    for event in events:
        if isinstance(event, ImagesListed):
            document.adopt(event.images, event.images_version, event.writing)
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
            image_records.set_unlisted_root(connection, 1)
        for event in new_project.resume_reading(document):
            if isinstance(event, ImagesListed):
                document.adopt(event.images, event.images_version, event.writing)
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


SLOW = """
import time
from workbench.core.folders import folder_reader
from workbench.core.folders import image_records
real = image_records.add_names
def add_names(connection, root, names, first=None):
    time.sleep(1)
    {then}
    return real(connection, root, names, first)
image_records.add_names = add_names
folder_reader.NAMES = 6
"""


def shown(photographs: Path, folder: Path) -> tuple[Document, Iterator[new_project.Event], ImagesListed]:
    """A new project whose window shows all names before they are on disk."""
    events = new_project.new_project(folder, photographs)
    opened, listed = next(events), next(events)
    assert isinstance(opened, ProjectOpened)
    assert isinstance(listed, ImagesListed)
    opened.document.adopt(listed.images, listed.images_version, listed.writing)
    assert len(opened.document.images()) == 25
    return opened.document, events, listed


def test_names_are_shown_before_they_are_on_disk_and_edits_wait(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child(monkeypatch, SLOW.format(then=""))
    document, events, listed = shown(photographs, tmp_path / "p")
    assert listed.writing is not None
    assert listed.writing.is_pending
    with Store(document.store.file, read_only=True) as store:
        assert len(store.read(ImageTable.read)) < 25
    last = document.images()[-1]
    heard: list[new_project.Event] = []
    job = threading.Thread(target=lambda: heard.extend(events))
    job.start()
    assert document.measured(last).width == 20, "looking at an image does not wait"
    assert listed.writing.is_pending
    document.do(edits.SetState((last.id,), State.DONE))  # as the window's thread does it
    assert not listed.writing.is_pending
    job.join()
    assert all(isinstance(event, HeadersRead) for event in heard)
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
    monkeypatch.setattr(folder_reader, "CHILD", "workbench.core.folders.folder_reader")
    with Document.open(tmp_path / "p") as again:
        for event in new_project.resume_reading(again):
            if isinstance(event, ImagesListed):
                again.adopt(event.images, event.images_version, event.writing)
        assert len(again.images()) == 25


def test_marking_an_image_that_was_removed_marks_no_other(photographs: Path, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", photographs) as document:
        file = document.store.file
        assert folder_reader._mark(file, 10**6) is None
        marked = folder_reader._mark(file, 3)
        assert marked is not None
        assert marked.id == 3
