"""Parses one CVAT document: bytes to labels, images and frames with their boxes; every refusal names its line."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from workbench.core.formatting import visible
from workbench.core.parsing import strict_xml
from workbench.core.parsing.strict_xml import Element
from workbench.core.project import State
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.corners import SANE
from workbench.formats.parts.cvat_shapes import NO_BOXES, SHAPES, ShapeReport, is_outside, read_shape
from workbench.formats.parts.layout import parse_number

_CONTAINERS = ("task", "project", "job")  # what <meta> may describe
_TOP = {"version", "meta", "image", "track"}
_LAST_FRAME = 10**9
SIZE_LIMIT = 256 << 20  # bytes: a document holds a whole project; reading takes 8 times its size in memory


@dataclass
class CvatImage:
    """An image or a frame of a video. `width` and `height` are 0 if the document does not give them.

    `subset` is its own or, if `is_own_subset` is False, its task's. `stated` is the state given in the document.
    """

    name: str
    width: int
    height: int
    subset: str
    is_own_subset: bool
    is_frame: bool
    stated: State | None = None
    is_incomplete: bool = False  # some of its boxes are damaged or missing
    boxes: list[ReadBox] = field(default_factory=list)

    @property
    def state(self) -> State:
        """CVAT lists every image of a task, looked at or not: without boxes it is unlabelled, unless we wrote one."""
        if self.is_incomplete:
            return State.IN_WORK
        return self.stated or (State.DONE if self.boxes else State.UNLABELLED)


@dataclass(frozen=True, slots=True)
class CvatFile:
    """One document. `counts` are by (level, words), `remarks` are (level, sentence, line, kind)."""

    labels: tuple[str, ...]
    images: tuple[CvatImage, ...]
    is_project: bool
    counts: Counter[tuple[str, str]]
    remarks: tuple[tuple[str, str, int, str], ...]
    broken: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    subset: str
    width: int  # of a video's frames
    height: int


def parse_cvat(data: bytes, file: str) -> CvatFile:
    """Read one document. Raises Refused if it is not a CVAT file; damaged images, tracks and shapes go to `broken`."""
    root = strict_xml.parse(data, file, SIZE_LIMIT)
    if root.tag != "annotations":
        raise Refused(file, f"not CVAT: the outermost element is <{root.tag[:40]}>, not <annotations>", root.line)
    return _Document(root, file).read()


class _Document:
    def __init__(self, root: Element, file: str) -> None:
        self.root, self.file = root, file
        self.report = ShapeReport()
        meta = root.first("meta")
        parts = meta.children if meta else []
        self.container = next((part for part in parts if part.tag in _CONTAINERS), None)
        self.images: list[CvatImage] = []
        self.by_frame: dict[tuple[str, str, int], CvatImage] = {}  # by task, subset and number

    def read(self) -> CvatFile:
        self.tasks = self.read_tasks()
        spans: dict[tuple[str, str], list[list[tuple[int, bool]]]] = {}
        for element in [*self.root.all("image"), *self.root.all("track")]:
            try:
                if element.tag == "image":
                    self.image(element)
                else:
                    task, subset, listed = self.track(element)
                    spans.setdefault((task, subset), []).append(listed)
                    self.report.counts["read", "of its objects are tracks: a box on each frame that shows them"] += 1
            except Refused as error:
                self.report.broken.append(error)
        self.mark_gaps(spans)
        self.tell_of_the_whole()
        used = (box.label for image in self.images for box in image.boxes)
        return CvatFile(
            labels=tuple(dict.fromkeys([*self.labels(), *used])),
            images=tuple(self.images),
            is_project=self.container is not None and self.container.tag == "project",
            counts=self.report.counts,
            remarks=tuple(self.report.remarks),
            broken=tuple(self.report.broken),
        )

    def say(self, level: str, sentence: str, line: int = 0, kind: str = "") -> None:
        self.report.remarks.append((level, sentence, line, kind or sentence))

    def read_tasks(self) -> dict[str, _Task]:
        """The tasks by id; "" is the only one, or the project as a whole."""
        tasks = {"": _Task("", 0, 0)}
        inner = self.container.first("tasks") if self.container else None
        for element in [*([self.container] if self.container else []), *(inner.all("task") if inner else [])]:
            size = element.first("original_size")
            sides = [_side(_text(size, key)) or 0 for key in ("width", "height")]
            task = _Task(_text(element, "subset"), *sides)
            tasks[_text(element, "id") if element is not self.container else ""] = task
        return tasks

    def labels(self) -> list[str]:
        """In the order of <meta>; those with a <parent> are points of a skeleton, not labels."""
        listed = self.container.first("labels") if self.container else None
        labels = listed.all("label") if listed else ()
        return [name for label in labels if (name := _text(label, "name")) and not _text(label, "parent")]

    def home(self, element: Element) -> tuple[_Task, str, bool]:
        """The task of an image or track, its subset, and whether the element itself gives the subset."""
        task = self.tasks.get(element.attributes.get("task_id", ""), self.tasks[""])
        own = element.attributes.get("subset", "").strip()
        return task, own or task.subset, bool(own)

    def image(self, element: Element) -> None:
        name = element.attributes.get("name", "").strip()
        if not name:
            raise Refused(self.file, "an <image> without a name", element.line)
        sides = [_side(element.attributes.get(key, "")) for key in ("width", "height")]
        if None in sides:
            size = f"{element.attributes.get('width', '')} x {element.attributes.get('height', '')}"
            raise Refused(self.file, f"the size of '{name[:60]}' must be in pixels, not '{size[:40]}'", element.line)
        _, subset, is_own = self.home(element)
        image = CvatImage(name, sides[0] or 0, sides[1] or 0, subset, is_own, is_frame=False)
        state = element.attributes.get("state")
        image.stated = State(state) if state in set(State) else None
        for child in element.children:
            try:
                box = self.shape(child)
            except Refused as error:
                self.report.broken.append(error)
                image.is_incomplete = True
            else:
                image.boxes += [box] if box else []
        self.images.append(image)
        frame = element.attributes.get("id", "")
        if frame.isascii() and frame.isdigit() and len(frame) < 10:
            self.by_frame[element.attributes.get("task_id", ""), subset, int(frame)] = image

    def shape(self, element: Element, track: Element | None = None) -> ReadBox | None:
        if element.tag in SHAPES:
            return read_shape(element, self.report, self.file, track)
        if element.tag != "attribute":  # images have some in newer documents; they are not objects
            self.report.left_out(NO_BOXES.get(element.tag, f"shapes <{visible(element.tag, 40)}>"))
        return None

    def track(self, track: Element) -> tuple[str, str, list[tuple[int, bool]]]:
        """Put the boxes of a track into its frames. Returns task, subset and (frame, whether it has a box) in order."""
        if "label" not in track.attributes:
            raise Refused(self.file, "<track> has no label", track.line)
        task, subset, is_own = self.home(track)
        task_id = track.attributes.get("task_id", "")
        listed = []
        for child in track.children:
            image = None
            try:
                frame = self.frame_number(child)
                image = self.by_frame.get((task_id, subset, frame))
                if image is None:
                    image = CvatImage(f"frame_{frame:06d}.png", task.width, task.height, subset, is_own, is_frame=True)
                    self.by_frame[task_id, subset, frame] = image
                    self.images.append(image)
                box = None if is_outside(child, self.file) else self.shape(child, track)
            except Refused as error:
                self.report.broken.append(error)
                if image is not None:
                    image.is_incomplete = True
                continue
            image.boxes += [box] if box else []
            listed.append((frame, box is not None))
        return task_id, subset, sorted(listed)

    def frame_number(self, element: Element) -> int:
        text = element.attributes.get("frame", "")
        if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > _LAST_FRAME:
            reason = f"<{element.tag[:40]}> needs the number of its frame, not '{text[:40]}'"
            raise Refused(self.file, reason, element.line)
        return int(text)

    def mark_gaps(self, spans: dict[tuple[str, str], list[list[tuple[int, bool]]]]) -> None:
        """Mark frames that a track skips while its object is visible: a box is missing there, so they are not done.

        CVAT itself lists every frame of a track; documents with only key frames come from other programs.
        """
        skipped = set()
        frames_of = defaultdict[tuple[str, str], list[int]](list)
        for task, subset, frame in sorted(self.by_frame):
            frames_of[task, subset].append(frame)
        for (task, subset), tracks in spans.items():
            frames = frames_of[task, subset]
            for listed in tracks:
                for (frame, is_box), (until, _) in pairwise([*listed, (_LAST_FRAME + 1, False)]):
                    if is_box:
                        between = frames[bisect.bisect_right(frames, frame) : bisect.bisect_left(frames, until)]
                        skipped |= {(task, subset, missing) for missing in between}
        for key in skipped:
            self.by_frame[key].is_incomplete = True
        if skipped:
            words = "frames lie between those that a track lists, so boxes are missing there: they are in work"
            self.report.counts["repaired", words] = len(skipped)

    def tell_of_the_whole(self) -> None:
        """Report what the document says, or fails to say, apart from its shapes."""
        version = _text(self.root, "version")
        if version != "1.1":
            self.say("read", f"It has version '{version[:20]}'; it was read as version 1.1." if version else
                     "It does not state its version; it was read as version 1.1.")  # fmt: skip
        for tag in dict.fromkeys(child.tag for child in self.root.children if child.tag not in _TOP):
            self.say("read", f"<{visible(tag, 40)}> is not known; it was not read.")
        if self.by_frame and _text(self.container, "mode") == "annotation" and self.root.first("track"):
            self.say(
                "read", "Its tracks give frame numbers, but the task was made of images, whose names they do not"
                " give: export it from CVAT as 'CVAT for images 1.1'.",
            )  # fmt: skip
        silent = sum(1 for image in self.images if image.state is State.UNLABELLED and image.stated is None)
        if silent:
            words = "images have no boxes, and nothing says that anyone looked for some: they are unlabelled"
            self.report.counts["read", words] = silent


def _text(element: Element | None, tag: str) -> str:
    child = element.first(tag) if element else None
    return child.text if child else ""


def _side(text: str) -> int | None:
    """Pixels; 0 if absent, None if it is not a size."""
    value = parse_number(text.strip() or "0")
    return int(value) if value is not None and 0 <= value <= SANE and value.is_integer() else None
