"""Networks of torchvision's made narrower: what is not known is not cut by guess."""

from __future__ import annotations

import pytest
from torch import nn

from workbench.detectors.parts.narrow import narrow


def test_a_layer_that_can_not_be_made_narrower_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ConvTranspose2d(8, 8, 2))
    with pytest.raises(TypeError, match="1 is a ConvTranspose2d"):
        narrow(network, 0.5, outputs=())
