"""The anchors that authors of detectors published, for comparison with one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

Sizes = tuple[tuple[float, float], ...]
V2_CELL = 32  # px: YOLOv2's files give anchors in units of the cells of its one level


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """`sizes` (w, h) by ascending area, in pixels of a square network input of side `px`."""

    title: str
    paper: str
    px: int
    sizes: Sizes

    def at(self, px: int) -> Sizes:
        """The sizes for another input side: the same shares of the image."""
        return tuple((w * px / self.px, h * px / self.px) for w, h in self.sizes)


def default_boxes(px: int, scales: Sequence[float], ratios: Sequence[Sequence[int]]) -> Sizes:
    """SSD's: on map i, squares of scale i and of the geometric mean with the next scale, and scale i at each ratio."""
    found: list[tuple[float, float]] = []
    for scale, following, others in zip(scales, scales[1:], ratios):
        between = math.sqrt(scale * following)
        found += [(scale, scale), (between, between)]
        for ratio in others:
            root = math.sqrt(ratio)
            found += [(scale * root, scale / root), (scale / root, scale * root)]
    return tuple(sorted(((w * px, h * px) for w, h in found), key=lambda size: (size[0] * size[1], size[0])))


_V2 = "Redmon, Farhadi: YOLO9000: Better, Faster, Stronger, 2016, arXiv 1612.08242"
_V3 = "Redmon, Farhadi: YOLOv3: An Incremental Improvement, 2018, arXiv 1804.02767"
_V4 = "Bochkovskiy, Wang, Liao: YOLOv4: Optimal Speed and Accuracy of Object Detection, 2020, arXiv 2004.10934"
_CSP = "Wang, Bochkovskiy, Liao: Scaled-YOLOv4: Scaling Cross Stage Partial Network, 2021, arXiv 2011.08036"
_TINY4 = "Bochkovskiy, Wang, Liao: YOLOv4, 2020, arXiv 2004.10934; Scaled-YOLOv4, 2021, arXiv 2011.08036"
_SSD = "Liu, Anguelov, Erhan, Szegedy, Reed, Fu, Berg: SSD: Single Shot MultiBox Detector, 2016, arXiv 1512.02325"

_V2_COCO = ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828))
_V2_VOC = ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071))
_YOLO9000 = ((0.77871, 1.14074), (3.00525, 4.31277), (9.22725, 9.61974))
_V3_COCO = ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
_V4_COCO = ((12, 16), (19, 36), (40, 28), (36, 75), (76, 55), (72, 146), (142, 110), (192, 243), (459, 401))
_TINY = ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))
_SSD300 = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
_SSD300_COCO = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
_SSD300_VOC = (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05)


def _pixels(cells: Sequence[tuple[float, float]]) -> Sizes:
    return tuple((w * V2_CELL, h * V2_CELL) for w, h in cells)


PUBLISHED: Mapping[str, PublishedSet] = MappingProxyType(
    {
        "yolov2-voc": PublishedSet("YOLOv2, VOC", _V2, 416, _pixels(_V2_VOC)),
        "yolov2": PublishedSet("YOLOv2, COCO", _V2, 416, _pixels(_V2_COCO)),
        "yolo9000": PublishedSet("YOLO9000", _V2, 544, _pixels(_YOLO9000)),
        "yolov3": PublishedSet("YOLOv3", _V3, 416, _V3_COCO),
        "yolov3-tiny": PublishedSet("YOLOv3-tiny", _V3, 416, _TINY),
        "yolov4": PublishedSet("YOLOv4", _V4, 608, _V4_COCO),
        "yolov4-csp": PublishedSet("YOLOv4-CSP", _CSP, 512, _V4_COCO),
        "yolov4-tiny": PublishedSet("YOLOv4-tiny", _TINY4, 416, _TINY),
        "yolov4-tiny-3l": PublishedSet("YOLOv4-tiny-3l", _TINY4, 608, _V4_COCO),
        "ssd300": PublishedSet("SSD300, COCO", _SSD, 300, default_boxes(300, _SSD300_COCO, _SSD300)),
        "ssd300-voc": PublishedSet("SSD300, VOC", _SSD, 300, default_boxes(300, _SSD300_VOC, _SSD300)),
    }
)
"""By the name of the detector or of its other published set; tests/test_anchors_sets.py checks the detectors' own."""
