"""Images take over the sizes of files that were resized or cropped, with their boxes and all else that they have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from workbench.core import new_sizes
from workbench.core.document import Document
from workbench.core.edits import AddLabels, RemoveBoxes, SetNote, SetSplit
from workbench.core.project import Box, Image, Label, Split
from workbench.core.storage import history


def save(folder: Path, name: str, width: int, height: int) -> None:
    PillowImage.new("RGB", (width, height)).save(folder / name)


@pytest.mark.parametrize(
    ("before", "now", "resized"),
    [
        ((640, 480), (1280, 960), True),
        ((4032, 3024), (416, 312), True),
        ((1000, 333), (500, 167), True),  # 166.5, rounded
        ((333, 1000), (416, 1249), True),  # 1249.2
        ((640, 480), (640, 470), False),
        ((640, 480), (480, 640), False),
        ((640, 480), (320, 236), False),
    ],
)
def test_a_resized_file_has_the_same_shape(before: tuple[int, int], now: tuple[int, int], resized: bool) -> None:
    assert new_sizes.was_resized(Image(1, "a.png", *before), *now) is resized


def test_images_keep_all_they_have_and_undo_brings_back_the_rest(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name in ("resized.png", "cropped.png", "same.png", "gone.png", "cut off.png"):
        save(photographs, name, 300, 100)
    with Document.create(tmp_path / "project", photographs) as document:
        document.do(AddLabels((Label(0, "cell"),)))
        ids = {image.name: image.id for image in document.images()}
        boxes = [
            Box(0, id, 1, (30, 10.5, 300, 100), occluded=True, note="left", extra='{"voc":{"a":1}}')
            for id in ids.values()
        ]
        document.draw(tuple(boxes))
        document.do(SetNote(tuple(ids.values()), "ask Anna"))
        document.do(SetSplit((ids["resized.png"],), Split.TEST))
        before = {id: (document.image(id), document.boxes(id)) for id in ids.values()}
        save(photographs, "resized.png", 150, 50)
        save(photographs, "cropped.png", 200, 100)
        (photographs / "gone.png").unlink()
        (photographs / "cut off.png").write_bytes(b"\x89PNG")
        edit = new_sizes.taking_over(document, ids.values())
        assert edit is not None
        assert edit.title == "Take over the new size of 2 images"
        document.do(edit)
        assert new_sizes.taking_over(document, ids.values()) is None, "all have the sizes of their files"
        image, (box,) = document.image(ids["resized.png"]), document.boxes(ids["resized.png"])
        assert (image.width, image.height, image.note, image.split) == (150, 50, "ask Anna", Split.TEST)
        assert box.xyxy == (15.0, 5.25, 150.0, 50.0)
        assert (box.id, box.occluded, box.note) == (before[image.id][1][0].id, True, "left")
        image = document.image(ids["cropped.png"])
        (box,), (former,) = document.boxes(image.id), before[image.id][1]
        assert (image.width, box) == (200, replace(former, extra='{"voc":{"a":1},"size":[200,100]}'))
        for name in ("same.png", "gone.png", "cut off.png"):
            assert document.image(ids[name]) == before[ids[name]][0]
        assert len(document.images()) == 5
        assert document.counts().total == 5
        document.undo()
        assert {id: (document.image(id), document.boxes(id)) for id in ids.values()} == before
        document.redo()
        assert document.image(ids["resized.png"]).width == 150
    with Document.open(tmp_path / "project") as document:
        assert [i.width for i in document.images() if i.name == "resized.png"] == [150]


def test_an_image_whose_size_was_never_known_is_left_to_who_measures_it(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "a.png").write_bytes(b"")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        save(tmp_path / "photographs", "a.png", 20, 10)
        (image,) = document.images()
        assert [new_sizes.taking_over(document, (image.id,))] == [None]


def test_what_an_image_was_before_is_brought_back_in_its_present_pixels(tmp_path: Path) -> None:
    """Boxes of 300 pixels came into the picture of 150."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    save(photographs, "a.png", 300, 100)
    with Document.create(tmp_path / "project", photographs) as document:
        document.do(AddLabels((Label(0, "cell"),)))
        (image,) = document.images()
        document.draw((Box(0, image.id, 1, (30, 10.5, 301 / 3, 100)),))
        document.do(RemoveBoxes((1,)))
        document.draw((Box(0, image.id, 1, (0, 0, 60, 60)),))
        save(photographs, "a.png", 150, 50)
        edit = new_sizes.taking_over(document, (image.id,))
        assert edit is not None
        document.do(edit)
        taken, drawn, removed, first, _ = history.of_image(document, image.id)
        assert taken.past == drawn.past
        assert taken.past is not None
        assert history.restore_edit(document, image.id, taken.past, "Restore") is None
        assert removed.past is not None
        assert not removed.past.boxes
        assert first.past is not None
        restore = history.restore_edit(document, image.id, first.past, "Restore")
        assert restore is not None
        document.do(restore)
        assert [box.xyxy for box in document.boxes(image.id)] == [(15, 5.25, 50.1667, 50)]
        save(photographs, "a.png", 90, 50)  # cropped
        edit = new_sizes.taking_over(document, (image.id,))
        assert edit is not None
        document.do(edit)
        assert history.of_image(document, image.id)[0].past == history.of_image(document, image.id)[1].past


def test_what_an_image_was_before_it_was_resized_and_then_cropped_is_brought_back_in_its_present_pixels(
    tmp_path: Path,
) -> None:
    """Its first boxes came back unscaled: the shape is another one in the end."""
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    save(photographs, "a.png", 300, 100)
    with Document.create(tmp_path / "project", photographs) as document:
        document.do(AddLabels((Label(0, "cell"),)))
        (image,) = document.images()
        document.draw((Box(0, image.id, 1, (30, 10.5, 90, 60)),))
        for width in (150, 90):
            save(photographs, "a.png", width, 50)
            edit = new_sizes.taking_over(document, (image.id,))
            assert edit is not None
            document.do(edit)
        cropped, resized, drawn, _ = history.of_image(document, image.id)
        assert cropped.past is not None
        assert [box.xyxy for box in cropped.past.boxes] == [(15, 5.25, 45, 30)]
        assert cropped.past == resized.past == drawn.past
