"""YOLO9000: YOLOv2 that learns from boxes and from pictures without, on a tree of labels (Redmon, Farhadi: YOLO9000,
2016, arXiv 1612.08242, section 4; the network is cfg/yolo9000.cfg: Darknet-19 without a passthrough, three anchors).

A box trains the softmax over its label's siblings and those of the label's ancestors, but not of its descendants.
A picture without boxes trains only labels, at the prior that finds them most probable.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from workbench.core.files import scan_images
from workbench.detectors import DetectorSettings, register
from workbench.detectors.parts import coding, priors, word_tree
from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, set_activation
from workbench.detectors.parts.detector import Candidates, Detector, LabelRows, Raw, Targets
from workbench.detectors.parts.region_head import MatchedPriors, RegionHead, RegionRules
from workbench.detectors.parts.region_settings import RegionSettings
from workbench.detectors.parts.word_tree import WordTree
from workbench.errors import Refused, WorkbenchError
from workbench.settings import FOLDER, setting


@dataclass(frozen=True)
class Yolo9000Settings(RegionSettings):
    """Settings of YOLO9000."""

    input_px: int = setting(544, "Side of the square network input; a multiple of 32.", unit="px", low=32, high=2048)
    tree: str = setting(
        "", "File with the tree: on each line a name and its parent's line number, counted from 0, or -1. It must"
        " contain the project's labels. Without a tree, all labels are siblings.", files="*.tree",
    )  # fmt: skip
    picture_folder: str = setting(
        "", "Folder of pictures without boxes to learn labels from: a sub-folder per label, named as in the tree.",
        files=FOLDER,
    )  # fmt: skip

    def resolved(self, labels: tuple[str, ...]) -> Yolo9000Settings:
        """With the tree itself in place of its path."""
        if not self.tree.strip() or "\t" in self.tree:
            return self
        try:
            text = Path(os.path.expanduser(self.tree)).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(self.tree, "this tree could not be read: it must be a text file.", cause=error) from error
        return replace(self, tree=word_tree.for_labels(text, labels).to_text())

    def pictures(self) -> tuple[tuple[Path, int], ...]:
        """The pictures and their nodes, sorted by name."""
        if not self.picture_folder.strip():
            return ()
        if not self.tree.strip():
            raise WorkbenchError("Pictures without boxes need a tree of labels. Choose its file too.")
        index = {name.casefold(): node for node, name in enumerate(word_tree.read(self.tree).names)}
        folder = Path(os.path.expanduser(self.picture_folder))
        try:
            inside = sorted(entry for entry in folder.iterdir() if entry.is_dir())
        except OSError as error:
            raise Refused(folder, f"the pictures could not be listed: {error.strerror}.", cause=error) from error
        unknown = [entry.name for entry in inside if entry.name.casefold() not in index]
        if unknown:
            raise WorkbenchError(f"The folder '{unknown[0]}' in {folder} is not in the tree. Rename it or the node.")
        found = [(entry / path, index[entry.name.casefold()]) for entry in inside for path in scan_images(entry)]
        if not found:
            raise WorkbenchError(f"There are no pictures in the sub-folders of {folder}.")
        return tuple(found)


class TreeHead(RegionHead):
    """YOLOv2's head with a softmax over each group of siblings, and one output per node."""

    groups: Tensor  # (V,)
    paths: Tensor  # (V, D) each node's path to the root, padded with V
    nodes: Tensor  # (C,)

    def __init__(self, tree: WordTree, anchors: priors.Anchors, rules: RegionRules) -> None:
        super().__init__(len(tree), anchors, rules)
        ways = [tree.path(node) for node in range(len(tree))]
        deepest = max(map(len, ways))
        filled = torch.tensor([way + (len(tree),) * (deepest - len(way)) for way in ways])
        self.group_count = max(tree.groups) + 1
        self.register_buffer("groups", torch.tensor(tree.groups), persistent=False)
        self.register_buffer("paths", filled, persistent=False)
        self.register_buffer("nodes", torch.tensor(tree.nodes), persistent=False)
        self.register_buffer("label_weights", torch.ones(len(tree.nodes)), persistent=False)

    def log_conditional(self, logits: Tensor) -> Tensor:
        """(..., V) -> (..., V + 1): log probability of each node given its parent, and 0 for the padding of paths."""
        groups = self.groups.expand(logits.shape)
        shape = (*logits.shape[:-1], self.group_count)
        largest = logits.new_full(shape, -torch.inf).scatter_reduce(-1, groups, logits.detach(), "amax")
        sums = logits.new_zeros(shape).scatter_add(-1, groups, (logits - largest.gather(-1, groups)).exp())
        whole = logits - largest.gather(-1, groups) - sums.log().gather(-1, groups)
        return torch.cat([whole, torch.zeros_like(whole[..., :1])], dim=-1)

    def log_probability(self, logits: Tensor, nodes: Tensor) -> Tensor:
        """logits (..., V) and nodes (...) -> (...): of the path from the root to the node."""
        way = self.paths[nodes]  # (..., D)
        return self.log_conditional(logits).gather(-1, way).sum(-1)

    def candidates(self, raw: Raw) -> Candidates:
        """A label's score is objectness times the probabilities on its path from the root."""
        logits, grid = self.flat(raw)
        ways = self.paths[self.nodes]  # (C, D)
        log = self.log_conditional(logits[..., 5:])[..., ways].sum(-1)
        return Candidates(coding.decode_all(logits, grid), logits[..., 4:5].sigmoid() * log.exp())

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        terms = super().loss(raw, targets)
        if targets.pictures is not None:
            terms["label"] = terms["label"] + self._picture_term(raw, targets.pictures) / len(raw[0])
        return terms

    def _label_term(self, logits: Tensor, answers: MatchedPriors) -> Tensor:
        """Cross-entropy over the siblings of the label and of each of its ancestors (rule 14). logits (B, M, V)."""
        loss = -self.log_probability(logits, self.nodes[answers.labels])
        return torch.where(answers.counted, loss * answers.weight, 0.0).sum()

    def _picture_term(self, raw: Raw, pictures: Tensor) -> Tensor:
        """The same for pictures without boxes, at the prior of the highest objectness times probability (rule 14)."""
        logits, _ = self.flat(raw)
        nodes = pictures.clamp(min=0)[:, None].expand(-1, logits.shape[1])  # (B, N)
        log = self.log_probability(logits[..., 5:], nodes)
        with torch.no_grad():
            best = (log.exp() * logits[..., 4].sigmoid()).argmax(-1, keepdim=True)
        return torch.where(pictures >= 0, -log.gather(-1, best)[:, 0], 0.0).sum()


