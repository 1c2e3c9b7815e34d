"""An ONNX file exported by this program, as a network to suggest labels: run in its own library and process.

The file's metadata has all that is needed (exporters.Card): labels, input size, how images are resized, and what its
output arrays are. A file without it is refused: these can't be guessed from its weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core import boxes as geometry
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.detections import FLOOR, Candidates, best_pairs
from workbench.core.nms import KINDS, NmsKind
from workbench.core.resize import FIT_MODES, FitMode, fit
from workbench.core.tiling import OVERLAP, candidates_in_tiles, tiling
from workbench.errors import Refused, WorkbenchError
from workbench.inference.exporters import DECODED, DETECTIONS, Arrays
from workbench.inference.exporting.runtimes import ExportedFile, NotRunnable

NEEDED = {  # from the card, in the user's words
    "labels": "its labels",
    "input_px": "its input size",
    "resize": "how images are resized to its input",
    "output": "what its outputs are",
    "anchors": "its anchors",
}


class OnnxModel:
    """`candidates(images)` as in Predictor. Close it to end its process. Not to be shared between threads."""

    def __init__(self, file: Path) -> None:
        """Refused for a file that can't be run or doesn't describe itself."""
        try:
            self._exported = ExportedFile("onnx", file)
        except NotRunnable as error:
            raise Refused(file, f"ONNX Runtime could not open it: {error}.", cause=error) from error
        try:
            card = _card(file, self._exported.card)
            self.labels = tuple(str(name) for name in card["labels"])
            self.window = IntensityWindow(*card["window"]) if card.get("window") else None
            self._px, self._resize = int(card["input_px"]), cast(FitMode, card["resize"])
            self.tiling = tiling(int(card.get("tiles", 0)), float(card.get("tile_overlap", OVERLAP)))
            self._output, self._batch = str(card["output"]), int(card.get("batch", 1))
            self.published_nms = cast(NmsKind, card.get("nms_kind", "per label")), float(card.get("iou", 0.45))
            if self._resize not in FIT_MODES or self.published_nms[0] not in KINDS or self._px < 1:
                raise ValueError(self._resize)
        except (TypeError, ValueError) as error:
            self.close()
            raise Refused(file, "its description is damaged. Export it again.", cause=error) from error
        except BaseException:
            self.close()
            raise
        self._file = file

    def close(self) -> None:
        self._exported.close()

    def candidates(self, images: Sequence[NDArray[np.uint8]], floor: float = FLOOR) -> list[Candidates]:
        """For each upright (H, W, 3) uint8 RGB image, with boxes in its pixels; after NMS if the file has it."""
        return candidates_in_tiles(lambda views: [self._of_image(view, floor) for view in views], images, self.tiling)

    def _of_image(self, image: NDArray[np.uint8], floor: float) -> Candidates:
        square, way = fit(image, self._px, self._resize)
        tensor = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        try:
            arrays = self._exported.run(np.repeat(tensor, max(self._batch, 1), axis=0))
        except NotRunnable as error:
            raise WorkbenchError(f"{self._file.name} could not be run: {error}.", error) from error
        boxes, scores, labels = self._pairs(arrays)
        boxes = geometry.clip(way.back(boxes), image.shape[1], image.shape[0])
        real = (geometry.areas(boxes) > 0) & (labels >= 0)
        return Candidates.of_arrays(boxes[real], scores[real], labels[real], floor=floor)

    def _pairs(self, arrays: Arrays) -> Arrays:
        """(k, 4) boxes in network pixels, (k,) scores, (k,) labels of the first image."""
        if self._batch != 1:
            arrays = tuple(array[0] for array in arrays)
        if self._output == DETECTIONS:
            return arrays
        boxes, scores = arrays  # (N, 4), (N, C)
        return best_pairs(boxes, scores)


def check(file: Path) -> None:
    """Raise Refused, with what is missing, if it can't be used."""
    OnnxModel(file).close()


def _card(file: Path, text: str) -> dict[str, Any]:
    try:
        card = json.loads(text) if text else {}
    except ValueError:
        card = {}
    missing = [words for key, words in NEEDED.items() if not isinstance(card, dict) or key not in card]
    if missing:
        raise Refused(
            file, f"this ONNX file does not say {', '.join(missing)}, as files exported by Workbench do. Use the run's"
            " checkpoint, or export it here.",
        )  # fmt: skip
    if card["output"] not in (DETECTIONS, DECODED):
        raise Refused(
            file, "it gives the network's raw heads, which need decoding. Export it with decoded boxes or detections."
        )
    return dict(card)
