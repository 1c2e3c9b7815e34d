"""What NVIDIA's cards make of a network, as far as a machine without one can tell: their autocast, code for "cuda".

torch's FakeTensor has a device, a dtype and an order, but no values. So what mixes devices is refused, and so is what
asks for a number. tests/training/card.py has values, and backward; but no autocast, and it is not called "cuda".
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.contract.test_every_detector import NAMES, build
from tests.training.batches.test_device_augment import TINTED, noise, with_pictures
from tests.training.batches.test_pixel_snapping import WILD
from tests.training.test_waits import CHANGES, some_batch
from workbench.detectors.parts.detector import Detector
from workbench.training.batches import augment, device_paint
from workbench.training.batches.device_augment import ResidentPixels
from workbench.training.batches.device_transfer import on_device
from workbench.training.hardware.machine import Precision

CUDA = torch.device("cuda:0")


@pytest.fixture(autouse=True)
def _as_if_it_were_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self: self)


def convolved(detector: Detector) -> set[tuple[torch.dtype, bool]]:
    """What forward() will fill: the dtypes that convolutions give, and whether in channels-last order."""
    found: set[tuple[torch.dtype, bool]] = set()

    def note(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        found.add((out.dtype, out.is_contiguous(memory_format=torch.channels_last)))

    for layer in detector.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_convolutions_are_half_and_channels_last_and_the_loss_and_boxes_float32(name: str) -> None:
    """In bf16 by the same rules, but where there is no card torch takes none for able to convolve in it."""
    detector, precision = build(name, **CHANGES.get(name, {})), Precision("fp16", "")
    found, side = convolved(detector), detector.settings.input_px
    with FakeTensorMode(allow_non_fake_inputs=True):
        detector.to(device=CUDA, memory_format=torch.channels_last)  # type: ignore[call-overload]
        images, targets = on_device(some_batch(side), slice(None), CUDA)
        with precision.autocast(CUDA):
            raw = detector(images)
        made = list(detector.loss(raw, targets).values())
        assert all(term.shape == () for term in made)
        if not detector.later_multiply_adds:  # how many are left by NMS is not known
            with torch.no_grad(), precision.autocast(CUDA):
                boxes, scores, labels = detector.candidates(raw).best(100)
            made += [boxes, scores, labels.float()]
    assert found == {(torch.float16, True)}
    assert {(tensor.device, tensor.dtype) for tensor in made} == {(CUDA, torch.float32)}


def test_batches_are_painted_there() -> None:
    data = with_pictures(noise())
    settings = replace(WILD, mixup=0.5, contrast=1.5, **TINTED)
    layout = augment.draw_layout(data, np.arange(8), settings, 0, 96, calm=False)
    with FakeTensorMode(allow_non_fake_inputs=True):
        made = device_paint.paint(layout, ResidentPixels(data, CUDA).table(layout))
    assert made.images.device == made.targets.boxes.device == made.targets.labels.device == CUDA
