"""A small data set in every format, written by hand, of which every byte's meaning is known: ten boxes, three images.

Box k lies at (3k, 2k, 4k + 10, 3k + 7) in image k // 4, which is 64 x 64 and called a.png, b.png or c.png; its label is
cat or dog in turn. The parts b0 to b9 of a file are its boxes, i0 to i2 what says which images they are in, l0 and l1
the names of the labels where boxes have only their numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from tests.promises.mutating import Template, mark, template

SIDE = 64
LABELS = ("cat", "dog")
STEMS = ("a", "b", "c")
Box = tuple[float, float, float, float]
BOXES: tuple[Box, ...] = tuple((3.0 * k, 2.0 * k, 4.0 * k + 10, 3.0 * k + 7) for k in range(10))


def label_of(box: int) -> str:
    return LABELS[box % 2]


def image_of(box: int) -> int:
    return box // 4


def boxes_of(image: int) -> range:
    return range(4 * image, min(4 * image + 4, len(BOXES)))


def _lines(parts: Iterable[str]) -> str:
    return ",\n".join(parts)


def _js(value: Any) -> str:
    return json.dumps(value)


def _in_splits() -> Iterator[tuple[str, range]]:
    """Of formats with a file for each split: its name and its images."""
    yield "train", range(2)
    yield "val", range(2, 3)


def _voc() -> Iterator[tuple[str, str]]:
    for image, stem in enumerate(STEMS):
        objects = ""
        for k in boxes_of(image):
            x0, y0, x1, y1 = map(int, BOXES[k])
            corners = f"<xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
            told = f"<object><name>{label_of(k)}</name><pose>Left</pose><difficult>0</difficult>\n"
            objects += mark(f"b{k}", f"{told}<bndbox>{corners}</bndbox></object>") + "\n"
        head = f'<?xml version="1.0"?>\n<annotation><filename>{stem}.png</filename>\n'
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>\n"
        yield f"Annotations/{stem}.xml", mark(f"i{image}", head + size) + objects + "</annotation>\n"
    yield "ImageSets/Main/train.txt", "a\nb\n"
    yield "ImageSets/Main/val.txt", "c\n"


def _coco() -> Iterator[tuple[str, str]]:
    for split, chosen in _in_splits():
        images = [
            mark(f"i{n}", _js({"id": n + 1, "file_name": f"{STEMS[n]}.png", "width": SIDE, "height": SIDE}))
            for n in chosen
        ]
        boxes = []
        for k in (k for n in chosen for k in boxes_of(n)):
            x0, y0, x1, y1 = BOXES[k]
            box = {"id": k + 1, "image_id": image_of(k) + 1, "category_id": 5 + k % 2, "iscrowd": 0,
                   "bbox": [x0, y0, x1 - x0, y1 - y0]}  # fmt: skip
            boxes.append(mark(f"b{k}", _js(box)))
        labels = [mark(f"l{n}", _js({"id": 5 + n, "name": name})) for n, name in enumerate(LABELS)]
        lists = {"images": images, "annotations": boxes, "categories": labels}
        told = [f'"{key}": [\n{_lines(one)}]' for key, one in lists.items()]
        yield f"annotations/instances_{split}.json", "{" + _lines(told) + "}\n"


def _yolo() -> Iterator[tuple[str, str]]:
    for image, stem in enumerate(STEMS):
        lines = ""
        for k in boxes_of(image):
            x0, y0, x1, y1 = (v / SIDE for v in BOXES[k])
            lines += mark(f"b{k}", f"{k % 2} {(x0 + x1) / 2} {(y0 + y1) / 2} {x1 - x0} {y1 - y0}\n")
        yield f"labels/train/{stem}.txt", lines
    names = "".join(mark(f"l{n}", f"  {n}: {name}\n") for n, name in enumerate(LABELS))
    yield "data.yaml", "path: .\n" + mark("all", "train: images/train") + f"\nnc: 2\nnames:\n{names}"


def _cvat() -> Iterator[tuple[str, str]]:
    labels = "".join(f"<label><name>{name}</name></label>\n" for name in LABELS)
    text = '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>\n'
    text += f"<meta><task><mode>annotation</mode><labels>{labels}</labels></task></meta>\n"
    for image, stem in enumerate(STEMS):
        shapes = ""
        for k in boxes_of(image):
            edges = " ".join(f'{n}="{v}"' for n, v in zip(("xtl", "ytl", "xbr", "ybr"), BOXES[k], strict=True))
            shape = f'<box label="{label_of(k)}" occluded="0" {edges} z_order="0">\n'
            shapes += mark(f"b{k}", f'{shape}<attribute name="note">x</attribute></box>') + "\n"
        head = mark(f"i{image}", f'<image id="{image}" name="{stem}.png" width="{SIDE}" height="{SIDE}">')
        text += f"{head}\n{shapes}</image>\n"
    yield "annotations.xml", f"{text}</annotations>\n"


def _labelme() -> Iterator[tuple[str, str]]:
    for image, stem in enumerate(STEMS):
        shapes = [
            mark(f"b{k}", _js({"label": label_of(k), "points": [BOXES[k][:2], BOXES[k][2:]], "group_id": None,
                               "shape_type": "rectangle", "flags": {}}))
            for k in boxes_of(image)
        ]  # fmt: skip
        told = f'"imagePath": "{stem}.png",\n"imageData": null, "imageHeight": {SIDE}, "imageWidth": {SIDE}'
        head = '{"version": "7.0.0", "flags": {},\n"shapes": ['
        yield f"{stem}.json", head + _lines(shapes) + "],\n" + mark(f"i{image}", told) + "}\n"


def _createml() -> Iterator[tuple[str, str]]:
    for split, chosen in _in_splits():
        records = []
        for image in chosen:
            boxes = []
            for k in boxes_of(image):
                x0, y0, x1, y1 = BOXES[k]
                sides = {"x": (x0 + x1) / 2, "y": (y0 + y1) / 2, "width": x1 - x0, "height": y1 - y0}
                boxes.append(mark(f"b{k}", _js({"label": label_of(k), "coordinates": sides})))
            told = mark(f"i{image}", f'"image": "{STEMS[image]}.png"')
            records.append(f'{{{told}, "annotations": [\n{_lines(boxes)}]}}')
        yield f"{split}/_annotations.createml.json", f"[{_lines(records)}]\n"


def _tfcsv() -> Iterator[tuple[str, str]]:
    for split, chosen in _in_splits():
        text = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        for k in (k for image in chosen for k in boxes_of(image)):
            corners = ",".join(f"{v:g}" for v in BOXES[k])
            text += mark(f"b{k}", f"{STEMS[image_of(k)]}.png,{SIDE},{SIDE},{label_of(k)},{corners}\n")
        yield f"{split}_labels.csv", text


def _openimages() -> Iterator[tuple[str, str]]:
    for split, chosen in _in_splits():
        text = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,"
        text += "IsInside\n"
        for k in (k for image in chosen for k in boxes_of(image)):
            x0, y0, x1, y1 = (v / SIDE for v in BOXES[k])
            text += mark(f"b{k}", f"{STEMS[image_of(k)]},xclick,/m/0{k % 2},1,{x0},{x1},{y0},{y1},0,0,0,0,0\n")
        yield f"annotations/{'validation' if split == 'val' else split}-annotations-bbox.csv", text
    names = "".join(mark(f"l{n}", f"/m/0{n},{name}\n") for n, name in enumerate(LABELS))
    yield "annotations/class-descriptions-boxable.csv", names


def _kitti() -> Iterator[tuple[str, str]]:
    for image, stem in enumerate(STEMS):
        lines = ""
        for k in boxes_of(image):
            corners = " ".join(f"{v:.2f}" for v in BOXES[k])
            lines += mark(f"b{k}", f"{label_of(k)} 0.00 0 -10 {corners} -1 -1 -1 -1000 -1000 -1000 -10\n")
        yield f"training/label_2/{stem}.txt", lines
    yield "ImageSets/train.txt", "a\nb\n"


def _labelstudio() -> Iterator[tuple[str, str]]:
    tasks = []
    for image, stem in enumerate(STEMS):
        regions = []
        for k in boxes_of(image):
            x0, y0, x1, y1 = (100 * v / SIDE for v in BOXES[k])
            value = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0, "rotation": 0,
                     "rectanglelabels": [label_of(k)]}  # fmt: skip
            region = {"original_width": SIDE, "original_height": SIDE, "id": f"r{k}", "from_name": "label",
                      "to_name": "image", "type": "rectanglelabels", "value": value}  # fmt: skip
            regions.append(mark(f"b{k}", _js(region)))
        told = f'"data": {{"image": "/data/upload/3/0a1b2c3d-{stem}.png"}}'
        result = f'"annotations": [{{"was_cancelled": false, "result": [\n{_lines(regions)}]}}]'
        tasks.append(f'{{"id": {image + 1}, ' + mark(f"i{image}", told) + f", {result}}}")
    yield "tasks.json", f"[{_lines(tasks)}]\n"
    labels = "".join(f'<Label value="{name}"/>\n' for name in LABELS)
    rectangles = f'<RectangleLabels name="label" toName="image">\n{labels}</RectangleLabels>'
    yield "label_config.xml", f'<View><Image name="image" value="$image"/>{rectangles}</View>\n'


def _vott() -> Iterator[tuple[str, str]]:
    tags = _js([{"name": name, "color": "#5db300"} for name in LABELS])
    for split, chosen in _in_splits():
        assets = []
        for image in chosen:
            regions = []
            for k in boxes_of(image):
                x0, y0, x1, y1 = BOXES[k]
                box = {"height": y1 - y0, "width": x1 - x0, "left": x0, "top": y0}
                region = {"id": f"r{k}", "type": "RECTANGLE", "tags": [label_of(k)], "boundingBox": box}
                regions.append(mark(f"b{k}", _js(region)))
            name = f"{STEMS[image]}.png"
            asset = {"format": "png", "id": f"id{image}", "name": name, "path": f"file:/p/{name}",
                     "size": {"width": SIDE, "height": SIDE}, "state": 2, "type": 1}  # fmt: skip
            told = mark(f"i{image}", f'"asset": {_js(asset)}')
            assets.append(f'"id{image}": {{{told},\n"regions": [{_lines(regions)}]}}')
        head = f'"name": "{split}", "tags": {tags}, "version": "2.2.0"'
        yield f"{split}-export.json", f'{{{head},\n"assets": {{{_lines(assets)}}}}}\n'


def _csv() -> Iterator[tuple[str, str]]:
    text = "file,width,height,label,x0,y0,x1,y1\n"
    for k, box in enumerate(BOXES):
        text += mark(f"b{k}", ",".join(map(str, (f"{STEMS[image_of(k)]}.png", SIDE, SIDE, label_of(k), *box))) + "\n")
    yield "boxes.csv", text


_MADE: dict[str, tuple[str, Callable[[], Iterator[tuple[str, str]]]]] = {
    "voc": ("JPEGImages", _voc),
    "coco": ("images", _coco),
    "yolo": ("images/train", _yolo),
    "cvat": ("images", _cvat),
    "labelme": ("", _labelme),
    "createml": ("{split}", _createml),
    "tfcsv": ("images", _tfcsv),
    "openimages": ("images", _openimages),
    "kitti": ("training/image_2", _kitti),
    "labelstudio": ("images", _labelstudio),
    "vott": ("", _vott),
    "csv": ("", _csv),
}
FORMATS = tuple(_MADE)


def make(format: str, folder: Path) -> tuple[dict[str, Template], tuple[Path, ...]]:
    """Write the data set of `format` into `folder`: its annotation files by their relative path, and its images."""
    inner, files = _MADE[format]
    splits = {image: split for split, chosen in _in_splits() for image in chosen}
    images = tuple(folder / inner.format(split=splits[n]) / f"{stem}.png" for n, stem in enumerate(STEMS))
    for image in images:
        image.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("L", (SIDE, SIDE)).save(image)
    made = {name: template(text) for name, text in files()}
    for name, one in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(one.data)
    return made, images
