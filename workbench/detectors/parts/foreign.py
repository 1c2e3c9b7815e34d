"""Shared by the detectors built on torchvision's modules: their settings, input, outputs and published weights.

B = images, A = boxes per cell, K = numbers per box, N = boxes of all levels in the order (level, row, column, box).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d

from workbench.detectors import DetectorSettings
from workbench.detectors.parts import matching
from workbench.detectors.parts.detector import Assignment, Pretrained, Targets
from workbench.detectors.parts.explained import Explained, Layout, Roles, explain
from workbench.detectors.parts.explained import Grids as Grids
from workbench.settings import setting

LICENCE = "BSD 3-Clause, as torchvision; trained on COCO, whose annotations are CC BY 4.0"


@dataclass(frozen=True)
class ForeignSettings(DetectorSettings):
    """Settings of every detector built on torchvision's modules."""

    frozen_norms: bool = setting(
        False,
        "Batch norms keep their statistics: for training on from published weights with few images at a time. As"
        " published, RetinaNet (v1), FCOS and Faster R-CNN do so in every run that starts from weights.",
    )


class Normalise(nn.Module):
    """(B, 3, H, W) in 0..1 -> minus each colour's mean, divided by its standard deviation: the backbone's input."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def freeze_norms(network: nn.Module) -> None:
    """Replace batch norms by frozen ones; weights load into them by the same names."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            frozen = FrozenBatchNorm2d(module.num_features, eps=module.eps)
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], frozen)


def map_sizes(backbone: nn.Module, px: int) -> Grids:
    """Rows and columns of each of the backbone's maps for an input of `px` pixels, found without computing anything.

    Also sets the stride of convolutions that see a map of a single cell to 1. The result is the same, but torch's
    bfloat16 on the CPU (2.14, oneDNN) leaves uninitialised memory in the gradients of strided ones.
    """
    empty = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in (*backbone.named_parameters(), *backbone.named_buffers())
    }
    hooks = [
        module.register_forward_pre_hook(_step_by_one)
        for module in backbone.modules()
        if isinstance(module, nn.Conv2d) and module.stride != (1, 1)
    ]
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d)]
    for norm in norms:
        norm.forward = _unchanged  # type: ignore[method-assign,assignment]  # without values, four fifths of the time
    mode = backbone.training
    try:
        maps = functional_call(backbone.eval(), empty, torch.empty(1, 3, px, px, device="meta"))
    finally:
        for norm in norms:
            del norm.forward
        for hook in hooks:
            hook.remove()
        backbone.train(mode)
    return tuple((int(one.shape[2]), int(one.shape[3])) for one in maps.values())


def _unchanged(image: Tensor) -> Tensor:
    return image


def _step_by_one(conv: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(conv, nn.Conv2d)
    if inputs[0].shape[2:] == (1, 1) and conv.kernel_size == (3, 3) and conv.padding == (1, 1):
        conv.stride = (1, 1)


def anchors_of_levels(scale: float, finest: int, levels: int, sizes: int) -> AnchorGenerator:
    """torchvision's generator of wide, square and tall anchors for a pyramid.

    The first map has `finest` pixels per cell. The smallest anchors of a level are as large as squares of `scale`
    cells; the others of its `sizes` grow evenly towards twice that. Sides are whole pixels, as in torchvision.
    """
    first = (scale * finest * 2**level for level in range(levels))
    sides = tuple(tuple(int(side * 2 ** (number / sizes)) for number in range(sizes)) for side in first)
    return AnchorGenerator(sides, ((0.5, 1.0, 2.0),) * levels)


def spread(generator: nn.Module, grids: Grids, size: tuple[int, int], device: torch.device) -> Tensor:
    """(N, 4) xyxy in pixels: the boxes that torchvision's generator lays over maps of these sizes.

    An AnchorGenerator centres them on the top left corners of cells (detectron2 too), as published weights have learnt;
    the authors of FCOS take the middles, as SSD does.
    """
    with torch.device("cpu"):
        maps = [torch.empty(1, 1, *grid) for grid in grids]
        boxes: list[Tensor] = generator(ImageList(torch.empty(1, 3, *size), [size]), maps)
    cuda = device.type == "cuda"
    return (boxes[0].pin_memory() if cuda else boxes[0]).to(device, non_blocking=cuda)  # else this waits for the card


def flat(maps: Sequence[Tensor], numbers: int) -> Tensor:
    """(B, A * K, H, W) per level -> (B, N, K) float32."""
    parts = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, numbers) for level in maps]
    return torch.cat(parts, dim=1).float()


