"""Files that came, went and were renamed in the folders of a project are found; what was renamed keeps its boxes."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as Picture

from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders import file_changes
from workbench.core.folders.file_changes import FileChanges, LastSeen, Renamed, Stamp
from workbench.core.project import Box, Image, Label, State


def write_photographs(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Picture.new("RGB", (200, 100)).save(folder / name)


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    """a.png, b.png and c.png; a.png is done and has a box with a note."""
    write_photographs(tmp_path / "photographs", ["a.png", "b.png", "c.png"])
    for number, name in enumerate("abc"):
        os.utime(tmp_path / "photographs" / f"{name}.png", (1e9 + number, 1e9 + number))
    with Document.create(tmp_path / "project", tmp_path / "photographs") as made:
        made.do(edits.AddLabels((Label(0, "cell"),)))
        first = made.images()[0].id
        made.draw((Box(0, first, made.labels()[0].id, (1, 2, 30, 40), note="ask Anna"),))
        made.do(edits.SetState((first,), State.DONE))
        yield made


@pytest.fixture
def photographs(document: Document) -> Path:
    return document.file(document.images()[0]).parent


def stamp(file: Path) -> Stamp:
    about = file.stat()
    return about.st_mtime_ns, about.st_size


def find_changes(document: Document, last_seen: LastSeen = lambda _: {}) -> FileChanges:
    return file_changes.find_changes(document.folder, document.roots(), document.images(), last_seen)


def test_what_came_and_went_is_told_by_one_listing(document: Document, photographs: Path) -> None:
    write_photographs(photographs / "later", ["x.png"])
    (photographs / "b.png").unlink()
    found = find_changes(document)
    assert found.new == {photographs: ("later/x.png",)}
    assert found.gone == {document.images()[1].id}
    assert found.renamed == ()


@pytest.mark.parametrize(
    ("before", "after"), [("q.png", "Q.PNG"), ("z\u00fcrich.png", "zu\u0308rich.png")], ids=["case", "a Mac's letters"]
)
def test_a_file_in_another_spelling_is_the_same_where_the_disk_takes_both(
    document: Document, photographs: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """As those of Windows and Macs do; on others it is another file."""
    write_photographs(photographs, [before])
    document.add_folder(photographs)
    (photographs / before).rename(photographs / after)
    assert [one.name for one in find_changes(document).renamed] == [after]

    def there(path: Path) -> Path:
        """The file that such a disk takes it for."""
        plain = unicodedata.normalize("NFC", path.name).casefold()
        names = (name for name in os.listdir(path.parent) if unicodedata.normalize("NFC", name).casefold() == plain)
        return path.with_name(next(names, path.name))

    is_gone, same = file_changes._is_gone, os.path.samefile
    monkeypatch.setattr(file_changes, "_is_gone", lambda path: is_gone(there(path)))
    monkeypatch.setattr(os.path, "samefile", lambda one, other: same(there(Path(one)), there(Path(other))))
    found = find_changes(document)
    assert (found.new, found.gone, found.renamed) == ({}, frozenset(), ())
    assert document.add_folder(photographs) is None, "it would be in the project twice"


def test_a_folder_inside_another_is_looked_through_with_it(document: Document, photographs: Path) -> None:
    write_photographs(photographs.parent, ["above.png"])
    document.add_folder(photographs.parent)
    assert find_changes(document).new == {}
    (photographs / "c.png").unlink()
    write_photographs(photographs, ["x.png"])
    found = find_changes(document)
    assert found.new == {photographs.parent: ("photographs/x.png",)}
    assert len(found.gone) == 1


def test_a_hidden_file_that_is_there_is_not_gone(document: Document, photographs: Path) -> None:
    write_photographs(photographs, [".hidden.png"])
    document.add_described(photographs, [Image(0, ".hidden.png")])
    assert find_changes(document).gone == frozenset()


def test_a_file_at_which_nobody_may_look_is_not_called_gone(document: Document, photographs: Path) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    document.add_described(photographs, [Image(0, f"{'x' * 300}/d.png")])
    (photographs / "b.png").unlink()
    assert find_changes(document).gone == {document.images()[1].id}


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_renamed_file_is_the_same_image_with_its_boxes(document: Document, photographs: Path, is_seen: bool) -> None:
    """By time and bytes, where its thumbnail was made; else by its date, which is that of the file, and its size."""
    file, image = photographs / "a.png", document.images()[0]
    seen = {file: stamp(file)} if is_seen else {}
    (photographs / "later").mkdir()
    file.rename(photographs / "later" / "new name.png")
    found = find_changes(document, lambda _: seen)
    assert found.renamed == (Renamed(image.id, photographs, "later/new name.png"),)
    assert (found.new, found.gone) == ({}, {image.id})
    before = document.boxes(image.id)
    document.do(file_changes.rename_edit(document, found.renamed))
    now = document.image(image.id)
    assert (now.path, now.state) == ("later/new name.png", State.DONE)
    assert document.file(now).is_file()
    assert document.boxes(image.id) == before
    assert len(document.images()) == 3
    assert find_changes(document) == file_changes.FileChanges(document.folder, {}, frozenset())
    document.undo()
    assert document.image(image.id) == image
    assert document.boxes(image.id) == before


def test_what_can_not_be_told_apart_is_not_taken_for_a_renamed_file(document: Document, photographs: Path) -> None:
    a, b, c = (photographs / f"{name}.png" for name in "abc")
    os.utime(c, (1e9, 1e9))
    document.update_headers([replace(document.images()[2], date=1e9)])
    a.rename(photographs / "x.png")  # c.png has this date too
    assert find_changes(document).renamed == ()
    seen = {a: stamp(c), b: stamp(c)}  # two are gone, and either may be the one that came
    b.unlink()
    os.utime(photographs / "x.png", ns=(stamp(c)[0], stamp(c)[0]))
    assert find_changes(document, lambda _: seen).renamed == ()


def test_another_frame_of_the_same_time_and_size_is_another_image(document: Document, photographs: Path) -> None:
    """As those of one archive without compression: its boxes would have gone to another picture."""
    files = [photographs / f"{number}.bmp" for number in range(4)]
    for number, file in enumerate(files):
        Picture.new("RGB", (20, 10), (number, 0, 0)).save(file)
        os.utime(file, (1e9 + 9, 1e9 + 9))
    kept = files.pop()
    data, now = kept.read_bytes(), stamp(kept)
    kept.unlink()
    document.add_folder(photographs)
    files[1].unlink()
    kept.write_bytes(data)
    os.utime(kept, ns=(now[0], now[0]))
    found = find_changes(document, lambda asked: dict.fromkeys(asked, now))
    assert found.new == {photographs: ("3.bmp",)}
    assert found.renamed == ()
    for file in (files[0], files[2]):
        os.utime(file, (1e9 + 20, 1e9 + 20))  # then it is the only one
    assert [one.name for one in find_changes(document, lambda _: {files[1]: now}).renamed] == ["3.bmp"]


def test_another_picture_of_the_same_date_is_another_image(document: Document, photographs: Path) -> None:
    (photographs / "a.png").unlink()
    Picture.new("RGB", (30, 20)).save(photographs / "x.png")
    os.utime(photographs / "x.png", (1e9, 1e9))
    assert find_changes(document).renamed == ()


def test_a_name_that_was_added_meanwhile_is_not_taken_twice(document: Document, photographs: Path) -> None:
    (photographs / "a.png").rename(photographs / "x.png")
    found = find_changes(document)
    assert len(found.renamed) == 1
    document.add_folder(photographs)
    edit = file_changes.rename_edit(document, found.renamed)
    assert edit.touches() == set()


def test_what_was_declined_is_not_offered_again(document: Document, photographs: Path) -> None:
    write_photographs(photographs, ["x.png", "y.png"])
    cache = document.cache_folder
    assert file_changes.declined(cache) == set()
    file_changes.decline(cache, [str(photographs / "x.png")])
    found = find_changes(document).without(file_changes.declined(cache))
    assert found.new == {photographs: ("y.png",)}
    (cache / file_changes.DECLINED).write_text("{", "utf-8")
    assert file_changes.declined(cache) == set()


def test_only_those_that_are_gone_are_asked_for(document: Document, photographs: Path) -> None:
    asked: list[Path] = []

    def last_seen(files: Sequence[Path]) -> dict[Path, Stamp]:
        asked.extend(files)
        return {}

    find_changes(document, last_seen)
    (photographs / "a.png").rename(photographs / "x.png")
    find_changes(document, last_seen)
    assert asked == [photographs / "a.png"]
