"""The Data page by mouse and keys in the real window."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QFile, QPointF, Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QTableView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.core.test_video import write_clip
from tests.ui.hand import Open, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Split, State
from workbench.ui.images_model import SHOWN
from workbench.ui.main_window import MainWindow

NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def labelled(project: Path) -> Path:
    """Labels cell and plate; a.png is in work with one cell."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 80, 60)),))
    return project


def on_disk(project: Path) -> tuple[Image, ...]:
    with Document.open(project, read_only=True) as document:
        return document.images()


def label_names(project: Path) -> list[str]:
    with Document.open(project, read_only=True) as document:
        return [label.name for label in document.labels()]


def listed(window: MainWindow) -> list[str]:
    model = find(window, QAbstractItemView, "gallery").model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def click_row(view: QAbstractItemView, row: int, column: int = 0, modifier: Qt.KeyboardModifier = NONE) -> None:
    place = view.visualRect(view.model().index(row, column)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, modifier, place)


def press(window: QWidget, name: str) -> None:
    QTest.mouseClick(find(window, QAbstractButton, name), Qt.MouseButton.LeftButton)


def test_the_gallery_shows_every_image_with_its_thumbnail(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    model = find(window, QAbstractItemView, "gallery").model()
    decoration = Qt.ItemDataRole.DecorationRole
    qtbot.waitUntil(lambda: all(model.index(row, 0).data(decoration) is not None for row in range(3)))
    assert (labelled / "cache" / "thumbnails.sqlite").is_file()


def test_filters_by_state_label_and_name(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    state = find(window, QComboBox, "filter-state")
    state.setCurrentIndex(state.findText("In work"))
    assert listed(window) == ["a.png"]
    state.setCurrentIndex(0)
    label = find(window, QComboBox, "filter-label")
    label.setCurrentIndex(label.findText("plate"))
    assert listed(window) == []
    label.setCurrentIndex(label.findText("Without boxes"))
    assert listed(window) == ["b.png", "c.png"]
    label.setCurrentIndex(0)
    QTest.keyClicks(find(window, QLineEdit, "filter-text"), "C.p")
    assert listed(window) == ["c.png"]
    assert find(window, QLabel, "gallery-count").text() == "1 of 3"


def test_filters_by_number_and_size_of_boxes_and_orders(open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        images, cell = document.images(), document.labels()[0].id
        document.draw(tuple(Box(0, images[2].id, cell, (x, 0, x + 8, 50)) for x in (0, 20)))
    window = open_window(labelled, "data")  # a.png has one box of 60 x 40, c.png two of 8 x 50

    def spin(name: str, value: int) -> None:
        find(window, QSpinBox, f"filter-{name}").setValue(value)

    spin("fewest", 1)
    assert listed(window) == ["a.png", "c.png"]
    spin("most", 1)
    assert listed(window) == ["a.png"]
    press(window, "filter-clear")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    spin("side-to", 8)
    assert listed(window) == ["c.png"]
    spin("side-from", 9)
    assert listed(window) == []
    spin("side-to", -1)
    assert listed(window) == ["a.png"]
    press(window, "filter-clear")
    order = find(window, QComboBox, "filter-order")
    for word, wanted in (
        ("Most boxes first", ["c.png", "a.png", "b.png"]),
        ("Fewest boxes first", ["b.png", "a.png", "c.png"]),
        ("Last added first", ["c.png", "b.png", "a.png"]),
    ):
        order.setCurrentIndex(order.findText(word))
        assert listed(window) == wanted


def test_selected_images_get_a_state_and_a_split_that_can_be_undone(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 1)
    click_row(gallery, 2, modifier=CTRL)
    press(window, "set-state-done")
    press(window, "set-split-test")
    assert [i.state for i in on_disk(labelled)] == [State.IN_WORK, State.DONE, State.DONE]
    assert [i.split for i in on_disk(labelled)] == [Split.NONE, Split.TEST, Split.TEST]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert [i.split for i in on_disk(labelled)] == [Split.NONE, Split.NONE, Split.NONE]


def menu_of(window: MainWindow, gallery: QAbstractItemView, row: int) -> QMenu:
    place = gallery.visualRect(gallery.model().index(row, 0)).center()
    there = gallery.viewport().mapToGlobal(place)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, there)
    QApplication.sendEvent(gallery.viewport(), event)
    menu: QMenu = find(window, QMenu, "gallery-menu")
    return menu


def choose(menu: QMenu, *words: str) -> None:
    for word in words[:-1]:
        menu = next(action.menu() for action in menu.actions() if word in action.text())  # type: ignore[misc]
    next(action for action in menu.actions() if words[-1] in action.text()).trigger()


def test_the_menu_of_the_gallery_acts_on_all_selected_images(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    with Document.open(labelled) as document:
        images, cell = document.images(), document.labels()[0].id
        document.draw(tuple(Box(0, images[2].id, cell, (x, 0, x + 9, 9)) for x in (0, 50)))
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 0)
    click_row(gallery, 2, modifier=CTRL)

    def labels_of() -> list[str]:
        with Document.open(labelled, read_only=True) as document:
            return [document.label(box.label).name for image in document.images() for box in document.boxes(image.id)]

    def close() -> None:
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "gallery-menu") is None)

    menu = menu_of(window, gallery, 0)
    choose(menu, "State", "Done")
    choose(menu, "Split", "Test")
    choose(menu, "Label of their boxes (3)", "plate")
    close()
    assert [(i.state, i.split) for i in on_disk(labelled)][::2] == [(State.DONE, Split.TEST)] * 2
    assert labels_of() == ["plate"] * 3
    menu = menu_of(window, gallery, 0)
    choose(menu, "Delete their boxes (3)")
    close()
    assert labels_of() == []
    window.session.undo()
    window.session.undo()
    assert labels_of() == ["cell"] * 3


