"""Label Studio's tasks, annotations and results as its exports have them, and how they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.formats.making import text
from workbench import formats
from workbench.formats import ReadSettings
from workbench.formats.parts.labelstudio_json import parse_labelstudio

labelstudio = formats.load_all().get("labelstudio")

# a result of an export of Label Studio 1.7 (tests/custom/converter/data of label-studio-sdk has such files)
RESULT: dict[str, Any] = {
    "original_width": 40,
    "original_height": 30,
    "image_rotation": 0,
    "value": {"x": 25.0, "y": 20.0, "width": 50.0, "height": 10.0, "rotation": 0, "rectanglelabels": ["cat"]},
    "id": "C7oHaRDVVC",
    "from_name": "label",
    "to_name": "image",
    "type": "rectanglelabels",
    "origin": "manual",
}
XYXY = (10, 6, 30, 9)
PLACE = {key: RESULT["value"][key] for key in ("x", "y", "width", "height", "rotation")}
COMMON = {key: told for key, told in RESULT.items() if key not in ("value", "type", "from_name")}
# as label-studio-sdk 2.0 writes JSON-MIN: the data of the task, one list for each control, no ids
MINIMAL: dict[str, Any] = {
    "image": "/data/upload/3/0a1b2c3d-a.jpg",
    "id": 1,
    "label": [RESULT["value"] | {"original_width": 40, "original_height": 30}],
    "weather": "fog",
    "annotator": 2,
    "annotation_id": 5,
    "created_at": "2022-12-01T13:36:25.747398Z",
    "updated_at": "2022-12-01T21:04:40.495704Z",
    "lead_time": 3.5,
}


def result(id: str | None = "C7oHaRDVVC", **changes: Any) -> dict[str, Any]:
    """A rectangle; `changes` are of the result, or of its value where that has the key."""
    value = RESULT["value"] | {key: told for key, told in changes.items() if key in RESULT["value"]}
    return RESULT | {"id": id, "value": value} | {key: told for key, told in changes.items() if key not in value}


def beside(kind: str, value: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A result that belongs to the rectangle, as the editor writes it: with its geometry."""
    return COMMON | {"type": kind, "from_name": kind, "value": PLACE | value} | changes


def annotation(*results: Any, day: int = 1, **changes: Any) -> dict[str, Any]:
    told = {"id": day, "completed_by": 2, "result": list(results), "was_cancelled": False, "ground_truth": False}
    stamps = {"created_at": f"2022-12-{day:02}T13:36:25.747398Z", "updated_at": f"2022-12-{day:02}T21:04:40.495704Z"}
    return told | stamps | {"lead_time": 1235.418, "prediction": {}, "task": 1, "parent_annotation": None} | changes


def task(*annotations: Any, image: Any = "/data/upload/3/0a1b2c3d-a.jpg", **changes: Any) -> dict[str, Any]:
    told = {"id": 1, "annotations": list(annotations), "drafts": [], "predictions": [], "data": {"image": image}}
    return told | {"meta": {}, "inner_id": 1, "total_annotations": len(annotations), "project": 3} | changes


def labelled(*results: Any, **changes: Any) -> dict[str, Any]:
    return task(annotation(*results), **changes)


def parse(*tasks: Any) -> Any:
    return parse_labelstudio(json.dumps(tasks).encode(), "x.json")


def read(folder: Path, *tasks: Any, **settings: Any) -> Any:
    text(folder / "project-1-at-2022-12-27-21-05-d1a7e2f8.json", json.dumps(tasks, indent=4))
    return labelstudio.read(folder, settings=ReadSettings(**settings))


def levels(reading: Any) -> list[tuple[str, str]]:
    return [(remark.level, remark.sentence) for remark in reading.remarks]
