"""Label files beside the images: up to date after each edit, never over what another program has written."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from tests.exchange.beside import document, draw, files, photographs, sync, told
from tests.formats.making import picture, text, voc_file, voc_object
from workbench import formats
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, State
from workbench.errors import WorkbenchError
from workbench.exchange import ChangedSide, apply_import, autosync, keep_files, plan_import

__all__ = ["document", "photographs"]  # fixtures


def test_yolo_files_lie_next_to_the_images_with_the_list_of_labels(document: Document, photographs: Path) -> None:
    assert told(sync(document)) == (1, 0, [])
    assert files(photographs) == {"a.txt": "0 0.35 0.35 0.5 0.5\n", "classes.txt": "cat\nbig dog\n"}
    draw(document, "sub/c.jpg", 0, 0, 40, 30, label=1)
    assert told(sync(document)) == (1, 1, [])
    assert files(photographs)["sub/c.txt"] == "1 0.5 0.5 1 1\n"
    assert files(photographs)["sub/classes.txt"] == "cat\nbig dog\n"
    assert told(sync(document)) == (0, 2, [])


def test_voc_files_are_what_an_export_would_write(document: Document, photographs: Path) -> None:
    sync(document, "voc")
    (xml,) = files(photographs).values()
    assert "<filename>a.jpg</filename>" in xml
    assert "<xmin>5</xmin>" in xml
    read = formats.load_all().get("voc").read(photographs)
    assert [box.xyxy for image in read.images for box in image.boxes] == [(4, 3, 24, 18)]


@pytest.mark.parametrize(
    ("image", "format", "expected"),
    [
        ("/d/photos/a.jpg", "yolo", "/d/photos/a.txt"),
        ("/d/images/train/a.jpg", "yolo", "/d/labels/train/a.txt"),
        ("/d/train/images/a.b.jpg", "yolo", "/d/train/labels/a.b.txt"),
        ("/images/d/images/a.jpg", "yolo", "/images/d/labels/a.txt"),
        ("/d/JPEGImages/a.jpg", "voc", "/d/Annotations/a.xml"),
        ("/d/images/a.jpg", "voc", "/d/images/a.xml"),
    ],
)
def test_the_files_lie_where_trainers_look(image: str, format: str, expected: str) -> None:
    assert autosync.label_file_of(Path(image), format) == Path(expected)


def test_an_image_with_nothing_on_it_has_an_empty_file_and_one_that_nobody_has_seen_has_none(
    document: Document, photographs: Path
) -> None:
    b = next(image.id for image in document.images() if image.path == "b.jpg")
    document.do(edits.SetState((b,), State.DONE))
    sync(document)
    assert files(photographs)["b.txt"] == ""
    document.undo()
    assert told(sync(document)) == (1, 1, [])
    assert "b.txt" not in files(photographs), "ours, and no longer true"


def test_what_another_program_wrote_is_never_overwritten(document: Document, photographs: Path) -> None:
    sync(document)
    theirs = "0 0.1 0.1 0.1 0.1\n"
    (photographs / "a.txt").write_text(theirs)
    (photographs / "b.txt").write_text(theirs)  # there before we ever wrote it
    draw(document, "a.jpg", 1, 1, 9, 9)
    draw(document, "b.jpg", 1, 1, 9, 9)
    assert told(sync(document)) == (0, 0, ["a.txt", "b.txt"])
    assert files(photographs)["a.txt"] == files(photographs)["b.txt"] == theirs
    document.undo(), document.undo(), document.undo()
    a = next(image.id for image in document.images() if image.path == "a.jpg")
    assert not document.boxes(a)
    assert told(sync(document)) == (0, 0, ["a.txt"]), "nor removed"
    assert files(photographs)["a.txt"] == theirs


def test_a_file_that_another_program_made_is_never_removed(tmp_path: Path, photographs: Path) -> None:
    """An import that is undone leaves images without labels; the files that it read are not ours."""
    (photographs / "classes.txt").write_text("cat\n")
    (photographs / "a.txt").write_text("0 0.35 0.35 0.5 0.5\n")
    with Document.create(tmp_path / "q", images=photographs) as document:
        apply_import(document, plan_import(document, photographs, "yolo"))
        assert told(sync(document)) == (0, 1, [])
        document.undo()
        assert told(sync(document)) == (0, 0, ["a.txt"])
        assert files(photographs)["a.txt"] == "0 0.35 0.35 0.5 0.5\n"
        assert told(sync(document)) == (0, 0, []), "told once"


def test_a_file_of_an_image_that_was_removed_and_came_again_is_not_removed(
    document: Document, photographs: Path
) -> None:
    sync(document)
    a = next(image.id for image in document.images() if image.path == "a.jpg")
    document.do(edits.RemoveImages((a,)))
    sync(document)
    document.add_folder(photographs)
    assert told(sync(document)) == (0, 0, ["a.txt"])
    assert files(photographs)["a.txt"] == "0 0.35 0.35 0.5 0.5\n", "the only copy of its labels"


def test_what_another_program_put_back_is_not_overwritten(tmp_path: Path, photographs: Path) -> None:
    first, second = "0 0.35 0.35 0.5 0.5\n", "0 0.5 0.5 0.5 0.5\n"
    (photographs / "classes.txt").write_text("cat\n")
    (photographs / "a.txt").write_text(first)
    with Document.create(tmp_path / "q", images=photographs) as document:
        for lines in (first, second):
            (photographs / "a.txt").write_text(lines)
            plan = plan_import(document, photographs, "yolo")
            keep_files(document.folder, plan, apply_import(document, plan))
        sync(document)
        (photographs / "a.txt").write_text(first)
        assert told(sync(document)) == (0, 0, ["a.txt"])
        assert files(photographs)["a.txt"] == first


def test_an_outline_is_not_overwritten_by_its_box(tmp_path: Path, photographs: Path) -> None:
    outline = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    (photographs / "classes.txt").write_text("cat\n")
    (photographs / "a.txt").write_text(outline)
    with Document.create(tmp_path / "q") as document:
        plan = plan_import(document, photographs, "yolo")
        keep_files(document.folder, plan, apply_import(document, plan))
        assert told(sync(document)) == (0, 1, [])
        draw(document, "a.jpg", 0, 0, 40, 30)
        assert told(sync(document)) == (0, 0, ["a.txt"])
        assert files(photographs)["a.txt"] == outline


def test_images_of_two_folders_one_inside_the_other_do_not_share_a_file(tmp_path: Path) -> None:
    picture(tmp_path / "n" / "sub" / "a.jpg", grey=1)
    Picture.new("RGB", (40, 30)).save(tmp_path / "n" / "sub" / "a.png")
    with Document.create(tmp_path / "q", images=tmp_path / "n" / "sub") as document:
        document.do(edits.RemoveImages((document.images()[1].id,)))
        outer = Image(0, "sub/a.png", root=document.add_root(tmp_path / "n"), width=40, height=30)
        document.do(edits.AddImages((outer,)))
        document.do(edits.AddLabels((Label(0, "cat"),)))
        draw(document, "a.jpg", 4, 3, 24, 18)
        draw(document, "sub/a.png", 0, 0, 40, 30)
        assert [file.name for file in sync(document).sharing] == ["a.png"]
        assert (tmp_path / "n" / "sub" / "a.txt").read_text() == "0 0.35 0.35 0.5 0.5\n"


def test_voc_files_that_count_from_0_go_on_doing_so(tmp_path: Path) -> None:
    """What is written beside them anew would else move all the others by a pixel at the next import."""
    for name, corners in (("a", (0, 5, 20, 20)), ("b", (5, 5, 20, 20))):
        picture(tmp_path / "set" / f"{name}.jpg", 40, 30, grey=ord(name))
        text(tmp_path / "set" / f"{name}.xml", voc_file(voc_object("cat", corners), filename=f"{name}.jpg"))
    with Document.create(tmp_path / "q") as document:
        plan = plan_import(document, tmp_path / "set", "voc")
        keep_files(document.folder, plan, apply_import(document, plan))
        a = next(image for image in document.images() if image.name == "a.jpg")
        (box,) = document.boxes(a.id)
        document.do(edits.ReplaceBoxes((Box(box.id, a.id, box.label, (3, 5, 20, 20)),)))
        before = [box.xyxy for image in document.images() for box in document.boxes(image.id)]
        assert before == [(3, 5, 20, 20), (5, 5, 20, 20)]
        assert told(sync(document, "voc")) == (1, 1, [])
        text(tmp_path / "set" / "c.xml", voc_file(voc_object("cat", (0, 0, 5, 5)), filename="c.jpg"))
        picture(tmp_path / "set" / "c.jpg", 40, 30, grey=3)
        plan = plan_import(document, tmp_path / "set", "voc")
        assert [one.changed for one in plan.differences] == [ChangedSide.NOWHERE] * 2


def test_imported_files_stay_byte_for_byte_until_their_image_is_edited(tmp_path: Path, photographs: Path) -> None:
    came = "0  0.350000 0.350000 0.500000 0.500000"
    (photographs / "a.txt").write_text(came)
    (photographs / "classes.txt").write_text("cat\n")
    with Document.create(tmp_path / "q") as document:
        plan = plan_import(document, photographs, "yolo")
        keep_files(document.folder, plan, apply_import(document, plan))
        assert told(sync(document)) == (0, 1, [])
        assert files(photographs) == {"a.txt": came, "classes.txt": "cat\n"}
        draw(document, "a.jpg", 0, 0, 40, 30)
        assert told(sync(document)) == (1, 0, []), "what it said came in, so nothing is lost"
        assert files(photographs)["a.txt"] == "0 0.35 0.35 0.5 0.5\n0 0.5 0.5 1 1\n"
        document.undo()
        sync(document)
        assert files(photographs)["a.txt"] == came


def test_what_others_changed_is_found_and_comes_in_by_an_import(document: Document, photographs: Path) -> None:
    sync(document)
    assert autosync.foreign(document.folder) == ()
    file = photographs / "a.txt"
    file.touch()
    assert autosync.foreign(document.folder) == (), "the same bytes"
    file.write_text(file.read_text() + "1 0.5 0.5 0.1 0.1\n")
    assert autosync.foreign(document.folder) == (file,)
    plan = plan_import(document, photographs, "yolo")
    (difference,) = plan.differences
    assert (difference.added, difference.removed, difference.moved) == (1, 0, 0)
    assert difference.changed is ChangedSide.FILE, "the program knows what it had written there"
    assert plan.boxes == 1


def test_what_the_program_wrote_itself_is_no_difference_in_an_import(document: Document, photographs: Path) -> None:
    """The file lacks the crowd and what was cut off at the border: that was told as changed on both sides."""
    draw(document, "b.jpg", 30, 20, 55, 40)
    draw(document, "b.jpg", 1, 1, 9, 9)
    boxes = document.boxes(document.images()[1].id)
    document.do(edits.ReplaceBoxes((dataclasses.replace(boxes[1], crowd=True),)))
    sync(document)
    assert len(files(photographs)["b.txt"].splitlines()) == 1
    plan = plan_import(document, photographs, "yolo")
    assert [one.changed for one in plan.differences] == [ChangedSide.NOWHERE] * 2
    assert (plan.boxes, plan.matched, plan.left) == (0, 0, 0)
    draw(document, "a.jpg", 1, 1, 9, 9)
    file = photographs / "b.txt"
    file.write_text(file.read_text() + "1 0.5 0.5 0.1 0.1\n")
    plan = plan_import(document, photographs, "yolo")
    told = {one.image.path: (one.changed, one.added, one.removed) for one in plan.differences}
    assert told == {"a.jpg": (ChangedSide.HERE, 0, 1), "b.jpg": (ChangedSide.FILE, 1, 0)}, "the crowd stays"


def test_two_images_of_one_name_do_not_write_over_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    picture(folder / "a.jpg", grey=1)
    Picture.new("RGB", (40, 30)).save(folder / "a.png")
    picture(folder / "a.b.jpg", grey=2)
    with Document.create(tmp_path / "q", images=folder) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        for path in ("a.jpg", "a.png", "a.b.jpg"):
            draw(document, path, 4, 3, 24, 18)
        synced = sync(document)
    assert synced.files == 2
    assert [file.name for file in synced.sharing] == ["a.png"]
    assert (folder / "a.b.txt").is_file()


def test_a_folder_that_cannot_be_written_is_told(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise WorkbenchError("The disk is full.")

    monkeypatch.setattr(autosync, "atomic_write", full)
    synced = sync(document)
    assert [file.name for file in synced.failed] == ["classes.txt"]
    assert "1 could not be written" in synced.sentence


def test_project_and_images_can_be_moved_together(tmp_path: Path) -> None:
    picture(tmp_path / "all" / "photographs" / "a.jpg", 40, 30)
    with Document.create(tmp_path / "all" / "p", images=tmp_path / "all" / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        draw(document, "a.jpg", 4, 3, 24, 18)
        sync(document)
    os.rename(tmp_path / "all", tmp_path / "moved")
    with Document.open(tmp_path / "moved" / "p") as document:
        document.move_root(1, tmp_path / "moved" / "photographs")
        draw(document, "a.jpg", 1, 1, 9, 9)
        assert told(sync(document)) == (1, 0, [])


def test_some_images_are_brought_up_without_a_look_at_the_others(document: Document, photographs: Path) -> None:
    draw(document, "b.jpg", 1, 1, 9, 9)
    b = next(image.id for image in document.images() if image.path == "b.jpg")
    some = document.snapshot({b})
    assert [image.path for image in some.images] == ["b.jpg"]
    assert some.boxes.tolist() == [[1, 1, 9, 9]]
    autosync.remember(document, autosync.update_files(document.folder, "yolo", some))
    assert set(files(photographs)) == {"b.txt", "classes.txt"}


def test_images_are_never_touched(document: Document, photographs: Path) -> None:
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in photographs.rglob("*.jpg")}
    sync(document, "voc"), sync(document, "yolo")
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in before} == before


def test_the_command_line_keeps_them_up_to_date_after_each_command(
    document: Document, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = str(document.folder)
    document.close()
    assert main(["autosync", project, "--format", "yolo"]) == 0
    assert "1 label file written" in capsys.readouterr().out
    (photographs / "a.txt").unlink()
    assert main(["split", project]) == 0
    assert "a.txt" in files(photographs)
    (photographs / "a.txt").write_text("0 0.1 0.1 0.1 0.1\n")
    assert main(["autosync", project]) == 0
    assert "another program's" in capsys.readouterr().err
    assert main(["autosync", project, "--format", "off"]) == 0
    (photographs / "classes.txt").unlink()
    assert main(["split", project, "--again"]) == 0
    assert "classes.txt" not in files(photographs)
    assert main(["autosync", project, "--format", "coco"]) != 0


def test_label_files_where_nobody_may_look_are_left_for_later(document: Document, photographs: Path) -> None:
    """As on a share that does not answer; the system refuses such a name in the same way."""
    assert told(sync(document)) == (1, 0, [])
    shut, (root,) = photographs / ("x" * 300), document.roots()
    inside = Path(os.path.relpath(shut, document.folder)).as_posix()
    with document.store.transaction() as connection:
        connection.execute("UPDATE written SET file = ? WHERE image > 0", (f"{inside}/a.txt",))
        connection.execute("UPDATE root SET path = ? WHERE id = ?", (inside, root))
    with Document.open(document.folder, read_only=True) as moved:
        assert autosync.foreign(moved.folder) == ()
        synced = autosync.update_files(moved.folder, "yolo", moved.snapshot())
        assert (told(synced), synced.failed, synced.gone) == ((0, 0, []), [], [])
        unlabelled = dataclasses.replace(moved.snapshot().take([0]), offsets=np.array([0, 0]))
        synced = autosync.update_files(moved.folder, "yolo", unlabelled)
        assert (synced.failed, synced.gone) == ([shut / "a.txt"], [])
