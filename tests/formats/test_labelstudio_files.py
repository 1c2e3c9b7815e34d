"""Label Studio: damaged files, tasks that it imports again, and what is recognised as its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.labelstudio_documents import MINIMAL, RESULT, XYXY, beside, labelled, labelstudio, read, result, task
from tests.formats.making import snapshot, text
from workbench import formats
from workbench.core.project import Box, Image, Snapshot, Split, State
from workbench.errors import Refused

OBJECTIONS: dict[str, tuple[Any, str]] = {
    "no object": (7, "[1]"),
    "no data": ({"id": 2}, "[1].data"),
    "data that is a text": (task(data="a.jpg"), "[1].data"),
    "no list of annotations": (task() | {"annotations": 3}, "[1].annotations"),
    "an annotation that is a number": (task(12), "[1].annotations[0]"),
    "results that are a text": (task({"result": "x"}), "[1].annotations[0]"),
    "a result that is none": (labelled(5), "[1].annotations[0].result[0]"),
    "no type": (labelled(result(type=None)), "[1].annotations[0].result[0].type"),
    "no value": (labelled(RESULT | {"value": 3}), "[1].annotations[0].result[0].value"),
    "text as number": (labelled(RESULT, result("b", x="1")), "[1].annotations[0].result[1].value.x"),
    "true as number": (labelled(result(y=True)), "[1].annotations[0].result[0].value.y"),
    "infinite": (labelled(result(width=1e308)), "[1].annotations[0].result[0].value.width"),
    "negative": (labelled(result(height=-1)), "[1].annotations[0].result[0].value.height"),
    "a turn that is a text": (labelled(result(rotation="left")), "[1].annotations[0].result[0].value.rotation"),
    "a number as label": (labelled(result(rectanglelabels=[3])), "[1].annotations[0].result[0].value"),
    "half a character": (labelled(result(rectanglelabels=["\ud800"])), "[1].annotations[0].result[0].value"),
    "half a pixel": (labelled(result(original_width=0.5)), "[1].annotations[0].result[0].original_width"),
    "a point with one number": (
        labelled(RESULT | {"type": "polygonlabels", "value": {"points": [[1, 2], [3]], "polygonlabels": ["cat"]}}),
        "[1].annotations[0].result[0].value.points[1]",
    ),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_damaged_entry_is_refused_with_its_place(tmp_path: Path, case: str) -> None:
    damaged, place = OBJECTIONS[case]
    with pytest.raises(Refused) as caught:
        read(tmp_path, labelled(RESULT, image="z.jpg"), damaged)
    assert caught.value.sentence.startswith(f"project-1-at-2022-12-27-21-05-d1a7e2f8.json: {place}: ")
    reading = read(tmp_path, labelled(RESULT, image="z.jpg"), damaged, skip_broken=True)
    assert (reading.images[0].name, reading.images[0].state, len(reading.images[0].boxes)) == ("z.jpg", State.DONE, 1)
    assert all(i.state is State.IN_WORK for i in reading.images[1:])
    assert [r.level for r in reading.remarks] == ["refused"]


def test_all_damages_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    text(tmp_path / "a.json", json.dumps([labelled(result(x="1"), result("b", x="2"))]))
    text(tmp_path / "b.json", json.dumps([labelled(RESULT)])[:-9])
    with pytest.raises(Refused) as caught:
        labelstudio.read(tmp_path)
    for place in ("a.json: [0].annotations[0].result[0]", "a.json: [0].annotations[0].result[1]", "b.json:1: "):
        assert place in caught.value.sentence


@pytest.mark.parametrize("damaged", ["", '[{"id', "\0" * 500])
def test_a_file_that_lost_its_content_is_told_by_its_name(tmp_path: Path, damaged: str) -> None:
    text(tmp_path / "y.json", damaged)
    assert len(read(tmp_path, labelled(RESULT)).images) == 1  # it may be anything
    for name in ("tasks.json", "project-7-at-2024-01-01-00-00-aaaa.json"):
        file = text(tmp_path / name, damaged)
        with pytest.raises(Refused, match=name):
            labelstudio.read(tmp_path)
        file.unlink()


def made() -> Snapshot:
    images = [
        Image(1, "day/a 100%+b.jpg", 40, 30, State.DONE, Split.TRAIN),
        Image(2, "b.png", 40, 30, State.VERIFIED, Split.VALIDATION),
        Image(3, "c.jpg", 40, 30, State.IN_WORK),
        Image(4, "d.jpg"),
        Image(5, "e.jpg", 0, 0, State.DONE),
    ]
    boxes = [
        Box(0, 0, 1, XYXY, occluded=True, difficult=True, note="half"),
        Box(0, 2, 0, (0, 0, 4, 3)),
        Box(0, 4, 0, (0, 0, 4, 3)),
    ]
    return snapshot(["<cat> & 'co'", "dog", "unused"], images, boxes)


def test_tasks_and_the_interface_that_they_fit_are_written(tmp_path: Path) -> None:
    tasks, config = labelstudio.write(made(), tmp_path)
    told = json.loads(tasks.read_text())
    assert [t["data"] for t in told] == [
        {"image": "/data/local-files/?d=images/day/a%20100%25%2Bb.jpg", "split": "train"},
        {"image": "/data/local-files/?d=images/b.png", "split": "val"},
        {"image": "/data/local-files/?d=images/c.jpg", "state": "in work"},
        {"image": "/data/local-files/?d=images/d.jpg"},
        {"image": "/data/local-files/?d=images/e.jpg"},  # its size is not known, so its box can't be said
    ]
    assert [[(len(a["result"]), a["ground_truth"]) for a in t["annotations"]] for t in told] == [
        [(2, False)], [(0, True)], [(1, False)], [], [],
    ]  # fmt: skip
    rectangle, marks = told[0]["annotations"][0]["result"]
    assert rectangle == RESULT | {
        "id": rectangle["id"],
        "value": RESULT["value"] | {"rectanglelabels": ["dog"]},
        "meta": {"text": ["half"]},
    }
    assert marks == beside(
        "choices", {"choices": ["difficult", "occluded"]}, from_name="attributes", id=rectangle["id"]
    )
    assert config.read_text().splitlines()[:4] == [
        "<View>",
        '  <Image name="image" value="$image"/>',
        '  <RectangleLabels name="label" toName="image">',
        """    <Label value="&lt;cat&gt; &amp; 'co'" background="#0072b2"/>""",
    ]
    assert formats.recognise(tmp_path) == [("labelstudio", 1.0)]
    assert labelstudio.read(tmp_path).labels == ("<cat> & 'co'", "dog", "unused")


def test_controls_keep_the_names_that_all_boxes_came_with(tmp_path: Path) -> None:
    reading = read(tmp_path, labelled(result(from_name="what", to_name="photo"), result("b", from_name="what")))
    box = reading.images[0].boxes[0]
    for boxes, names in (([box], ("what", "photo")), (reading.images[0].boxes, ("what", "image"))):
        made = [Box(0, 0, 0, XYXY, extra=b.extra) for b in boxes]
        tasks, config = labelstudio.write(snapshot(["cat"], [Image(1, "a.jpg", 40, 30)], made), tmp_path / "out")
        results = json.loads(tasks.read_text())[0]["annotations"][0]["result"]
        assert {(r["from_name"], r["to_name"]) for r in results} == {names}
        assert f'<RectangleLabels name="{names[0]}" toName="{names[1]}">' in config.read_text()


@pytest.mark.parametrize("damaged", ["<View>", "<!DOCTYPE x><View/>"])
def test_a_damaged_interface_is_remarked_and_the_boxes_are_read(tmp_path: Path, damaged: str) -> None:
    labelstudio.write(made(), tmp_path)
    text(tmp_path / "label_config.xml", damaged)
    reading = labelstudio.read(tmp_path)
    assert reading.labels == ("dog", "<cat> & 'co'")
    assert [r.file for r in reading.remarks] == ["label_config.xml"]


def test_an_interface_of_other_labels_is_told_and_its_order_not_taken(tmp_path: Path) -> None:
    labelstudio.write(made(), tmp_path)
    text(tmp_path / "label_config.xml", "<View><RectangleLabels><Label value='horse'/></RectangleLabels></View>")
    reading = labelstudio.read(tmp_path)
    assert reading.labels == ("dog", "<cat> & 'co'")
    told = [(remark.file, remark.sentence) for remark in reading.remarks]
    assert told == [("label_config.xml", "It lists none of the boxes' labels, so it was ignored.")]


@pytest.mark.parametrize(
    "extra",
    [
        '{"labelstudio": [7]}',
        '{"labelstudio": {"id": 3, "more": {"value": 1}, "results": [5, {"type": "x"}], "task": 1}}',
    ],
)
def test_an_extra_that_is_no_good_is_not_written(tmp_path: Path, extra: str) -> None:
    image = Image(1, "a.jpg", 40, 30, State.DONE)
    labelstudio.write(snapshot(["cat"], [image], [Box(0, 0, 0, XYXY, extra=extra)]), tmp_path)
    assert [b.xyxy for b in labelstudio.read(tmp_path).images[0].boxes] == [XYXY]


def test_a_file_whose_first_task_is_endless_is_recognised(tmp_path: Path) -> None:
    for tasks in ([labelled(*[RESULT] * 400)], [MINIMAL | {"label": MINIMAL["label"] * 600}]):
        file = text(tmp_path / "x.json", json.dumps(tasks))
        assert file.stat().st_size > 65_536
        assert labelstudio.sniff(tmp_path) == labelstudio.sniff(file) == 1


@pytest.mark.parametrize(
    "other",
    [
        "", "[", "[]", "{}", "[[]]", "[7]", "[" * 90_000, '{"data":' * 90_000, "\0",
        '[{"image": "a.jpg", "annotations": [{"label": "cat", "coordinates": {"x": 1}}]}]',  # Create ML
        '{"images": [], "annotations": [], "categories": []}',
        '{"data": {"a": 1}}',
    ],
)  # fmt: skip
def test_other_documents_are_not_recognised(tmp_path: Path, other: str) -> None:
    assert labelstudio.sniff(text(tmp_path / "a.json", other)) == 0
    assert labelstudio.sniff(tmp_path) == 0
    with pytest.raises(Refused):
        labelstudio.read(tmp_path)


def test_whole_pixels_come_back_as_whole_pixels(tmp_path: Path) -> None:
    """Else an export to a format of whole pixels tells that it rounds fractions, of which there are none."""
    boxes = [Box(0, 0, 0, (float(n), 3.0 * n, n + 7.0, 3.0 * n + 11)) for n in range(100)]
    labelstudio.write(snapshot(["cat"], [Image(1, "a.jpg", 641, 427, State.DONE)], boxes), tmp_path)
    assert [box.xyxy for box in labelstudio.read(tmp_path).images[0].boxes] == [box.xyxy for box in boxes]
