"""What a network can be told beyond its width does what it says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.ops import DropBlock2d

from workbench import detectors
from workbench.detectors.parts.blocks import ACTIVATIONS, Attention, ConvUnit, SpatialPyramid
from workbench.detectors.parts.csp import Residual, WeightedSum
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.settings import rows
from workbench.training.hardware.replicas import replica_count
from workbench.training.settings import TrainingSettings

WITH_ACTIVATION = [
    name for name, kind in detectors.load_all() if any(row.name == "activation" for row in rows(kind.settings_class))
]


def build(name: str = "yolov4", **settings: Any) -> Detector:
    torch.manual_seed(0)
    return detectors.build(name, detectors.load_all().get(name).settings_class(input_px=64, width=0.1, **settings), 2)


def count(detector: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in detector.modules())


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_an_activation_stands_after_every_unit_or_as_published(name: str) -> None:
    kinds = {"leaky": nn.LeakyReLU, "mish": nn.Mish, "silu": nn.SiLU, "relu": nn.ReLU}
    for wanted in ACTIVATIONS:
        units = [m for m in build(name, activation=wanted).modules() if isinstance(m, ConvUnit)]
        assert units
        assert all(type(unit.activation) is kinds[wanted] for unit in units)
    published = {type(m.activation) for m in build(name).modules() if isinstance(m, ConvUnit)}
    assert published == {"yolov4": {nn.LeakyReLU, nn.Mish}, "yolov4-csp": {nn.Mish}}.get(name, {nn.LeakyReLU})


def test_the_released_yolov4_has_none_of_the_papers_extras() -> None:
    plain = build()
    assert (count(plain, Attention), count(plain, WeightedSum), count(plain, DropBlock2d)) == (0, 0, 0)


def test_the_pyramid_pools_the_deepest_features_at_three_ranges_unless_told_not_to() -> None:
    assert (count(build(), SpatialPyramid), count(build(pyramid=False), SpatialPyramid)) == (1, 0)
    one = torch.zeros(1, 1, 13, 13)
    one[0, 0, 6, 6] = 1
    pooled = SpatialPyramid()(one)
    assert sorted(int(layer.sum()) for layer in pooled[0]) == [1, 25, 81, 169]  # itself, 5 x 5, 9 x 9, 13 x 13


def test_the_path_up_lets_coarse_outputs_see_fine_features_unless_told_not_to() -> None:
    """A change of the features at stride 8 reaches all three outputs by the path, and the finest alone without it."""
    for on, reached in ((True, [True, True, True]), (False, [True, False, False])):
        detector = build(path_up=on).eval()
        fine = detector.get_submodule("to_fine.lateral")
        before = detector(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
        handle = fine.register_forward_hook(lambda _m, _i, out: out + 1)
        after = detector(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
        handle.remove()
        assert [not torch.equal(a, b) for a, b in zip(before, after, strict=True)] == reached
    assert count(build(), ConvUnit) - count(build(path_up=False), ConvUnit) == 12


def test_attention_weighs_the_features_of_each_level_by_a_map_in_0_to_1() -> None:
    detector = build(attention=True)
    assert count(detector, Attention) == 3
    gate = Attention(8).eval()
    features = torch.randn(1, 8, 4, 4)
    share = gate(features) / features
    assert ((share > 0) & (share < 1)).all()
    assert (
        build(attention=True, activation="mish").get_submodule("fine.attention.gate.activation").__class__ is nn.Sigmoid
    )


@pytest.mark.parametrize(("kind", "numbers"), [("per feature", 2), ("per channel", 16)])
def test_weighted_residuals_add_by_shares_of_one(kind: str, numbers: int) -> None:
    block = Residual(8, 8, kind).eval()
    assert block.sum is not None
    assert block.sum.weights.numel() == numbers
    features = torch.randn(1, 8, 4, 4)
    new = block.expand(block.squeeze(features))
    torch.testing.assert_close(block(features), (new + features) / 2.0001, rtol=1e-4, atol=1e-5)
    block.sum.weights.data[0] = 3.0
    torch.testing.assert_close(block(features), (3 * new + features) / 4.0001, rtol=1e-4, atol=1e-5)
    block.sum.weights.data[0] = -1.0  # counts as 0.001
    torch.testing.assert_close(block(features), (0.001 * new + features) / 1.0011, rtol=1e-5, atol=1e-6)
    block.sum.weights.data[1] = -1.0  # then both count alike, so that features still pass
    torch.testing.assert_close(block(features), (new + features) / 2.1, rtol=1e-5, atol=1e-6)
    assert count(build(weighted_residuals=kind), WeightedSum) == 23


def test_dropblock_blanks_squares_in_training_only_and_its_draws_come_in_one_order() -> None:
    detector = build(dropblock=0.1)
    drop = detector.get_submodule("backbone.drop")
    features = torch.ones(1, 4, 40, 40)
    blanked = drop.train()(features) == 0
    assert 0.02 < blanked.float().mean() < 0.25
    _, channel, row, column = blanked.nonzero()[0].tolist()
    assert blanked[0, channel, row : row + 7, column : column + 7].all()
    assert torch.equal(drop.eval()(features), features)
    assert replica_count(detector, 16, 8) == 1
    assert replica_count(build(), 16, 8) == 8


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 6, 8])
def test_on_maps_of_few_cells_dropblocks_squares_are_smaller(cells: int) -> None:
    drop = build(dropblock=0.5).get_submodule("backbone.drop").train()
    found = drop(torch.ones(64, 4, cells, cells))
    assert found.isfinite().all()
    assert 0.1 < (found == 0).float().mean() < 0.9


def test_darknets_gradient_is_known_for_ciou_alone() -> None:
    with pytest.raises(WorkbenchError, match="CIoU only"):
        build(box_gradient="darknet", box_loss="giou")


def test_csps_objectness_weights_are_one_per_level() -> None:
    with pytest.raises(WorkbenchError, match="three numbers"):
        build("yolov4-csp", objectness_weights=(1.0, 2.0))


# the bag of freebies and specials: wherever a detector or a training has one, its help names who thought of it
SOURCED = {
    "activation", "attention", "pyramid", "path_up", "weighted_residuals", "dropblock", "box_loss", "label_smoothing",
    "focal_gamma", "hard_negatives", "rescore", "mosaic", "mixup", "cutmix", "hue", "saturation", "exposure", "jitter",
    "whole_jitter",
    "flip", "zoom_out", "overlap_crop", "label_balance", "schedule", "warm_up", "ema", "cross_norm", "mini_batch",
    "self_adversarial", "adversarial_rate", "sizes", "clip_gradient",
}  # fmt: skip


def test_the_help_of_every_freebie_names_its_source() -> None:
    found = set()
    of_detectors = [kind.settings_class for _, kind in detectors.load_all()]
    for row in (*rows(TrainingSettings), *itertools.chain.from_iterable(map(rows, of_detectors))):
        if row.name in SOURCED:
            found.add(row.name)
            assert any(word in row.help for word in ("arXiv", "Darknet", "adversarial_lr")), row
    assert found == SOURCED
