"""A project as text: one line for an edit, half a file is seen, and the project can be made of it again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ui.window_driver import write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.formatting import one_line
from workbench.core.project import FLAGS, Box, Image, Label, Split, State
from workbench.core.storage import mirror, mirror_reader
from workbench.core.store import FILE
from workbench.errors import Refused

TABLES = ("meta", "root", "label", "image", "box")


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Document]:
    """Five images, two in a file."""
    monkeypatch.setattr(mirror, "BLOCK", 2)
    write_photographs(tmp_path / "photographs", ["a.png", "b ü 🐕.png", "c.png", "d.png", "e.png"])
    with Document.create(tmp_path / "project", tmp_path / "photographs", 'Cells "1"') as made:
        made.do(edits.AddLabels((Label(0, "cat"), Label(0, "dög 2"))))
        made.draw(
            (Box(0, 2, 1, (0.1, 1 / 3, 5, 5), difficult=True, note="half\u2028hidden", extra='{"voc":{"pose":1}}'),)
        )
        made.do(edits.SetState((1, 3), State.VERIFIED))
        made.do(edits.SetSplit((1,), Split.TEST))
        yield made


def contents(file: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(file)
    try:
        found = {table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in TABLES}
    finally:
        connection.close()
    found["meta"] = [row for row in found["meta"] if row[0] not in ("window.image", "window.label", "window.page")]
    return found


def rebuilt(folder: Path, to: Path) -> dict[str, list[Any]]:
    mirror_reader.rebuild(folder, to)
    return contents(to)


def test_a_project_is_the_same_when_made_of_its_text(document: Document, tmp_path: Path) -> None:
    assert mirror.write(document.folder) == 4
    assert sorted(file.name for file in (document.folder / "labels").iterdir()) == [
        "000.jsonl", "001.jsonl", "002.jsonl", "project.json",
    ]  # fmt: skip
    assert rebuilt(document.folder, tmp_path / "new.sqlite") == contents(document.folder / FILE)
    text = mirror.read_info(document.folder)
    assert (text.images, text.boxes) == (5, 1)


def test_ids_of_what_is_gone_are_not_given_again_after_that(document: Document, tmp_path: Path) -> None:
    """Networks and runs know by them what they mean: a new label was taken for a merged one that had had its id."""
    document.do(edits.AddLabels((Label(0, "late"),)))
    for edit in (edits.MergeLabels(3, 1), edits.RemoveLabel(1), edits.RemoveLabel(2), edits.RemoveImages((5,))):
        document.do(edit)
    assert (document.labels(), document.counts().total) == ((), 0), "of these none is left"
    mirror.write(document.folder)
    (tmp_path / "again").mkdir()
    mirror_reader.rebuild(document.folder, tmp_path / "again" / FILE)
    with Document.open(tmp_path / "again") as again:
        (label,) = again.do(edits.AddLabels((Label(0, "new"),))).added_labels
        (box,) = again.draw((Box(0, 1, label.id, (0, 0, 5, 5)),)).added_boxes
        again.do(edits.AddImages((Image(0, "f.png"),)))
        assert (label.id, box.id, again.images()[-1].id) == (4, 2, 6)


def test_a_text_with_other_line_ends_is_whole(document: Document, tmp_path: Path) -> None:
    """As git makes them on Windows, if it is not told otherwise."""
    mirror.write(document.folder)
    for file in (document.folder / "labels").iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert mirror.read_info(document.folder).images == 5
    assert rebuilt(document.folder, tmp_path / "new.sqlite") == contents(document.folder / FILE)


def test_an_edit_changes_one_line_and_the_seal(document: Document) -> None:
    mirror.write(document.folder)
    files = {file: file.read_text().splitlines() for file in (document.folder / "labels").glob("*.jsonl")}
    document.draw((Box(0, 3, 2, (1, 2, 3, 4)),))
    assert mirror.write(document.folder, {mirror.block_of(3)}) == 2  # the file and the head
    changed = {
        file.name: [(old, new) for old, new in zip(lines, file.read_text().splitlines(), strict=True) if old != new]
        for file, lines in files.items()
    }
    assert {name: len(lines) for name, lines in changed.items()} == {"000.jsonl": 0, "001.jsonl": 2, "002.jsonl": 0}
    line = json.loads(changed["001.jsonl"][0][1])
    assert line["boxes"] == [{"id": 2, "label": 2, "xyxy": [1.0, 2.0, 3.0, 4.0]}]
    assert mirror.write(document.folder) == 0, "what did not change is left alone"


def test_it_is_current_until_the_next_edit_undo_or_redo(document: Document) -> None:
    def is_current() -> bool:
        return document.store.read(lambda connection: mirror.is_current(document.folder, connection))

    assert not is_current()
    for step in (lambda: document.draw((Box(0, 3, 2, (1, 2, 3, 4)),)), document.undo, document.redo, document.undo):
        mirror.write(document.folder)
        assert is_current()
        step()
        assert not is_current()


def test_an_edit_of_another_part_than_was_to_be_written_is_still_missing(document: Document) -> None:
    """Killed before that part was written, too, its text stayed as it was until the next edit there."""
    mirror.write(document.folder)
    document.do(edits.SetState((1,), State.DONE))
    chosen, known = {mirror.block_of(1)}, document.store.read(mirror.edits_in)
    document.do(edits.SetState((5,), State.DONE))
    mirror.write(document.folder, chosen, known)
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))
    mirror.write(document.folder)
    assert document.store.read(lambda connection: mirror.is_current(document.folder, connection))


def test_a_text_with_another_place_of_the_images_is_not_current(document: Document, tmp_path: Path) -> None:
    mirror.write(document.folder)
    (root,) = document.roots()
    document.move_root(root, tmp_path / "elsewhere")
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))
    mirror.write(document.folder)
    assert document.store.read(lambda connection: mirror.is_current(document.folder, connection))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"edits": [0, 0]}', "<<<<<<< ours\n{}"])
def test_a_head_that_another_program_wrote_is_not_current(document: Document, text: str) -> None:
    """As git does where two changed it. Most of these kept the project from being opened in the window."""
    (document.folder / "labels").mkdir()
    (document.folder / "labels" / "project.json").write_text(text)
    document.clear_history()
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))
    mirror.write(document.folder)
    assert document.store.read(lambda connection: mirror.is_current(document.folder, connection))


def test_images_that_go_take_their_files_along(document: Document, tmp_path: Path) -> None:
    mirror.write(document.folder)
    document.do(edits.RemoveImages((5,)))
    mirror.write(document.folder)
    assert not (document.folder / "labels" / "002.jsonl").exists()
    assert rebuilt(document.folder, tmp_path / "new.sqlite") == contents(document.folder / FILE)


def test_every_cut_and_every_changed_byte_of_a_file_is_seen(document: Document, tmp_path: Path) -> None:
    mirror.write(document.folder)
    file = document.folder / "labels" / "000.jsonl"
    whole = file.read_bytes()
    for place in range(len(whole)):
        for broken in (whole[:place], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
            file.write_bytes(broken)
            with pytest.raises(Refused, match=r"^labels/000.jsonl"):
                mirror.read_info(document.folder)
    file.unlink()
    with pytest.raises(Refused, match="there are 3 images in its files, but there should be 5"):
        mirror.read_info(document.folder)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("", "not valid JSON"), ("[]", "not the head"), ('{"workbench": 1}', "not the head"),
        ('{"workbench": 2, "images": 5, "labels": [], "roots": [], "settings": {}}', "format 2"),
        ('{"workbench": 1, "images": 5, "labels": [], "roots": [], "settings": {}}', "parts don't match"),
        ('{"workbench": 1, "images": 5, "labels": [3], "roots": [], "settings": {}}', "parts don't match"),
    ],
)  # fmt: skip
def test_a_head_that_is_not_ours_is_refused(document: Document, tmp_path: Path, head: str, reason: str) -> None:
    mirror.write(document.folder)
    (document.folder / "labels" / "project.json").write_text(head)
    with pytest.raises(Refused, match=reason):
        mirror_reader.rebuild(document.folder, tmp_path / "new.sqlite")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[0.1,", "[", "too many values, or too few"),
        ("[0.1,", "[0,0.1,", "too many values, or too few"),
        ("[0.1,", "[NaN,", "000.jsonl:2: this is not an image"),
        ("[0.1,", "[1e999,", "box 1 of image 2 has a coordinate that is not a number"),
        ("[0.1,", '["x",', "don't match"),
        ("[0.1,", "[{},", "don't match"),
        ('"label":1', '"label":7', "box 1 has a label that is not there"),
        ('"label":1', '"lable":1', "000.jsonl:2: this is not an image"),
        ('"id":2,', '"id":1,', "don't match"),
        ('"id":2,', '"id":99999999999999999999,', "don't match"),
        ('"state":"in work"', '"state":"on fire"', "000.jsonl:2: this is not an image"),
        ('"root":1', '"root":5', "has a root that is not there"),
        ('"boxes":[]', '"boxes":3', "000.jsonl:1: this is not an image"),
        ('{"id":2,', '[{"id":2,', "000.jsonl:2: this is not an image"),
        ('"path":"', r'"path":"\ud800', "don't match"),
        ('"path":"', r'"path":"\u0000', "don't match"),
    ],
)
def test_a_text_that_is_whole_but_not_ours_is_refused(
    document: Document, tmp_path: Path, old: str, new: str, reason: str
) -> None:
    mirror.write(document.folder)
    file = document.folder / "labels" / "000.jsonl"
    *lines, seal = file.read_bytes().splitlines(keepends=True)
    text = b"".join(lines).replace(old.encode(), new.encode(), 1)
    assert text != b"".join(lines), "the case is about something else"
    file.write_bytes(text + mirror._Seal.of(text, len(lines), json.loads(seal)["boxes"]).line.encode())
    with pytest.raises(Refused, match=reason):
        mirror_reader.rebuild(document.folder, tmp_path / "new.sqlite")


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_project_is_the_same_when_made_of_its_text(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.mktemp("mirror")
    words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    numbers = st.floats(-1e6, 1e6)
    names = data.draw(st.lists(words.map(one_line).filter(bool), min_size=1, max_size=3, unique=True))
    write_photographs(base / "photographs", ["a.png", "b.png"])
    with Document.create(base / "p", base / "photographs") as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in names)))
        for _ in range(data.draw(st.integers(0, 4))):
            x0, y0, x1, y1 = data.draw(st.tuples(numbers, numbers, numbers, numbers))
            flags: dict[str, Any] = {name: data.draw(st.booleans()) for name in FLAGS}
            image, label = data.draw(st.integers(1, 2)), data.draw(st.integers(1, len(names)))
            document.draw((Box(0, image, label, (x0, y0, x1, y1), **flags, note=data.draw(words)),))
        mirror.write(document.folder)
        assert rebuilt(document.folder, base / "new.sqlite") == contents(document.folder / FILE)
    shutil.rmtree(base)


def test_an_edit_waits_while_a_block_is_read_and_not_while_its_text_is_made(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.store.connection.execute("PRAGMA busy_timeout = 0")
    edited, real = list[object](), mirror._json

    def edits_meanwhile(value: str | float) -> str:
        edited.append(document.do(edits.SetState((1,), State.DONE)) if not edited else None)
        return real(value)

    monkeypatch.setattr(mirror, "_json", edits_meanwhile)
    mirror.write(document.folder)
    assert edited
    assert not document.store.read(lambda connection: mirror.is_current(document.folder, connection))
