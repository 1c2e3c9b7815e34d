"""Moves a batch's images and boxes, or some of them, to the network's device."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.detectors.parts.detector import Targets
from workbench.training.batches.device_paint import AnyBatch, DeviceBatch
from workbench.training.hardware import machine


def on_device(batch: AnyBatch, some: slice, device: torch.device) -> tuple[Tensor, Targets]:
    """Images as (B, 3, H, W) float 0..1 in the order of machine.memory_format(), and their targets."""
    images = (
        batch.images[some] if isinstance(batch, DeviceBatch) else _sent(torch.from_numpy(batch.images[some]), device)
    )
    floats = images.permute(0, 3, 1, 2).float().contiguous(memory_format=machine.memory_format(device))
    return floats.div_(255), targets_on(batch, some, device)


def targets_on(batch: AnyBatch, some: slice, device: torch.device) -> Targets:
    if isinstance(batch, DeviceBatch):
        return batch.targets.only(some)
    arrays = batch.boxes, batch.labels, batch.ignore
    boxes, labels, ignore = (_sent(torch.from_numpy(array[some]), device) for array in arrays)
    pictures = None if batch.pictures is None else _sent(torch.from_numpy(batch.pictures[some]), device)
    return Targets(boxes, labels, ignore, pictures)


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    """On the device. An NVIDIA card copies asynchronously only from memory that can't be swapped out: pinned memory.
    Elsewhere this waits: Apple's GPU would read the processor's memory after it has been reused.
    """
    cuda = device.type == "cuda"
    return (tensor.pin_memory() if cuda else tensor).to(device, non_blocking=cuda)
