"""Importing into a project that is edited: what differs is shown, and no edit is overwritten without being asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from tests.formats.making import picture, text
from tests.ui.data.import_window_driver import (
    FIRST,
    NAMES,
    Importing,
    come_in,
    document,
    draw,
    folder,
    importing,
    write,
)
from tests.ui.window_driver import boxes_on_disk
from workbench import exchange
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.ui.data.importing.findings import action_text, make_findings

__all__ = ["folder", "importing"]  # fixtures

# --- importing again ---


def test_what_was_edited_here_is_shown_beside_the_file_and_stays_unless_asked(
    importing: Importing, folder: Path, project: Path
) -> None:
    come_in(importing, folder)
    draw(importing, "n", 2, 20, 9, 29)
    write(folder, "o", FIRST[0])
    importing.read(folder)
    assert importing.lines("differences") == [
        "n.jpg|here|1 box fewer|stays as it is here",
        "o.jpg|in the file|1 box fewer|the file's boxes are taken",
    ]
    importing.part("differences-list").selectRow(0)
    name, view = importing.sample()
    assert (name, len(view.boxes)) == ("n.jpg", 2)
    assert [box.xyxy for box in view.project_boxes] == [(2, 20, 9, 29)], "only what the file has not"
    assert importing.part("legend").isVisible()
    importing.apply()
    counts = {name: len(boxes) for name, boxes in boxes_on_disk(project).items()}
    assert (counts["n.jpg"], counts["o.jpg"]) == (3, 1)


def test_where_nothing_would_change_the_button_says_so_and_is_off(tmp_path: Path) -> None:
    """It offered to import images of which a YOLO folder says nothing, and said that it had."""
    for name in NAMES[:3]:
        picture(tmp_path / "yolo" / f"{name}.jpg", grey=ord(name))
    text(tmp_path / "yolo" / "classes.txt", "cat\n")
    text(tmp_path / "yolo" / "k.txt", "0 0.5 0.5 0.2 0.2\n")
    with Document.create(tmp_path / "p", images=tmp_path / "yolo") as made:
        plan = exchange.plan_import(made, tmp_path / "yolo", "yolo")
        assert (plan.finished, plan.matched, action_text(make_findings(made, plan))) == (1, 1, "Import 1 box")
        assert "1 image marked done" in plan.sentence
        exchange.apply_import(made, plan)
        plan = exchange.plan_import(made, tmp_path / "yolo", "yolo")
        assert plan.sentence == "YOLO txt: there is nothing to import; 1 image the same already."
        assert (plan.is_empty, action_text(make_findings(made, plan))) == (True, "Nothing to import")


@pytest.mark.parametrize(("how", "words", "boxes"), [("replace", "the file's boxes are taken", 3), ("add", "both", 4)])
def test_what_becomes_of_both_is_decided_without_reading_again(
    importing: Importing, folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: str, boxes: int
) -> None:
    come_in(importing, folder)
    draw(importing, "n", 2, 20, 9, 29)
    write(folder, "n", *FIRST, (20, 20, 28, 28))
    importing.read(folder)
    assert not importing.part("apply").isEnabled()
    assert importing.part("apply").text() == "Nothing to import"
    monkeypatch.setattr(exchange, "plan_import", lambda *_: pytest.fail("read again"))
    importing.choose("existing", how)
    assert words in importing.lines("differences")[0]
    importing.apply()
    found = [box.xyxy for box in boxes_on_disk(project)["n.jpg"]]
    assert len(found) == len(set(found)) == boxes, "what both have is there once"


def test_other_files_are_imported_carefully_again(importing: Importing, folder: Path) -> None:
    """What a person chose for one import, such as to leave out what is damaged, is not meant for the next."""
    come_in(importing, folder)
    draw(importing, "n", 2, 20, 9, 29)
    importing.read(folder)
    importing.choose("existing", "replace")
    importing.part("skip").setChecked(True)
    importing.read(folder)
    assert importing.part("skip").isChecked(), "the same files"
    importing.dialog.close()
    importing.show()
    importing.read(folder)
    assert (importing.part("existing").currentData(), importing.part("skip").isChecked()) == ("update", False)
    importing.choose("existing", "replace")
    importing.part("skip").setChecked(True)
    importing.read(folder / "Annotations")
    assert (importing.part("existing").currentData(), importing.part("skip").isChecked()) == ("update", False)


def test_what_is_new_in_the_file_stands_out_in_the_picture(importing: Importing, folder: Path) -> None:
    come_in(importing, folder)
    write(folder, "p", *FIRST, (2, 20, 8, 28))
    importing.read(folder)
    name, view = importing.sample()
    assert name == "p.jpg", "what differs comes first"
    assert view._differing.tolist() == [[1, 19, 8, 28]]


def test_an_edit_while_the_window_is_open_is_not_overwritten(importing: Importing, folder: Path, project: Path) -> None:
    """The plan was to take the file's boxes: nobody had changed the image when it was made."""
    come_in(importing, folder)
    write(folder, "o", FIRST[0])
    importing.read(folder)
    assert importing.part("apply").text() == "Import 1 change"
    draw(importing, "o", 2, 20, 9, 29)
    assert not importing.part("apply").isEnabled(), "not before it was compared anew"
    importing.wait()
    assert importing.lines("differences") == ["o.jpg|on both sides|2 boxes fewer|stays as it is here"]
    assert not importing.part("apply").isEnabled()
    assert len(boxes_on_disk(project)["o.jpg"]) == 3


def test_without_comparing_anew_that_edit_would_be_overwritten(
    importing: Importing, folder: Path, project: Path
) -> None:
    """The control: the plan as it was made before the edit takes a box away from an image that was edited since."""
    come_in(importing, folder)
    write(folder, "o", FIRST[0])
    importing.read(folder)
    old = importing.dialog._found
    assert old is not None
    draw(importing, "o", 2, 20, 9, 29)
    importing.wait()
    exchange.apply_import(document(importing), old.plan)
    assert len(boxes_on_disk(project)["o.jpg"]) == 2


def test_images_that_come_while_the_window_is_open_are_not_added_twice(
    importing: Importing, folder: Path, project: Path
) -> None:
    importing.read(folder)
    assert "6 new to the project" in importing.sentence
    document(importing).add_folder(folder / "JPEGImages")
    importing.wait()
    assert "0 new to the project" in importing.sentence
    importing.apply()
    assert len(boxes_on_disk(project)) == 9


def test_differences_are_filtered_by_kind_and_sorted(importing: Importing, folder: Path) -> None:
    come_in(importing, folder)
    draw(importing, "p", 2, 20, 9, 29)
    draw(importing, "k", 2, 20, 9, 29)
    write(folder, "o", FIRST[0])
    importing.read(folder)
    table = importing.part("differences-list")
    table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    assert [line[0] for line in importing.lines("differences")] == ["p", "o", "k"]
    importing.part("differences-filter").setCurrentIndex(2)
    importing.part("differences-filter").activated.emit(2)
    assert [line[0] for line in importing.lines("differences")] == ["p", "k"]


def test_verified_images_are_not_touched(importing: Importing, folder: Path, project: Path) -> None:
    come_in(importing, folder)
    at = document(importing)
    image = next(image for image in at.images() if image.name == "o.jpg")
    at.do(edits.SetState((image.id,), State.VERIFIED))
    write(folder, "o", FIRST[0])
    importing.read(folder)
    assert importing.lines("differences") == ["o.jpg|on both sides|1 box fewer|stays as it is here"]
