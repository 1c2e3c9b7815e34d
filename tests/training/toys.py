"""Small projects and a toy detector, so that the tests of training need neither a real network nor minutes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.core.project import Image, Label, Snapshot, Split, State
from workbench.detectors import DetectorSettings
from workbench.detectors.parts.detector import Assignment, Candidates, Detector, LabelRows, Raw, Targets
from workbench.training.recipes import Recipe
from workbench.training.run import RunRequest
from workbench.training.settings import TrainingSettings

PX = 64


@dataclass(frozen=True)
class ToySettings(DetectorSettings):
    pass


class Toy(Detector):
    """Convolutions with dropout, so that the random state matters; a cell tells whether a box's centre is in it."""

    name, title, paper, summary = "toy", "Toy", "none", "for tests"
    settings_class: ClassVar[type[DetectorSettings]] = ToySettings
    outs = ("out",)

    def __init__(self, settings: DetectorSettings, labels: int, anchors: Any = None) -> None:
        super().__init__(settings, labels, anchors or ())
        self.conv = nn.Conv2d(3, 8, 32, 32)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout2d(0.2)
        self.out = nn.Conv2d(8, labels, 1)

    def forward(self, images: Tensor) -> Raw:
        return (self.out(self.dropout(self.norm(self.conv(images)))),)

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        logits = raw[0].float()
        wanted = torch.zeros_like(logits)
        image, row, column, box = self._cells(targets, logits.shape[2:])
        wanted[image, targets.labels[image, box], row, column] = 1
        return {"cell": functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / len(logits)}

    def candidates(self, raw: Raw) -> Candidates:
        batch, _, rows, columns = raw[0].shape
        y, x = torch.meshgrid(*(torch.arange(n, device=raw[0].device) for n in (rows, columns)), indexing="ij")
        low = torch.stack([x, y], dim=-1).reshape(-1, 2) * 32.0
        boxes = torch.cat([low, low + 32], dim=1).expand(batch, -1, -1)
        return Candidates(boxes, raw[0].sigmoid().flatten(2).transpose(1, 2))

    def assignment(self, targets: Targets, size: tuple[int, int]) -> Assignment:
        image, row, column, box = self._cells(targets, (size[0] // 32, size[1] // 32))
        zero = torch.zeros_like(image)
        return Assignment(image, zero, row, column, zero, box)

    def label_rows(self) -> dict[str, LabelRows]:
        return {"out": LabelRows(groups=1)}

    def _cells(self, targets: Targets, grid: Any) -> tuple[Tensor, ...]:
        image, box = ((targets.labels >= 0) & ~targets.ignore).nonzero(as_tuple=True)
        centre = (targets.boxes[image, box, :2] + targets.boxes[image, box, 2:]) / 2
        cell = (centre // 32).long().clamp(min=0)
        return image, cell[:, 1].clamp(max=grid[0] - 1), cell[:, 0].clamp(max=grid[1] - 1), box


def make_snapshot(folder: Path, train: int = 6, validation: int = 2, *, state: State = State.DONE) -> Snapshot:
    """Grey images of 64 x 64 with a bright square of 32 in one of four corners: label 0 at the top, 1 at the bottom."""
    folder.mkdir(parents=True, exist_ok=True)
    images, files, boxes, labels = [], [], [], []
    for number in range(train + validation):
        x, y = 32 * (number % 2), 32 * (number // 2 % 2)
        pixels = np.full((PX, PX, 3), 60, np.uint8)
        pixels[y : y + 32, x : x + 32] = 220 - 10 * (number % 10)
        file = folder / f"{number}.png"
        file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        split = Split.TRAIN if number < train else Split.VALIDATION
        images.append(Image(number + 1, file.name, PX, PX, state, split))
        files.append(file)
        boxes.append((x, y, x + 32, y + 32))
        labels.append(y // 32)
    count = len(images)
    return Snapshot(
        labels=(Label(1, "top", position=0), Label(2, "bottom", position=1)),
        images=tuple(images),
        files=tuple(files),
        offsets=np.arange(count + 1),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        label_index=np.array(labels, np.int64),
        flags=np.zeros((count, 4), bool),
        box_ids=np.arange(1, count + 1),
    )


CALM = TrainingSettings(
    epochs=4, batch=4, learning_rate=0.05, warm_up=0, device="cpu", precision="fp32", threads=1, ema=0.9, mosaic=0.5
)


def make_request(folder: Path, snapshot: Snapshot | None = None, **changes: Any) -> RunRequest:
    """A run of the toy: 6 images, batches of 4, 4 epochs, so 6 steps."""
    snapshot = make_snapshot(folder / "images") if snapshot is None else snapshot
    recipe = Recipe("test", "Test", "", "toy", ToySettings(input_px=PX), replace(CALM, **changes))
    return RunRequest(folder / "run", snapshot, recipe)
