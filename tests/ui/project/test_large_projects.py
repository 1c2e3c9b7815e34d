"""Large projects are opened and filled behind the window: one can work on them meanwhile."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders import folder_reader, image_records, new_project
from workbench.core.project import Box, Image, Label, State
from workbench.core.storage import table_cache
from workbench.core.storage.image_table import ImageTable
from workbench.core.store import Store
from workbench.ui.images import thumbnails
from workbench.ui.images.images_model import Filter, ImagesModel, Order
from workbench.ui.project import project_opener
from workbench.ui.session import Session
from workbench.ui.widgets.tile_view import TileView
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def large(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, taken for a large one."""
    monkeypatch.setattr(project_opener, "AT_ONCE", 0)
    return project


def is_open(window: MainWindow) -> bool:
    return window.session.document is not None and not window.session.jobs


def test_a_large_project_is_opened_in_a_job(large: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    assert window.open(large)
    qtbot.waitUntil(lambda: is_open(window))
    window.show_page("label")
    WindowDriver(qtbot, window).key(Qt.Key.Key_D)
    assert find(window, QLabel, "image-name").text() == "b.png"
    document = window.session.document
    assert document is not None
    assert not document.read_only
    document.do(edits.SetState((1,), State.DONE))  # its connection was handed over from the job's thread
    assert document.undo() is not None


def test_another_project_can_be_opened_from_a_large_one(
    large: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    Document.create(tmp_path / "other", tmp_path / "photographs").close()
    window = open_window()
    window.open(large)
    qtbot.waitUntil(lambda: is_open(window))
    window.open(tmp_path / "other")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "other" and is_open(window))
    with Document.open(large) as free:
        assert not free.read_only


@pytest.mark.parametrize("by", ["a program", "the disk"])
def test_a_large_project_that_is_damaged_is_closed_or_not_opened_with_a_sentence(
    large: Path, open_window: Open, qtbot: QtBot, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the disk: file and cache are as they were left, so the damage is found behind the window."""
    monkeypatch.setattr(table_cache, "FROM", 1)
    with Document.open(large) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        for _ in range(30):
            document.draw(tuple(Box(0, 1, 1, (0, 0, 5, 5), note="x" * 50) for _ in range(20)))
        document.clear_history()
        document.images(), document.counts()
    file = large / "project.sqlite"
    data = bytearray(file.read_bytes())
    last = data.rindex(b"x" * 50) // 4096 * 4096  # a page of boxes
    data[last : last + 2000] = b"\xff" * 2000
    about = file.stat()
    file.write_bytes(data)
    if by == "the disk":
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    window = open_window()
    opened: list[bool] = []
    window.session.document_changed.connect(lambda: opened.append(window.session.document is not None))
    asked: list[str] = []
    monkeypatch.setattr(project_opener, "ask_to_restore", lambda _, damage: asked.append(damage.sentence))
    window.open(large)
    qtbot.waitUntil(lambda: bool(asked) and not window.session.jobs)
    assert "is damaged" in asked[0]
    assert window.session.document is None
    assert opened == ([True, False] if by == "the disk" else [])
    assert file.read_bytes() == bytes(data)


def test_a_new_project_is_worked_on_while_its_folder_is_read(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_project, "FIRST", 3)
    monkeypatch.setattr(folder_reader, "NAMES", 4)
    monkeypatch.setattr(folder_reader, "HEADERS", 2)
    write_photographs(tmp_path / "many", [f"{number}.png" for number in range(12)])
    window = open_window()
    listed: list[int] = []
    window.session.images_found.connect(lambda ids: listed.append(-1 if ids is None else len(ids)))
    window.offer(tmp_path / "many")
    find(window, QLineEdit, "new-project-folder").setText(str(tmp_path / "p"))
    window._projects.create(tmp_path / "p", tmp_path / "many")
    qtbot.waitUntil(lambda: window.session.document is not None)
    window.show_page("data")
    qtbot.waitUntil(lambda: is_open(window))
    assert listed == [-1, 2, 2, 2, 2, 2, 2]
    gallery = find(window, QAbstractItemView, "gallery")
    assert [gallery.model().index(row, 0).data() for row in range(12)] == [f"{number}.png" for number in range(12)]
    assert find(window, QLabel, "gallery-count").text() == "12 images"
    qtbot.waitUntil(lambda: "12 images" in find(window, QToolButton, "project-images").text())
    document = window.session.document
    assert document is not None
    assert all(image.width for image in document.images())


def test_headers_that_were_not_read_are_read_at_the_next_opening(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "many", ["1.png", "2.png"])
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(tmp_path / "many")
        with document.store.transaction() as connection:
            image_records.add_names(connection, root, [("1.png", "1"), ("2.png", "2"), ("3.png", "3")])
    window = open_window(tmp_path / "p", "data")
    qtbot.waitUntil(lambda: is_open(window))
    document_ = window.session.document
    assert document_ is not None
    there: list[Image] = list(document_.images())
    assert [bool(image.width) for image in there] == [True, True, False]
    assert there[2].problem == "", "a disk that is away makes no image unreadable"
    window.close_project()
    write_photographs(tmp_path / "many", ["3.png"])
    assert window.open(tmp_path / "p")
    qtbot.waitUntil(lambda: is_open(window))
    assert window.session.document is not None
    assert all(image.width for image in window.session.document.images())


def test_the_gallery_is_ordered_by_date_even_where_dates_were_not_kept(
    project: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    for name, seconds in (("a.png", 3e8), ("b.png", 1e8), ("c.png", 2e8)):
        os.utime(tmp_path / "photographs" / name, (seconds, seconds))
    with Document.open(project) as document, document.store.transaction() as connection:
        connection.execute("UPDATE image SET date = 0")
    window = open_window(project, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    model = gallery.model()
    assert isinstance(model, ImagesModel)

    def names() -> list[str]:
        return [model.index(row, 0).data() for row in range(model.rowCount())]

    model.set_filter(Filter(order=Order.DATE))
    qtbot.waitUntil(lambda: names() == ["b.png", "c.png", "a.png"] and not window.session.jobs)
    model.set_filter(Filter(order=Order.LATEST))
    assert names() == ["a.png", "c.png", "b.png"]
    assert not window.session.jobs, "they are known now"


# --- several requests, and ends in the middle ---


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is read in small steps."""
    monkeypatch.setattr(new_project, "FIRST", 3)
    monkeypatch.setattr(folder_reader, "NAMES", 4)
    monkeypatch.setattr(folder_reader, "HEADERS", 2)
    write_photographs(tmp_path / "many", [f"{number}.png" for number in range(40)])
    return tmp_path / "many"


def test_what_comes_for_a_project_that_was_left_does_not_reach_the_next(
    many: Path, project: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    window._projects.create(tmp_path / "p", many)
    qtbot.waitUntil(lambda: window.session.document is not None)
    window.open(project)
    qtbot.waitUntil(lambda: is_open(window))
    QApplication.processEvents()  # whatever is still queued
    assert window.session.document is not None
    assert [image.name for image in window.session.document.images()] == ["a.png", "b.png", "c.png"]
    window.close_project()
    assert window.open(tmp_path / "p")  # and the one that was left is read to its end
    qtbot.waitUntil(lambda: is_open(window))
    document = window.session.document
    assert document is not None
    assert [image.name for image in document.images()] == [f"{number}.png" for number in range(40)]
    assert all(image.width for image in document.images())
    assert document.unlisted is None


def test_the_last_request_counts(large: Path, open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    other = tmp_path / "other"
    Document.create(other, tmp_path / "photographs").close()
    window = open_window()
    for wish in (large, large, other, large, other):
        assert window.open(wish)
    qtbot.waitUntil(lambda: is_open(window))
    QApplication.processEvents()
    document = window.session.document
    assert document is not None
    assert (document.folder, document.read_only) == (other, False)
    window.close_project()
    with Document.open(large) as free:
        assert not free.read_only, "what came too late was closed again"


def test_a_new_project_that_fails_leaves_the_open_one(
    project: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    window = open_window(project, "data")
    window._projects.create(tmp_path / "p", tmp_path / "empty")
    qtbot.waitUntil(lambda: "no images" in find(window, QLabel, "message-text").text())
    assert window.session.document is not None
    assert window.session.document.folder == project


def test_stopping_to_read_a_folder_is_told_and_the_next_opening_goes_on(
    many: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    write_photographs(many, [f"more {number}.png" for number in range(800)])  # else it is done before it is stopped
    window = open_window()
    window._projects.create(tmp_path / "p", many)
    qtbot.waitUntil(lambda: window.session.document is not None)
    (job,) = window.session.jobs
    job.stop.set()
    qtbot.waitUntil(lambda: "Reading was stopped: " in find(window, QLabel, "message-text").text())
    assert not window.session.jobs
    document = window.session.document
    with Store(document.store.file, read_only=True) as store:
        shown, on_disk = tuple(document.images()), tuple(store.read(ImageTable.read))
    assert [(image.id, image.path) for image in shown] == [(image.id, image.path) for image in on_disk]
    # the process may have written sizes that it was stopped before telling
    assert all(
        here in (there, dataclasses.replace(there, width=0, height=0, date=0.0))
        for here, there in zip(shown, on_disk, strict=True)
    )
    document.do(edits.SetState((document.images()[0].id,), State.DONE))
    window.close_project()
    window.open(tmp_path / "p")
    qtbot.waitUntil(lambda: is_open(window))
    assert len(window.session.document.images()) == 840
    assert window.session.document.images().unmeasured.tolist() == []


def test_a_new_project_begins_at_its_first_image(
    many: Path, open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.png" for number in (7, 3, 5, *range(3), *range(8, 40))]
    monkeypatch.setattr(new_project, "walk_images", lambda *_: iter(names))  # as a disk tells them, in no order
    window = open_window()
    window._projects.create(tmp_path / "p", many)
    qtbot.waitUntil(lambda: window.session.document is not None)
    qtbot.waitUntil(lambda: is_open(window))
    assert window.session.image.name == "0.png"


def test_images_that_went_and_came_back_while_headers_were_read_are_read_too(
    many: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window()
    window._projects.create(tmp_path / "p", many)
    qtbot.waitUntil(lambda: window.session.document is not None and len(window.session.document.images()) == 40)
    document = window.session.document
    document.do(edits.RemoveImages(tuple(document.images().ids.tolist()[20:])))
    qtbot.waitUntil(lambda: not window.session.jobs)
    window._projects._measure("Reading sizes", dates=False)
    document.undo()  # while the job that began without them goes on
    qtbot.waitUntil(lambda: is_open(window))
    assert len(document.images()) == 40
    assert document.images().unmeasured.tolist() == []


def test_a_window_that_is_closed_at_once_leaves_no_process_and_no_lock(
    many: Path, open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    others = set(psutil.Process().children())  # of tests before this one
    window = open_window()
    window._projects.create(tmp_path / "p", many)
    window.close()
    QApplication.processEvents()
    assert window.session.document is None
    assert set(psutil.Process().children()) <= others


def test_dates_that_come_do_not_undo_the_selection(many: Path, open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    with Document.create(tmp_path / "p", many) as document, document.store.transaction() as connection:
        connection.execute("UPDATE image SET date = 0")
    window = open_window(tmp_path / "p", "data")
    gallery = find(window, TileView, "gallery")
    model = gallery.model()
    assert isinstance(model, ImagesModel)
    resets: list[int] = []
    model.modelReset.connect(lambda: resets.append(1))
    model.set_filter(Filter(order=Order.DATE))
    qtbot.waitUntil(lambda: bool(window.session.jobs))
    qtbot.waitUntil(lambda: is_open(window))
    assert len(resets) == 2  # the filter, and when all dates were there


def test_the_selection_stays_when_the_order_changes(project: Path, open_window: Open) -> None:
    window = open_window(project, "data")
    gallery = find(window, TileView, "gallery")
    model = gallery.model()
    assert isinstance(model, ImagesModel)
    flags = gallery.selectionModel().SelectionFlag
    for row in (0, 2):
        gallery.selectionModel().select(model.index(row, 0), flags.Select)
    assert find(window, QLabel, "gallery-selected").text() == "2 selected"
    model.set_filter(Filter(order=Order.NEWEST))
    assert [rows.start for rows in gallery.chosen_rows()] == [0, 2]
    assert find(window, QLabel, "gallery-selected").text() == "2 selected"
    model.set_filter(Filter(text="a.png"))
    assert find(window, QLabel, "gallery-selected").text() == "1 selected"


def test_counts_follow_while_messages_keep_coming(project: Path, open_window: Open, qtbot: QtBot) -> None:
    window = open_window(project, "data")
    document = window.session.document
    assert document is not None
    document.do(edits.SetState((1,), State.VERIFIED))
    often = QTimer(window, interval=10)
    often.timeout.connect(lambda: window.session.images_found.emit(frozenset((1,))))
    often.start()
    qtbot.waitUntil(lambda: find(window, QAbstractButton, "count-state-verified").text() == "1")
    often.stop()


def test_the_selection_bar_folds_where_there_is_little_room(project: Path, open_window: Open) -> None:
    window = open_window(project, "data")
    window.resize(1600, 900)
    QApplication.processEvents()
    assert find(window, QAbstractButton, "set-state-verified").isVisible()
    window.resize(960, 700)
    QApplication.processEvents()
    bar = find(window, QWidget, "selection-bar")
    folded = find(window, QPushButton, "set-state-menu")
    assert folded.isVisible()
    assert bar.rect().contains(folded.mapTo(bar, folded.rect().bottomRight()))
    window.session.select_image(2)
    find(window, TileView, "gallery").selectAll()
    folded.menu().actions()[-1].trigger()
    assert window.session.document is not None
    assert {image.state for image in window.session.document.images()} == {State.VERIFIED}


def test_an_edit_of_all_images_asks_for_their_rows_at_once(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20,000 the list asked for one row after the other: a third of a second without an answer."""
    images = [f"{number:03}.png" for number in range(30)]
    write_photographs(tmp_path / "photographs", images)
    session = Session()
    session.open(Document.create(tmp_path / "project", tmp_path / "photographs"))
    assert session.document is not None
    model = ImagesModel(session, thumbnails.of(session))
    model.reload()
    told: list[tuple[int, int]] = []
    model.dataChanged.connect(lambda first, last: told.append((first.row(), last.row())))
    ids = [image.id for image in session.document.images()]
    asked: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(ImagesModel, "row_of", lambda _, id: asked.append(id) or 0)
        model.touched(frozenset(ids))
    assert not asked
    assert told == [(0, 29)]
    model.touched((ids[3], 10**9, ids[5]))  # one is not listed
    assert told[1:] == [(3, 3), (5, 5)]
    session.close()
