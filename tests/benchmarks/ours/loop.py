"""Images per second of a training in a process of its own, in the median of its steps.

    python loop.py FOLDER KIND DETECTOR PX WIDTH BATCH STEPS DEVICE

KIND is
- plain: the loop that tutorials show, in PyTorch's defaults: files decoded and resized as they come, fp32;
- steps: the same without the files;
- amp: the loop of a well-known trainer: mosaics of four decoded files by worker processes, fp16 with a scaled loss
  (bf16 on a processor), weights in PyTorch's layout;
- amp-last: the same in channels-last;
- ours: the whole of `train`, mosaics and all.
FOLDER holds a project with blood cells. It prints {} once it is ready, and measures anew for each line that it reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from tests.benchmarks.mosaics import mosaic
from workbench.core.document import Document
from workbench.core.project import Snapshot, Split
from workbench.detectors.parts.detector import Targets
from workbench.training import prepare, recipes
from workbench.training.recipes import Recipe
from workbench.training.run import RunRequest, train
from workbench.training.step import Stepper

WARM = 3  # steps that are not counted
Sample = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Photographs(torch.utils.data.Dataset[Sample]):
    """Images (3, px, px) in [0, 1], boxes (n, 4) in pixels of these, labels (n,)."""

    def __init__(self, snapshot: Snapshot, px: int) -> None:
        self.snapshot, self.px = snapshot, px

    def __len__(self) -> int:
        return len(self.snapshot)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        read = cv2.imread(str(self.snapshot.files[row]))
        assert read is not None
        image = cv2.cvtColor(read, cv2.COLOR_BGR2RGB)
        share = self.px / image.shape[1], self.px / image.shape[0]
        image = cv2.resize(image, (self.px, self.px))
        rows = self.snapshot.rows(row)
        boxes = torch.from_numpy(self.snapshot.boxes[rows] * np.tile(share, 2)).float()
        return (
            torch.from_numpy(image).permute(2, 0, 1).float() / 255,
            boxes,
            torch.from_numpy(self.snapshot.label_index[rows]),
        )


class Mosaics(torch.utils.data.Dataset[Sample]):
    """Images (3, px, px) uint8, boxes (n, 4) in their pixels, labels (n,); files stay encoded, as in a disk cache."""

    def __init__(self, snapshot: Snapshot, px: int) -> None:
        self.snapshot, self.px = snapshot, px
        self.files = [file.read_bytes() for file in snapshot.files]

    def __len__(self) -> int:
        return len(self.snapshot)

    def __getitem__(self, row: int) -> Sample:
        image, tiles, matrix = mosaic(self.files, np.random.default_rng(row), self.px)
        rows = [self.snapshot.rows(file) for file, *_ in tiles]
        boxes = [self.snapshot.boxes[r] * share + (x, y, x, y) for r, (_, share, x, y) in zip(rows, tiles, strict=True)]
        moved = np.concatenate(boxes) * matrix[0, 0] + np.tile(matrix[:, 2], 2)
        labels = np.concatenate([self.snapshot.label_index[r] for r in rows])
        inside = moved.clip(0, self.px)
        seen = (inside[:, 2:] - inside[:, :2]).min(axis=1) > 2  # px
        pixels = torch.from_numpy(np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1)))
        return pixels, torch.from_numpy(inside[seen]).float(), torch.from_numpy(labels[seen])


def together(rows: list[Sample]) -> tuple[torch.Tensor, Targets]:
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
        loss: Any = sum(detector.loss(detector(images), targets).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(time.perf_counter() - begin)
        begin += times[-1]
        if len(times) == steps:
            break
    return times


def amp(
    snapshot: Snapshot, recipe: Recipe, steps: int, device: torch.device, layout: torch.memory_format
) -> list[float]:
    """Seconds of each step, the device waited for only at the end of all, as trainers do; so they are all the same."""
    detector = prepare.build(recipe, len(snapshot.labels), None).train()
    detector = detector.to(device=device, memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(detector.parameters(), recipe.training.learning_rate, momentum=0.9, fused=True)
    half = torch.float16 if device.type == "cuda" else torch.bfloat16
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)
    workers = os.cpu_count() or 1
    data = Mosaics(snapshot, recipe.detector_settings.input_px)
    batches = torch.utils.data.RandomSampler(data, True, (steps + WARM) * recipe.training.batch)
    loader = DataLoader(
        data, recipe.training.batch, sampler=batches, collate_fn=together, drop_last=True, num_workers=workers,
        pin_memory=device.type == "cuda", multiprocessing_context="spawn",
    )  # fmt: skip
    begin = time.perf_counter()
    for number, (images, targets) in enumerate(loader):
        if number == WARM:
            _wait(device)
            begin = time.perf_counter()
        pixels = images.to(device, non_blocking=True).float() / 255
        with torch.autocast(device.type, half):
            raw = detector(pixels)
        loss: Any = sum(detector.loss(raw, targets.to(device)).values())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    _wait(device)
    return [(time.perf_counter() - begin) / steps] * (steps + WARM)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def ours(snapshot: Snapshot, recipe: Recipe, steps: int, folder: Path) -> list[float]:
    """Seconds from the beginning of each step to that of the next."""
    begun: list[float] = []
    order = Stepper.queue

    def timed(*given: Any, **more: Any) -> Any:
        begun.append(time.perf_counter())
        return order(*given, **more)

    Stepper.queue = timed  # type: ignore[method-assign]
    try:
        with contextlib.closing(train(RunRequest(folder, snapshot, recipe, None))) as events:  # type: ignore[type-var]
            for _ in events:
                if len(begun) > steps:
                    break
            if recipe.training.device == "cuda":  # steps are ordered ahead, so only all of them together can be timed
                _wait(torch.device("cuda"))  # and before the training is closed, which saves it
                return [(time.perf_counter() - begun[WARM]) / (len(begun) - WARM)] * len(begun)
    finally:
        Stepper.queue = order  # type: ignore[method-assign]
    return np.diff(begun).tolist()


def main() -> None:
    folder, kind, name, px, width, batch, steps, place = sys.argv[1:]
    with Document.open(Path(folder)) as document:
        snapshot = document.snapshot().only(splits={Split.TRAIN, Split.VALIDATION})
    changed = {
        "input_px": int(px), "width": float(width), "batch": int(batch), "evaluate_every": 0, "device": place,
        "epochs": -(-int(steps) * int(batch) // 100) + 1,
    }  # fmt: skip
    recipe = recipes.preset("quick-cpu").with_detector(name).changed(changed)
    print("{}", flush=True)
    for _ in sys.stdin:
        if kind == "ours":
            times = ours(snapshot, recipe, int(steps), Path(folder) / "loop" / str(time.monotonic_ns()))
        elif kind.startswith("amp"):
            layout = torch.channels_last if kind == "amp-last" else torch.contiguous_format
            times = amp(snapshot, recipe, int(steps), torch.device(place), layout)
        else:
            times = plain(snapshot, recipe, int(steps), again=kind == "steps")
        print(json.dumps({"per_second": int(batch) / median(times[WARM:])}), flush=True)


if __name__ == "__main__":  # workers are started anew
    main()
