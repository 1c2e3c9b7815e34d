"""What is shared by the detectors on torchvision's modules."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from workbench.detectors.parts.foreign import map_sizes


class Backbone(nn.Sequential):
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"0": super().forward(images)}


def test_sizes_of_maps_are_known_without_the_norms_which_count_images_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    halves = [nn.Conv2d(channels, 4, 3, stride=2, padding=1) for channels in (3, 4)]
    norm = nn.BatchNorm2d(4)
    backbone = Backbone(halves[0], norm, halves[1], FrozenBatchNorm2d(4))
    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "batch_norm", None)
        assert map_sizes(backbone, 30) == ((8, 8),)
    backbone(torch.rand(2, 3, 30, 30))
    assert norm.num_batches_tracked == 1
