"""Parses one Label Studio document: bytes to images and their regions; refusals name the path inside the document.

Accepted: the JSON export and import formats (a list of tasks, or one task), JSON-MIN (a list of records without
annotations), and the files of a target storage (one annotation with its task inside).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from workbench.core.files import IMAGE_SUFFIXES
from workbench.core.folders.image_lookup import to_posix
from workbench.core.parsing import strict_json
from workbench.core.project import FLAGS, Split, State
from workbench.errors import Refused
from workbench.formats.parts.json_values import is_clean, key_shown, short
from workbench.formats.parts.labelstudio_results import Region, ResultReader
from workbench.formats.parts.layout import SPLIT_WORDS, from_extra, to_extra

_MIN_KEYS = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "split", "state"}
_MARKS = {  # keys in the value of a result without labels, by which to tell its type, which JSON-MIN leaves out
    "choices": "choices", "text": "textarea", "taxonomy": "taxonomy", "rating": "rating", "number": "number",
    "points": "polygon", "radiusX": "ellipse", "x": "rectangle",
}  # fmt: skip
_USUAL_KEYS = ("image", "img", "image_url", "url", "images")  # of the image in a task's data
_QUERY = re.compile(r"[?&](?:d|filepath|fileuri)=(.*)", re.DOTALL)
_UPLOAD = re.compile(r"(?:^|/)upload/(?:[^/]+/)*(?:[0-9a-f]{8}-)?([^/]+)$")  # upload/PROJECT/HASH-NAME


@dataclass(frozen=True, slots=True)
class TaskImage:
    """One image of a task. `url` is from the file, `names` are the paths it may mean; () for an embedded picture."""

    url: str
    names: tuple[str, ...]
    place: str
    regions: tuple[Region, ...]
    state: State
    split: Split | None

    @property
    def sides(self) -> tuple[int, int]:
        return next((region.sides for region in self.regions if all(region.sides)), (0, 0))

    @property
    def uploaded(self) -> str:
        """The name of an upload without its hash; "" if it is not an upload."""
        return self.names[0] if any(_UPLOAD.search(name) for name in self.names) else ""


@dataclass(frozen=True, slots=True)
class LabelStudioFile:
    """One document. `counts`: by (level, what happened); `broken`: damaged tasks and regions."""

    images: tuple[TaskImage, ...]
    counts: Counter[tuple[str, str]]
    broken: tuple[Refused, ...]


def parse_labelstudio(data: bytes, file: str) -> LabelStudioFile:
    """Read one document. Raises Refused if it is not Label Studio's; damaged tasks and regions go to `broken`."""
    root = strict_json.parse(data, file)
    tasks = [("", root)] if isinstance(root, dict) else [(f"[{n}]", task) for n, task in enumerate(root or [])]
    if not tasks or not isinstance(root, dict | list):
        raise Refused(file, "not Label Studio: expected a list of tasks", line=1)
    return _Document(file).read(tasks)


def image_names(url: str) -> tuple[str, ...]:
    """The paths that a task's value may mean, its own name first: Label Studio prefixes uploads with a hash."""
    text = url.strip()
    if text.startswith("data:"):
        return ()
    if query := _QUERY.search(text):
        raw = query.group(1)
        found = [unquote(raw.split("&")[0]), unquote(raw), raw]
    elif re.match(r"[A-Za-z][\w+.-]+://", text):  # the host or bucket is not a folder
        raw = text.split("://", 1)[1].partition("/")[2]
        found = [unquote(re.split(r"[?#]", raw)[0]), unquote(raw)]
    else:
        served = text.lstrip("/").startswith(("data/", "upload/"))  # served by Label Studio itself, else a path
        found = [unquote(text), text] if served else [text, unquote(text)]
        found.append(unquote(re.split(r"[?#]", text)[0]))
    plain = [match.group(1) for path in found if (match := _UPLOAD.search(path))]
    return tuple(dict.fromkeys([*plain, *map(to_posix, found)]))


