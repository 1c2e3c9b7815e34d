"""The golden arrays of one network, as torch sees them: weights by recipe, inputs, targets, Darknet's answers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from workbench import detectors
from workbench.core.detections import Candidates
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector, Raw, Targets

LABELS = 80


class Case:
    """Golden arrays of `name`. Everything is computed when asked for. `kind`: the detector, if its name is another."""

    def __init__(self, test_data: Path, name: str, kind: str = "", labels: int = LABELS) -> None:
        self.folder = test_data / "golden"
        self.arrays = np.load(self.folder / f"{name}.npz")
        self.meta = json.loads(str(self.arrays["meta"]))
        self.kind, self.labels = kind or self.meta["name"], labels
        self.px: int = self.meta["input_px"]
        self.levels = len(self.meta["heads"])

    def raw(self, prefix: str) -> Raw:
        """What went into each head; `prefix` is "head" (inference) or "train"."""
        return tuple(torch.tensor(self.arrays[f"{prefix}{k}_raw"]) for k in range(self.levels))

    def deltas(self, k: int) -> Tensor:
        return torch.tensor(self.arrays[f"train{k}_delta"])

    @property
    def images(self) -> Tensor:
        draw = np.random.default_rng(int(self.arrays["x_seed"]))
        return torch.tensor(draw.random((1, 3, self.px, self.px), dtype=np.float32))

    @property
    def targets(self) -> Targets:
        truth = torch.tensor(self.arrays["truth"])
        centre, half = truth[..., :2], truth[..., 2:4] / 2
        labels = torch.where(truth[..., 0] == 0, -1, truth[..., 4].long())
        boxes = torch.cat([centre - half, centre + half], dim=-1) * self.px
        return Targets(boxes, labels, torch.zeros_like(labels, dtype=torch.bool))

    def detector(self, anchors: tuple[tuple[float, float], ...] | None = None, **settings: Any) -> Detector:
        """With the published anchors unscaled, as Darknet has them, and the recipe's weights; in eval mode."""
        kind = detectors.load_all().get(self.kind)
        chosen = dataclasses.replace(kind.settings_class(input_px=self.px), **settings)
        detector = detectors.build(self.kind, chosen, self.labels, anchors or kind.published_anchors)
        _fill(detector, self._drawn(detector))
        return detector.eval()

    def _drawn(self, detector: nn.Module) -> Iterator[dict[str, np.ndarray]]:
        spec = importlib.util.spec_from_file_location("golden_weights", self.folder / "weights.py")
        assert spec is not None
        assert spec.loader is not None
        recipe = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(recipe)
        shapes = [(tuple(conv.weight.shape), norm is not None) for conv, norm in darknet.layers(detector)]
        drawn: Iterator[dict[str, np.ndarray]] = recipe.draw_layers(
            shapes, self.meta["weights_seed"], self.meta["bn_scale_gain"]
        )
        return drawn

    def boxes(self, name: str) -> np.ndarray:
        """`boxes` or `boxes_nms45`: (n, 5 + C), in shares of the image."""
        return np.asarray(self.arrays[name])


@torch.no_grad()
def _fill(detector: nn.Module, drawn: Iterator[dict[str, np.ndarray]]) -> None:
    for (conv, norm), values in zip(darknet.layers(detector), drawn, strict=True):
        layer = {name: torch.tensor(value) for name, value in values.items()}
        conv.weight.copy_(layer["weight"])
        if norm is None:
            assert conv.bias is not None
            conv.bias.copy_(layer["bias"])
        else:
            norm.weight.copy_(layer["scale"])
            norm.bias.copy_(layer["bias"])
            norm.running_mean.copy_(layer["mean"])
            norm.running_var.copy_(layer["var"])


Loss = Callable[[Raw, Targets], dict[str, Tensor]]


def worst_delta(case: Case, loss: Loss) -> float:
    """The largest difference between Darknet's deltas and minus our gradients. Darknet sums over images; we average."""
    raw = tuple(level.requires_grad_() for level in case.raw("train"))
    (sum(loss(raw, case.targets).values()) * len(raw[0])).backward()
    return max(float((-level.grad - case.deltas(k)).abs().max()) for k, level in enumerate(raw))


def worst_forward(case: Case, detector: Detector) -> float:
    """The largest difference of a head's input, relative to the largest value of that layer."""
    with torch.no_grad():
        pairs = zip(detector(case.images), case.raw("head"), strict=True)
        return max(float((ours - theirs).abs().max() / theirs.abs().max()) for ours, theirs in pairs)


def decoded(case: Case, detector: Detector) -> np.ndarray:
    """Our candidates of the golden head inputs in Darknet's form: cx, cy, w, h as shares, then score per label."""
    found = detector.candidates(case.raw("head"))
    boxes = found.boxes[0] / case.px
    centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    return torch.cat([centre, sides, found.scores[0]], dim=1).numpy()


def objectness(case: Case) -> np.ndarray:
    """Of every prior, in Darknet's order (level, row, column, anchor)."""
    parts = []
    for k in range(case.levels):
        plane = case.arrays[f"head{k}_out"][0]
        parts.append(plane.reshape(-1, 5 + LABELS, *plane.shape[1:])[:, 4].transpose(1, 2, 0).ravel())
    return np.concatenate(parts)


def kept_pairs(case: Case, detector: Detector) -> set[tuple[int, int]]:
    """(box, label) above 0.1 that our NMS at 0.45 keeps, box counted as in `boxes`."""
    return kept_of(decoded(case, detector)[objectness(case) > 0.1], case.px)


def kept_of(shares: np.ndarray, px: int) -> set[tuple[int, int]]:
    """The same of boxes in the form of `decoded`."""
    box, label = np.nonzero(shares[:, 4:] > 0.1)
    centre, half = shares[box, :2], shares[box, 2:4] / 2
    rows = np.arange(len(box))
    order = np.argsort(-shares[box, 4 + label], kind="stable")
    corners = np.concatenate([centre - half, centre + half], axis=1)[order] * px
    sorted_pairs = Candidates(corners.astype(np.float32), shares[box, 4 + label][order], label[order].astype(np.int32))
    kept = rows[order][sorted_pairs.select(0.0, 0.45, limit=len(rows))]
    return {(int(box[row]), int(label[row])) for row in kept}
