"""A processor computes convolutions by the routines that are quickest for the replicas, and the results stay."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from workbench.training import prepare, recipes
from workbench.training.hardware import kernels, machine
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper

CPU = torch.device("cpu")

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 1), nn.Conv2d(16, 16, 3, padding=1, groups=16),
        nn.Conv2d(16, 4, 1, stride=2),
    )  # fmt: skip


def computed(layers: nn.Sequential, images: Tensor, half: bool) -> tuple[Tensor, list[Tensor]]:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        out = layers(images)
    return out, list(torch.autograd.grad(out.float().square().sum(), list(layers.parameters())))


def backend(layer: nn.Module, images: Tensor) -> str:
    """The routine that PyTorch takes."""
    assert isinstance(layer, nn.Conv2d)
    chosen = torch._C._select_conv_backend(
        images, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, False, (0, 0), layer.groups, None
    )
    return str(chosen)


def test_results_gradients_and_names_stay() -> None:
    plain, suited = network(), network()
    kernels.choose_kernels(suited, CPU)
    images = torch.randn(3, 3, 9, 9)
    (out, slopes), (same, alike) = computed(plain, images, False), computed(suited, images, False)
    torch.testing.assert_close(out, same)
    torch.testing.assert_close(slopes, alike)
    assert list(plain.state_dict()) == list(suited.state_dict())


def test_one_thread_multiplies_1x1_convolutions_in_onednn_too() -> None:
    plain, suited = network(), network()
    kernels.choose_kernels(suited, CPU)
    images = torch.randn(4, 8, 9, 9)
    with machine.one_thread_each():
        assert "Slow" in backend(plain[1], images), "PyTorch chooses otherwise now: kernels.py may be needless"
        assert "Mkldnn" in backend(suited[1], images)


def test_depthwise_convolutions_stay_in_fp32_where_all_others_are_halved() -> None:
    layers = network()
    kernels.choose_kernels(layers, CPU)
    kinds = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, given, out: kinds.append(out.dtype))
    computed(layers, torch.randn(2, 3, 9, 9), True)
    assert kinds == [torch.bfloat16, torch.bfloat16, torch.float32, torch.bfloat16]


def test_a_graphics_card_keeps_its_own() -> None:
    layers = network()
    kernels.choose_kernels(layers, torch.device("cuda"))
    assert all(type(layer) is nn.Conv2d and layer.dilation == (1, 1) for layer in layers)


def test_a_training_has_them() -> None:
    recipe = recipes.preset("quick-cpu").with_detector("ssdlite").changed({"input_px": 96, "width": 0.25})
    stepper = Stepper(
        prepare.build(recipe, 2, None), replace(recipe.training, batch=4), Runtime(CPU, Precision("bf16", "")), 2
    )
    try:
        for member in stepper.replicas.members:
            convolutions = [layer for layer in member.modules() if isinstance(layer, nn.Conv2d)]
            assert all(isinstance(layer, kernels.Depthwise) for layer in convolutions if layer.groups > 1)
            assert all(layer.dilation == (2, 2) for layer in convolutions if layer.kernel_size == (1, 1))
    finally:
        stepper.close()
