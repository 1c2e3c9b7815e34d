"""Box sizes to measure anchors on: BCCD, COCO, and drawn ones whose best anchors are known."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
PX = 416


def bccd(test_data: Path) -> Doubles:
    """(4,886, 2) px, stretched."""
    sizes = []
    for file in sorted((test_data / "data" / "bccd" / "BCCD" / "Annotations").glob("*.xml")):
        root = ElementTree.parse(file).getroot()
        scale = [PX / float(root.findtext(f"size/{side}", "")) for side in ("width", "height")]
        for box in root.iter("bndbox"):
            x0, y0, x1, y1 = (float(box.findtext(side, "")) for side in ("xmin", "ymin", "xmax", "ymax"))
            sizes.append(((x1 - x0) * scale[0], (y1 - y0) * scale[1]))
    return np.array([size for size in sizes if min(size) > 0])  # two have no area


def coco(test_data: Path) -> Doubles:
    """(830, 2) px, stretched: a hundred images of val2014 without crowds."""
    file = test_data / "import_cases" / "evaluation" / "cocoapi" / "instances_val2014_100.json"
    table = json.loads(file.read_text())
    pictures = {image["id"]: (image["width"], image["height"]) for image in table["images"]}
    found = [(one["bbox"][2:], pictures[one["image_id"]]) for one in table["annotations"] if not one["iscrowd"]]
    return np.array([(w * PX / width, h * PX / height) for (w, h), (width, height) in found])


def many(test_data: Path, count: int) -> Doubles:
    """(count, 2) px: sizes of COCO drawn with replacement and blurred, as many as are wanted."""
    sizes, random = coco(test_data), np.random.default_rng(0)
    return (sizes[random.integers(len(sizes), size=count)] * np.exp(random.normal(0, 0.12, (count, 2)))).clip(1, PX)


def drawn(count: int) -> Doubles:
    """(count, 2) px from one wide heap of logarithms."""
    random = np.random.default_rng(0)
    logs = random.normal(3.6, 1.0, (count, 1)) + random.normal(0, 0.35, (count, 2))
    return np.exp(np.clip(logs, 0.5, 6))


def heaps(k: int, seed: int = 0) -> tuple[Doubles, Doubles]:
    """Boxes (n, 2) around k sizes (k, 2), more than half of each exactly there and the others far from the next heap.

    More than half at one spot is the median of any weights, so those k sizes are the best anchors that there are.
    """
    random = np.random.default_rng(seed)
    sides = 6 * 2.2 ** np.arange(-(-k // 3))
    middles = np.array([(side * x, side * y) for side in sides for x, y in ((1, 1), (2.1, 0.55), (0.55, 2.1))])[:k]
    parts = []
    for middle in middles:
        count = int(random.integers(40, 200))
        blurred = middle * np.exp(random.uniform(-0.05, 0.05, (count // 3, 2)))
        parts += [np.tile(middle, (count, 1)), blurred]
    return np.concatenate(parts), middles
