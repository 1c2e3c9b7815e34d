"""Labels that lie apart from their images come to the image that they name, and to none where two are meant."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from tests.contract.test_every_format import BUILT_IN
from tests.formats.making import picture, text, voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Split, State
from workbench.exchange import ImportPlan, ImportSettings, apply_import, export_labels, matching, plan_import
from workbench.exchange.ambiguous_names import same_content


def coco(file: Path, *names: str) -> Path:
    images = [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(names, start=1)]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [n, 1, 10, 10]} for n in range(1, len(names) + 1)]
    told = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
    return text(file, json.dumps(told))


def brought(document: Document, path: Path, format: str = "coco") -> tuple[dict[str, int], ImportPlan]:
    """How many boxes each image has after the import."""
    plan = plan_import(document, path, format)
    apply_import(document, plan)
    return {image.path: len(document.boxes(image.id)) for image in document.images()}, plan


def refused(plan: ImportPlan) -> list[str]:
    return [remark.sentence for remark in plan.remarks if remark.level == "refused"]


def test_the_labels_of_a_missing_image_do_not_go_to_one_of_another_split(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "a.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "train") as document:
        counts, plan = brought(document, coco(tmp_path / "ann" / "val.json", "val/a.jpg"))
        assert counts == {"a.jpg": 0}
        assert refused(plan) == ["There is no image file for it; its 1 box was left out."]
        assert plan.sentence.endswith(
            "1 image without a file left out (choose the folder of the images, or add them to the project first)."
        )
        assert "(choose" not in plan_import(document, coco(tmp_path / "some" / "t.json", "a.jpg", "b.jpg")).sentence
        counts, _ = brought(document, coco(tmp_path / "more" / "train.json", "train/a.jpg"))
        assert counts == {"a.jpg": 1}, "the control: the folder that it lies in"


@pytest.mark.parametrize("format", ["coco", "openimages", "createml", "tfcsv", "vott", "yolo", "voc"])
def test_an_export_without_images_changes_nothing_in_its_own_project(tmp_path: Path, format: str) -> None:
    """a.jpg of the split train is called train/a.jpg in some formats, and there is such an image without labels."""
    for number, name in enumerate(("a.jpg", "train/a.jpg", "b.jpg")):
        picture(tmp_path / "photos" / name, grey=number)
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        images = {image.path: image for image in document.images()}
        document.do(edits.SetSplit(tuple(image.id for image in images.values()), Split.TRAIN))
        for name in ("a.jpg", "b.jpg"):
            document.do(edits.AddBoxes((Box(0, images[name].id, document.labels()[0].id, (1, 2, 9, 9)),)))
            document.do(edits.SetState((images[name].id,), State.DONE))
        export_labels(document.snapshot(), format, tmp_path / "out")
        counts, plan = brought(document, tmp_path / "out", format)
        assert counts == {"a.jpg": 1, "b.jpg": 1, "train/a.jpg": 0}
        left = sum(bool(read.boxes) for read in plan.reading.images) - sum(bool(one.boxes) for one in plan.compared)
        assert left <= len(refused(plan)), "whose boxes are left out is told"


def test_labels_in_a_folder_of_a_split_may_mean_two_images(tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "train/a.jpg", "b.jpg")):
        picture(tmp_path / "photos" / name, grey=number)
    file = coco(tmp_path / "ann" / "instances_train.json", "a.jpg", "b.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        counts, plan = brought(document, file)
        assert counts == {"a.jpg": 0, "b.jpg": 1, "train/a.jpg": 0}
        (remark,) = [remark for remark in plan.remarks if remark.level == "refused"]
        assert remark.sentence == "'a.jpg' may be 'a.jpg' or 'train/a.jpg'; its 1 box was left out."
        assert remark.file == "instances_train.json"


def test_an_image_beside_the_file_that_names_it_is_not_passed_over_silently(tmp_path: Path) -> None:
    """As Roboflow has it; a stray image of that name lies above."""
    for number, name in enumerate(("a.jpg", "train/a.jpg", "train/b.jpg")):
        picture(tmp_path / "set" / name, grey=number)
    coco(tmp_path / "set" / "train" / "_annotations.coco.json", "a.jpg", "b.jpg")
    with Document.create(tmp_path / "p") as document:
        counts, plan = brought(document, tmp_path / "set")
        assert not counts.get("a.jpg")
        assert counts["train/b.jpg"] == 1
        assert counts.get("train/a.jpg") or len(refused(plan)) == 1


@pytest.mark.parametrize("doubtful", [True, False])
def test_a_name_that_an_export_makes_up_is_not_taken_for_an_image_of_that_name(tmp_path: Path, doubtful: bool) -> None:
    """a.png is a-2.png beside a.jpg; another folder of the project has an a-2.jpg."""
    for number, name in enumerate(("a.jpg", "d/a.jpg", *(["a.png"] if doubtful else []))):
        picture(tmp_path / "one" / name, grey=number)
    picture(tmp_path / "other" / "a-2.jpg", grey=99)
    with Document.create(tmp_path / "p", images=tmp_path / "one") as document:
        document.add_folder(tmp_path / "other")
        document.clear_history()
        counts, plan = brought(document, coco(tmp_path / "ann" / "labels.json", "d/a.jpg", "a-2.png"), "coco")
        assert counts["d/a.jpg"] == 1
        assert counts["a-2.jpg"] == (0 if doubtful else 1)
        assert len(refused(plan)) == doubtful


def told(plan: ImportPlan) -> list[str]:
    return [remark.sentence for remark in plan.remarks if remark.level == "read"]


def test_boxes_that_reach_outside_and_names_that_are_nearly_the_same_are_told_before_the_import(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg")
    with Document.create(tmp_path / "p", images=tmp_path) as document:
        document.do(edits.AddLabels((Label(0, "Cat"),)))
        file = coco(tmp_path / "ann.json", "a.jpg")
        assert [one for one in told(plan_import(document, file, "coco")) if "outside" in one] == []
        content = json.loads(file.read_text("utf-8"))
        content["annotations"] += [
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [-40, 1, 60, 10]},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [30, 1, 11, 29.9]},  # by a pixel: a rounding
        ]
        text(file, json.dumps(content))
        plan = plan_import(document, file, "coco")
        which = "1 of 3 boxes; the image has 40 x 30 pixels"
        assert f"Boxes reach outside the image and are kept as they are ({which})." in told(plan)
        assert any(one.startswith("'Cat' and 'cat' differ only slightly: are they one label?") for one in told(plan))
        apply_import(document, plan)
        assert not any("differ by little" in one for one in told(plan_import(document, file, "coco"))), "said once"


def test_an_image_whose_file_was_damaged_takes_the_mended_file(tmp_path: Path) -> None:
    """It is in work, without a box, and nobody has said anything about it."""
    for name in ("a", "b"):
        picture(tmp_path / "photos" / f"{name}.jpg")
        text(tmp_path / "ann" / f"{name}.xml", voc_file(voc_object("cat", (1, 2, 30, 20)), filename=f"{name}.jpg"))
    whole = (tmp_path / "ann" / "a.xml").read_text("utf-8")
    text(tmp_path / "ann" / "a.xml", whole.replace("<xmin>1</xmin>", "<xmin>?</xmin>"))
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        apply_import(
            document, plan_import(document, tmp_path / "ann", "voc", settings=ImportSettings(skip_broken=True))
        )
        a, b = document.images()
        assert (a.state, len(document.boxes(a.id)), len(document.boxes(b.id))) == (State.IN_WORK, 0, 1)
        text(tmp_path / "ann" / "a.xml", whole)
        apply_import(document, plan_import(document, tmp_path / "ann", "voc"))
        a = document.images()[0]
        assert (a.state, len(document.boxes(a.id))) == (State.DONE, 1)


@pytest.mark.parametrize("format", ["coco", "createml", "cvat", "kitti", "vott", "yolo"])
def test_copies_that_an_export_called_otherwise_are_no_second_images(tmp_path: Path, format: str) -> None:
    """d/a.jpg is d_a.jpg where folders are flat, a.png is a-2.png beside a.jpg."""
    names = ("d/a.jpg", "e/a.jpg", "e/a.png", "e/a-2.jpg", "f-3.jpg")
    for number, name in enumerate(names):
        picture(tmp_path / "photos" / name, grey=40 * number)
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        ids = {image.path: image.id for image in document.images()}
        document.do(edits.AddBoxes(tuple(Box(0, id, 1, (1, 2, 9 + id, 9)) for id in ids.values())))
        document.do(edits.SetState(tuple(ids.values()), State.DONE))
        document.do(edits.SetSplit(tuple(ids.values()), Split.TRAIN))
        out = export_labels(document.snapshot(), format, tmp_path / "out", copy_images=True).folder
        assert {file.name for file in out.rglob("*.*g")} != {Path(name).name for name in names}
        counts, plan = brought(document, out, format)
        assert counts == dict.fromkeys(names, 1)
        assert (plan.added, plan.alike, refused(plan)) == (0, 5, [])


def test_another_picture_of_such_a_name_is_a_new_image(tmp_path: Path) -> None:
    picture(tmp_path / "photos" / "d" / "a.jpg", grey=1)
    picture(tmp_path / "set" / "d_a-2.jpg", grey=90)
    with Document.create(tmp_path / "p", images=tmp_path / "photos") as document:
        counts, _ = brought(document, coco(tmp_path / "set" / "x.json", "d_a-2.jpg"))
        assert counts == {"d/a.jpg": 0, "d_a-2.jpg": 1}


def test_new_images_lie_below_the_folder_in_which_they_were_looked_for(tmp_path: Path) -> None:
    names = [f"d{n}/x.jpg" for n in range(3)]
    for number, name in enumerate(names):
        picture(tmp_path / "photos" / name, grey=number)
    with Document.create(tmp_path / "p") as document:
        file = coco(tmp_path / "ann" / "all.json", *names)
        apply_import(document, plan_import(document, file, images=tmp_path / "photos"))
        assert list(document.roots().values()) == [tmp_path / "photos"]
        assert [image.path for image in document.images()] == names


def test_films_that_begin_with_the_same_picture_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """Equal bytes of an equal name are a copy only where one image alone can be it."""
    picture(tmp_path / "project" / "film1" / "0.jpg")
    for film in ("film2", "film3"):
        picture(tmp_path / "set" / film / "0.jpg")
    picture(tmp_path / "copied" / "photos" / "film1" / "0.jpg")
    picture(tmp_path / "copied" / "photos" / "film4" / "0.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "project") as document:
        file = coco(tmp_path / "set" / "all.json", "film2/0.jpg", "film3/0.jpg")
        counts, _ = brought(document, file)
        assert counts == {"film1/0.jpg": 0, "film2/0.jpg": 1, "film3/0.jpg": 1}
    with Document.create(tmp_path / "q", images=tmp_path / "project") as document:
        counts, _ = brought(
            document, coco(tmp_path / "copied" / "all.json", "photos/film1/0.jpg", "photos/film4/0.jpg")
        )
        assert counts == {"film1/0.jpg": 1, "photos/film4/0.jpg": 1}, "the folders tell which is the copy"


def test_one_film_that_begins_like_another_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "project" / "film1" / "0.jpg")
    picture(tmp_path / "set" / "film2" / "0.jpg")
    with Document.create(tmp_path / "p", images=tmp_path / "project") as document:
        _, plan = brought(document, coco(tmp_path / "set" / "all.json", "film2/0.jpg"))
        said = "It is the same picture as 'film1/0.jpg' of the project, so its labels go to that one."
        assert said in [remark.sentence for remark in plan.remarks]


def test_a_copied_folder_of_films_is_compared_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each frame with those of its name in all films; that two films begin alike does not make them new images."""
    names = [f"film{film}/{frame}.png" for film in range(8) for frame in range(2)]
    for number, name in enumerate(names):
        picture(tmp_path / "project" / name, grey=0 if name.endswith("0.png") else number)
    shutil.copytree(tmp_path / "project", tmp_path / "set")
    compared: list[Path] = []

    def same(one: Path, other: Path) -> bool:
        compared.append(one)
        return same_content(one, other)

    monkeypatch.setattr(matching, "same_content", same)
    with Document.create(tmp_path / "p", images=tmp_path / "project") as document:
        counts, _ = brought(document, coco(tmp_path / "set" / "all.json", *names))
    assert counts == dict.fromkeys(names, 1)
    assert len(compared) == len(names)