def grids_of(maps: Sequence[Tensor]) -> Grids:
    return tuple((int(level.shape[2]), int(level.shape[3])) for level in maps)


def halved(size: tuple[int, int], finest: int, levels: int) -> Grids:
    """Rows and columns of a pyramid's maps for an input of `size` (H, W); the first map has
    `finest` pixels per cell.
    """
    grids = [(size[0] // finest, size[1] // finest)]
    while len(grids) < levels:
        grids.append((-(-grids[-1][0] // 2), -(-grids[-1][1] // 2)))
    return tuple(grids)


def assignment_of(matches: Tensor, grids: Grids, per_cell: Sequence[int]) -> Assignment:
    """The assignment of matches (B, N): the index of the box that each prior answers for, negative for none."""
    image, slot = (matches >= 0).nonzero(as_tuple=True)
    counts = torch.tensor([rows * columns * each for (rows, columns), each in zip(grids, per_cell, strict=True)])
    ends = counts.cumsum(0)
    level = torch.searchsorted(ends, slot.cpu(), right=True)
    inside = slot.cpu() - (ends - counts)[level]
    each, columns = torch.tensor(per_cell)[level], torch.tensor([columns for _, columns in grids])[level]
    cell = inside // each
    return Assignment(image.cpu(), level, cell // columns, cell % columns, inside % each, matches[image, slot].cpu())


def explain_matches(
    layout: Layout, matches: Tensor, roles: Roles, targets: Targets, why: Callable[[int, int], str], unknown: str = ""
) -> Explained:
    """The Explained of matches (B, N), as assignment_of() takes them. `unknown`: why the negatives are, or "".

    For `why` see explain().
    """
    image, prior = roles.positive.nonzero(as_tuple=True)
    pairs = image, prior, matches[image, prior]
    found = explain(layout, pairs, roles, targets, matching.real(targets), why, unknown)
    return replace(found, negative=None) if unknown else found


def pretrained(weights: Any, *, background: bool, norm_eps: float | None = None) -> Pretrained:
    """The Pretrained of a member of one of torchvision's weights enums.

    background: whether the file's first label, "__background__", is a label of the network. norm_eps: what the file's
    batch norms add to variances, if it differs from what the network's add.
    """
    labels = tuple(weights.meta["categories"])
    return Pretrained(
        url=weights.url,
        megabytes=float(weights.meta["_file_size"]),
        source=f"torchvision, {weights}",
        licence=LICENCE,
        labels=labels[1:] if background else labels,
        prefix="net.",
        norm_eps=norm_eps,
    )


_OLD_NAME = re.compile(
    r"(?:fpn\.(?:inner|layer)_blocks\.\d|(?P<proposals>rpn\.head\.conv)|_head\.conv\.(?P<head>[0246]))"
    r"(?=\.(?:weight|bias)$)"
)


def current_name(name: str, known: Container[str]) -> str:
    """The name among `known` of a tensor in a file of torchvision's; `name` itself if none is.

    The published RetinaNet (v1), FCOS and Faster R-CNN are older than torchvision 0.13, which put the convolutions of
    the pyramid, of RetinaNet's heads and of the first network into blocks of their own.
    """
    if name in known:
        return name
    later = _OLD_NAME.sub(_in_its_block, name)
    return later if later in known else name


def _in_its_block(found: re.Match[str]) -> str:
    if found["head"]:  # behind each convolution stood a ReLU
        return f"_head.conv.{int(found['head']) // 2}.0"
    return f"{found[0]}.0.0" if found["proposals"] else f"{found[0]}.0"
