"""A predictor without a network, and pictures of one colour for it: what it finds depends on the picture alone.

Run as a program, `stub.py FOLDER OUT BATCHES`, it predicts FOLDER and kills itself in the middle of that batch.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from workbench.core.detections import Candidates
from workbench.core.former_names import FormerNames, current_label_names
from workbench.core.project import Label
from workbench.core.tiling import Tiling, candidates_in_tiles
from workbench.training.checkpoints.header import KEY, CheckpointHeader


class _Detector:
    published_nms = ("per label", 0.45)


class Stub:
    """Finds as many boxes as the blue of a picture says, three at most, of label red % 2."""

    detector, labels, header, window, checkpoint, batch = _Detector(), ("cat", "dog"), None, None, None, 4
    precision, is_current = "exact", True
    tiling: Tiling | None = None

    def __init__(self, dies_in: int = 0) -> None:
        self.calls = self.pictures = 0
        self._dies_in = dies_in

    def rename_labels(self, former: FormerNames) -> None:
        self.labels = cast(tuple[str, str], current_label_names(self.labels, former))

    def candidates(self, images: Sequence[np.ndarray]) -> list[Candidates]:
        return candidates_in_tiles(self.candidates_of_views, images, self.tiling)

    def candidates_of_views(self, images: Sequence[np.ndarray]) -> list[Candidates]:
        self.calls += 1
        self.pictures += len(images)
        if self.calls == self._dies_in:
            os.kill(os.getpid(), signal.SIGKILL)
        return [self._of(image) for image in images]

    def _of(self, image: np.ndarray) -> Candidates:
        red, green, blue = (int(channel) for channel in image[0, 0])
        boxes = [[10 * n, 1, 10 * n + 1 + green % 7, 5] for n in range(blue % 4)]
        scores = [0.9 - 0.1 * n - red / 1000 for n in range(blue % 4)]
        return Candidates.of_arrays(np.array(boxes), np.array(scores), np.full(len(boxes), red % 2))


def stub(dies_in: int = 0) -> Any:
    return cast(Any, Stub(dies_in))


def write_pictures(folder: Path, names: Sequence[str], first: int = 0) -> Path:
    """40 x 30 pixels each, of its own colour."""
    for number, name in enumerate(names, start=first):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        colour = np.array([number % 256, number * 7 % 256, number * 13 % 100], np.uint8)  # blue, green, red
        _, data = cv2.imencode(".png", np.broadcast_to(colour, (30, 40, 3)).copy())
        file.write_bytes(data.tobytes())
    return folder


def write_head(file: Path, detector: str = "yolov4-tiny", labels: tuple[Label, ...] = ()) -> None:
    """A checkpoint without weights: only its head is read before PyTorch is loaded."""
    about = CheckpointHeader(detector, {}, labels, (), 96, "stretch").to_json()
    head = json.dumps({"__metadata__": {KEY: about}}).encode()
    file.write_bytes(len(head).to_bytes(8, "little") + head)


if __name__ == "__main__":
    from workbench.inference.predict_files import PredictionSettings, predict_files

    asked = PredictionSettings(formats=("json", "csv", "pictures"))
    for _ in predict_files(stub(int(sys.argv[3])), [Path(sys.argv[1])], Path(sys.argv[2]), asked):
        pass
    assert "torch" not in sys.modules
