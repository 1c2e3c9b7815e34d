"""Images whose names collide or look like something else: through every format each box comes back to its own image,
or the report says what was left out.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.formats.making import picture, voc_file, voc_object
from tests.promises.form import full
from workbench import formats
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.folders.image_lookup import FileMatch, ImageLookup, MatchKind
from workbench.core.project import XYXY, Box, Label, Split, State
from workbench.errors import WorkbenchError
from workbench.exchange import ImportPlan, apply_import, export_labels, plan_import
from workbench.exchange.ambiguous_names import AmbiguousNames

ONE = (
    "cat 1.jpg", "cat.jpg", "#x.jpg", "a.b.jpg", "a.jpg", "a.png", "A.JPG", "d1/a.jpg", "d2/a.jpg", "d1-a.jpg",
    "images/q.jpg", "labels/q.jpg", "train/z.jpg", "z.jpg", "val/z.jpg", "classes.jpg", "test.jpg", "train.jpg",
    "val.jpg", "data.jpg", "0.jpg", "-1.jpg", "x 0.jpg", "annotations/w.jpg", "a-2.jpg", "none/y.jpg", "y.jpg",
    "nan.jpg", "007.jpg", "7.jpg", "JPEGImages/k.jpg", "Main/m.jpg",
)  # fmt: skip
OTHER = ("a.jpg", "test.jpg", "a-2.jpg", "a-3.png", "d1_a.jpg", "train/a.jpg", "val/test.jpg")
FORMATS = tuple(sorted(name for name, member in formats.load_all() if type(member).__module__.startswith("workbench.")))
SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True)
class Names:
    """The images of a project: their names in its two folders, those that are labelled, and whether splits are told."""

    one: Sequence[str]
    other: Sequence[str]
    labelled: frozenset[int]  # places in one + other
    split: bool


def some(chance: random.Random) -> Names:
    one = chance.sample(ONE, chance.randrange(2, len(ONE)))
    other = chance.sample(OTHER, chance.randrange(len(OTHER)))
    every = range(len(one) + len(other))
    labelled = frozenset(chance.sample(every, chance.randrange(1, len(every) + 1)))
    return Names(one, other, labelled, chance.random() < 0.7)


def cases() -> Iterator[Names]:
    for split in (True, False):
        yield Names(ONE, OTHER, frozenset(range(len(ONE) + len(OTHER))), split)
    chance = random.Random(7)
    for _ in range(60 if full else 1):
        yield some(chance)


def photographs(folder: Path, names: Names) -> None:
    """Each of another grey and size, so that it is known wherever it is."""
    for number, name in enumerate(names.one):
        picture(folder / "one" / name, 60 + number, 50, grey=number)
    for number, name in enumerate(names.other):
        picture(folder / "other" / name, 60 + number, 51, grey=number)


def project(folder: Path, photos: Path, names: Names) -> Document:
    """Both folders are its roots; nothing is labelled."""
    document = Document.create(folder, images=photos / "one")
    if names.other:
        document.add_folder(photos / "other")
        document.clear_history()
    if names.split:
        images = document.images()
        for number, split in enumerate(SPLITS):
            document.do(edits.SetSplit(tuple(image.id for image in images[number::3]), split))
    return document


def label(document: Document, labelled: frozenset[int]) -> None:
    """A box of its own for each image."""
    document.do(edits.AddLabels((Label(0, "cat"), Label(0, "dog"))))
    ids = [one.id for one in document.labels()]
    images = [image for number, image in enumerate(document.images()) if number in labelled]
    boxes = (Box(0, image.id, ids[n % 2], (1 + n // 8, 2 + n % 8, 20 + n, 40)) for n, image in enumerate(images))
    document.do(edits.AddBoxes(tuple(boxes)))
    document.do(edits.SetState(tuple(image.id for image in images), State.DONE))


def boxes_of(document: Document) -> dict[bytes, list[XYXY]]:
    """By the bytes of the image."""
    found: dict[bytes, list[XYXY]] = {}
    for image in document.images():
        boxes = sorted(tuple(float(round(v)) for v in box.xyxy) for box in document.boxes(image.id))
        found.setdefault(document.file(image).read_bytes(), []).extend(boxes)  # type: ignore[arg-type]
    return found


def told_left_out(plan: ImportPlan) -> int:
    """How many images the report says to have been left out."""
    count = 0
    for remark in plan.remarks:
        if remark.level == "refused":
            numbers = re.search(r"boxes of ([0-9,]+) images|^([0-9,]+) more like this", remark.sentence)
            count += int((numbers[1] or numbers[2]).replace(",", "")) if numbers else 1
    return count


def check(was: dict[bytes, list[XYXY]], now: dict[bytes, list[XYXY]], plan: ImportPlan, whole: bool) -> None:
    strange = [(key[:0], boxes, was.get(key)) for key, boxes in now.items() if boxes and boxes != was.get(key)]
    assert not strange, "boxes in the wrong image"
    lost = sum(1 for key, boxes in was.items() if boxes and not now.get(key))
    assert not (whole and lost), "boxes that did not come back"
    assert lost <= told_left_out(plan), "boxes that were left out without a word"


def there_and_back(folder: Path, format: str, names: Names) -> int:
    """Export with images and without, import into a new project, one of the same images, and itself.

    How many labelled images came back.
    """
    photographs(folder / "photos", names)
    back = 0
    with project(folder / "p", folder / "photos", names) as document:
        label(document, names.labelled)
        was = boxes_of(document)
        export_labels(document.snapshot(), format, folder / "with", copy_images=True)
        export_labels(document.snapshot(), format, folder / "without")
        plan = plan_import(document, folder / "without", format)
        apply_import(document, plan)
        check(was, boxes_of(document), plan, whole=False)
    with Document.create(folder / "new") as document:
        plan = plan_import(document, folder / "with", format)
        apply_import(document, plan)
        now = boxes_of(document)
        check(was, now, plan, whole=True)
    unsplit = dataclasses.replace(names, split=False)
    for number, told in enumerate((names, unsplit) if names.split else (names,)):
        with project(folder / f"same-{number}", folder / "photos", told) as document:
            plan = plan_import(document, folder / "without", format)
            apply_import(document, plan)
            now = boxes_of(document)
            check(was, now, plan, whole=False)
            back += sum(1 for boxes in now.values() if boxes)
    return back


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_every_box_comes_back_to_its_own_image_or_is_told(tmp_path: Path, format: str) -> None:
    back, all_of_them = 0, 0
    for number, names in enumerate(cases()):
        back += there_and_back(tmp_path / f"{number}", format, names)
        all_of_them += len(names.labelled) * (2 if names.split else 1)
    print(f"{format}: {number + 1} projects, {back} of {all_of_them} images got their boxes from labels alone")
    assert back > all_of_them / 3, "leaving out everything would be no feat"


def test_the_check_fails_where_names_are_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a lookup and a comparison that take any file of the base name."""

    def guess(self: ImageLookup, name: str, near: Sequence[str] = ()) -> FileMatch:
        found = [file for file in self.files if file.stem == Path(name).stem]
        return FileMatch(MatchKind.EXACT, found[-1]) if found else FileMatch(MatchKind.MISSING)

    monkeypatch.setattr(ImageLookup, "find", guess)
    monkeypatch.setattr(AmbiguousNames, "doubt", lambda *_: "")
    names = Names(("a.jpg", "train/a.jpg", "b.jpg"), (), frozenset({0, 1}), True)
    with pytest.raises(AssertionError, match=r"wrong image|without a word|did not come back"):
        there_and_back(tmp_path, "createml", names)


def test_photographs_that_nobody_may_look_at_stop_no_import_of_others(tmp_path: Path) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    away = tmp_path / ("x" * 300)
    picture(tmp_path / "set" / "a.jpg")
    (tmp_path / "set" / "a.xml").write_text(voc_file(voc_object("cat", (1, 1, 9, 9))))
    with Document.create(tmp_path / "p") as document:
        document.add_root(away)
        assert plan_import(document, tmp_path / "set").added == 1
        with pytest.raises(WorkbenchError, match="There is no file or folder"):
            plan_import(document, away)
