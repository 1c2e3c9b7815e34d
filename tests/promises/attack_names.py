"""Names that are meant to lead out of a folder or to break a program, and data sets of every format that use them."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import quoteattr

from PIL import Image as Picture

OUTSIDE = "OUTSIDE"  # stands for the path of the folder that is to stay closed
NAMES = (
    # up and away
    "../secret.png", "..\\secret.png", "../outside/secret.png", "a/../../outside/secret.png", "..\\..\\secret.png",
    "./../outside/./secret.png", "images/../../outside/secret.png", "....//....//outside/secret.png", "../outside",
    "..", "../", ".", "./.", "/", "\\", "//", "",
    # absolute
    f"{OUTSIDE}/secret.png", f"/{OUTSIDE}/secret.png", f"{OUTSIDE}/../secret.png", "/etc/passwd", "/dev/zero",
    "/proc/self/environ", "~/secret.png", "~root/secret.png", "$HOME/secret.png", f"file://{OUTSIDE}/secret.png",
    f"file:{OUTSIDE}/secret.png", f"file://localhost{OUTSIDE}/secret.png", f"/data/local-files/?d={OUTSIDE}/secret.png",
    "http://127.0.0.1:9/secret.png", "s3://bucket/../../secret.png", "data:image/png;base64,AAAA",
    # Windows
    "C:\\secret.png", "C:secret.png", "C:/Windows/win.ini", "\\\\server\\share\\secret.png",
    "//server/share/secret.png", "\\\\?\\C:\\secret.png",
    "CON.png", "nul", "aux.txt", "COM1.png", "secret.png.", "secret.png ", "a.png::$DATA",
    "..\u2215outside\u2215secret.png", "\uff0e\uff0e/outside/secret.png",
    # encoded
    "%2e%2e/outside/secret.png", "..%2foutside%2fsecret.png", "..%5csecret.png", "%252e%252e%252fsecret.png",
    "..%c0%afoutside/secret.png",
    # broken
    "secret.png\0.png", "../outside/secret.png\0", "a\n../outside/secret.png", "a\r\n.png", "a\tb.png",
    "\u202egnp.terces", "\u200b.png", "e\u0301.png", "\ud800.png", "x" * 300 + ".png", "d/" * 3000 + "a.png",
    # for shells, globs and mark-up
    "-rf", "$(touch evil).png", "`id`.png", "|cat.png", "a;b.png", "*.png", "?.png", "[a].png", "<b>.png", "a'b\".png",
    # links that lie in the data set
    "link.png", "linked/secret.png", "hard.png",
)  # fmt: skip


def names(outside: Path) -> list[str]:
    return [name.replace(OUTSIDE, str(outside)) for name in NAMES]


def place(folder: Path) -> tuple[Path, Path]:
    """A folder for a data set with one image and links, and the one outside that is to stay closed."""
    data, outside = folder / "data", folder / "outside"
    for file in (data / "images/train/a.png", outside / "secret.png", folder / "secret.png"):
        file.parent.mkdir(parents=True, exist_ok=True)
        Picture.new("L", (64, 64)).save(file)
    (outside / "secret.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (data / "link.png").symlink_to(outside / "secret.png")
    (data / "linked").symlink_to(outside)
    os.link(outside / "secret.png", data / "hard.png")
    return data, outside


def _js(value: object) -> str:
    return json.dumps(value)


def _row(*values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def _voc(name: str) -> dict[str, str]:
    box = "<object><name>cat</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
    size = "<size><width>64</width><height>64</height><depth>1</depth></size>"
    bad = quoteattr(name)[1:-1]
    told = f"<folder>{bad}</folder><filename>{bad}</filename><path>{bad}</path>"
    good = "<filename>a.png</filename>"
    return {f"Annotations/{k}.xml": f"<annotation>{v}{size}{box}</annotation>" for k, v in (("a", good), ("b", told))}


def _voc_list(name: str) -> dict[str, str]:
    return {"Annotations/a.xml": _voc("a.png")["Annotations/a.xml"], "ImageSets/Main/train.txt": f"a\n{name}\n"}


def _coco(name: str) -> dict[str, str]:
    images = [{"id": n, "file_name": f, "width": 64, "height": 64} for n, f in enumerate(("a.png", name))]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 8, 9]} for n in range(2)]
    return {"x.json": _js({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]})}


_LINE = "0 0.5 0.5 0.5 0.5\n"


def _yaml(train: str, path: str = ".", val: str = "images/train") -> dict[str, str]:
    text = f"path: {_js(path)}\ntrain: {_js(train)}\nval: {_js(val)}\nnames: [cat]\n"
    return {"data.yaml": text, "labels/train/a.txt": _LINE}


def _yolo_list(name: str) -> dict[str, str]:
    listed = {"obj.data": "train = train.txt\nnames = obj.names\n", "train.txt": f"images/train/a.png\n{name}\n"}
    return listed | {"obj.names": "cat\n", "labels/train/a.txt": _LINE}


def _obj_data(name: str) -> dict[str, str]:
    told = f"train = train.txt\nvalid = {name}\nnames = {name}\nbackup = {name}\n"
    return _yolo_list("images/train/a.png") | {"obj.data": told}


def _cvat(name: str) -> dict[str, str]:
    box = '<box label="cat" occluded="0" xtl="1" ytl="2" xbr="8" ybr="9"/>'
    image = '<image id="{}" name={} width="64" height="64"{}>{}</image>'
    told = image.format(0, '"a.png"', "", box) + image.format(1, quoteattr(name), f" subset={quoteattr(name)}", box)
    return {"annotations.xml": f"<annotations><version>1.1</version><meta/>{told}</annotations>"}


def _labelme(name: str) -> dict[str, str]:
    shape = {"label": "cat", "points": [[1, 2], [8, 9]], "shape_type": "rectangle"}
    told = {"shapes": [shape], "imageHeight": 64, "imageWidth": 64, "imageData": None}
    return {f"{k}.json": _js(told | {"imagePath": v}) for k, v in (("a", "images/train/a.png"), ("b", name))}


def _createml(name: str) -> dict[str, str]:
    box = {"label": "cat", "coordinates": {"x": 9, "y": 9, "width": 8, "height": 4}}
    return {"_annotations.createml.json": _js([{"image": n, "annotations": [box]} for n in ("a.png", name)])}


def _tfcsv(name: str) -> dict[str, str]:
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    return {"labels.csv": head + "".join(_row(n, 64, 64, "cat", 1, 2, 8, 9) for n in ("a.png", name))}


def _openimages(name: str) -> dict[str, str]:
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,"
    head += "IsInside\n"
    rows = "".join(_row(n, "x", "/m/0", 1, 0.1, 0.5, 0.1, 0.5, 0, 0, 0, 0, 0) for n in ("a", name))
    return {"annotations/train-annotations-bbox.csv": head + rows,
            "annotations/image_ids_and_rotation.csv": "ImageID,Subset,Rotation\n" + _row(name, "train", 0)}  # fmt: skip


def _kitti_list(name: str) -> dict[str, str]:
    return {"training/label_2/a.txt": "cat 0 0 -10 1 2 8 9 -1 -1 -1 -1000 -1000 -1000 -10\n",
            "ImageSets/train.txt": f"a\n{name}\n"}  # fmt: skip


def _labelstudio(name: str) -> dict[str, str]:
    value = {"x": 10, "y": 20, "width": 30, "height": 4, "rectanglelabels": ["cat"]}
    region = {"original_width": 64, "original_height": 64, "type": "rectanglelabels", "value": value, "id": "r",
              "from_name": "label", "to_name": "image"}  # fmt: skip
    tasks = [{"id": n, "data": {"image": url}, "annotations": [{"result": [region]}]}
             for n, url in enumerate(("a.png", name))]  # fmt: skip
    return {"tasks.json": _js(tasks)}


def _vott(name: str) -> dict[str, str]:
    region = {
        "id": "r",
        "type": "RECTANGLE",
        "tags": ["cat"],
        "boundingBox": {"left": 1, "top": 2, "width": 8, "height": 9},
    }
    assets = {k: {"asset": {"id": i, "name": n, "path": p, "size": {"width": 64, "height": 64}, "state": 2},
                  "regions": [region]}
              for k, i, n, p in (("one", "one", "a.png", "a.png"), ("two", name, name, name))}  # fmt: skip
    return {"x-export.json": _js({"tags": [{"name": "cat"}], "assets": assets, "version": "2.2.0"})}


def _csv(name: str) -> dict[str, str]:
    rows = "".join(_row(n, 64, 64, "cat", 1, 2, 8, 9) for n in ("images/train/a.png", name))
    return {"boxes.csv": "file,width,height,label,x0,y0,x1,y1\n" + rows}


# every place of a path in a file of a format: the format, and the data set that has an attack there
USES: dict[str, tuple[str, Callable[[str], dict[str, str]]]] = {
    "voc filename, folder, path": ("voc", _voc),
    "voc list": ("voc", _voc_list),
    "coco file_name": ("coco", _coco),
    "data.yaml train": ("yolo", lambda name: _yaml(name)),
    "data.yaml path": ("yolo", lambda name: _yaml("images/train", name)),
    "obj.data": ("yolo", _obj_data),
    "train.txt": ("yolo", _yolo_list),
    "cvat name, subset": ("cvat", _cvat),
    "labelme imagePath": ("labelme", _labelme),
    "createml image": ("createml", _createml),
    "tfcsv filename": ("tfcsv", _tfcsv),
    "openimages ImageID": ("openimages", _openimages),
    "kitti list": ("kitti", _kitti_list),
    "labelstudio image": ("labelstudio", _labelstudio),
    "vott id, name, path": ("vott", _vott),
    "csv file": ("csv", _csv),
}


def write(files: dict[str, str], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode("utf-8", "surrogatepass"))
