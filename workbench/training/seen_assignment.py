"""What a detector's loss makes of an image that is seen: every cell, anchor or point, by the loss's own code.

Where the loss needs the network's answer to choose (the hardest negatives, predictions that are ignored), the network
is run: with fresh weights, those that a training of the recipe begins with, or with those of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from workbench.core.project import AnchorSet
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.explained import Explained
from workbench.training import prepare, weights
from workbench.training.recipes import Recipe
from workbench.training.seen import Seen
from workbench.training.step import on_device


@dataclass(frozen=True)
class Assigned:
    """`boxes` without a positive: (row of the seen boxes, why). `explained` is of a batch of one image."""

    explained: Explained
    unmatched: tuple[tuple[int, str], ...]

    def of_box(self, box: int) -> list[int]:
        """Positives of a seen box, per level."""
        level = self.explained.layout.level[self.explained.prior[self.explained.box == box]]
        return torch.bincount(level, minlength=len(self.explained.layout.grids)).tolist()  # type: ignore[no-any-return]


def detector_of(recipe: Recipe, labels: tuple[str, ...], anchors: AnchorSet | None, file: Path | None) -> Detector:
    """The recipe's detector with the weights that its training begins with, or those of `file`.

    Of a file, what fits is taken, and the network answers as in evaluation. WorkbenchError says what is wrong.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        detector = prepare.build(recipe, len(labels), anchors)
    if file is not None:
        weights.start(detector, file, labels)
        return detector.eval()
    return detector.train()


def assigned(seen: Seen, detector: Detector, *, answers: bool = True) -> Assigned:
    """What the loss makes of `seen`. Without `answers` the network is not run, and what depends on it stays unknown.

    Chance (dropout, anchors that are drawn) is that of the image's step. A fresh network's batch norms see this image
    alone, a training's the whole batch: what it is like at its first step, not digit by digit.
    """
    images, targets = on_device(seen.batch(), slice(None), torch.device("cpu"))
    size = (seen.side, seen.side)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(max(seen.step, 0))
        found = detector.explained(None, targets, size)
        if answers and found.note:
            found = detector.explained(_raw(detector, images), targets, size)
    reasons = {m: why for (_, m), why in found.reasons.items()}
    reasons |= {m: why for m, why in _ignored(seen).items() if m in reasons}
    return Assigned(found, tuple(sorted(reasons.items())))


def _raw(detector: Detector, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    try:
        return detector(images)  # type: ignore[no-any-return]
    except ValueError:  # batch norm over a map of one cell wants two values: the same twice changes no mean
        return tuple(level[:1] for level in detector(images.repeat(2, 1, 1, 1)))


def _ignored(seen: Seen) -> dict[int, str]:
    """Why boxes that are there are ignored, more exactly than a loss can know it."""
    told: dict[int, list[str]] = {}
    for one in seen.lost:
        if not one.gone:
            told.setdefault(one.row, []).append(one.reason)
    found = {}
    for m, (row, ignore) in enumerate(zip(seen.rows.tolist(), seen.ignore.tolist(), strict=True)):
        if ignore and told.get(row):
            found[m] = told[row].pop(0)
    return found
