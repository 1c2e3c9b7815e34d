"""From image to image on the Label page: keys, lists, states, fields; and images that can not be shown or kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QSizeF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QComboBox,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
)
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import SHIFT, corners, labelled
from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label, State
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.images.pictures import Picture

__all__ = ["labelled"]  # a fixture


def states(project: Path, **wanted: State) -> None:
    with Document.open(project) as document:
        for image in document.images():
            document.do(edits.SetState((image.id,), wanted.get(image.name[0], State.UNLABELLED)))


def test_shift_d_and_a_go_to_unlabelled_images_around_the_end(qtbot: QtBot, open_window: Open, project: Path) -> None:
    states(project, b=State.DONE)
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    name = find(window, QLabel, "image-name")
    assert window.session.image.name == "a.png"
    seen = []
    for key in (Qt.Key.Key_D, Qt.Key.Key_D, Qt.Key.Key_A):
        hand.key(key, SHIFT)
        seen.append(window.session.image.name)
    assert seen == ["c.png", "a.png", "c.png"]
    assert name.toolTip().startswith("c.png\n")
    with Document.open(project, read_only=True) as document:
        ids = {image.name: image.id for image in document.images()}
    window.session.do(edits.SetState((ids["a.png"],), State.DONE))
    hand.key(Qt.Key.Key_D, SHIFT)
    assert window.session.image.name == "c.png"
    assert "No other listed image is unlabelled or in work" in find(window, QLabel, "message-text").text()
    window.session.do(edits.SetState((ids["a.png"], ids["b.png"]), State.IN_WORK))
    seen = []
    for key in (Qt.Key.Key_A, Qt.Key.Key_A, Qt.Key.Key_A):
        hand.key(key, SHIFT)
        seen.append(window.session.image.name)
    assert seen == ["b.png", "c.png", "b.png"], "one in work only if no other is unlabelled"


def test_the_list_is_filtered_by_split_and_label_and_d_goes_on_from_an_image_that_fell_out(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    model = find(window, QAbstractItemView, "image-list").model()
    label = find(window, QComboBox, "image-filter-label")
    label.setCurrentIndex(label.findText("Without boxes"))
    assert model.rowCount() == 3
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.draw((20, 20), (80, 60))
    assert model.rowCount() == 2  # b.png has a box now, and stays on the canvas
    assert window.session.image.name == "b.png"
    hand.key(Qt.Key.Key_D)
    assert window.session.image.name == "c.png"
    label.setCurrentIndex(label.findText("cell"))
    assert model.rowCount() == 1


@pytest.mark.parametrize(
    ("words", "shown", "key", "found"),
    [
        ("a", "c.png", "d", "a.png"),  # it is listed before, and there is no other
        ("b", "a.png", "a", "b.png"),
        (".png", "b.png", "d", "c.png"),
        ("x", "b.png", "d", "b.png"),
    ],
)
def test_from_an_image_that_the_filter_hides_d_and_a_go_into_the_list(
    qtbot: QtBot, open_window: Open, project: Path, words: str, shown: str, key: str, found: str
) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    window.session.select_image(next(i.id for i in window.session.document.images() if i.name == shown))
    field = find(window, QLineEdit, "image-filter-text")
    field.setFocus()
    QTest.keyClicks(field, words)
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert (field.text(), hand.canvas.hasFocus()) == (words, True)
    hand.key(key)
    assert window.session.image.name == found
    assert ("No image fits" in find(window, QLabel, "message-text").text()) is (words == "x")


def test_d_goes_to_the_listed_image_that_follows_the_hidden_one_by_name(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    """It counted on from the row that the image had in the list of all: to the end, or past it."""
    write_photographs(tmp_path / "photographs", [f"{name}.png" for name in ("a1", "b1", "c1", "d2", "e2", "f2")])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    window = open_window(tmp_path / "project")
    hand = WindowDriver(qtbot, window)
    window.session.select_image(window.session.document.images()[2].id)
    find(window, QLineEdit, "image-filter-text").setText("2")
    hand.key("d")
    assert window.session.image.name == "d2.png"


def test_space_verifies_and_n_marks_done_even_without_boxes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_Space)
    hand.settle()
    hand.key(Qt.Key.Key_N)
    assert find(window, QLabel, "image-name").text() == "c.png"
    with Document.open(labelled, read_only=True) as document:
        assert [i.state for i in document.images()] == [State.VERIFIED, State.DONE, State.UNLABELLED]


def test_done_at_the_end_of_the_list_goes_on_with_what_is_left_above(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    for _ in range(2):
        hand.key(Qt.Key.Key_D)
    names = []
    for _ in range(2):
        hand.settle()
        hand.key(Qt.Key.Key_N)
        names.append(find(window, QLabel, "image-name").text())
    assert names == ["a.png", "b.png"]
    window.session.do(edits.SetState((window.session.image_id,), State.IN_WORK))
    window.session.select_image(window.session.document.images()[2].id)
    hand.settle()
    hand.key(Qt.Key.Key_N)
    assert find(window, QLabel, "image-name").text() == "b.png", "the only one that is not done"
    for _ in range(2):
        hand.settle()
        hand.key(Qt.Key.Key_N)
    assert "This was the last image" in find(window, QLabel, "message-text").text()


def test_the_end_of_a_filtered_list_says_how_many_images_are_left_outside_of_it(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    find(window, QLineEdit, "image-filter-text").setText("a.png")
    hand.key(Qt.Key.Key_N)
    words = "This was the last image of this list; 2 images that the filter leaves out are not done yet."
    assert find(window, QLabel, "message-text").text() == f"Marked done. {words}"
    find(window, QLineEdit, "image-filter-text").setText("b.png")
    assert find(window, QLabel, "image-count").text() == "1 image"


def test_the_list_shows_what_comes_next(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photographs", [f"{n}.png" for n in range(30)])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    window = open_window(tmp_path / "project")
    hand = WindowDriver(qtbot, window)
    view = find(window, QAbstractItemView, "image-list")
    shown = view.viewport().rect()
    for _ in range(20):
        hand.key("d")
        assert shown.contains(view.visualRect(view.model().index(view.currentIndex().row() + 1, 0)))
    hand.key("a")
    for _ in range(15):
        hand.key("a")
        assert shown.contains(view.visualRect(view.model().index(view.currentIndex().row() - 1, 0)))


def test_navigation_by_keys_and_by_the_list_keeps_every_edit(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    hand.draw((10, 10), (40, 40))
    images = find(window, QAbstractItemView, "image-list")
    QTest.mouseClick(
        images.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier,
        images.visualRect(images.model().index(2, 0)).center(),
    )  # fmt: skip
    hand.settle()
    assert find(window, QLabel, "image-name").text() == "c.png"
    hand.canvas.setFocus()
    hand.draw((10, 10), (40, 40))
    hand.key(Qt.Key.Key_A)
    hand.key(Qt.Key.Key_A)
    hand.key(Qt.Key.Key_A)
    assert find(window, QLabel, "image-name").text() == "a.png"
    assert [len(boxes) for boxes in boxes_on_disk(labelled).values()] == [2, 1, 1]


def test_letters_in_a_field_are_not_commands(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    WindowDriver(qtbot, window)
    field = find(window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClicks(field, "wand 12")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert find(window, QLabel, "image-name").text() == "a.png"
    with Document.open(labelled, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cell", "plate", "wand 12"]


def test_several_labels_are_added_one_after_another(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    field = find(window, QLineEdit, "new-label")
    field.setFocus()
    for name in ("wand", "dart"):
        QTest.keyClicks(QApplication.focusWidget(), name)
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    with Document.open(labelled, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cell", "plate", "wand", "dart"]
    assert find(window, QLabel, "image-name").text() == "a.png"
    hand.click(190, 95)
    assert not field.hasFocus()


@pytest.mark.parametrize("way", ["double click", "F2", "menu"])
def test_a_label_is_renamed_in_the_list(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, text: (f" {text}s ", True))
    window = open_window(labelled)
    WindowDriver(qtbot, window)
    view = find(window, QAbstractItemView, "label-list")
    at = view.visualRect(view.model().index(1, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    if way == "double click":
        QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    elif way == "F2":
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_F2)  # the picture: a click there gives it back the keys
    else:
        view.customContextMenuRequested.emit(at)
        find(view, QMenu, "label-menu").actions()[0].trigger()
    with Document.open(labelled, read_only=True) as document:
        assert [label.name for label in document.labels()] == ["cell", "plates"]


def test_escape_in_the_field_of_a_new_label_empties_it_and_drawing_goes_on(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_W)
    field = find(window, QLineEdit, "new-label")
    field.setFocus()
    QTest.keyClicks(field, "cel")
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == ""
    assert not field.hasFocus()
    assert find(window, QAction, "action-draw").isChecked()
    hand.drag((100, 30), (150, 90))
    assert len(boxes_on_disk(labelled)["a.png"]) == 2


def test_a_read_only_project_is_shown_and_says_why_it_keeps_nothing(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    with Document.open(labelled):
        window = open_window(labelled)
        hand = WindowDriver(qtbot, window)
        assert find(window, QLabel, "saved-state").text() == "read only"
        hand.draw((100, 30), (150, 90))
        assert "being edited by" in find(window, QLabel, "message-text").text()
        assert corners(labelled) == [(20, 20, 80, 60)]
        window.session.select_image(2)
        find(window, QPushButton, "message-button").click()
        assert find(window, QLabel, "saved-state").text() == "read only"
    with Document.open(labelled) as other, other.store.transaction() as connection:
        edits.ChangeSetting("window.page", "data").apply(connection)
    hand.draw((100, 30), (150, 90))
    find(window, QPushButton, "message-button").click()
    assert find(window, QLabel, "saved-state").text() == "saved"
    assert window.session.page == "label", "not the page that the other window has shown last"
    assert window.session.image_id == 2


def test_a_damaged_image_shows_its_sentence_and_the_next_one_works(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "photographs", ["a.png", "b.png"])
    whole = (tmp_path / "photographs" / "a.png").read_bytes()
    (tmp_path / "photographs" / "a.png").write_bytes(whole[:2000])
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    hand = WindowDriver(qtbot, open_window(tmp_path / "project"))
    assert "a.png" in hand.canvas.sentence
    hand.draw((100, 30), (150, 90))
    hand.key(Qt.Key.Key_D)
    hand.settle()
    assert hand.canvas.picture is not None
    assert boxes_on_disk(tmp_path / "project") == {"a.png": [], "b.png": []}


def test_a_missing_folder_of_images_is_said_on_the_canvas(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    shutil.rmtree(labelled.parent / "photographs")
    hand = WindowDriver(qtbot, open_window(labelled))
    assert "a.png" in hand.canvas.sentence
    assert len(corners(labelled)) == 1


def test_an_empty_project_says_what_to_do(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    Document.create(tmp_path / "project").close()
    window = open_window(tmp_path / "project")
    assert "project's images" in find(window, QLabel, "label-empty-sentence").text()
    find(window, QPushButton, "label-empty-button").click()
    assert window.session.page == "data"
    assert find(window, QPushButton, "data-empty-button").text() == "Add images from a folder…"


def test_a_large_photograph_is_seen_before_it_is_read_in_full(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photographs").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    large = np.kron(pixels, np.ones((8, 8, 1), np.uint8))
    cv2.imwrite(str(tmp_path / "photographs" / "large.jpg"), large)
    (tmp_path / "photographs" / "large.png").write_bytes(cv2.imencode(".png", large)[1].tobytes())
    Document.create(tmp_path / "project", tmp_path / "photographs").close()
    seen: list[tuple[int, int]] = []
    show = Canvas.show_picture

    def watched(canvas: Canvas, picture: Picture | None, size: QSizeF, *, keep_view: bool = False) -> None:
        if picture is not None:
            seen.append((picture.levels[0].width(), round(size.width())))
        show(canvas, picture, size, keep_view=keep_view)

    monkeypatch.setattr(Canvas, "show_picture", watched)
    window = open_window(tmp_path / "project")
    hand = WindowDriver(qtbot, window)
    qtbot.waitUntil(lambda: bool(seen) and seen[-1][0] == 3200)
    assert seen == [(500, 3200), (3200, 3200)]
    hand.drag((400, 400), (1200, 1600))
    hand.type_label("cell")
    (box,) = corners(tmp_path / "project", "large.jpg")
    assert all(abs(a - b) <= 8 for a, b in zip(box, (400, 400, 1200, 1600), strict=True))
    hand.key(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: len(seen) == 3)
    assert seen[-1] == (3200, 3200)  # no preview of a PNG, and none of what was read beforehand


def test_what_is_to_be_known_of_a_file_is_said_beside_its_name(open_window: Open, project: Path, qtbot: QtBot) -> None:
    """Of an animation the first frame is labelled; who does not know that looks for the others."""
    frames = [PillowImage.new("RGB", (80, 60), (40 * number, 0, 0)) for number in range(3)]
    frames[0].save(project.parent / "photographs" / "b.png", save_all=True, append_images=frames[1:])
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    note = find(window, QLabel, "image-note")
    assert not note.isVisible()
    hand.key(Qt.Key.Key_D)
    hand.settle()
    qtbot.waitUntil(note.isVisible)
    assert note.toolTip() == "It has 3 frames or pages; the first is used."
    window.session.select_label(0)
    assert note.isVisible()
    hand.key(Qt.Key.Key_D)
    qtbot.waitUntil(lambda: not note.isVisible())
