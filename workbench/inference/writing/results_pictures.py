"""Pictures with their detections drawn on them, one JPEG each, written while their pixels are in memory.

One that is longer than a JPEG can be is scaled down: a scanned strip must not end the prediction of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from workbench.core.detections import Detections
from workbench.core.files import atomic_write, remove_unfinished
from workbench.core.project import Label
from workbench.errors import WorkbenchError
from workbench.inference.pictures.sources import Frame
from workbench.inference.writing.draw import draw_detections
from workbench.inference.writing.result_parts import ResultRow

QUALITY = 92  # of the JPEGs
LONGEST = 65_500  # pixels of a side that a JPEG can have (libjpeg's limit)


class PictureWriter:
    """Writes pictures into `folder`, replacing files that are there. `alone`: no other process
    writes there meanwhile.
    """

    def __init__(self, folder: Path, labels: Sequence[Label], alone: bool) -> None:
        self._folder, self._labels, self._clears = folder, labels, alone

    def save(self, row: ResultRow, frame: Frame, found: Detections) -> None:
        picture = _fitting(cv2.cvtColor(draw_detections(frame.image, found, self._labels), cv2.COLOR_RGB2BGR))
        whole, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not whole:
            raise WorkbenchError(f"The picture {row.name} could not be written as JPEG. Predict without pictures.")
        file = self._folder / f"{row.own_place}.jpg"
        if self._clears and file.parent.is_dir():  # an earlier process may have been killed at the first one
            remove_unfinished(file.parent)
        self._clears = False
        atomic_write(file, data.tobytes(), sync=False)  # ResultParts.sync does, before the line that mentions it


def _fitting(picture: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """(H, W, 3), with no side above LONGEST."""
    height, width = picture.shape[:2]
    share = LONGEST / max(height, width)
    if share >= 1:
        return picture
    return cv2.resize(picture, (max(1, int(width * share)), max(1, int(height * share))), interpolation=cv2.INTER_AREA)