@pytest.mark.parametrize("format", ["coco", "yolo", "voc"])
def test_accents_of_a_mac_are_those_of_others(tmp_path: Path, format: str) -> None:
    """A zip of a Mac has letter and accent apart in names of files, and labels have them as they are typed."""
    name = "f\u00e9e"
    picture(tmp_path / "set" / "images" / f"{unicodedata.normalize('NFD', name)}.jpg")
    if format == "coco":
        coco(tmp_path / "set" / "all.json", f"{name}.jpg")
    elif format == "yolo":
        text(tmp_path / "set" / "labels" / f"{name}.txt", "0 .5 .5 .2 .2\n")
        text(tmp_path / "set" / "data.yaml", "train: images\nnames: [cat]\n")
    else:
        text(tmp_path / "set" / f"{name}.xml", voc_file(voc_object("cat", (1, 2, 9, 9)), filename=f"{name}.jpg"))
    with Document.create(tmp_path / "p") as document:
        counts, _ = brought(document, tmp_path / "set", format)
        assert list(counts.values()) == [1]
    with Document.create(tmp_path / "q", images=tmp_path / "set" / "images") as document:
        only = tmp_path / "set" / ("labels" if format == "yolo" else "")
        counts, _ = brought(document, only, format)
        assert list(counts.values()) == [1]


