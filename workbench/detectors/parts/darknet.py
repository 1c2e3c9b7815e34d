"""Darknet's `.weights` files: put one into a detector, write one from a detector.

A file is three little-endian int32 (major, minor, revision), the number of images seen (uint64 since version 0.2,
uint32 before), then float32 per layer in the order of the cfg: bias, [batch norm: scale, mean, variance,] weights. It
names nothing, so the only protection against the wrong network is that the length must fit to the byte.

A detector's layers are its convolutions in the order of their registration, each with the batch norm that follows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from workbench.core.files import atomic_path
from workbench.detectors.parts.detector import Detector
from workbench.errors import Refused

NEWEST = (0, 2, 5)  # what every Darknet since 2018 writes
LARGEST_VERSION = 1000  # beyond: fully connected weights stand transposed (and, in older readers, a shorter header)


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 or 20 bytes. `seen`: images of training behind these weights."""

    major: int
    minor: int
    revision: int
    seen: int

    @property
    def wide(self) -> bool:
        """Whether `seen` takes eight bytes. A reader that thinks otherwise is off by one float in every layer."""
        return self.major * 10 + self.minor >= 2 and self.major < LARGEST_VERSION and self.minor < LARGEST_VERSION

    @property
    def size(self) -> int:
        return 20 if self.wide else 16


def read(detector: Detector, file: Path) -> Header:
    """Fill the detector from `file`, wholly or (Refused) not at all."""
    header, numbers = _parse(detector, file)
    slots = [slot for layer in layers(detector) for slot in _slots(*layer)]
    with torch.no_grad():
        start = 0
        for slot in slots:
            part = numbers[start : start + slot.numel()]
            slot.copy_(torch.from_numpy(part.astype(np.float32)).view(slot.shape))
            start += slot.numel()
    return header


def write(detector: Detector, file: Path, seen: int = 0) -> None:
    """Write the detector's weights as Darknet 0.2.5 does; `file` is replaced wholly or not at all."""
    with atomic_path(file) as temporary, open(temporary, "xb") as out:
        out.write(struct.pack("<iiiQ", *NEWEST, seen))
        for layer in layers(detector):
            for slot in _slots(*layer):
                out.write(slot.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes())


def layers(detector: nn.Module) -> Iterator[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """The convolutions in the file's order, each with its batch norm if it has one."""
    waiting: nn.Conv2d | None = None
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d) and waiting is not None:
            yield waiting, module
            waiting = None
        elif isinstance(module, nn.Conv2d):
            if waiting is not None:
                yield waiting, None
            waiting = module
    if waiting is not None:
        yield waiting, None


def count(detector: nn.Module) -> int:
    """The floats that a file of this detector holds: its parameters and the running means and variances."""
    return sum(slot.numel() for layer in layers(detector) for slot in _slots(*layer))


def _slots(convolution: nn.Conv2d, norm: nn.BatchNorm2d | None) -> tuple[Tensor, ...]:
    if norm is None:
        assert convolution.bias is not None
        return convolution.bias, convolution.weight
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return norm.bias, norm.weight, norm.running_mean, norm.running_var, convolution.weight


def _parse(detector: Detector, file: Path) -> tuple[Header, np.ndarray]:
    try:
        found = file.stat().st_size
        with open(file, "rb") as stream:
            header = _header(stream.read(20), file)
            expected = header.size + 4 * count(detector)
            if found != expected:
                raise Refused(file, _misfit(detector, expected, found))
            stream.seek(header.size)
            numbers = np.frombuffer(stream.read(4 * count(detector)), "<f4")
    except OSError as error:
        raise Refused(file, f"could not be read: {error.strerror or error}.", cause=error) from error
    if len(numbers) != count(detector):
        raise Refused(file, "became shorter while it was read. Copy it again.")
    if not np.isfinite(numbers).all():
        raise Refused(
            file, "holds numbers that are not finite, so the training behind it had failed. Use an earlier file."
        )
    return header, numbers


def _header(head: bytes, file: Path) -> Header:
    if len(head) < 16:
        raise Refused(file, "is too short to be a Darknet weights file. Copy it again.")
    major, minor, revision, seen = struct.unpack("<iiiI", head[:16])
    header = Header(major, minor, revision, seen)
    if major < 0 or minor < 0 or major > 2 * LARGEST_VERSION or minor > 2 * LARGEST_VERSION:
        raise Refused(file, "is not a Darknet weights file: its version number makes no sense.")
    if header.wide and len(head) == 20:
        return Header(major, minor, revision, struct.unpack("<Q", head[12:20])[0])
    return header


def _misfit(detector: Detector, expected: int, found: int) -> str:
    sizes = f"{expected:,} bytes expected, {found:,} found"
    sentence = f"does not fit {detector.title} with {detector.label_count} labels: {sizes}"
    fitting = detector.label_count + (found - expected) / 4 / _floats_per_label(detector)
    if fitting.is_integer() and fitting >= 1:
        return f"{sentence}. It fits {fitting:.0f} labels: choose as many."
    return f"{sentence}. Choose the detector, width and anchors that it was trained with."


def _floats_per_label(detector: Detector) -> int:
    """How much longer the file is per label: the output convolutions have one channel per anchor and label."""
    outs = [convolution for convolution, norm in layers(detector) if norm is None]
    return sum(out.out_channels // (5 + detector.label_count) * (out.in_channels + 1) for out in outs)