def test_boxes_of_some_images_are_split_off_as_a_label_in_one_step(
    qtbot: QtBot, open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(labelled) as document:
        document.draw((Box(0, document.images()[2].id, document.labels()[0].id, (0, 0, 9, 9)),))
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 2)
    names = iter([("plate", True), ("", True), ("young cell", False), ("young cell", True)])
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: next(names))
    for _ in range(4):
        menu = menu_of(window, gallery, 2)
        choose(menu, "Label of their boxes (1)", "A new label")
        menu.close()
        qtbot.waitUntil(lambda: window.findChild(QMenu, "gallery-menu") is None)
    assert label_names(labelled) == ["cell", "plate", "young cell"]
    with Document.open(labelled, read_only=True) as document:
        found = [[document.label(box.label).name for box in document.boxes(i.id)] for i in document.images()]
    assert found == [["cell"], [], ["young cell"]]
    window.session.undo()
    assert label_names(labelled) == ["cell", "plate"]
    window.session.redo()
    assert label_names(labelled) == ["cell", "plate", "young cell"]


@pytest.mark.parametrize("agreed", [True, False])
def test_files_go_to_the_trash_only_after_a_yes(
    open_window: Open, labelled: Path, monkeypatch: pytest.MonkeyPatch, agreed: bool
) -> None:
    trashed: list[str] = []
    asked: list[str] = []

    def answer(question: QMessageBox) -> int:
        asked.append(question.text())
        button = "trash-yes" if agreed else ""
        chosen = question.findChild(QPushButton, button) if button else question.defaultButton()
        assert chosen is not None
        monkeypatch.setattr(QMessageBox, "clickedButton", lambda _: chosen)
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answer)
    monkeypatch.setattr(
        QFile, "moveToTrash", lambda file: trashed.append(Path(file).name) or "b" not in Path(file).name
    )
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 0)
    click_row(gallery, 1, modifier=CTRL)
    find(window, QAction, "action-trash-images").trigger()
    assert "a.png" in asked[0]
    assert "boxes (1)" in asked[0]
    left = [image.name for image in on_disk(labelled)]
    assert (trashed, left) == (
        (["a.png", "b.png"], ["b.png", "c.png"]) if agreed else ([], ["a.png", "b.png", "c.png"])
    )
    if agreed:
        assert "could not be moved" in find(window, QLabel, "message-text").text()
        window.session.undo()
        assert len(on_disk(labelled)) == 3


