"""Label Studio JSON: tasks with annotations, as it exports and imports them; JSON-MIN is read, too.

Numbers are percentages of the image's width and height, so a box needs the size of its image (original_width and
_height, else the image file's own). Of a task's annotations, the newest that was not cancelled counts; predictions and
drafts are not labels. A rotated rectangle becomes its bounding box. Names come from uploads (a hash precedes the
name), local files (?d=), links or buckets.

We write tasks.json and label_config.xml. Marks are choices of a region ("difficult" ...), its note is meta.text, a
verified image is ground truth, and the split and the state in work are task data. To open them in Label Studio: set
LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT to the exported folder, make a
project with the labels of label_config.xml, add the local storage "images" (without syncing it), import tasks.json.
"""

from __future__ import annotations

import functools
import json
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from workbench.core import images as image_files
from workbench.core.files import atomic_write
from workbench.core.folders.image_lookup import is_portable, leads_out, to_nfc, upload_name
from workbench.core.formatting import count
from workbench.core.parsing import strict_xml
from workbench.core.project import XYXY, Snapshot, State
from workbench.errors import WorkbenchError
from workbench.formats import ReadBox, ReadImage, Reading, ReadSettings, Source, register
from workbench.formats.parts.labelstudio_json import TaskImage, parse_labelstudio
from workbench.formats.parts.labelstudio_writer import control_names, to_config, to_task
from workbench.formats.parts.layout import display_name, distinct_paths, sniff_files, split_of_folders
from workbench.formats.parts.reader import DataSetReader

_FILE, _CONFIG = "tasks.json", "label_config.xml"
_IMAGE_FOLDER = "images"
_NAMED = re.compile(r"tasks\.json|project-\d+-at-.*\.json", re.IGNORECASE)  # ours, and Label Studio's exports
_LISTS = ("annotations", "completions", "predictions")
_REGION = re.compile(r'"(?:original_width|from_name)"')
_LABELS = re.compile(r'labels"\s*:\s*\[')


@register("labelstudio")
class LabelStudio:
    title = "Label Studio JSON"
    cannot_store = frozenset({"unknown size"})
    tells_splits = True
    renewed = frozenset({"id", "from_name", "to_name", "attributes"})

    def sniff(self, path: Path) -> float:
        return sniff_files(path, ".json", _is_labelstudio)

    def read(self, path: Path, images: Sequence[Path] = (), settings: ReadSettings = ReadSettings()) -> Reading:
        return _Reader(path, images, settings).read()

    def places(self, snapshot: Snapshot) -> tuple[str, ...]:
        return tuple(f"{_IMAGE_FOLDER}/{path}" for path in distinct_paths(snapshot.images))

    def write(self, snapshot: Snapshot, folder: Path) -> tuple[Path, ...]:
        names = control_names(snapshot)
        tasks = [to_task(snapshot, index, place, names) for index, place in enumerate(self.places(snapshot))]
        lines = ",\n".join(json.dumps(task, ensure_ascii=False, separators=(",", ":")) for task in tasks)
        atomic_write(folder / _FILE, f"[\n{lines}\n]\n", sync=False)
        atomic_write(folder / _CONFIG, to_config(snapshot, names), sync=False)
        return folder / _FILE, folder / _CONFIG

    def sources(self, snapshot: Snapshot) -> tuple[Source | None, ...]:
        return tuple(Source(Path(_FILE), place) for place in self.places(snapshot))


def _is_labelstudio(file: Path) -> bool:
    """Judged by the first task, or its beginning: a task may be longer than what is read."""
    if file.suffix.lower() != ".json":
        return False
    with file.open("rb") as stream:
        head = stream.read(65_536).decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not re.match(r"\[\s*\{|\{", head):
        return False
    try:
        task, _ = json.JSONDecoder().raw_decode(head, head.index("{"))
    except (ValueError, RecursionError):
        return bool(_REGION.search(head) and _LABELS.search(head))
    if isinstance(task.get("data"), dict) and any(isinstance(task.get(key), list) for key in _LISTS):
        return True
    if isinstance(task.get("result"), list) and isinstance(task.get("task"), dict):  # in a target storage
        return True
    return "annotation_id" in task and ("annotator" in task or "lead_time" in task)  # JSON-MIN


def _config_labels(data: bytes, file: str) -> list[str]:
    """The labels of a labelling interface, in its order. Refused if it can't be read."""
    found = [element.attributes for element in strict_xml.parse(data, file).below() if element.tag == "Label"]
    labels = [(one.get("alias") or one.get("value", "")).strip() for one in found]
    return [label for label in labels if label]


def _rounded(xyxy: XYXY) -> XYXY:
    """To a millionth of a pixel: 25.000000000000004 percent would only look like a fraction of one."""
    x0, y0, x1, y1 = xyxy
    return round(x0, 6), round(y0, 6), round(x1, 6), round(y1, 6)


