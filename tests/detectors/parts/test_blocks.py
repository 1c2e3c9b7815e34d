"""Darknet's layers where torch's own differ."""

from __future__ import annotations

import pytest
import torch

from workbench.detectors.parts.blocks import ConvUnit, MaxPool, scaled, second_half, settle_norms, upsample


def test_max_pool_of_stride_1_keeps_the_size_and_pads_right_and_below_with_nothing() -> None:
    """With zeros for padding the last column would read 0, as negative values do after a leaky layer."""
    image = torch.tensor([[-4.0, -3.0], [-2.0, -1.0]]).view(1, 1, 2, 2)
    assert MaxPool(size=2, stride=1)(image).flatten().tolist() == [-1.0, -1.0, -1.0, -1.0]
    assert MaxPool(size=2, stride=1)(torch.tensor([[[[-1.0, -2.0, -3.0]]]])).flatten().tolist() == [-1, -2, -3]


def test_max_pool_of_stride_2_rounds_odd_sizes_up() -> None:
    assert MaxPool()(torch.tensor([[[[1.0, 2.0, 3.0]]]])).flatten().tolist() == [2.0, 3.0]


@pytest.mark.parametrize("size", [5, 9, 13])
def test_max_pool_of_odd_size_is_symmetric(size: int) -> None:
    image = torch.full((1, 1, 15, 15), -5.0)
    image[0, 0, 7, 7] = 1.0
    pooled = MaxPool(size, 1)(image)
    reached = (pooled[0, 0, 7] == 1).nonzero().flatten().tolist()
    assert reached == list(range(7 - size // 2, 7 + size // 2 + 1))


def test_batch_norm_forgets_as_slowly_as_darknets() -> None:
    unit = ConvUnit(3, 8)
    assert (unit.norm.momentum, unit.norm.eps) == (0.01, 1e-5)
    assert unit.conv.bias is None
    assert unit.activation.negative_slope == 0.1


def test_the_first_running_statistics_are_means_of_the_steps_so_far() -> None:
    unit = ConvUnit(1, 8, size=1).train()
    torch.nn.init.ones_(unit.conv.weight)
    for step, level in enumerate((2.0, 4.0, 9.0)):
        settle_norms(unit, step)
        unit(torch.full((1, 1, 4, 4), level))
    assert unit.norm.running_mean is not None
    torch.testing.assert_close(unit.norm.running_mean, torch.full((8,), 5.0))
    settle_norms(unit, 1000)
    assert unit.norm.momentum == 0.01


def test_norms_keep_the_momentum_they_were_made_with() -> None:
    """So that a run that is resumed after its first steps goes on as the unbroken one: torchvision's differ."""
    norm = torch.nn.BatchNorm2d(4, momentum=0.1)
    straight, resumed = [], []
    for step in (0, 1, 50, 200):
        settle_norms(norm, step)
        straight.append(norm.momentum)
    for step in (50, 200):
        norm = torch.nn.BatchNorm2d(4, momentum=0.1)
        settle_norms(norm, step)
        resumed.append(norm.momentum)
    assert straight == [1.0, 0.5, 0.1, 0.1]
    assert resumed == straight[2:]


@pytest.mark.parametrize(("channels", "width", "expected"), [(64, 1, 64), (64, 0.3, 16), (32, 0.05, 8), (512, 2, 1024)])
def test_channels_are_multiples_of_eight(channels: int, width: float, expected: int) -> None:
    assert scaled(channels, width) == expected


def test_a_grouped_route_takes_the_second_half() -> None:
    assert second_half(torch.arange(4.0).view(1, 4, 1, 1)).flatten().tolist() == [2, 3]


def test_upsampling_repeats() -> None:
    assert upsample(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]
