"""Which part of a detector is its backbone, and what it means that it rests."""

from __future__ import annotations

import pytest
import torch

from tests import networks
from tests.training.toys import Toy, ToySettings
from workbench import detectors
from workbench.training.freezing import backbone, set_frozen

NAMES = [name for name in detectors.load_all().names() if name != "darknet-cfg"]


@pytest.mark.parametrize("name", NAMES)
def test_the_backbone_has_most_of_the_convolutions_and_none_of_the_outputs(name: str) -> None:
    with networks.unfilled():
        detector = detectors.build(name, detectors.load_all().get(name).settings_class(width=0.05), 2)
    inside = {id(module) for part in backbone(detector) for module in part.modules()}
    convolutions = [module for module in detector.modules() if isinstance(module, torch.nn.Conv2d)]
    assert sum(id(one) in inside for one in convolutions) > len(convolutions) / 3
    assert not any(id(detector.get_submodule(out)) in inside for out in detector.outs)
    assert all(parameter.requires_grad for part in backbone(detector) for parameter in part.parameters())


class Parted(Toy):
    backbone_parts = ("conv", "norm")


def test_weights_and_norms_at_rest_stay_and_what_is_behind_them_learns() -> None:
    torch.manual_seed(0)
    detector = Parted(ToySettings(input_px=64), 2).train()
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    set_frozen(detector, True)
    detector(torch.rand(2, 3, 64, 64))[0].sum().backward()
    grown = {name for name, parameter in detector.named_parameters() if parameter.grad is not None}
    assert grown == {"out.weight", "out.bias"}
    assert all(torch.equal(before[name], tensor) for name, tensor in detector.state_dict().items())
    set_frozen(detector, False)
    detector(torch.rand(2, 3, 64, 64))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in detector.parameters())
    assert not torch.equal(before["norm.running_mean"], detector.norm.running_mean)


def test_a_detector_whose_backbone_is_not_known_learns_as_a_whole() -> None:
    detector = Toy(ToySettings(input_px=64), 2).train()
    set_frozen(detector, True)
    assert backbone(detector) == ()
    assert all(parameter.requires_grad for parameter in detector.parameters())
