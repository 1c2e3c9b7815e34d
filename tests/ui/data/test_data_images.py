"""The images on the Data page: added, taken out, split at random, counted and shown by number."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QFrame,
    QInputDialog,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.core.decoding.test_video import write_clip
from tests.shut_folder import make_shut
from tests.ui.data.data_page_driver import CTRL, click_row, labelled, listed, on_disk, press
from tests.ui.window_driver import Open, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders.image_records import ImageDescriber
from workbench.core.project import Image, Label, Split, State
from workbench.ui.data.page import DataPage
from workbench.ui.images.images_model import LISTED_IMAGE
from workbench.ui.widgets.tool_row import ToolRow

__all__ = ["labelled"]  # a fixture


@pytest.mark.parametrize(("width", "icons"), [(960, {"labels-beside", "add-video"}), (1600, set())])
def test_a_button_of_the_toolbar_has_its_whole_word_or_is_an_icon(
    qtbot: QtBot, open_window: Open, labelled: Path, width: int, icons: set[str]
) -> None:
    window = open_window(labelled, "data")
    window.resize(width, 600)
    qtbot.waitUntil(lambda: window.width() == width)
    QApplication.processEvents()
    row = next(iter(window.findChildren(ToolRow)))
    buttons = {button.objectName().removeprefix("button-"): button for button in row.findChildren(QToolButton)}
    assert len(buttons) == 8
    for name, button in buttons.items():
        assert button.width() >= button.sizeHint().width(), name
        assert row.rect().contains(button.geometry()), name
        assert button.text(), "for a screen reader"
        assert button.toolTip(), name
    bare = {name for name, one in buttons.items() if one.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonIconOnly}
    assert bare == icons
    field = find(window, QLineEdit, "filter-text")
    assert field.width() >= field.fontMetrics().horizontalAdvance(field.placeholderText()) + 16


def test_the_random_split_divides_what_has_none_and_keeps_what_has_one(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        document.do(edits.SetSplit((document.images()[0].id,), Split.TEST))
    window = open_window(labelled, "data")
    press(window, "button-random-split")
    splits = [image.split for image in on_disk(labelled)]
    assert splits[0] is Split.TEST
    assert sorted(splits[1:]) == [Split.TRAIN, Split.VALIDATION]


def test_a_number_in_the_summary_shows_its_images(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    assert find(window, QAbstractButton, "count-state-unlabelled").text() == "2"
    press(window, "count-state-unlabelled")
    assert listed(window) == ["b.png", "c.png"]


def test_images_that_cannot_be_read_are_counted_and_a_click_shows_them(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    window = open_window(labelled, "data")
    broken = find(window, QAbstractButton, "count-unreadable")
    assert not broken.isVisible()
    write_photographs(tmp_path / "more", ["x.png"])
    (tmp_path / "more" / "notes.jpg").write_text("not a picture")
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "more")
    qtbot.waitUntil(broken.isVisible)
    assert broken.text() == "1"
    press(window, "count-unreadable")
    assert listed(window) == ["notes.jpg"]
    said: list[str] = []
    window.session.message.connect(lambda _level, sentence: said.append(sentence))
    write_photographs(tmp_path / "more", ["y.png"])
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "more")
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["1 image added."], "of what was there already nothing is said"


def test_what_opening_files_tells_is_marked_and_counted_alike_until_they_are_read_well(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    """A file whose header is good was marked in the gallery and not counted."""
    with Document.open(labelled) as document:
        cut, gone = (document.file(image) for image in document.images()[1:])
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    gone.unlink()
    window = open_window(labelled, "data")
    broken = find(window, QAbstractButton, "count-unreadable")
    qtbot.waitUntil(lambda: broken.isVisible() and broken.text() == "2")
    press(window, "count-unreadable")
    assert listed(window) == ["b.png", "c.png"]
    problems = [bool(image.problem) for image in on_disk(labelled)]
    assert problems == [False, True, False], "that a file is gone is not kept: its disk may be back"
    model = find(window, QAbstractItemView, "gallery").model()
    assert [bool(model.index(row, 0).data(LISTED_IMAGE).problem) for row in (0, 1)] == [True, True]
    said: list[str] = []
    window.session.message.connect(lambda _level, sentence: said.append(sentence))
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    press(window, "set-state-done")
    assert said == ["b.png can't be read, so it was not marked done. Mend the file, or take the image out (Data page)."]
    assert on_disk(labelled)[1].state is State.UNLABELLED
    cut.write_bytes(whole)
    window.session.select_image(window.session.document.images()[1].id)
    window.show_page("label")
    qtbot.waitUntil(lambda: not on_disk(labelled)[1].problem)
    qtbot.waitUntil(lambda: broken.text() == "1")
    window.show_page("data")
    thumbnails = [model.index(row, 0).data(LISTED_IMAGE).thumbnail for row in (0, 1)]
    qtbot.waitUntil(lambda: model.index(0, 0).data(LISTED_IMAGE).thumbnail is not None)
    assert thumbnails[1] is None


def test_images_are_taken_out_and_come_back_with_their_boxes(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    QTest.keyClick(find(window, QAbstractItemView, "gallery"), Qt.Key.Key_Delete, CTRL)
    assert [i.name for i in on_disk(labelled)] == ["b.png", "c.png"]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert listed(window) == ["a.png", "b.png", "c.png"]
    with Document.open(labelled, read_only=True) as document:
        assert len(document.boxes(document.images()[0].id)) == 1
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert find(window, QLabel, "message-text").text() == "Taken back: Add box (a.png).", (
        "which is not seen on this page"
    )


def test_images_are_added_from_another_folder(qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "more", ["x.png", "y.png"])
    window = open_window(labelled, "data")
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "more")
    qtbot.waitUntil(lambda: listed(window) == ["a.png", "b.png", "c.png", "x.png", "y.png"])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other longest paths")
def test_folders_that_can_not_be_read_are_told(qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path) -> None:
    window = open_window(labelled, "data")
    write_photographs(tmp_path / "more", ["x.png"])
    make_shut(tmp_path / "more" / "shut")
    told: list[str] = []
    window.session.message.connect(lambda _, text: told.append(text))
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "more")
    qtbot.waitUntil(lambda: any("images are missing: fix that and add the folder again" in text for text in told))


def test_files_are_chosen_one_by_one(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photographs(tmp_path / "more", ["x.png", "y.png", "z.png"])
    window = open_window(labelled, "data")
    chosen = [str(tmp_path / "more" / name) for name in ("z.png", "x.png")]
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: (chosen, ""))
    find(window, QAction, "action-add-files").trigger()
    qtbot.waitUntil(lambda: listed(window) == ["a.png", "b.png", "c.png", "x.png", "z.png"])
    assert find(window, QAction, "action-add-files") in find(window, QAbstractButton, "button-add-images").actions()


@pytest.mark.parametrize("agreed", [True, False])
def test_new_and_missing_files_are_looked_for(qtbot: QtBot, open_window: Open, labelled: Path, agreed: bool) -> None:
    """Nobody noticed what had come into a folder or gone from it."""
    with Document.open(labelled) as document:
        files = [document.file(image) for image in document.images()]
    window = open_window(labelled, "data")
    session = window.session
    said: list[str] = []
    session.message.connect(lambda _level, sentence: said.append(sentence))
    kept = files[1].read_bytes()
    files[1].unlink()
    write_photographs(files[0].parent / "later", ["x.png"])

    bar = find(window, QFrame, "file-changes")
    find(window, QAction, "action-look-for-files").trigger()
    qtbot.waitUntil(lambda: bar.isVisible() and not session.jobs)
    folder = files[0].parent.name
    words = find(bar, QLabel, "file-changes-words").text()
    assert words == f"1 new photograph in '{folder}'. 1 image has no file any more."
    press(bar, f"file-changes-{'add' if agreed else 'later'}")
    if agreed:
        qtbot.waitUntil(lambda: len(listed(window)) == 4)
    assert listed(window) == ["a.png", "b.png", "c.png", *(["x.png"] if agreed else [])]
    qtbot.waitUntil(lambda: bar.isHidden() and not session.jobs)
    broken = find(window, QAbstractButton, "count-unreadable")
    qtbot.waitUntil(lambda: broken.text() == "1")
    if agreed:
        files[1].write_bytes(kept)
        said.clear()
        find(window, QAction, "action-look-for-files").trigger()
        qtbot.waitUntil(lambda: bool(said) and not session.jobs)
        assert said == ["There are no new or missing files in the folders of these images."]
        qtbot.waitUntil(lambda: broken.text() == "0")


def drop(window: QWidget, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(50, 50), copy, data, left, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(50, 50), copy, data, left, none))


def test_what_is_dropped_on_an_open_project_comes_to_it(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "more", ["x.png", "y.png"])
    write_photographs(tmp_path / "whole", ["w.png"])
    (tmp_path / "more" / "notes.txt").write_text("no image")
    window = open_window(labelled, "label")
    drop(window, tmp_path / "more" / "y.png", tmp_path / "more" / "notes.txt", tmp_path / "whole")
    qtbot.waitUntil(lambda: [image.name for image in on_disk(labelled)][3:] in (["w.png", "y.png"], ["y.png", "w.png"]))
    assert find(window, QWidget, "page-label").isVisible()
    drop(window, tmp_path / "more" / "notes.txt")
    assert "notes.txt is not an image" in find(window, QLabel, "message-text").text()


def test_what_comes_when_another_project_is_open_is_not_added_to_it(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photographs(tmp_path / "more", [f"{n}.png" for n in range(3)])
    Document.create(tmp_path / "other", tmp_path / "more").close()
    write_photographs(tmp_path / "late", ["late.png"])
    window = open_window(labelled, "data")
    at_it, go_on = threading.Event(), threading.Event()
    real = ImageDescriber.__call__

    def slow(self: ImageDescriber, file: Path, name: str, root: int) -> Image:
        at_it.set()
        go_on.wait(10)
        return real(self, file, name, root)

    monkeypatch.setattr(ImageDescriber, "__call__", slow)
    find(window, DataPage, "page-data").image_adder.add_folder(tmp_path / "late")
    assert at_it.wait(10)
    threading.Timer(0.3, go_on.set).start()
    window.open(tmp_path / "other")
    qtbot.waitUntil(lambda: not window.session.jobs)
    QTest.qWait(50)
    assert listed(window) == ["0.png", "1.png", "2.png"]


def test_frames_of_a_video_become_images_of_the_project(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "ride.avi")
    window = open_window(labelled, "data")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(clip), ""))
    asked: list[str] = []
    monkeypatch.setattr(QInputDialog, "getInt", lambda *given: asked.append(given[2]) or (6, True))
    find(window, QAction, "action-add-video").trigger()
    assert asked == ["12 frames, 4 a second. Take every n-th:"]
    qtbot.waitUntil(lambda: listed(window)[-2:] == ["ride_000000.jpg", "ride_000006.jpg"])
    assert on_disk(labelled)[-1].note == "frame 6, 1.500 s of ride.avi"
    assert len(list((labelled / "frames").glob("ride */ride_000006.jpg"))) == 1
    (tmp_path / "bad.avi").write_bytes(b"no video")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "bad.avi"), ""))
    find(window, QAction, "action-add-video").trigger()
    assert "could not be opened" in find(window, QLabel, "message-text").text()
    whole = write_clip(tmp_path / "long.avi", 80).read_bytes()
    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    page = find(window, DataPage, "page-data")
    page.image_adder.add_video(tmp_path / "half.avi", 4)
    qtbot.waitUntil(lambda: "of 20.0 seconds could be read" in find(window, QLabel, "message-text").text())
    assert "half_000000.jpg" in listed(window)


def test_frames_that_come_when_another_project_is_open_are_not_added_to_it(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "others", ["z.png"])
    Document.create(tmp_path / "other", tmp_path / "others").close()
    window = open_window(labelled, "data")
    page = find(window, DataPage, "page-data")
    page.image_adder.add_video(write_clip(tmp_path / "ride.avi"), 1)
    assert window.open(tmp_path / "other")
    qtbot.waitUntil(lambda: not window.session.jobs)
    qtbot.wait(100)
    assert [image.name for image in on_disk(tmp_path / "other")] == ["z.png"]


def test_the_images_of_a_number_begin_at_the_first_and_the_note_says_which_they_are(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "many", [f"{number:02}.png" for number in range(60)])
    Document.create(tmp_path / "long", tmp_path / "many").close()
    window = open_window(tmp_path / "long", "data")
    ids = [image.id for image in window.session.document.images()]
    window.session.select_image(ids[-1])
    bar, why = find(window, QAbstractItemView, "gallery").verticalScrollBar(), find(window, QLabel, "filter-why")
    qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
    words = (
        "with 3,214 boxes whose anchor is of another scale, in the region that was drawn round sizes of 40 to 120 px"
    )
    window.session.images_requested.emit(frozenset(ids[10:]), words)
    assert (listed(window)[0], bar.value()) == ("10.png", 0)
    assert bar.maximum() > 0  # it could have stayed below
    qtbot.waitUntil(lambda: why.isVisible() and why.width() > 0)
    assert why.toolTip() == why.text() == f"Only those {words}"
    QApplication.processEvents()
    assert why.width() > 500  # a line of its own, in place of some letters beside the filters
    press(window, "filter-only")
    assert (len(listed(window)), why.isVisible()) == (60, False)


def test_a_label_that_was_filtered_by_is_none_of_another_project(
    open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    with Document.create(tmp_path / "other", labelled.parent / "photographs") as other:
        other.do(edits.AddLabels((Label(0, "bee"),)))
    window = open_window(labelled, "data")
    label = find(window, QComboBox, "filter-label")
    label.setCurrentIndex(label.findText("cell"))
    assert listed(window) == ["a.png"]
    assert window.open(tmp_path / "other")
    assert label.currentText() == "Any label"
    assert listed(window) == ["a.png", "b.png", "c.png"]


def test_which_images_are_listed_alone_is_forgotten_with_their_project(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    ids = [image.id for image in window.session.document.images()]
    window.session.images_requested.emit(frozenset(ids[:1]), "with a box")
    assert listed(window) == ["a.png"]
    window.close_project()
    window.open(labelled)
    window.show_page("data")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    assert not find(window, QLabel, "filter-why").isVisible()
