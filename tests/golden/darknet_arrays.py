"""The golden arrays of one network, as torch sees them: weights by recipe, inputs, targets, Darknet's answers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests import networks
from workbench import detectors
from workbench.core.detections import Candidates
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector, Raw, Targets

AT_ONCE = 1 << 16  # numbers that are drawn


class Case:
    """Golden arrays of `name`. Everything is computed when asked for. `kind`: the detector, if its name is another."""

    def __init__(self, test_data: Path, name: str, kind: str = "") -> None:
        self.file, self.folder = name, test_data / "golden"
        self.arrays = np.load(self.folder / f"{name}.npz")
        self.meta = json.loads(str(self.arrays["meta"]))
        self.kind, self.labels = kind or self.meta["name"], int(self.meta["heads"][0]["classes"])
        self.px: int = self.meta["input_px"]
        self.levels = len(self.meta["heads"])

    def raw(self, prefix: str) -> Raw:
        """What went into each head; `prefix` is "head" (inference) or "train"."""
        return tuple(torch.tensor(self.arrays[f"{prefix}{k}_raw"]) for k in range(self.levels))

    def deltas(self, k: int) -> Tensor:
        return torch.tensor(self.arrays[f"train{k}_delta"])

    @property
    def anchors(self) -> tuple[tuple[float, float], ...]:
        """Of the cfg, in its order, in pixels ([region] has them in cells)."""
        head = self.meta["heads"][0]
        if "anchors" not in head:
            return ()
        numbers = [float(number) * (1 if "mask" in head else head["stride"]) for number in head["anchors"].split(",")]
        return tuple(zip(numbers[::2], numbers[1::2], strict=True))

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
        with networks.unfilled():
            detector = detectors.build(self.kind, chosen, self.labels, anchors or kind.published_anchors)
        _fill(detector, self._drawn(detector))
        return detector.eval()

    def _drawn(self, detector: nn.Module) -> Iterator[dict[str, np.ndarray]]:
        spec = importlib.util.spec_from_file_location("golden_weights", self.folder / "weights.py")
        assert spec is not None
        assert spec.loader is not None
        recipe = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(recipe)
        vars(recipe)["np"] = SimpleNamespace(random=SimpleNamespace(default_rng=_Draw), prod=np.prod, sqrt=np.sqrt)
        shapes = [
            (tuple(conv.get_parameter("weight").shape), norm is not None) for conv, norm in darknet.layers(detector)
        ]
        drawn: Iterator[dict[str, np.ndarray]] = recipe.draw_layers(
            shapes, self.meta["weights_seed"], self.meta["bn_scale_gain"]
        )
        return drawn

    def boxes(self, name: str) -> np.ndarray:
        """`boxes` or `boxes_nms45`: (n, 5 + C), in shares of the image."""
        return np.asarray(self.arrays[name])


class _Single(np.ndarray):
    def astype(self, *_: Any, **__: Any) -> _Single:
        return self


class _Draw:
    """What the recipe asks of numpy's Generator: the same numbers, in float32 at once.

    YOLOv1's 272 million would else take five gigabytes, which cost three times what drawing does.
    """

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
        return self._draw.uniform(low, high, shape)

    def normal(self, mean: float, spread: float, shape: tuple[int, ...]) -> np.ndarray:
        found = np.empty(shape, np.float32).view(_Single)
        flat = found.reshape(-1)
        for at in range(0, flat.size, AT_ONCE):
            some = flat[at : at + AT_ONCE]
            some[:] = self._draw.normal(mean, spread, some.shape)
        return found


@torch.no_grad()
def _fill(detector: nn.Module, drawn: Iterator[dict[str, np.ndarray]]) -> None:
    for (conv, norm), values in zip(darknet.layers(detector), drawn, strict=True):
        assert isinstance(conv, nn.Conv2d | nn.Linear)
        layer = {name: torch.from_numpy(value) for name, value in values.items()}
        assert conv.weight.shape == layer["weight"].shape
        conv.weight.data = layer["weight"]  # a gigabyte for YOLOv1: not copied
        if norm is None:
            assert conv.bias is not None
            conv.bias.copy_(layer["bias"])
        else:
            norm.weight.copy_(layer["scale"])
            norm.bias.copy_(layer["bias"])
            norm.running_mean.copy_(layer["mean"])
            norm.running_var.copy_(layer["var"])


Loss = Callable[[Raw, Targets], dict[str, Tensor]]


def worst_delta(case: Case, loss: Loss, targets: Targets | None = None) -> float:
    """The largest difference between Darknet's deltas and minus our gradients. Darknet sums over images; we average."""
    raw = tuple(level.requires_grad_() for level in case.raw("train"))
    (torch.stack(list(loss(raw, targets or case.targets).values())).sum() * len(raw[0])).backward()
    return max(float((-level.grad.flatten() - case.deltas(k).flatten()).abs().max()) for k, level in enumerate(raw))


def worst_forward(case: Case, detector: Detector) -> float:
    """The largest difference of a head's input, relative to the largest value of that layer."""
    with torch.no_grad():
        pairs = zip(detector(case.images), case.raw("head"), strict=True)
        return max(
            float((ours.flatten() - theirs.flatten()).abs().max() / theirs.abs().max()) for ours, theirs in pairs
        )


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
        parts.append(plane.reshape(-1, 5 + case.labels, *plane.shape[1:])[:, 4].transpose(1, 2, 0).ravel())
    return np.concatenate(parts)


def kept_by_darknet(case: Case) -> set[tuple[int, int]]:
    """(box, label) that Darknet's NMS left, box counted as in `boxes`; it sorts while it suppresses."""
    after = case.boxes("boxes_nms45")
    before = {tuple(np.round(row[:4], 6)): index for index, row in enumerate(case.boxes("boxes"))}
    assert len(before) == len(after)
    order = [before[tuple(np.round(row[:4], 6))] for row in after]
    return {(order[box], int(label)) for box, label in zip(*np.nonzero(after[:, 5:]), strict=True)}


def kept(boxes: np.ndarray, px: int) -> set[tuple[int, int]]:
    """The same by our NMS. boxes (n, 5 + C) as Darknet has them before it.

    Scores of random weights agree to the last bit by the hundred, and which of two such boxes stays depends on their
    order: in Darknet, label after label, that of the label before, as its sort is stable.
    """
    centre, half, found = boxes[:, :2], boxes[:, 2:4] / 2, set()
    corners = (np.concatenate([centre - half, centre + half], axis=1) * px).astype(np.float32)
    order = np.arange(len(boxes))
    for label in range(boxes.shape[1] - 5):
        order = order[np.argsort(-boxes[order, 5 + label], kind="stable")]
        rows = order[boxes[order, 5 + label] > 0]
        pairs = Candidates(corners[rows], boxes[rows, 5 + label].astype(np.float32), np.zeros(len(rows), np.int32))
        found |= {(int(row), label) for row in rows[pairs.select(0.0, 0.45, limit=len(rows))]}
    return found