class _Document:
    def __init__(self, file: str) -> None:
        self.file = file
        self.results = ResultReader(file)
        self.counts, self.broken = self.results.counts, self.results.broken

    def read(self, entries: list[tuple[str, Any]]) -> LabelStudioFile:
        tasks: dict[Any, tuple[str, dict[str, Any]]] = {}
        for place, entry in entries:
            try:
                task = self.task(entry, place)
            except Refused as error:
                self.broken.append(error)
                continue
            id = task.get("id")
            same = ("minimal", id) if task.pop("minimal", False) and isinstance(id, int | str) else place
            if same in tasks:  # JSON-MIN has a record for each annotation of a task
                tasks[same][1]["annotations"] += task["annotations"]
            else:
                tasks[same] = place, task
        images: list[TaskImage] = []
        for place, task in tasks.values():
            try:
                images += self.images(task, place)
            except Refused as error:
                self.broken.append(error)
        return LabelStudioFile(tuple(images), self.counts, tuple(self.broken))

    def refuse(self, place: str, reason: str) -> Refused:
        return Refused(self.file, f"{place.lstrip('.')}: {reason}")

    def task(self, entry: Any, place: str) -> dict[str, Any]:
        """A task in one common form. Its annotations hold their place and their entries as (place, ...)."""
        if not isinstance(entry, dict):
            raise self.refuse(place, f"expected an object, found {short(entry)}")
        if "data" not in entry and isinstance(entry.get("task"), dict):  # a file of a target storage
            inner: dict[str, Any] = entry["task"]
            if not isinstance(inner.get("data"), dict):
                raise self.refuse(f"{place}.task.data", f"expected an object, found {short(inner.get('data'))}")
            return inner | {"annotations": [self.annotation(entry, place)], "predictions": []}
        if "data" not in entry and ("annotation_id" in entry or "annotator" in entry):
            return self.minimal(entry, place)
        if not isinstance(entry.get("data"), dict):
            raise self.refuse(f"{place}.data", f"expected an object, found {short(entry.get('data'))}")
        key = "annotations" if "annotations" in entry else "completions"  # its name before version 1.0
        annotations = entry.get(key, [])
        if not entry.keys() & {"annotations", "completions", "predictions", "drafts"}:
            self.counts["read", "tasks have no list of annotations: unlabelled"] += 1
        if not isinstance(annotations, list):
            raise self.refuse(f"{place}.{key}", f"expected a list, found {short(annotations)}")
        read = [self.annotation(one, f"{place}.{key}[{number}]") for number, one in enumerate(annotations)]
        return entry | {"annotations": read}

    def annotation(self, annotation: Any, place: str) -> dict[str, Any]:
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result", "none") or [], list):
            raise self.refuse(place, 'expected an object with a list "result"')
        entries = [
            (f"{place}.result[{n}]".lstrip("."), f"{place}.result[{n}].value".lstrip("."), result)
            for n, result in enumerate(annotation.get("result") or [])
        ]
        return annotation | {"result": entries}

    def minimal(self, record: dict[str, Any], place: str) -> dict[str, Any]:
        """A record of JSON-MIN as a task: lists of objects are results, under the name of their control."""
        entries, data = [], {}
        for key, value in record.items():
            if isinstance(value, list) and any(isinstance(one, dict) for one in value):
                entries += list(_minimal_results(key, value, f"{place}.{key}".lstrip(".")))
            elif key not in _MIN_KEYS or key in ("split", "state"):
                data[key] = value
                lost = sum(word in FLAGS for word in (value if isinstance(value, list) else [value]))
                if lost:
                    self.counts["refused", "marks were left out: JSON-MIN does not say which region they are of"] += (
                        lost
                    )
        annotations = [{"result": entries} | {key: record.get(key) for key in ("created_at", "updated_at")}]
        if record.get("annotation_id") is None and not entries:
            annotations = []
        return {"minimal": True, "id": record.get("id"), "data": data, "annotations": annotations}

    def images(self, task: dict[str, Any], place: str) -> list[TaskImage]:
        data, annotations = task["data"], task["annotations"]
        for key in ("predictions", "drafts"):
            if task.get(key):
                self.counts["refused", f"tasks have {key}, which are not labels and were left out"] += 1
        whole = [one for one in annotations if not (one.get("was_cancelled") or one.get("skipped"))]
        if len(whole) > 1:
            self.counts["repaired", "tasks have several annotations; the newest of each was taken"] += 1
        if annotations and not whole:
            self.counts["read", "tasks were skipped (cancelled) by their annotators: unlabelled"] += 1
        newest = max(enumerate(whole), key=lambda pair: (_when(pair[1]), pair[0]))[1] if whole else {}
        urls, key = self.urls(data, newest.get("result", []), f"{place}.data")
        before = len(self.broken), self.results.unfinished
        regions = self.results.read(newest.get("result", []))
        if before != (len(self.broken), self.results.unfinished) or data.get("state") == State.IN_WORK:
            state = State.IN_WORK
        elif not newest:
            state = State.UNLABELLED
        else:
            state = State.VERIFIED if newest.get("ground_truth") is True else State.DONE
        split = data.get("split")
        split = SPLIT_WORDS.get(split.lower()) if isinstance(split, str) else None
        others = {k: v for k, v in data.items() if k not in (key, "state", "split")}
        foreign = self.results.small({"data": self.results.small(others), "meta": task.get("meta")})
        images = []
        if any(not 0 <= region.item < len(urls) for region in regions):
            raise self.refuse(place, f"a result refers to an image (item_index) that is none of its {len(urls)}")
        for item, url in enumerate(urls):
            own = tuple(_with_task(region, foreign) for region in regions if region.item == item)
            images.append(TaskImage(url, image_names(url), place, own, state, split))
        return images

    def urls(self, data: dict[str, Any], entries: Iterable[Any], place: str) -> tuple[list[str], str]:
        """The image or images of a task, and their key in its data, which the file does not say."""
        texts = {key: urls for key, value in data.items() if (urls := _urls(value))}
        found = {key: urls for key, urls in texts.items() if all(map(_is_image, urls))}
        found = found or {key: urls for key, urls in texts.items() if key in _USUAL_KEYS or "://" in urls[0]}
        if not found:
            raise self.refuse(place, "no value in it names an image")
        controls = [result.get("to_name") for _, _, result in entries if isinstance(result, dict)]
        wanted = [*(name for name in controls if isinstance(name, str)), *_USUAL_KEYS, *found]
        key = next(key for key in wanted if key in found)
        if len(found) > 1:
            self.counts["read", f"tasks name several images; those of '{key_shown(key)}' were taken"] += 1
        return found[key], key