def upside_down(folder: Path, *sideways: tuple[int, int]) -> Path:
    """down.jpg, held upside down, and images held sideways of which the files say these sizes (stored: 40 x 30)."""
    picture(folder / "down.jpg", orientation=3, grey=200)
    text(folder / "down.xml", voc_file(voc_object("cat", (1, 2, 10, 5)), filename="down.jpg"))
    for number, size in enumerate(sideways):
        picture(folder / f"{number}.jpg", orientation=6, grey=number)
        told = voc_file(voc_object("cat", (1, 2, 10, 5)), filename=f"{number}.jpg", size=size)
        text(folder / f"{number}.xml", told)
    return folder


@pytest.mark.parametrize(
    ("sideways", "is_turned"),
    [([(40, 30)], True), ([(30, 40)], False), ([(40, 30), (30, 40)], False), ([], False)],
    ids=["stored", "shown", "both", "none"],
)
def test_who_draws_on_a_sideways_picture_as_it_is_stored_does_so_on_one_upside_down(
    tmp_path: Path, sideways: list[tuple[int, int]], is_turned: bool
) -> None:
    with Document.create(tmp_path / "p") as document:
        brought(document, upside_down(tmp_path / "set", *sideways), "voc")
        (image,) = (image for image in document.images() if image.name == "down.jpg")
        assert [box.xyxy for box in document.boxes(image.id)] == [(30, 25, 40, 29) if is_turned else (0, 1, 10, 5)]


