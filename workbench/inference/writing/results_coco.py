"""Predictions as COCO's list of results, which pycocotools' loadRes reads.

Its entries refer to images and labels by number: those in the COCO file `info.ids`, matched by file name and label
name. Without one they count from 1, and predictions.coco.images.json beside it lists them: a COCO file without
annotations, to complete or compare with.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.core import formatting
from workbench.core.parsing import strict_json
from workbench.core.project import Label
from workbench.errors import Refused, WorkbenchError
from workbench.inference.writing.result_parts import ResultRow
from workbench.inference.writing.results import JsonList, Progress, ResultsInfo, Written, replacing

RESULTS, IMAGES = "predictions.coco.json", "predictions.coco.images.json"


def write_coco(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """Write COCO results. WorkbenchError if the file of ids can't be read, or knows none of the labels or images."""
    ids = _read_ids(info.ids, info.labels) if info.ids is not None else None
    unknown = known = 0
    with contextlib.ExitStack() as stack:
        results = JsonList(stack.enter_context(replacing(folder / RESULTS)), "[")
        if ids is None:
            listed = JsonList(stack.enter_context(replacing(folder / IMAGES)), '{"images": [')
        for done, row in enumerate(rows, start=1):
            if not row.skipped:
                image = done if ids is None else ids.image(row)
                known, unknown = known + (image is not None), unknown + (image is None)
                if ids is None:
                    listed.add({"id": done, "file_name": file_name(row), "width": row.width, "height": row.height})
                if image is not None:
                    _add_results(results, row, image, ids.labels if ids else range(1, len(info.labels) + 1))
            yield done
        if ids is not None and unknown and not known:
            raise WorkbenchError(f"{info.ids} contains none of these images. Is it for other ones?")
        results.end("\n]\n")
        if ids is None:
            categories = [{"id": n, "name": label.name} for n, label in enumerate(info.labels, start=1)]
            ending = {"annotations": [], "categories": categories}
            listed.end("\n], " + json.dumps(ending, ensure_ascii=False)[1:] + "\n")
    files = (folder / RESULTS,) if ids else (folder / RESULTS, folder / IMAGES)
    remark = f"Not in {info.ids}, so left out of {RESULTS}: {formatting.count(unknown, 'picture')}." if unknown else ""
    yield Written(files, remark)


def file_name(row: ResultRow) -> str:
    """The name of a picture; for a frame, that of its picture."""
    return row.name if row.frame < 0 else f"{row.own_place}.jpg"


def _add_results(results: JsonList, row: ResultRow, image: Any, labels: Any) -> None:
    for label, score, (x0, y0, x1, y1) in row.found:
        box = [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]
        results.add({"image_id": image, "category_id": labels[label], "bbox": box, "score": score})


@dataclass(frozen=True, slots=True)
class _Ids:
    labels: tuple[Any, ...]  # by index of the network's labels
    images: Mapping[str, Any]  # by file name; None if two have the same name

    def image(self, row: ResultRow) -> Any:
        name = file_name(row)
        return self.images.get(name, self.images.get(PurePosixPath(name).name))


def _read_ids(file: Path, labels: tuple[Label, ...]) -> _Ids:
    try:
        document = strict_json.parse(file.read_bytes(), str(file))
        categories = {str(one["name"]): one["id"] for one in document["categories"]}
        images: dict[str, Any] = {}
        for one in document["images"]:
            for name in {str(one["file_name"]), PurePosixPath(str(one["file_name"])).name}:
                images[name] = None if name in images else one["id"]
    except OSError as error:
        raise WorkbenchError(f"{file} could not be read: {error.strerror}. Check the name.", error) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(file, "this is not a COCO file with images and categories") from error
    missing = [label.name for label in labels if label.name not in categories]
    if missing:
        raise Refused(file, f"it has no category '{missing[0]}', which the detector finds. Is it for other labels?")
    return _Ids(tuple(categories[label.name] for label in labels), images)