def _minimal_results(key: str, values: list[Any], place: str) -> Iterator[tuple[str, str, Any]]:
    for number, value in enumerate(values):
        where = f"{place}[{number}]"
        if not isinstance(value, dict):
            yield where, where, {"type": "choices", "from_name": key}
            continue
        kinds = [name for name in value if name == "labels" or name.endswith("labels")]
        kind = next(iter(kinds), next((kind for mark, kind in _MARKS.items() if mark in value), "result"))
        sides = {side: value[side] for side in ("original_width", "original_height") if side in value}
        plain = {name: one for name, one in value.items() if name not in sides}
        yield where, where, sides | {"type": kind, "from_name": key, "value": plain}


def _urls(value: Any) -> list[str]:
    """The texts in a value that may be an image or a list of images."""
    values = value if isinstance(value, list) else [value]
    texts = [one.strip() for one in values if isinstance(one, str) and one.strip() and is_clean(one)]
    return texts if len(texts) == len(values) else []


def _is_image(url: str) -> bool:
    if url.startswith("data:image/"):
        return True
    return any(PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES for name in image_names(url))


def _when(annotation: dict[str, Any]) -> float:
    """Time of its last change in seconds since 1970; 0 if not given. The first versions wrote numbers."""
    for key in ("updated_at", "created_at"):
        value = annotation.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
            return float(value)
        try:
            when = datetime.fromisoformat(value) if isinstance(value, str) else None
            if when is not None:
                return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return 0.0


def _with_task(region: Region, foreign: dict[str, Any]) -> Region:
    """What the file says about an image is kept with each of its boxes, because a project has no other place for it."""
    if not foreign:
        return region
    extra = (from_extra(region.box.extra, "labelstudio") or {}) | {"task": foreign}
    return replace(region, box=replace(region.box, extra=to_extra("labelstudio", extra)))