@register("yolo9000")
class Yolo9000(Detector):
    """Layers stand in the order of the Darknet file, which parts/darknet.py relies on."""

    name = "yolo9000"
    title = "YOLO9000"
    paper = "Redmon, Farhadi: YOLO9000: Better, Faster, Stronger, 2016, arXiv 1612.08242"
    summary = "YOLOv2 on a tree of labels, which also learns from pictures without boxes; for very many labels."
    settings_class: ClassVar[type[DetectorSettings]] = Yolo9000Settings
    darknet = True
    published_anchors = ((24.91872, 36.50368), (96.168, 138.00864), (295.272, 307.83168))  # in cells there
    published: ClassVar[Mapping[str, Any]] = {  # cfg/yolo9000.cfg; epochs are those of YOLOv2 in the paper
        "epochs": 160, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
        "warm_up_power": 4.0, "schedule": "step", "step_at": (0.8, 0.9), "whole_jitter": 0.2,
        "hue": 0.1, "saturation": 1.333, "exposure": 1.333, "sizes": 0.4,
    }  # fmt: skip
    published_px = 544
    outs = ("out",)
    backbone_parts = ("body",)
    published_resize = "letterbox"  # as pjreddie's Darknet, which made the public weights, does

    def __init__(self, settings: DetectorSettings, labels: int, anchors: priors.Anchors | None = None) -> None:
        super().__init__(settings, labels, anchors)
        assert isinstance(settings, Yolo9000Settings)
        self.anchors = anchors or self.anchors  # as given: a file's channels follow its cfg, which need not ascend
        self.planted = bool(settings.tree.strip())
        tree = word_tree.read(settings.tree) if self.planted else word_tree.flat(labels)
        if len(tree.nodes) != labels:
            raise WorkbenchError(f"The tree is for {len(tree.nodes)} labels, not for {labels}. Choose its file again.")
        self.head = TreeHead(tree, self.anchors, settings.loss_rules())
        c32, c64, c128, c256, c512, c1024 = (scaled(32 << step, settings.width) for step in range(6))
        self.body = nn.Sequential(
            *(ConvUnit(3, c32), MaxPool()),
            *(ConvUnit(c32, c64), MaxPool()),
            *(*squeezed(c64, c128, c64, 1), MaxPool()),
            *(*squeezed(c128, c256, c128, 1), MaxPool()),
            *(*squeezed(c256, c512, c256, 2), MaxPool()),
            *squeezed(c512, c1024, c512, 2),
        )
        self.out = nn.Conv2d(c1024, self.head.channels(0), 1)
        self.head.start([self.get_submodule(out) for out in self.outs], settings.objectness_prior)
        set_activation(self, settings.activation)

    def forward(self, images: Tensor) -> Raw:
        return (self.out(self.body(images)),)

    def label_rows(self) -> dict[str, LabelRows]:
        """Empty with a tree, where rows belong to nodes."""
        return {} if self.planted else super().label_rows()


def squeezed(inputs: int, wide: int, narrow: int, count: int) -> list[ConvUnit]:
    """3x3 to `wide` channels, then `count` times to `narrow` by 1x1 and back by 3x3."""
    again = [unit for _ in range(count) for unit in (ConvUnit(wide, narrow, size=1), ConvUnit(narrow, wide))]
    return [ConvUnit(inputs, wide), *again]
