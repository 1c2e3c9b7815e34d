"""Images per second of a training in a process of its own, in the median of its steps.

    python loop.py FOLDER plain|steps|ours DETECTOR PX WIDTH BATCH STEPS

plain: the loop that tutorials show, in PyTorch's defaults: files decoded and resized as they come, fp32. steps: the
same without the files. ours: the whole of `train`, mosaics and all. FOLDER holds a project with blood cells.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from workbench.core.document import Document
from workbench.core.project import Snapshot, Split
from workbench.detectors.parts.detector import Targets
from workbench.training import prepare, recipes
from workbench.training.recipes import Recipe
from workbench.training.run import RunRequest, train
from workbench.training.step import Stepper

WARM = 3  # steps that are not counted


class Photographs(torch.utils.data.Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Images (3, px, px) in [0, 1], boxes (n, 4) in pixels of these, labels (n,)."""

    def __init__(self, snapshot: Snapshot, px: int) -> None:
        self.snapshot, self.px = snapshot, px

    def __len__(self) -> int:
        return len(self.snapshot)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        image = cv2.cvtColor(cv2.imread(str(self.snapshot.files[row])), cv2.COLOR_BGR2RGB)
        share = self.px / image.shape[1], self.px / image.shape[0]
        image = cv2.resize(image, (self.px, self.px))
        rows = self.snapshot.rows(row)
        boxes = torch.from_numpy(self.snapshot.boxes[rows] * np.tile(share, 2)).float()
        return (
            torch.from_numpy(image).permute(2, 0, 1).float() / 255,
            boxes,
            torch.from_numpy(self.snapshot.label_index[rows]),
        )


def together(rows: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, Targets]:
    images, boxes, labels = zip(*rows, strict=True)
    most = max(map(len, boxes))
    padded = torch.zeros(len(rows), most, 4)
    named = torch.full((len(rows), most), -1)
    for row, (some, which) in enumerate(zip(boxes, labels, strict=True)):
        padded[row, : len(some)], named[row, : len(some)] = some, which
    return torch.stack(images), Targets(padded, named, torch.zeros(len(rows), most, dtype=torch.bool))


def plain(snapshot: Snapshot, recipe: Recipe, steps: int, *, again: bool) -> list[float]:
    """Seconds of each step; `again`: all on the first batch."""
    detector = prepare.build(recipe, len(snapshot.labels), None).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=recipe.training.learning_rate)
    loader = DataLoader(
        Photographs(snapshot, recipe.detector_settings.input_px), recipe.training.batch, shuffle=True,
        collate_fn=together, drop_last=True,
    )  # fmt: skip
    first = next(iter(loader))
    times, begin = [], time.perf_counter()
    for batch in [first] * steps if again else loader:
        images, targets = batch
        loss = sum(detector.loss(detector(images), targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - begin)
        begin += times[-1]
        if len(times) == steps:
            break
    return times


def ours(snapshot: Snapshot, recipe: Recipe, steps: int, folder: Path) -> list[float]:
    """Seconds from the beginning of each step to that of the next."""
    begun: list[float] = []
    order = Stepper.order

    def timed(*given: Any, **more: Any) -> Any:
        begun.append(time.perf_counter())
        return order(*given, **more)

    Stepper.order = timed  # type: ignore[method-assign]
    for _ in train(RunRequest(folder, snapshot, recipe, None)):
        if len(begun) > steps:
            break
    return np.diff(begun).tolist()  # type: ignore[no-any-return]


def main() -> None:
    folder, kind, name, px, width, batch, steps = sys.argv[1:]
    with Document.open(Path(folder)) as document:
        snapshot = document.snapshot().only(splits={Split.TRAIN, Split.VALIDATION})
    changed = {
        "input_px": int(px), "width": float(width), "batch": int(batch), "evaluate_every": 0, "device": "cpu",
        "epochs": -(-int(steps) * int(batch) // 100) + 1,
    }  # fmt: skip
    recipe = recipes.preset("quick-cpu").with_detector(name).changed(changed)
    if kind == "ours":
        times = ours(snapshot, recipe, int(steps), Path(folder) / "loop" / str(time.monotonic_ns()))
    else:
        times = plain(snapshot, recipe, int(steps), again=kind == "steps")
    print(json.dumps({"per_second": int(batch) / median(times[WARM:])}))


main()
