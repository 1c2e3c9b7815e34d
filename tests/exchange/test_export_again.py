"""An export into a folder that is not empty: no photograph is overwritten, and nothing of the last export is left."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from tests.exchange.exports import NAMES, by_path, edit, filled, out, tree, warnings
from tests.formats.making import picture, text, voc_file, voc_object
from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders import file_changes
from workbench.core.project import Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange import export_again, export_folder, export_history, export_labels, remember
from workbench.exchange.export_folder import LIST

FORMATS = tuple(sorted(name for name, member in formats.load_all() if type(member).__module__.startswith("workbench.")))


@pytest.fixture
def document(tmp_path: Path) -> Iterator[Document]:
    with filled(tmp_path) as made:
        yield made


# --- photographs ---


def copied_over(document: Document, folder: Path, format: str) -> None:
    """The control: an export that puts each image where the format expects it, whatever is there."""
    snapshot = document.snapshot()
    for file, place in zip(snapshot.files, formats.formats.get(format).places(snapshot), strict=True):
        if not ((folder / place).exists() and (folder / place).samefile(file)):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / place)


@pytest.mark.parametrize("way", ["export", "control"])
@pytest.mark.parametrize("linked", [False, True], ids=["", "linked"])
@pytest.mark.parametrize(
    ("format", "first", "second"),
    [
        ("yolo", "images/train", "images/val"),  # each goes where the other lies
        ("voc", "JPEGImages/night", "JPEGImages/night/day"),
    ],
)
def test_a_folder_with_photographs_of_the_project_gets_no_copies(
    tmp_path: Path, format: str, first: str, second: str, linked: bool, way: str
) -> None:
    folder = tmp_path / "set"
    for number, name in enumerate((first, second, "JPEGImages")):
        picture(folder / name / "a.jpg", grey=90 * number)
    seen = folder
    if linked:
        seen = tmp_path / "link"
        seen.symlink_to(folder, target_is_directory=True)
    with Document.create(tmp_path / "p", images=seen / first) as document:
        if format == "yolo":
            root, image = document.add_root(seen / second), document.images()[0]
            document.do(edits.AddImages((dataclasses.replace(image, id=7, root=root, path="a.jpg"),)))
            document.do(edits.SetSplit((1,), Split.VALIDATION))
            document.do(edits.SetSplit((7,), Split.TRAIN))
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.do(edits.AddBoxes(tuple(Box(0, image.id, 1, (1, 1, 9, 9)) for image in document.images())))
        before = tree(folder)
        if way == "control":
            copied_over(document, folder, format)
            assert any(tree(folder)[name] != data for name, data in before.items())
            return
        with pytest.raises(WorkbenchError, match=r"holds photographs of the project.* Choose a new folder"):
            out(document, folder, format)
        assert tree(folder) == before, "nothing was written at all"
        assert out(document, folder, format, copies=False).copied == 0
        assert {name: tree(folder)[name] for name in before} == before


def test_a_picture_that_no_export_wrote_is_not_overwritten(document: Document, tmp_path: Path) -> None:
    theirs = picture(tmp_path / "set" / "images" / "train" / "b.jpg", grey=255).read_bytes()
    before = tree(tmp_path / "set")
    with pytest.raises(WorkbenchError, match=r"train/b.jpg would be overwritten .* Choose a new folder"):
        out(document, tmp_path / "set")
    assert tree(tmp_path / "set") == before
    copied_over(document, tmp_path / "set", "yolo")
    assert tree(tmp_path / "set")["images/train/b.jpg"] != theirs, "the control did"


def test_the_same_picture_that_somebody_put_there_stays_theirs(document: Document, tmp_path: Path) -> None:
    theirs = tmp_path / "set" / "images" / "train" / "b.jpg"
    theirs.parent.mkdir(parents=True)
    shutil.copyfile(tmp_path / "photographs" / "b.jpg", theirs)
    assert out(document, tmp_path / "set").copied == len(NAMES)
    document.do(edits.RemoveImages((by_path(document)["b.jpg"], 90)))
    report = out(document, tmp_path / "set")
    assert theirs.is_file()
    assert report.removed == 3  # its label, and the other one with its label
    assert "image without objects" in warnings(report)["images/train/b.jpg"]


def test_our_own_copy_is_replaced_when_the_photograph_is_another_one(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    new = picture(tmp_path / "photographs" / "b.jpg", grey=255).read_bytes()
    assert out(document, tmp_path / "set").copied == 1
    copy = tmp_path / "set" / "images" / "train" / "b.jpg"
    assert copy.read_bytes() == new
    mine = picture(copy, grey=222).read_bytes()  # painted over by hand
    with pytest.raises(WorkbenchError, match="would be overwritten by another picture"):
        out(document, tmp_path / "set")
    assert copy.read_bytes() == mine


def test_a_picture_that_comes_while_others_are_copied_is_not_overwritten(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, late = export_folder.ExportFolder.copy, tmp_path / "set" / "images" / "train" / "c.jpg"

    def copying(self: export_folder.ExportFolder, one: export_folder.ImageCopy, part: Path) -> None:
        copy(self, one, part)
        if not late.exists():
            picture(late, grey=99)

    monkeypatch.setattr(export_folder.ExportFolder, "copy", copying)
    with pytest.raises(WorkbenchError, match="was changed while images were being copied"):
        out(document, tmp_path / "set")
    assert late.read_bytes() == picture(tmp_path / "c.jpg", grey=99).read_bytes()


def test_an_export_of_voc_does_not_overwrite_the_picture_next_to_the_project(tmp_path: Path) -> None:
    """As it was found: the project is of a folder below, and its a.jpg would go where another a.jpg lies."""
    other = picture(tmp_path / "set" / "JPEGImages" / "a.jpg", grey=10)
    picture(tmp_path / "photographs" / "a.jpg", grey=200)
    text(tmp_path / "photographs" / "a.xml", voc_file(voc_object("cat", (2, 2, 9, 9)), filename="a.jpg"))
    before = other.read_bytes()
    with Document.create(tmp_path / "p", images=tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.do(edits.AddBoxes((Box(0, 1, 1, (1, 1, 9, 9)),)))
        with pytest.raises(WorkbenchError, match="would be overwritten by another picture"):
            out(document, tmp_path / "set", "voc")
    assert other.read_bytes() == before


# --- what is left ---


@pytest.mark.parametrize("format", FORMATS)
def test_after_a_second_export_the_folder_is_as_a_new_one(document: Document, tmp_path: Path, format: str) -> None:
    out(document, tmp_path / "again", format)
    out(document, tmp_path / "control", format)
    edit(document)
    report = out(document, tmp_path / "again", format)
    out(document, tmp_path / "new", format)
    assert tree(tmp_path / "again") == tree(tmp_path / "new")
    assert report.removed
    assert not warnings(report)
    (tmp_path / "control" / LIST).unlink()  # nothing is known of the last export: what it left stays, and is told
    with pytest.raises(WorkbenchError, match="would be overwritten by another picture"):
        out(document, tmp_path / "control", format)
    blind = out(document, tmp_path / "control", format, copies=False)
    assert tree(tmp_path / "control") != tree(tmp_path / "new")
    left = {name for name, sentence in warnings(blind).items() if sentence.startswith("It is not from this export")}
    assert left
    assert left <= tree(tmp_path / "control").keys() - tree(tmp_path / "new").keys()


@pytest.mark.parametrize("format", FORMATS)
def test_images_follow_their_labels_when_only_labels_are_exported(
    document: Document, tmp_path: Path, format: str
) -> None:
    out(document, tmp_path / "set", format)
    edit(document)
    (tmp_path / "photographs" / "d" / "e.jpg").unlink()  # the copy is the last one
    out(document, tmp_path / "set", format, copies=False)
    picture(tmp_path / "photographs" / "d" / "e.jpg", grey=40 * 4)
    out(document, tmp_path / "new", format)
    assert tree(tmp_path / "set") == tree(tmp_path / "new")


@pytest.mark.parametrize("copies", [True, False], ids=["copies", "labels only"])
def test_an_image_that_takes_the_place_of_another_has_its_own_labels_there(
    document: Document, tmp_path: Path, copies: bool
) -> None:
    out(document, tmp_path / "set")
    was = tree(tmp_path / "set")
    document.do(edits.RemoveImages((by_path(document)["b.jpg"],)))
    assert out(document, tmp_path / "set", copies=copies).copied == 1
    now = tree(tmp_path / "set")
    for kind in ("images/train/{}.jpg", "labels/train/{}.txt"):
        assert now[kind.format("b")] == was[kind.format("b-2")]
        assert now[kind.format("b")] != was[kind.format("b")]
        assert kind.format("b-2") not in now


def test_a_missing_photograph_is_copied_from_the_last_export(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    shutil.move(tmp_path / "photographs" / "b.jpg", tmp_path / "b.jpg")
    document.do(edits.SetSplit((by_path(document)["b.jpg"],), Split.TEST))
    report = out(document, tmp_path / "set")
    assert (tmp_path / "set" / "images" / "test" / "b.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()
    assert not [remark for remark in report.remarks if "missing" in remark.sentence]
    new = out(document, tmp_path / "new")
    assert [remark.file for remark in new.remarks if "is missing" in remark.sentence] == ["images/test/b.jpg"]


def test_what_somebody_has_changed_since_stays_and_is_told(document: Document, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    out(document, folder)
    edit(document)
    gone, taken = "labels/train/f.txt", "labels/train/b.txt"
    for name in (gone, taken):
        (folder / name).write_text("0 0.5 0.5 0.1 0.1\n")
    (folder / "images/train/f.jpg").write_bytes(b"mine")
    told = warnings(out(document, folder))
    assert told.keys() == {gone, taken, "images/train/f.jpg"}
    assert "changed since, so it was not removed" in told[gone]
    assert (folder / gone).read_text() == "0 0.5 0.5 0.1 0.1\n"
    assert (folder / "images/train/f.jpg").read_bytes() == b"mine"
    assert "changed since the last export; it was replaced" in told[taken]  # --replace says that it may
    assert warnings(out(document, folder)).keys() == told.keys() - {taken}, "told again: they are still there"


def test_files_of_others_are_named_and_stay(document: Document, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    theirs = {
        "labels/train/x.txt": text(folder / "labels/train/x.txt", "0 0.5 0.5 0.1 0.1\n"),
        "images/train/x.jpg": picture(folder / "images/train/x.jpg"),
        "other.yaml": text(folder / "other.yaml", "names: [x]\n"),
        "README.txt": text(folder / "README.txt", "mine"),
        "pictures/y.jpg": picture(folder / "pictures/y.jpg"),
    }
    text(folder / "data.yaml", "names: [x]\n")
    report = out(document, folder)
    told = warnings(report)
    assert told.keys() == {"labels/train/x.txt", "images/train/x.jpg", "other.yaml", "data.yaml"}
    assert told["data.yaml"] == "The file that was here is of no export of this project; it was replaced."
    assert report.remarks[0].level == "warning", "first, where it is seen"
    assert all(file.is_file() for file in theirs.values())
    assert not warnings(out(document, tmp_path / "new")), "the control"


def test_another_format_in_the_same_folder_takes_the_place_of_the_first(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    out(document, tmp_path / "set", "voc")
    out(document, tmp_path / "new", "voc")
    assert tree(tmp_path / "set") == tree(tmp_path / "new")


# --- whose list it is ---


def test_the_list_of_another_project_is_no_leave_to_remove(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    told = json.loads((tmp_path / "set" / LIST).read_bytes())
    (tmp_path / "set" / LIST).write_text(json.dumps(told | {"project": "another's"}))
    before = tree(tmp_path / "set")
    edit(document)
    with pytest.raises(WorkbenchError, match=r"images/train/b.jpg would be overwritten by another picture"):
        out(document, tmp_path / "set")
    report = out(document, tmp_path / "set", copies=False)
    assert not report.removed
    assert before.keys() <= tree(tmp_path / "set").keys()


def test_projects_of_one_name_made_in_one_second_are_two(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    with Document.create(tmp_path / "elsewhere" / "p", images=tmp_path / "photographs") as other:
        other.do(edits.SetState(tuple(image.id for image in other.images()), State.DONE))
        before = tree(tmp_path / "set")
        assert not out(other, tmp_path / "set").removed
        assert before.keys() <= tree(tmp_path / "set").keys()


def test_a_renamed_project_knows_its_exports(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    edit(document)
    document.do(edits.ChangeSetting("name", "another name"))
    assert out(document, tmp_path / "set").removed


@pytest.mark.parametrize("name", ["p", "q"])
def test_an_older_project_has_only_the_second_it_was_made_in_and_its_name(
    document: Document, tmp_path: Path, name: str
) -> None:
    document.do(edits.ChangeSetting("created", "2026-11-30T07:49:35"))
    out(document, tmp_path / "set")
    edit(document)
    document.do(edits.ChangeSetting("name", name))
    if name == "p":
        assert out(document, tmp_path / "set").removed
    else:
        assert not out(document, tmp_path / "set", copies=False).removed


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 1}', b"\xff", b'{"version": 1, "project": "%s", "files": {"a": 5}}']
)
def test_a_damaged_list_is_none(document: Document, tmp_path: Path, content: bytes) -> None:
    out(document, tmp_path / "set")
    project = json.loads((tmp_path / "set" / LIST).read_bytes())["project"].encode()
    (tmp_path / "set" / LIST).write_bytes(content.replace(b"%s", project))
    assert not out(document, tmp_path / "set").removed
    assert not out(document, tmp_path / "set").removed


@pytest.mark.parametrize("name", ["../theirs.txt", "{outside}", "link/theirs.txt"])
def test_a_list_leads_to_nothing_outside(document: Document, tmp_path: Path, name: str) -> None:
    theirs = text(tmp_path / "theirs.txt", "theirs")
    out(document, tmp_path / "set")
    (tmp_path / "set" / "link").symlink_to(tmp_path, target_is_directory=True)
    inside = text(tmp_path / "set" / "ours.txt", "theirs")
    told = json.loads((tmp_path / "set" / LIST).read_bytes())
    said = [list(export_folder.size_and_hash(theirs))]
    told["files"] |= {name.format(outside=theirs): said, "ours.txt": said}
    (tmp_path / "set" / LIST).write_text(json.dumps(told))
    out(document, tmp_path / "set")
    assert theirs.is_file()
    if name == "link/theirs.txt":  # the control: the list was taken as true, but for this
        assert not inside.exists()


def test_a_moved_project_and_a_moved_folder_know_each_other(document: Document, tmp_path: Path) -> None:
    out(document, tmp_path / "set")
    edit(document)
    out(document, tmp_path / "new")
    document.close()
    (tmp_path / "p").rename(tmp_path / "q")
    (tmp_path / "set").rename(tmp_path / "moved")
    for file in (tmp_path / "moved").rglob("*"):
        os.utime(file, (1, 1))  # as after copying
    with Document.open(tmp_path / "q") as moved:
        out(moved, tmp_path / "moved")
    assert tree(tmp_path / "moved") == tree(tmp_path / "new")


def test_a_folder_written_anew_is_known_to_the_next_export(document: Document, tmp_path: Path) -> None:
    remember(document, out(document, tmp_path / "set"), document.labels(), copied=True)
    _, aside = export_again(document.snapshot(), export_history.past_exports(document)[0])
    edit(document)
    assert out(document, tmp_path / "set").removed
    out(document, tmp_path / "new")
    assert tree(tmp_path / "set") == tree(tmp_path / "new")
    assert (aside / LIST).is_file()


def test_copies_of_an_export_below_the_photographs_are_no_new_photographs(tmp_path: Path) -> None:
    """Taken as such each would be there twice, once without a split: what is measured would have been learnt."""
    picture(tmp_path / "photos" / "a.png")
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        document.do(edits.SetState((document.images()[0].id,), State.DONE))
        export_labels(
            document.snapshot(), "coco", tmp_path / "photos" / "out", copy_images=True, project=document.folder
        )
        assert (tmp_path / "photos/out/images/a.png").exists()
        assert file_changes.find_changes(document.folder, document.roots(), document.images()).new == {}
        picture(tmp_path / "photos" / "out" / "images" / "mine.png")
        assert file_changes.find_changes(document.folder, document.roots(), document.images()).new == {
            tmp_path / "photos": ("out/images/mine.png",)
        }


def test_photographs_that_nobody_may_look_at_are_missing_from_an_export_and_stop_none(
    document: Document, tmp_path: Path
) -> None:
    """As on a share that does not answer; the system refuses such a name in the same way."""
    snapshot = document.snapshot()
    away = tuple(tmp_path / ("x" * 300) / file.name for file in snapshot.files)
    report = export_labels(dataclasses.replace(snapshot, files=away), "yolo", tmp_path / "out", copy_images=True)
    assert (report.copied, report.boxes) == (0, len(snapshot.boxes))
    missing = [remark for remark in report.remarks if remark.level == "refused" and "is missing" in remark.sentence]
    assert len(missing) == len(snapshot.files)


def test_a_photograph_that_can_not_be_read_is_named_and_nothing_is_written(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was said that its copy could not be written, and to choose another folder."""

    def open_file(file: str | Path, mode: str) -> IO[Any]:
        if Path(file).name == "c.jpg" and "out" not in Path(file).parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), file)
        return open(file, mode)

    monkeypatch.setattr(export_folder, "open", open_file, raising=False)
    with pytest.raises(WorkbenchError, match=r"image file .*c\.jpg can't be read \(Permission denied\), so"):
        out(document, tmp_path / "out")
    assert not (tmp_path / "out").exists()
