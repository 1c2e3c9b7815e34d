"""YOLOv2 and YOLOv2-tiny: sizes as published, Darknet's reorg, anchors in the order of the file."""

from __future__ import annotations

import pytest
import torch

from workbench import detectors
from workbench.detectors.parts.blocks import reorg


def test_reorg_works_on_a_quarter_of_the_channels_as_darknets_does() -> None:
    """Eight channels of 2 x 2, value = 10 channel + 2 row + column, are read as two maps of 4 x 4, a channel per row.

    The output's first values are the first map's at even rows and columns, then the second map's.
    """
    channel = torch.arange(8.0).view(1, 8, 1, 1) * 10
    images = channel + torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    found = reorg(images)
    assert found.shape == (1, 32, 1, 1)
    assert found.flatten()[:8].tolist() == [0, 2, 20, 22, 40, 42, 60, 62]
    assert found.flatten()[8:12].tolist() == [1, 3, 21, 23]
    assert sorted(found.flatten().tolist()) == sorted(images.flatten().tolist())


@pytest.mark.parametrize("name", ["yolov2", "yolov2-tiny"])
def test_given_anchors_keep_their_order_as_a_files_channels_follow_it(name: str) -> None:
    given = ((34.56, 38.08), (212.16, 364.16), (301.44, 163.52))
    kind = detectors.load_all().get(name)
    assert detectors.build(name, kind.settings_class(width=0.05), 1, given).anchors == given
