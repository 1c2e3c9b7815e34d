"""Parses one VoTT document: bytes to assets and boxes; every refusal names the path inside the document.

VoTT writes three kinds: an export (all assets with their regions), the file of one asset (<id>-asset.json), and the
project (.vott), which lists assets and tags but holds no regions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from workbench.core.parsing import strict_json
from workbench.core.project import FLAGS, XYXY, Snapshot, State
from workbench.errors import Refused
from workbench.formats import ReadBox
from workbench.formats.parts.json_values import JsonDocument, is_clean, is_number, key_shown, sane, short
from workbench.formats.parts.layout import from_extra, to_extra

NOT_VISITED, VISITED, TAGGED = 0, 1, 2  # VoTT's AssetState; visited: "not yet tagged"
_VIDEO = 2  # of AssetType; its frames are assets of their own
_OUTLINES = {"POLYGON": "polygons", "POLYLINE": "polylines"}  # read as their bounding box
_SHAPES = {"RECTANGLE", "SQUARE", "POINT", *_OUTLINES}
_SIDES = ("left", "top", "width", "height")
REGION_KEYS = {"id", "type", "tags", "boundingBox", "points", "note", *FLAGS}
ASSET_KEYS = {"format", "id", "name", "path", "size", "state", "type", "status"}


@dataclass(frozen=True, slots=True)
class VottAsset:
    """One image. `boxes` is None where the document lists the asset without its regions (a project file)."""

    id: str
    name: str  # as VoTT wrote it: the URL-encoded name of the file
    path: str
    place: str  # inside the document
    width: int  # 0 = not given
    height: int
    stage: int  # VoTT's own state
    state: State
    boxes: tuple[ReadBox, ...] | None


@dataclass(frozen=True, slots=True)
class VottFile:
    """One document. `labels` in the order of its tags; `counts`: by what happened; `remarks`: (level, text, kind)."""

    labels: tuple[str, ...]
    assets: tuple[VottAsset, ...]
    counts: Counter[tuple[str, str]]  # (level, what): how many
    remarks: tuple[tuple[str, str, str], ...]
    broken: tuple[Refused, ...]


def parse_vott(data: bytes, file: str) -> VottFile:
    """Read one document. Raises Refused if it is not a VoTT file; damaged assets and regions go to `broken`."""
    root = strict_json.parse(data, file)
    if isinstance(root, dict):
        if isinstance(root.get("asset"), dict) and isinstance(root.get("regions"), list):
            return _Document(root, file).read({"": root})
        assets = root.get("assets", {})
        if root.keys() & {"assets", "tags"} and isinstance(assets, dict) and isinstance(root.get("tags", []), list):
            return _Document(root, file).read(assets)
    reason = 'not VoTT: expected an object with "assets" and a list "tags", or one "asset" with "regions"'
    raise Refused(file, reason, line=1)


class _Document(JsonDocument):
    def __init__(self, root: dict[str, Any], file: str) -> None:
        super().__init__(root, file)
        self.counts: Counter[tuple[str, str]] = Counter()

    def read(self, entries: dict[str, Any]) -> VottFile:
        labels = self.labels()
        assets = []
        if "assets" not in self.root and "asset" not in self.root:
            sentence = 'There is no list "assets", so it describes no images.'
            self.remarks.append(("refused", sentence, "documents without images"))
        for key, entry in entries.items():
            try:
                asset = self.asset(entry, key, f"assets.{key_shown(key)}." if key else "")
            except Refused as error:
                self.broken.append(error)
            else:
                assets += [asset] if asset else []
        return VottFile(labels, tuple(assets), self.counts, tuple(self.remarks), tuple(self.broken))

    def labels(self) -> tuple[str, ...]:
        names = []
        for number, tag in enumerate(self.root.get("tags", [])):
            try:
                names.append(self.text(tag.get("name") if isinstance(tag, dict) else tag, f"tags[{number}].name"))
            except Refused as error:
                self.broken.append(error)
        return tuple(dict.fromkeys(names))

    def asset(self, entry: Any, key: str, place: str) -> VottAsset | None:
        if not isinstance(entry, dict):
            raise self.refuse(place, f"expected an object, found {short(entry)}")
        asset, regions, own = entry, None, place
        if "asset" in entry:
            asset, regions, own = entry["asset"], entry.get("regions"), f"{place}asset."
            if not isinstance(asset, dict) or not isinstance(regions, list):
                raise self.refuse(place, 'expected an object "asset" and a list "regions"')
        name = self.text(asset.get("name"), f"{own}name")
        if asset.get("type") == _VIDEO and not regions:
            self.counts["read", "videos: only their frames have regions"] += 1
            return None
        path = asset.get("path")
        sides = self.sides(asset.get("size"), f"{own}size")
        stage = asset.get("state", TAGGED if regions else NOT_VISITED)
        if isinstance(stage, bool) or stage not in (NOT_VISITED, VISITED, TAGGED):
            raise self.refuse(f"{own}state", f"expected 0, 1 or 2, found {short(stage)}")
        already = len(self.broken), self.counts["refused", "regions without a tag were left out"]
        boxes = None if regions is None else self.boxes(regions, f"{place}regions")
        unfinished = already != (len(self.broken), self.counts["refused", "regions without a tag were left out"])
        return VottAsset(
            id=asset["id"] if isinstance(asset.get("id"), str) and is_clean(asset["id"]) else key or name,
            name=name,
            path=path if isinstance(path, str) and is_clean(path) else "",
            place=place,
            width=sides[0],
            height=sides[1],
            stage=stage,
            state=State.IN_WORK if unfinished else self.state(asset, stage, bool(boxes)),
            boxes=boxes if boxes is None else self.with_asset(boxes, asset, own),
        )

    def sides(self, size: Any, place: str) -> tuple[int, int]:
        """Pixels; VoTT writes null for an image that was never opened."""
        if size is None:
            return 0, 0
        sides: list[Any] = [size.get(key) for key in ("width", "height")] if isinstance(size, dict) else [None]
        if not all(is_number(side) and side >= 0 for side in sides):
            raise self.refuse(place, "expected width and height in pixels")
        return int(sides[0]), int(sides[1])

    def state(self, asset: dict[str, Any], stage: int, has_boxes: bool) -> State:
        status = asset.get("status")  # ours
        if isinstance(status, str) and status in set(State):
            return State(status)
        if stage == VISITED and not has_boxes:
            self.counts["read", "images were only viewed in VoTT, which calls that not yet tagged: unlabelled"] += 1
        return State.DONE if has_boxes or stage == TAGGED else State.UNLABELLED

    def boxes(self, regions: list[Any], place: str) -> list[ReadBox]:
        boxes = []
        for number, region in enumerate(regions):
            try:
                boxes += self.region(region, f"{place}[{number}].")
            except Refused as error:
                self.broken.append(error)
        return boxes

    def region(self, region: Any, place: str) -> list[ReadBox]:
        """One box for each tag, as in VoTT's own exports to other formats."""
        if not isinstance(region, dict):
            raise self.refuse(place, f"expected an object, found {short(region)}")
        kind, tags = region.get("type", "RECTANGLE"), region.get("tags")
        if not isinstance(kind, str) or kind not in _SHAPES:
            raise self.refuse(f"{place}type", f"{short(kind)} is none of the shapes that are known")
        if not isinstance(tags, list):
            raise self.refuse(f"{place}tags", f"expected a list, found {short(tags)}")
        labels = dict.fromkeys(self.text(tag, f"{place}tags[{n}]") for n, tag in enumerate(tags))
        if kind == "POINT":
            self.counts["refused", "points were left out: no box can be made of them"] += 1
            return []
        xyxy = self.bounds(region, place)
        if not labels:
            self.counts["refused", "regions without a tag were left out"] += 1
            return []
        if kind in _OUTLINES:
            self.counts["repaired", f"{_OUTLINES[kind]} were read as their bounding boxes"] += 1
        if len(labels) > 1:
            self.counts["read", "regions with several tags became one box for each tag"] += 1
        if xyxy[0] == xyxy[2] or xyxy[1] == xyxy[3]:
            sentence = f"{place.rstrip('.')}: the region has zero size; it was kept."
            self.remarks.append(("read", sentence, "boxes of zero size, kept"))
        marks = {flag: region.get(flag) is True for flag in FLAGS}
        note = region.get("note")
        note = note if isinstance(note, str) and is_clean(note) else ""
        extra = to_extra("vott", self.others(region, place))
        return [ReadBox(label, xyxy, **marks, note=note, extra=extra) for label in labels]

    def bounds(self, region: dict[str, Any], place: str) -> XYXY:
        box = region.get("boundingBox")
        if box is None:
            return self.bounds_of_points(region.get("points"), f"{place}points")
        if not isinstance(box, dict):
            raise self.refuse(f"{place}boundingBox", f"expected an object, found {short(box)}")
        for side in _SIDES:
            if not is_number(box.get(side)):
                reason = f"expected a finite number of pixels, found {short(box.get(side))}"
                raise self.refuse(f"{place}boundingBox.{side}", reason)
        left, top, width, height = (float(box[side]) for side in _SIDES)
        if width < 0 or height < 0:
            reason = f"width and height must not be negative, found {width:g} x {height:g}"
            raise self.refuse(f"{place}boundingBox", reason)
        return left, top, left + width, top + height

    def bounds_of_points(self, points: Any, place: str) -> XYXY:
        if not isinstance(points, list) or len(points) < 2:
            raise self.refuse(place, "there is neither a boundingBox nor a list of points")
        for number, point in enumerate(points):
            if not isinstance(point, dict) or not all(is_number(point.get(axis)) for axis in "xy"):
                raise self.refuse(f"{place}[{number}]", "expected finite numbers x and y")
        xs, ys = [float(p["x"]) for p in points], [float(p["y"]) for p in points]
        return min(xs), min(ys), max(xs), max(ys)

    def others(self, region: dict[str, Any], place: str) -> dict[str, Any]:
        """What is kept for writing the file again: the region's id, and values for which a box has no field."""
        more = {key: value for key, value in region.items() if key not in REGION_KEYS}
        return self.small({"id": region.get("id"), "more": self.small(more, place)}, place)

    def with_asset(self, boxes: list[ReadBox], asset: dict[str, Any], place: str) -> tuple[ReadBox, ...]:
        """What the file says about its image is kept with each box, because a project has no other place for it."""
        foreign = self.small({k: v for k, v in asset.items() if k == "id" or k not in ASSET_KEYS}, place)
        if not foreign:
            return tuple(boxes)
        return tuple(
            replace(b, extra=to_extra("vott", (from_extra(b.extra, "vott") or {}) | {"asset": foreign})) for b in boxes
        )


def to_region(snapshot: Snapshot, row: int, note: dict[str, Any]) -> dict[str, Any]:
    """One region as in VoTT; its id is the original one or ""."""
    x0, y0, x1, y1 = snapshot.boxes[row].tolist()
    id = note.get("id")
    region: dict[str, Any] = {
        "id": id if isinstance(id, str) else "",
        "type": "RECTANGLE",
        "tags": [snapshot.labels[int(snapshot.label_index[row])].name],
        "boundingBox": {"height": y1 - y0, "width": x1 - x0, "left": x0, "top": y0},
        "points": [{"x": x, "y": y} for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))],
    }
    region |= {flag: True for flag, on in zip(FLAGS, snapshot.flags[row].tolist(), strict=True) if on}
    if snapshot.notes and snapshot.notes[row][0]:
        region["note"] = snapshot.notes[row][0]
    return region | {key: value for key, value in sane(note.get("more")).items() if key not in REGION_KEYS}
