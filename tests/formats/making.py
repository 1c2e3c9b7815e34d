"""Small data sets and snapshots for the tests of formats and exchange."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from workbench.core.project import Box, Image, Label, Snapshot


def picture(file: Path, width: int = 40, height: int = 30, orientation: int = 1, grey: int = 0) -> Path:
    """A JPEG or PNG of one colour, stored `width` x `height`, with an EXIF orientation."""
    file.parent.mkdir(parents=True, exist_ok=True)
    exif = Picture.Exif()
    exif[0x0112] = orientation
    Picture.new("RGB", (width, height), (grey, grey, grey)).save(file, exif=exif)
    return file


def text(file: Path, content: str | bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def snapshot(labels: Sequence[str], images: Sequence[Image], boxes: Sequence[Box]) -> Snapshot:
    """`box.image` and `box.label` are indices into `images` and `labels`; boxes in the order of their images."""
    counts = [sum(1 for box in boxes if box.image == i) for i in range(len(images))]
    return Snapshot(
        labels=tuple(Label(i + 1, name, position=i) for i, name in enumerate(labels)),
        images=tuple(images),
        files=tuple(Path("/nowhere") / image.path for image in images),
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        boxes=np.array([box.xyxy for box in boxes], np.float64).reshape(-1, 4),
        label_index=np.array([box.label for box in boxes], np.int64),
        flags=np.array([(b.difficult, b.truncated, b.occluded, b.crowd) for b in boxes], bool).reshape(-1, 4),
        box_ids=np.arange(1, len(boxes) + 1, dtype=np.int64),
        notes=tuple((b.note, b.extra) for b in boxes) if any(b.note or b.extra for b in boxes) else (),
    )


def times_as_long(small: Callable[[], object], large: Callable[[], object]) -> float:
    """How many times as long `large` computes as `small`, by the shortest of five turns each."""
    best = [float("inf")] * 2
    for _ in range(5):
        for place, run in enumerate((small, large)):
            begun = time.process_time()
            run()
            best[place] = min(best[place], time.process_time() - begun)
    return best[1] / best[0]


def voc_object(name: str, corners: Sequence[object], more: str = "") -> str:
    tags = "".join(f"<{t}>{c}</{t}>" for t, c in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True))
    return f"<object><name>{name}</name><bndbox>{tags}</bndbox>{more}</object>"


def voc_file(*objects: str, size: tuple[int, int] = (40, 30), filename: str = "a.jpg", root: str = "annotation") -> str:
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    lines = "\n".join(objects)
    return f"<{root}>\n<filename>{filename}</filename>{sides}\n{lines}\n</{root.split()[0]}>\n"