class _Reader(DataSetReader):
    """One reading of a Label Studio file or of a folder of them."""

    kind = "Label Studio file"

    def read(self) -> Reading:
        own = self.own_files(lambda file: _is_labelstudio(file) or bool(_NAMED.fullmatch(file.name)))
        files = self.parsed(own, parse_labelstudio)
        images = [self.image(image, file) for file, one in files for image in one.images]
        self.tell_counts(one.counts for _, one in files)
        images += self.bare_images(images)
        used = dict.fromkeys(box.label for image in images for box in image.boxes)
        configs = [file for file in dict.fromkeys(file.parent / _CONFIG for file, _ in files) if os.path.isfile(file)]
        beside = [config for config in configs if not leads_out(config, [self.root])]
        labels = self.in_listed_order(used, beside, _config_labels)
        return self.report.reading("labelstudio", self.path, labels, images, self.lookup)

    def image(self, image: TaskImage, file: Path) -> ReadImage:
        name = display_name(file, self.root)
        foreign = "://" in image.url or "?" in image.url or image.url.startswith(("/data/", "/upload/"))
        if not all(map(is_portable, image.names)) or not (foreign or not image.names or is_portable(image.url)):
            self.report.tell_outside(name, image.url)
        if not image.names:
            sentence = f"{image.place}: the picture inside the file was not read; its image file is needed.".lstrip(":")
            self.report.say("refused", name, sentence, kind="pictures inside the files, not read")
        found = self.file_of(image, file) if image.names else None
        boxes, sides = self.boxes(image, found, name)
        state = image.state if boxes or not image.regions else State.UNLABELLED
        return ReadImage(
            name=image.names[0] if image.names else f"picture of task {image.place or 1}",
            file=found,
            width=sides[0],
            height=sides[1],
            boxes=boxes,
            split=split_of_folders(file, self.root) if image.split is None else image.split,
            state=state,
            source=Source(file, image.names[0]) if image.names else None,
        )

    def boxes(self, image: TaskImage, found: Path | None, name: str) -> tuple[tuple[ReadBox, ...], tuple[int, int]]:
        """The boxes in pixels, and the size of their image: as the file gives it, else the image's own."""
        width, height = image.sides
        if image.regions and not (width and height):
            reason = "there is no image file, and the file does not give its size"
            try:
                info = image_files.info(found) if found else None
            except WorkbenchError as error:
                info, reason = None, f"the image can't be read: {getattr(error, 'reason', error.sentence)}"
            if info is None:
                sentence = f"'{image.url[:80]}': {count(len(image.regions), 'box', 'was')} left out, because {reason}."
                kind = "images whose boxes were left out, because their size is not known"
                self.report.say("refused", name, sentence, kind=kind)
                return (), (0, 0)
            width, height = info.width, info.height
        if any(all(region.sides) and region.sides != (width, height) for region in image.regions):
            sentence = f"{image.place}: its regions give several sizes of the image; {width} x {height} was used."
            self.report.say("repaired", name, sentence, kind="images with several sizes, the first was used")
        boxes = tuple(
            replace(region.box, xyxy=_rounded(region.shape.pixels(width, height))) for region in image.regions
        )
        for box in boxes:
            if box.xyxy[0] == box.xyxy[2] or box.xyxy[1] == box.xyxy[3]:
                sentence = f"{image.place}: the box of '{box.label[:60]}' has zero size; it was kept."
                self.report.say("read", name, sentence, kind="boxes of zero size, kept")
        return boxes, (width, height)

    def file_of(self, image: TaskImage, file: Path) -> Path | None:
        """The image by its path from the file or the folder, else by its name; with its hash first, then without."""
        folder = file.parent.relative_to(self.root).as_posix()
        names = [*image.names[1:], image.names[0]]
        if there := self.at([*(posixpath.normpath(posixpath.join(folder, name)) for name in names), *names]):
            return there
        matches = [self.lookup.find(name, near=folder.split("/")) for name in names]
        found = next((match.file for match in matches if match.file), None)
        count = max(match.count for match in matches)
        if found is None and not count and image.uploaded:
            alike = self.uploads.get(image.uploaded, [])
            found, count = (alike[0], 1) if len(alike) == 1 else (None, len(alike))
            if found is not None:
                sentence = f"'{image.uploaded[:80]}' is '{found.name[:80]}', whose name was changed by an upload."
                kind = "names changed by an upload, found by the original name"
                self.report.say("repaired", display_name(file, self.root), sentence, kind=kind)
        if found is None and count:
            self.report.tell_ambiguous(display_name(file, self.root), count, image.url)
        return found

    @functools.cached_property
    def uploads(self) -> dict[str, list[Path]]:
        """The image files by the names an upload would give them."""
        found: dict[str, list[Path]] = {}
        for file in self.lookup.files:
            found.setdefault(upload_name(to_nfc(file.name)), []).append(file)
        return found
