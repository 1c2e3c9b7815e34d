"""Who waits for a reading hears of its steps, may end it, and hears of no other's."""

from __future__ import annotations

import json
import threading

import pytest

from workbench.formats.parts.coco_json import parse_coco
from workbench.formats.parts.openimages_csv import parse_boxes
from workbench.formats.parts.reading_progress import ReadingStopped, report_steps, step


def test_steps_are_told_to_the_one_that_watches_and_to_nobody_after_it() -> None:
    told: list[str] = []
    step("before")
    with report_steps(told.append):
        step("within")
    step("after")
    assert told == ["within"]


def test_a_watcher_ends_what_it_watches() -> None:
    def refuse(_what: str) -> None:
        raise ReadingStopped

    with pytest.raises(ReadingStopped), report_steps(refuse):
        step("file")
    step("nobody watches any more")


def test_another_thread_is_not_watched() -> None:
    told: list[str] = []
    with report_steps(told.append):
        other = threading.Thread(target=step, args=("elsewhere",))
        other.start()
        other.join()
    assert told == []


def test_a_table_and_a_document_of_very_many_boxes_can_be_stopped_half_way() -> None:
    """Each is one file: nothing was told of it, and nothing could end it, until all was read."""
    row = "a,/m/1,0.1,0.2,0.1,0.2\n"
    table = f"ImageID,LabelName,XMin,XMax,YMin,YMax\n{row * 2500}".encode()
    box = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    document = {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}]}
    many = json.dumps(document | {"annotations": [box] * 2500}).encode()
    told: list[str] = []
    with report_steps(told.append):
        assert len(parse_boxes(table, "a.csv").boxes["a"]) == 2500
        assert len(parse_coco(many, "a.json").images[0].boxes) == 2500
    assert told == ["thousand rows read"] * 2 + ["thousand boxes read"] * 2
