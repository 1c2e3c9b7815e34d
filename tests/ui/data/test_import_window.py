"""Importing labels in the real window: a dry run and three images to look at, then all or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton

from tests.formats.making import text
from tests.ui.data.import_window_driver import FIRST, NAMES, Importing, come_in, draw, folder, importing, write
from tests.ui.window_driver import boxes_on_disk, find
from workbench import exchange
from workbench.core.document import Document
from workbench.ui.data.importing.sample_picture import SamplePicture

__all__ = ["folder", "importing"]  # fixtures

# --- the dry run ---


def test_an_import_is_looked_at_first_and_changes_nothing_before_it_is_agreed_to(
    importing: Importing, folder: Path, project: Path
) -> None:
    importing.read(folder)
    assert importing.part("format").currentText() == "Recognised: Pascal VOC XML"
    told = "13 boxes in 6 images (6 new to the project); 6 images marked done; 1 new label."
    assert importing.sentence == f"Pascal VOC XML: {told}"
    assert importing.part("apply").text() == "Import 13 boxes"
    assert importing.tabs == ["Recognised", "Repaired (0)", "Left out (0)", "Differences (0)", "Labels (1)"]
    assert importing.lines("recognised")[0].startswith("Pixels are counted from 1, by VOC's own rule")
    assert [row.words for row in importing.part("labels-list").rows.rows] == ["cat"]
    assert importing.part("labels-list").rows.rows[0].beside == "new to the project, 13 boxes"
    assert len(boxes_on_disk(project)) == 3, "nothing has changed"
    importing.apply()
    assert {name: len(boxes) for name, boxes in boxes_on_disk(project).items() if boxes} == {
        f"{name}.jpg": 3 if name == "m" else 2 for name in NAMES
    }
    assert len(list((project / "imports").glob("*.zip"))) == 1, "the files are kept, in a job"


def test_an_import_closes_its_window_and_is_undone_beside_what_is_said_of_it(
    importing: Importing, folder: Path, project: Path
) -> None:
    importing.read(folder)
    importing.part("apply").click()
    assert not importing.dialog.isVisible()
    said, undo = find(importing.window, QLabel, "message-text"), find(importing.window, QPushButton, "message-button")
    assert said.text().startswith("Imported. Pascal VOC XML: 13 boxes")
    assert said.text().endswith("Undo takes it back.")
    assert (undo.isVisible(), undo.text()) == (True, "Undo")
    undo.click()
    assert len(boxes_on_disk(project)) == 3
    assert said.text().startswith("Taken back: Import")
    assert not undo.isVisible()
    importing.show()
    assert importing.sentence == "", "nothing of the import before"


def test_undo_of_the_import_takes_back_nothing_that_was_done_after_it(
    importing: Importing, folder: Path, project: Path
) -> None:
    come_in(importing, folder)
    draw(importing, "k", 1, 1, 9, 9)
    find(importing.window, QPushButton, "message-button").click()
    assert len(boxes_on_disk(project)["k.jpg"]) == 3
    assert "There have been other edits since" in find(importing.window, QLabel, "message-text").text()


def test_choices_appear_where_they_matter(importing: Importing, folder: Path, tmp_path: Path) -> None:
    names = ("base", "size", "splits", "skip", "existing")
    assert [importing.part(name).isVisible() for name in names] == [False] * 5
    importing.read(folder)
    assert [importing.part(name).isVisible() for name in names] == [True, False, False, False, False]
    text(folder / "ImageSets" / "Main" / "train.txt", "k\nl\n")
    importing.read(folder)
    assert [importing.part(name).isVisible() for name in names] == [True, False, True, False, False]
    assert any("official splits: 2 train" in line for line in importing.lines("recognised"))


def test_another_base_is_read_anew_and_seen_in_the_samples(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    assert importing.sample()[1].boxes[0].xyxy == (0, 1, 10, 12)
    importing.choose("base", "0")
    assert importing.sample()[1].boxes[0].xyxy == (1, 2, 10, 12)
    assert importing.lines("recognised")[0].startswith("Pixels are counted from 0, as chosen")


def test_splits_of_the_files_are_left_out_without_reading_them_again(
    importing: Importing, folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text(folder / "ImageSets" / "Main" / "train.txt", "k\nl\n")
    importing.read(folder)
    monkeypatch.setattr(exchange, "plan_import", lambda *_: pytest.fail("read again"))
    importing.part("splits").click()
    importing.wait()
    importing.apply()
    with Document.open(project, read_only=True) as opened:
        assert {image.split for image in opened.images()} == {"none"}


def test_several_formats_in_one_folder_are_a_choice(importing: Importing, folder: Path) -> None:
    coco = {"images": [{"id": 1, "file_name": "k.jpg", "width": 40, "height": 30}], "annotations": [], "categories": []}
    text(folder / "instances.json", json.dumps(coco))
    importing.read(folder)
    said = find(importing.dialog, QLabel, "import-empty-sentence").text()
    assert "several formats" in said
    assert "--format" not in said, "these are words for the command line"
    assert not importing.part("apply").isEnabled()
    importing.choose("format", "voc")
    assert importing.part("apply").text() == "Import 13 boxes"


@pytest.mark.parametrize("kind", ["empty", "wrong", "missing"])
def test_a_folder_without_labels_is_said_in_words(importing: Importing, tmp_path: Path, kind: str) -> None:
    if kind != "missing":
        (tmp_path / kind).mkdir()
    if kind == "wrong":
        text(tmp_path / kind / "notes.txt", "nothing")
    importing.read(tmp_path / kind)
    if kind == "missing":
        assert importing.lines("damage")[0].startswith("There is no file or folder")
    else:
        said = "no labels of a known format" if kind == "wrong" else "no files in this folder"
        assert said in find(importing.dialog, QLabel, "import-empty-sentence").text()
    assert not importing.part("apply").isEnabled()


def test_damage_is_listed_with_file_and_line_and_can_be_left_out(importing: Importing, folder: Path) -> None:
    for name in "kl":
        file = folder / "Annotations" / f"{name}.xml"
        file.write_text(file.read_text().replace("<xmin>1<", "<xmin>x<"))
    importing.read(folder)
    lines = importing.lines("damage")
    assert [line.split("|")[1] for line in lines] == ["Annotations/k.xml:3", "Annotations/l.xml:3"]
    assert "2 things can't be read, so nothing was imported." in importing.sentence
    assert not importing.part("apply").isEnabled()
    importing.part("damage-copy").click()
    assert "Annotations/l.xml:3: <xmin>" in QGuiApplication.clipboard().text()
    importing.part("leave-out").click()
    importing.wait()
    assert importing.part("apply").text() == "Import 11 boxes"
    assert "Left out (2)" in importing.tabs
    importing.part("tabs").setCurrentIndex(2)
    importing.part("left-list").selectAll()
    QTest.keyClick(importing.part("left-list"), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert "Annotations/k.xml:3: <xmin>" in QGuiApplication.clipboard().text()


def test_a_folder_that_is_dropped_is_read(importing: Importing, folder: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    copy = Qt.DropAction.CopyAction
    QApplication.sendEvent(importing.dialog, QDragEnterEvent(QPoint(50, 50), copy, data, left, none))
    QApplication.sendEvent(importing.dialog, QDropEvent(QPointF(50, 50), copy, data, left, none))
    importing.wait()
    field: QLineEdit = importing.part("path")
    assert field.text() == str(folder)
    assert importing.part("apply").text() == "Import 13 boxes"


# --- sample images ---


def test_three_telling_images_are_shown_with_their_boxes_and_names(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    importing.wait_for_pictures()
    shown = [importing.sample(number) for number in (1, 2, 3)]
    assert shown[0][0].endswith("m.jpg"), "it has most boxes"
    assert len({name for name, _ in shown}) == 3
    assert [len(view.boxes) for _, view in shown] == [3, 2, 2]
    assert all(view.picture is not None for _, view in shown)


def test_three_others_are_others(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    first = {importing.sample(number)[0] for number in (1, 2, 3)}
    importing.part("others").click()
    second = {importing.sample(number)[0] for number in (1, 2, 3)}
    assert len(first | second) == 6
    importing.part("others").click()
    assert {importing.sample(number)[0] for number in (1, 2, 3)} == first


def test_a_click_on_a_sample_opens_it_large(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    importing.wait_for_pictures()
    QTest.mouseClick(importing.sample()[1], Qt.MouseButton.LeftButton)
    large = find(importing.dialog, SamplePicture, "import-large-picture")
    importing.wait_for_pictures()
    assert large.isVisible()
    assert large.picture is not None
    assert len(large.boxes) == 3


def test_a_sample_without_its_file_says_so(importing: Importing, folder: Path) -> None:
    come_in(importing, folder)
    (folder / "JPEGImages" / "m.jpg").unlink()
    write(folder, "m", *FIRST)
    importing.read(folder)
    assert importing.sample(1)[0] == "m.jpg", "it differs"
    assert importing.sample(1)[1].sentence == "Its image file is missing."


def test_a_path_that_is_nothing_is_typed_over(importing: Importing, folder: Path, tmp_path: Path) -> None:
    field: QLineEdit = importing.part("path")
    field.setFocus()
    field.setText(str(tmp_path / "nothing"))
    QTest.keyClick(field, Qt.Key.Key_Return)
    importing.wait()
    assert importing.dialog.focusWidget() is field
    QTest.keyClicks(field, str(folder))
    QTest.keyClick(field, Qt.Key.Key_Return)
    importing.wait()
    assert field.text() == str(folder)
    assert importing.part("apply").text() == "Import 13 boxes"
    importing.dialog.close()
    importing.dialog.show()
    assert f"Enter reads {folder.name} again" in find(importing.dialog, QLabel, "import-empty-sentence").text()
    QTest.keyClick(importing.dialog.focusWidget(), Qt.Key.Key_Return)
    importing.wait()
    assert importing.part("apply").text() == "Import 13 boxes"
