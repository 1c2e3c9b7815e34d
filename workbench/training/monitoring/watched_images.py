"""Detections in the same few validation images after each evaluation: they show whether a training gets better.

A line of watched.jsonl for each evaluation. No torch here: the window reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.core.detections import Detections
from workbench.core.project import Snapshot

FILE = "watched.jsonl"
COUNT = 8  # images
LEAST, MOST = 0.05, 50  # least score of what is kept, and most boxes per image


@dataclass(frozen=True, slots=True, eq=False)
class WatchedImage:
    """The detections in one image. `image` is its id in the project, `labels` are names."""

    image: int
    name: str
    boxes: NDArray[np.float32]  # (n, 4) xyxy pixels of the upright original
    scores: NDArray[np.float32]  # (n,) descending
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WatchedDetections:
    """The pictures after one evaluation."""

    epoch: int
    step: int
    pictures: tuple[WatchedImage, ...]


def choose_images(snapshot: Snapshot) -> tuple[int, ...]:
    """Indices of the images to watch: evenly spread over those with boxes, or over all if none has any."""
    with_boxes = np.flatnonzero(np.diff(snapshot.offsets))
    some = with_boxes if len(with_boxes) else np.arange(len(snapshot))
    count = min(COUNT, len(some))
    return tuple(int(some[i * len(some) // count]) for i in range(count))


def append_detections(folder: Path, epoch: int, step: int, snapshot: Snapshot, found: Sequence[Detections]) -> None:
    """Add the detections (of all images of the snapshot) to the run's record; OSError if it can't be written."""
    names = [label.name for label in snapshot.labels]
    pictures = [_written(snapshot, i, found[i], names) for i in choose_images(snapshot)]
    line = json.dumps({"epoch": epoch, "step": step, "pictures": pictures}, ensure_ascii=False)
    handle = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
    try:
        os.write(handle, (line + "\n").encode())
    finally:
        os.close(handle)


def _written(snapshot: Snapshot, index: int, found: Detections, names: Sequence[str]) -> dict[str, object]:
    count = min(int((found.scores >= LEAST).sum()), MOST)
    return {
        "image": snapshot.images[index].id,
        "name": snapshot.images[index].name,
        "boxes": [[round(float(v), 1) for v in box] for box in found.boxes[:count]],
        "scores": [round(float(score), 4) for score in found.scores[:count]],
        "labels": [names[int(label)] for label in found.labels[:count]],
    }


def read(folder: Path) -> tuple[WatchedDetections, ...]:
    """In the order of their steps, without those after a killed run's last save, which it trains again.

    Incomplete and foreign lines are left out.
    """
    kept: list[WatchedDetections] = []
    for record in _records(folder):
        while kept and kept[-1].step >= record.step:
            kept.pop()
        kept.append(record)
    return tuple(kept)


def with_ids(found: WatchedDetections, present: Mapping[int, int]) -> WatchedDetections:
    """With the images' present ids by those of before, 0 for those that are gone."""
    pictures = tuple(replace(one, image=present.get(one.image, 0)) for one in found.pictures)
    return replace(found, pictures=pictures)


def _records(folder: Path) -> Iterator[WatchedDetections]:
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")
    except OSError:
        return
    for line in lines:
        try:
            values = json.loads(line)
            pictures = tuple(_picture(one) for one in values["pictures"])
            yield WatchedDetections(int(values["epoch"]), int(values["step"]), pictures)
        except (ValueError, KeyError, TypeError):
            continue


def _picture(values: dict[str, object]) -> WatchedImage:
    boxes = np.array(values["boxes"], np.float32).reshape(-1, 4)
    scores = np.array(values["scores"], np.float32)
    labels = tuple(str(name) for name in values["labels"])  # type: ignore[attr-defined]
    if not len(boxes) == len(scores) == len(labels):
        raise ValueError("rows of different lengths")
    return WatchedImage(int(values["image"]), str(values["name"]), boxes, scores, labels)  # type: ignore[call-overload]