def test_an_image_that_no_longer_passes_the_filter_leaves_the_gallery(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    state = find(window, QComboBox, "filter-state")
    state.setCurrentIndex(state.findText("Unlabelled"))
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    press(window, "set-state-verified")
    assert listed(window) == ["c.png"]


def test_a_double_click_opens_the_image_for_labelling(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    gallery = find(window, QAbstractItemView, "gallery")
    click_row(gallery, 2)
    QTest.mouseDClick(
        gallery.viewport(), Qt.MouseButton.LeftButton, NONE, gallery.visualRect(gallery.model().index(2, 0)).center()
    )
    assert find(window, QWidget, "page-label").isVisible()
    assert find(window, QLabel, "image-name").text() == "c.png"


def test_the_keyboard_is_in_the_gallery_when_the_page_is_shown(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "label")
    window.show_page("data")
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Right)
    assert window.session.image is not None
    assert window.session.image.name == "b.png"
    QTest.keyClick(window.focusWidget(), Qt.Key.Key_Return)
    assert find(window, QWidget, "page-label").isVisible()


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


def test_a_label_s_number_of_boxes_shows_its_images(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    click_row(table, 1, 3)  # it has none: nothing happens
    assert listed(window) == ["a.png", "b.png", "c.png"]
    click_row(table, 0, 3)
    assert listed(window) == ["a.png"]


def test_images_are_taken_out_and_come_back_with_their_boxes(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    click_row(find(window, QAbstractItemView, "gallery"), 0)
    QTest.keyClick(find(window, QAbstractItemView, "gallery"), Qt.Key.Key_Delete, CTRL)
    assert [i.name for i in on_disk(labelled)] == ["b.png", "c.png"]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert listed(window) == ["a.png", "b.png", "c.png"]
    with Document.open(labelled, read_only=True) as document:
        assert len(document.boxes(document.images()[0].id)) == 1


def test_a_label_is_renamed_in_the_table(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    assert table.model().index(0, 3).data() == "1"
    type_into(qtbot, table, 0, 2, "red cell")
    assert label_names(labelled) == ["red cell", "plate"]
    type_into(qtbot, table, 0, 2, "plate")
    assert label_names(labelled) == ["red cell", "plate"]
    assert "There is a label 'plate' already" in find(window, QLabel, "message-text").text()


def type_into(qtbot: QtBot, table: QTableView, row: int, column: int, text: str) -> None:
    table.setCurrentIndex(table.model().index(row, column))
    table.edit(table.model().index(row, column))
    editor = table.viewport().findChild(QLineEdit)
    assert editor is not None
    editor.selectAll()
    QTest.keyClicks(editor, text)
    with qtbot.waitSignal(editor.destroyed):  # the cell takes the text after the key was handled
        QTest.keyClick(editor, Qt.Key.Key_Return)


def test_a_key_given_to_a_label_is_taken_from_another(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    type_into(qtbot, table, 1, 1, "1")
    assert [table.model().index(row, 1).data() for row in range(2)] == ["2", "1"]
    type_into(qtbot, table, 1, 1, "x")
    assert table.model().index(1, 1).data() == "1"


def test_labels_are_added_moved_and_deleted_with_their_boxes(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    press(window, "label-add")
    assert label_names(labelled) == ["cell", "plate", "label 1"]
    click_row(table, 0, 2)
    press(window, "label-down")
    assert label_names(labelled) == ["plate", "cell", "label 1"]
    click_row(table, 1, 2)
    press(window, "label-remove")
    menu = find(window, QMenu, "remove-menu")
    (choice,) = menu.actions()
    assert choice.text() == "Delete 'cell' and its 1 box in 1 image"
    assert label_names(labelled) == ["plate", "cell", "label 1"]
    choice.trigger()
    menu.close()
    assert label_names(labelled) == ["plate", "label 1"]
    assert "its 1 box in 1 image were deleted" in find(window, QLabel, "message-text").text()
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert label_names(labelled) == ["plate", "cell", "label 1"]


def test_a_label_without_boxes_goes_at_once(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    click_row(find(window, QTableView, "labels-table"), 1, 2)
    press(window, "label-remove")
    assert label_names(labelled) == ["cell"]


def test_while_the_order_is_locked_no_label_moves_goes_or_is_merged(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    table = find(window, QTableView, "labels-table")
    press(window, "label-lock")
    click_row(table, 0, 2)
    for name in ("label-up", "label-down", "label-merge", "label-remove"):
        assert not find(window, QAbstractButton, name).isEnabled()
    with Document.open(labelled, read_only=True) as document:
        cell, plate = document.labels()
    for refused in (
        edits.RemoveLabel(plate.id),
        edits.MergeLabels(plate.id, cell.id),
        edits.Batch((edits.ChangeLabel(dataclasses.replace(cell, position=9)),), "Move"),
    ):
        assert window.session.do(refused) is None
        assert "order of the labels is locked" in find(window, QLabel, "message-text").text()
    press(window, "label-add")  # at the end, where it gives no other another number
    window.session.do(edits.ChangeLabel(dataclasses.replace(cell, name="Zelle")))
    assert label_names(labelled) == ["Zelle", "plate", "label 1"]
    window.session.undo()
    window.session.undo()  # what was done before can be undone all the same
    assert label_names(labelled) == ["cell", "plate"]
    press(window, "label-lock")
    click_row(table, 0, 2)
    press(window, "label-down")
    assert label_names(labelled) == ["plate", "cell"]


def test_images_are_added_from_another_folder(qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path) -> None:
    write_photographs(tmp_path / "more", ["x.png", "y.png"])
    window = open_window(labelled, "data")
    find(window, QWidget, "page-data").add_images(tmp_path / "more")
    qtbot.waitUntil(lambda: listed(window) == ["a.png", "b.png", "c.png", "x.png", "y.png"])


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


def test_frames_that_come_when_another_project_is_open_are_not_added_to_it(
    qtbot: QtBot, open_window: Open, labelled: Path, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "others", ["z.png"])
    Document.create(tmp_path / "other", tmp_path / "others").close()
    window = open_window(labelled, "data")
    page = find(window, QWidget, "page-data")
    page.add_video(write_clip(tmp_path / "ride.avi"), 1)
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
    ids = [image.id for image in window.session.document.images()]  # type: ignore[union-attr]
    window.session.select_image(ids[-1])
    bar, why = find(window, QAbstractItemView, "gallery").verticalScrollBar(), find(window, QLabel, "filter-why")
    qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
    words = (
        "with 3,214 boxes whose anchor is of another scale, in the region that was drawn round sizes of 40 to 120 px"
    )
    window.session.images_asked.emit(frozenset(ids[10:]), words)
    assert (listed(window)[0], bar.value()) == ("10.png", 0)
    assert bar.maximum() > 0  # it could have stayed below
    qtbot.waitUntil(lambda: why.isVisible() and why.width() > 0)
    assert why.toolTip() == why.text() == f"Only those {words}"
    QApplication.processEvents()
    assert why.width() > 500  # a line of its own, in place of some letters beside the filters
    press(window, "filter-only")
    assert (len(listed(window)), why.isVisible()) == (60, False)


def test_boxes_that_were_asked_for_are_marked_in_the_gallery_and_selected_image_by_image(
    open_window: Open, labelled: Path
) -> None:
    window = open_window(labelled, "data")
    document = window.session.document
    a, b, c = document.images()
    label = document.labels()[0].id
    document.do(edits.AddBoxes((Box(0, c.id, label, (10, 10, 40, 50)), Box(0, a.id, label, (5, 5, 9, 9)))))
    in_a, (in_c,) = document.boxes(a.id), document.boxes(c.id)
    asked = frozenset({in_a[0].id, in_c.id})
    window.session.marked_asked.emit(frozenset({a.id, c.id}), "with 2 boxes", asked)
    gallery = find(window, QAbstractItemView, "gallery")
    shown = [gallery.model().index(row, 0).data(SHOWN) for row in range(2)]
    assert [one.image.id for one in shown] == [a.id, c.id]
    assert [len(one.marked) for one in shown] == [1, 1], "only those that were asked for"
    *sides, colour = shown[1].marked[0]
    assert sides == pytest.approx([10 / c.width, 10 / c.height, 40 / c.width, 50 / c.height])
    assert colour == document.labels()[0].colour
    gallery.activated.emit(gallery.model().index(0, 0))
    canvas = window._pages["label"].canvas
    assert canvas.isVisible()
    assert [box.id for box in canvas.selected_boxes] == [in_a[0].id]
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert document.boxes(a.id) == in_a, "who came to look moves nothing"
    assert find(window, QLabel, "message-text").text().startswith("Nothing was moved: ")
    at = canvas.view.to_widget(QPointF(21, 40)).toPoint()
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, NONE, at)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    assert document.boxes(a.id) != in_a, "a box that was clicked is moved"
    find(window, QAction, "action-undo").trigger()
    find(window, QAction, "action-next-image").trigger()
    assert window.session.image_id == c.id, "the list beside the canvas is that of the gallery"
    assert [box.id for box in canvas.selected_boxes] == [in_c.id]
    document.do(edits.RemoveBoxes((in_c.id,)))
    assert not gallery.model().index(1, 0).data(SHOWN).marked
    window.show_page("data")
    press(window, "filter-only")
    gallery.activated.emit(gallery.model().index(1, 0))
    assert window.session.image_id == b.id
    assert not canvas.selected_boxes
    find(window, QAction, "action-next-image").trigger()
    assert window.session.image_id == c.id


def test_which_images_are_listed_alone_is_forgotten_with_their_project(open_window: Open, labelled: Path) -> None:
    window = open_window(labelled, "data")
    ids = [image.id for image in window.session.document.images()]  # type: ignore[union-attr]
    window.session.images_asked.emit(frozenset(ids[:1]), "with a box")
    assert listed(window) == ["a.png"]
    window.close_project()
    window.open(labelled)
    window.show_page("data")
    assert listed(window) == ["a.png", "b.png", "c.png"]
    assert not find(window, QLabel, "filter-why").isVisible()
