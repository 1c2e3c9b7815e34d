"""COCO Camera Traps: annotations that say what an image shows and not where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.formats.making import picture, text
from workbench.core.document import Document
from workbench.core.project import State
from workbench.exchange import apply_import, plan_import
from workbench.formats.parts.coco_json import parse_coco


def camera_trap(*annotations: tuple[str, int, list[int] | None]) -> bytes:
    """Images by letter, as their annotations name them; category 0 is empty, 1 deer, 3 fox."""
    letters = sorted({image for image, _, _ in annotations} | {"z"})
    images = [{"id": f"59-{n}", "file_name": f"{n}.jpg", "seq_id": "s", "location": "26"} for n in letters]
    listed = [
        {"id": f"a{n}", "image_id": f"59-{image}", "category_id": category} | ({"bbox": bbox} if bbox else {})
        for n, (image, category, bbox) in enumerate(annotations)
    ]
    names = [{"id": id, "name": name} for id, name in ((0, "empty"), (1, "deer"), (3, "fox"))]
    return json.dumps({"images": images, "annotations": listed, "categories": names}).encode()


@pytest.mark.parametrize(
    ("annotations", "state"),
    [
        ([("a", 1, None)], State.UNLABELLED),
        ([("a", 0, None)], State.DONE),
        ([("a", 1, [1, 2, 3, 4])], State.DONE),
        ([("a", 1, [1, 2, 3, 4]), ("a", 1, None)], State.DONE),
        ([("a", 1, [1, 2, 3, 4]), ("a", 3, None)], State.IN_WORK),
        ([("a", 0, None), ("a", 3, None)], State.UNLABELLED),
    ],
    ids=["deer", "empty", "a box", "a box and the same", "a box and another", "empty and not"],
)
def test_an_image_is_done_only_if_nothing_in_it_lacks_its_box(
    annotations: list[tuple[str, int, list[int] | None]], state: State
) -> None:
    image = parse_coco(camera_trap(*annotations), "x.json").images[0]
    assert (State.IN_WORK if image.has_broken else image.state) is state


def test_what_has_no_box_is_told_and_the_rest_is_imported(tmp_path: Path) -> None:
    told = camera_trap(("a", 1, [1, 2, 3, 4]), ("b", 0, None), ("c", 1, None), ("d", 3, None))
    text(tmp_path / "set" / "caltech.json", told)
    for name in "abcdz":
        picture(tmp_path / "set" / f"{name}.jpg", grey=ord(name))
    with Document.create(tmp_path / "p") as document:
        plan = plan_import(document, tmp_path / "set")
        apply_import(document, plan)
        states = {image.name: image.state for image in document.images()}
        assert [label.name for label in document.labels()] == ["deer", "fox"]
    done, open = State.DONE, State.UNLABELLED
    assert states == {"a.jpg": done, "b.jpg": done, "c.jpg": open, "d.jpg": open, "z.jpg": done}
    assert [remark.sentence for remark in plan.remarks if remark.level == "refused"] == [
        "2 annotations were left out, as without a bbox they say what an image shows, but not where."
    ]
    assert "1 image labelled as empty: done, without boxes." in [remark.sentence for remark in plan.remarks]


def test_a_label_that_is_called_empty_and_has_boxes_is_one() -> None:
    assert parse_coco(camera_trap(("a", 0, [1, 2, 3, 4]), ("b", 1, None)), "x.json").labels == ("empty", "deer", "fox")
