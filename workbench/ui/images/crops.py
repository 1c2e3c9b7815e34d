"""Crops of photographs around boxes, read in the background and cached in memory, so that long lists scroll."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtGui import QImage

from workbench.core.decoding.image_cache import ImageCache
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.files import stamp
from workbench.core.project import XYXY
from workbench.errors import WorkbenchError
from workbench.ui.background import Background

SIDE = 320  # maximum px of a crop's longer side: a tile shows 196, dense screens more
AROUND = 1.6  # times the longer side of the boxes
LEAST = 48.0  # px of the photograph: even a box of three pixels is shown with its surroundings
MEMORY, PHOTOGRAPHS = 96 << 20, 192 << 20  # bytes of cached crops, some 240; of whole photographs: many items share one
LATEST = 120  # requests that are remembered: what one large screen shows
HUGE_SIDE = 4096  # px of a photograph that is too large to be read in full
AGAIN_AFTER = 10.0  # s until one that could not be read is tried again when it is painted: its disk may be back


@dataclass(frozen=True, slots=True)
class CropRequest:
    """`part` x0, y0, x1, y1 of the photograph, whole pixels; it may extend beyond one of unknown size."""

    file: Path
    window: IntensityWindow | None
    part: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """`picture` shows `part`, in pixels of the photograph."""

    picture: QImage
    part: XYXY


def part_around(box: XYXY, width: int, height: int) -> tuple[int, int, int, int]:
    """A square around the box and its surroundings, moved into the image: at an edge it shows more of the other side.

    `width` and `height` of the image, 0 if unknown.
    """
    side = max(AROUND * max(box[2] - box[0], box[3] - box[1]), LEAST)
    x0, x1 = _span(box[0], box[2], side, width)
    y0, y1 = _span(box[1], box[3], side, height)
    return x0, y0, x1, y1


def _span(low: float, high: float, side: float, size: int) -> tuple[int, int]:
    begin = (low + high - side) / 2
    if size:
        begin = min(begin, size - side)
    begin = max(int(begin), 0)
    end = begin + math.ceil(side)
    return begin, min(end, size) if size else end


class Crops(QObject):
    """Ask with `get` while painting; `made` when some are ready. Call `close` before the owner is destroyed."""

    made = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept: OrderedDict[CropRequest, Crop] = OrderedDict()
        self._bytes = 0
        self._problems: dict[Path, str] = {}
        self._failed_at: dict[Path, float] = {}  # by time.monotonic
        self._wanted: OrderedDict[CropRequest, None] = OrderedDict()
        self._photographs = ImageCache(PHOTOGRAPHS)
        self._overview: tuple[object, np.ndarray] | None = None  # of the huge image cut last, with what it was made of
        self._cut_last: Path | None = None
        self._background = Background("Crops", self._make, self)
        self._background.done.connect(self._received)
        # one request list per repaint, not one per crop
        self._collect = QTimer(self, singleShot=True, interval=0)
        self._collect.timeout.connect(self._ask)

    def get(self, request: CropRequest) -> Crop | None:
        """The crop, or None: then it is being made, unless `problem` says why not."""
        found = self._kept.get(request)
        if found is not None:
            self._kept.move_to_end(request)
        elif time.monotonic() - self._failed_at.get(request.file, -math.inf) >= AGAIN_AFTER:
            self._wanted[request] = None
            self._wanted.move_to_end(request)
            self._collect.start()
        return found

    def problem(self, file: Path) -> str:
        """Why there is no crop of this photograph, "" if nothing is wrong."""
        return self._problems.get(file, "")

    def forget(self) -> None:
        """Drop all: another project, or other files."""
        self._background.ask(())
        self._kept.clear()
        self._problems.clear()
        self._failed_at.clear()
        self._wanted.clear()
        self._photographs.clear()
        self._overview = None
        self._bytes = 0

    def close(self) -> None:
        self._collect.stop()
        self._background.close()

    @Slot()
    def _ask(self) -> None:
        while len(self._wanted) > LATEST:
            self._wanted.popitem(last=False)
        # by photograph, the one cut last first: few are kept decoded
        by_file: dict[Path | None, list[CropRequest]] = {self._cut_last: []}
        for request in self._wanted:
            by_file.setdefault(request.file, []).append(request)
        self._background.ask(tuple(chain.from_iterable(by_file.values())))

    @Slot(object, object)
    def _received(self, request: object, result: object) -> None:
        assert isinstance(request, CropRequest)
        if request not in self._wanted:
            return  # dropped meanwhile
        del self._wanted[request]
        if isinstance(result, Crop):
            self._problems.pop(request.file, None)
            self._kept[request] = result
            self._bytes += result.picture.sizeInBytes()
            while self._bytes > MEMORY:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.picture.sizeInBytes()
        elif isinstance(result, WorkbenchError):
            self._problems[request.file], self._failed_at[request.file] = result.sentence, time.monotonic()
        self.made.emit()

    def _make(self, request: object) -> Crop:
        """Runs in the background's thread."""
        assert isinstance(request, CropRequest)
        import cv2

        from workbench.core import images
        from workbench.ui.images.pictures import to_qimage

        self._cut_last = request.file
        about = images.info(request.file)
        if about.is_huge:
            whole = self._overview_of(request)
        else:
            whole = self._photographs.read(request.file, request.window)
        x, y = whole.shape[1] / about.width, whole.shape[0] / about.height
        x0, y0 = min(int(request.part[0] * x), whole.shape[1] - 1), min(int(request.part[1] * y), whole.shape[0] - 1)
        piece = whole[y0 : max(round(request.part[3] * y), y0 + 1), x0 : max(round(request.part[2] * x), x0 + 1)]
        high, wide = piece.shape[:2]
        shown = x0 / x, y0 / y, (x0 + wide) / x, (y0 + high) / y
        share = SIDE / max(wide, high)
        if share < 1:
            size = max(1, round(wide * share)), max(1, round(high * share))
            piece = cv2.resize(piece, size, interpolation=cv2.INTER_AREA)
        return Crop(to_qimage(piece), shown)

    def _overview_of(self, request: CropRequest) -> np.ndarray:
        """(H, W, 3): decoding it takes seconds, and an image may have thousands of boxes. Runs in the same thread."""
        from workbench.core import images

        made_of = request.file, request.window, stamp(request.file)
        kept = self._overview
        if kept is None or kept[0] != made_of:
            kept = self._overview = made_of, images.thumbnail(request.file, HUGE_SIDE, request.window)
        return kept[1]