@pytest.mark.parametrize("sideways", [[(40, 30)], [(30, 40)]])
def test_a_file_of_one_upside_down_that_comes_again_alone_is_the_same(
    tmp_path: Path, sideways: list[tuple[int, int]]
) -> None:
    folder = upside_down(tmp_path / "set", *sideways)
    with Document.create(tmp_path / "p") as document:
        brought(document, folder, "voc")
        _, plan = brought(document, folder / "down.xml", "voc")
        assert (plan.is_empty, plan.alike) == (True, 1)


def in_files(folder: Path, format: str, **names: str) -> Path:
    """A data set whose files list these images, a letter each, with the same box in each."""
    for letter in {letter for some in names.values() for letter in some}:
        picture(folder / f"{letter}.jpg", grey=ord(letter))
    for name, some in names.items():
        if format == "coco":
            images = [{"id": n, "file_name": f"{letter}.jpg"} for n, letter in enumerate(some)]
            boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 9, 9]} for n in range(len(some))]
            told = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
            text(folder / f"instances_{name}.json", json.dumps(told))
        else:
            rows = "".join(f"{letter}.jpg,40,30,cat,1,2,10,11\n" for letter in some)
            text(folder / f"{name}_labels.csv", f"filename,width,height,class,xmin,ymin,xmax,ymax\n{rows}")
    return folder


@pytest.mark.parametrize("format", ["coco", "tfcsv"])
def test_the_file_of_the_whole_beside_those_of_the_splits_is_no_second_annotation(tmp_path: Path, format: str) -> None:
    """Such a data set was refused image by image, and those left out counted as images without a file."""
    with Document.create(tmp_path / "p") as document:
        counts, plan = brought(document, in_files(tmp_path / "set", format, all="ab", train="a", val="b"), format)
        assert counts == {"a.jpg": 1, "b.jpg": 1}
        assert [image.split for image in document.images()] == [Split.TRAIN, Split.VALIDATION]
    assert (plan.missing, refused(plan)) == (0, [])
    assert [r.file for r in plan.remarks if "several times, with the same boxes" in r.sentence] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("format", ["coco", "tfcsv"])
def test_an_image_that_is_away_counts_once_although_two_files_speak_of_it(tmp_path: Path, format: str) -> None:
    folder = in_files(tmp_path / "set", format, all="ab", train="a", val="b")
    for file in folder.glob("*.jpg"):
        file.unlink()
    with Document.create(tmp_path / "p") as document:
        plan = plan_import(document, folder, format)
    assert (plan.missing, refused(plan)) == (2, ["There is no image file for it; its 1 box was left out."] * 2)
    assert "2 images without a file left out (choose the folder of the images" in plan.sentence


def test_an_image_that_one_file_lists_twice_is_not_said_to_be_in_several(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        counts, plan = brought(document, in_files(tmp_path / "set", "coco", all="aa"))
    assert (counts, plan.missing) == ({"a.jpg": 1}, 0)
    assert [r.sentence for r in plan.remarks if r.file == "a.jpg"] == [
        "It occurs several times, with the same boxes; they were taken once."
    ]


def test_an_image_in_the_files_of_two_splits_stays_in_one_and_is_told(tmp_path: Path) -> None:
    with Document.create(tmp_path / "p") as document:
        _, plan = brought(document, in_files(tmp_path / "set", "coco", train="ab", val="b"))
        assert [image.split for image in document.images()] == [Split.TRAIN, Split.TRAIN]
    assert [(r.level, r.file) for r in plan.remarks if "in two splits" in r.sentence] == [("repaired", "b.jpg")]


@pytest.mark.skipif(os.sep == "\\", reason="no name holds a backslash there")
@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize("format", BUILT_IN)
def test_a_backslash_in_a_name_is_no_folder_that_is_not_there(tmp_path: Path, format: str, copied: bool) -> None:
    """What some programs make of the folders in a zip from Windows: such an image's boxes did not come back."""
    for name in ("a\\b.jpg", "c.jpg"):
        picture(tmp_path / "photographs" / name, grey=ord(name[0]))
    with Document.create(tmp_path / "p", images=tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        ids = tuple(image.id for image in document.images())
        document.do(edits.AddBoxes(tuple(Box(0, id, 1, (1.0, 2.0, 9.0, 9.0)) for id in ids)))
        document.do(edits.Batch((edits.SetState(ids, State.DONE), edits.SetSplit(ids, Split.TRAIN)), "done"))
        export_labels(document.snapshot(), format, tmp_path / "out", copied)
        plan = plan_import(document, tmp_path / "out", format)
    assert (plan.is_empty, plan.alike, plan.missing, refused(plan)) == (True, 2, 0, [])
