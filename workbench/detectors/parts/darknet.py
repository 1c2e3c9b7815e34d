"""Darknet's `.weights` files: load one into a detector, write one from a detector.

A file is three little-endian int32 (major, minor, revision), the number of images seen (uint64 since version 0.2,
uint32 before), then float32 per layer in the order of the cfg: bias, [batch norm: scale, mean, variance,] weights. It
contains no names, so the only protection against the wrong network is that its length must match to the byte.

A detector's layers are its convolutions, fully connected layers and weighted sums in the order of registration,
each convolution with the batch norm that follows it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from workbench.core.files import atomic_path
from workbench.core.formatting import count as counted
from workbench.detectors.parts.csp import WeightedSum
from workbench.detectors.parts.detector import Detector
from workbench.errors import Refused

Layer = tuple[nn.Conv2d | nn.Linear | WeightedSum, nn.BatchNorm2d | None]
NEWEST = (0, 2, 5)  # what every Darknet since 2018 writes
MOST_LABELS = 100_000  # ten times those of YOLO9000
LARGEST_VERSION = 1000  # above: fully connected weights are transposed (and, in older readers, the header is shorter)


SEEN = "seen"  # the buffer of heads that count the images they were trained on


def seen_of(tensors: Iterable[tuple[str, Tensor]]) -> int | None:
    """The number of images that a head among these named tensors has counted; None if no head counts."""
    return next((int(tensor) for name, tensor in tensors if name.rpartition(".")[2] == SEEN), None)


def set_seen(detector: Detector, seen: int) -> None:
    for name, buffer in detector.named_buffers():
        if name.rpartition(".")[2] == SEEN:
            buffer.fill_(seen)


@dataclass(frozen=True, slots=True)
class Header:
    """The first 16 or 20 bytes. `seen`: images that these weights were trained on."""

    major: int
    minor: int
    revision: int
    seen: int

    @property
    def wide(self) -> bool:
        """Whether `seen` takes eight bytes. A reader that gets this wrong is off by one float in every layer."""
        return self.major * 10 + self.minor >= 2 and self.major < LARGEST_VERSION and self.minor < LARGEST_VERSION

    @property
    def size(self) -> int:
        return 20 if self.wide else 16

    @property
    def transposed(self) -> bool:
        return self.major > LARGEST_VERSION or self.minor > LARGEST_VERSION


@dataclass(frozen=True)
class Content:
    """What a file holds for a detector. `labels`: the number it was made for; `complete`: it has every layer."""

    header: Header
    labels: int
    complete: bool
    tensors: dict[str, Tensor]  # by the detector's names; output layers have the rows of the file's labels


def read(detector: Detector, file: Path) -> Header:
    """Fill the detector from `file`, completely or (Refused) not at all."""
    content = load(detector, file)
    if not content.complete or content.labels != detector.label_count:
        raise Refused(file, _misfit(detector, file, content.header, content))
    missing = detector.load_state_dict(content.tensors, strict=False)
    assert not missing.unexpected_keys
    return content.header


def load(detector: Detector, file: Path) -> Content:
    """The weights in a file made for this network, with any number of labels, or for its first layers (conv.74 etc.).

    Raises Refused if even one number is missing or left over.
    """
    if not detector.darknet:
        raise Refused(file, f"can't be used for {detector.title}, which is not a Darknet network. Choose a YOLO.")
    layout = list(_named_layers(detector))
    per_label = sum(_floats(*layer, detector, 1) - _floats(*layer, detector, 0) for layer in layout)
    fixed = sum(_floats(*layer, detector, 0) for layer in layout)
    header, numbers = _parse(detector, file, fixed + per_label * MOST_LABELS)
    spare = len(numbers) - fixed
    labels = spare / per_label if per_label else float(detector.label_count if not spare else 0)  # a tree's nodes fit
    if labels >= 1 and labels.is_integer():
        return Content(header, int(labels), True, _filled(detector, layout, numbers, int(labels), header.transposed))
    part, taken = 0, 0
    while taken < len(numbers) and part < len(layout):
        taken += _floats(*layout[part], detector, detector.label_count)
        part += 1
    if taken != len(numbers) or not taken:
        raise Refused(file, _misfit(detector, file, header, None))
    tensors = _filled(detector, layout[:part], numbers, detector.label_count, header.transposed)
    return Content(header, detector.label_count, False, tensors)


def write(detector: Detector, file: Path, seen: int = 0) -> None:
    """Write the detector's weights as Darknet 0.2.5 does; `file` is replaced completely or not at all."""
    with atomic_path(file) as temporary, open(temporary, "xb") as out:
        out.write(struct.pack("<iiiQ", *NEWEST, seen))
        for layer in layers(detector):
            for _, slot in _slots(*layer):
                out.write(slot.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes())


def layers(detector: nn.Module) -> Iterator[Layer]:
    """The layers with numbers in the file's order: convolutions, each with its batch norm if it has one, and others."""
    waiting: nn.Conv2d | None = None
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d) and waiting is not None:
            yield waiting, module
            waiting = None
        elif isinstance(module, nn.Conv2d | nn.Linear | WeightedSum):
            if waiting is not None:
                yield waiting, None
            waiting = module if isinstance(module, nn.Conv2d) else None
            if not isinstance(module, nn.Conv2d):
                yield module, None
    if waiting is not None:
        yield waiting, None


def _named_layers(detector: nn.Module) -> Iterator[tuple[str, Layer]]:
    names = {id(module): name for name, module in detector.named_modules()}
    for layer in layers(detector):
        yield names[id(layer[0])], layer


def count(detector: nn.Module) -> int:
    """The number of floats in a file of this detector: its parameters and running means and variances."""
    return sum(slot.numel() for layer in layers(detector) for _, slot in _slots(*layer))


def _floats(name: str, layer: Layer, detector: Detector, labels: int) -> int:
    """How many floats of this layer a file made for `labels` labels has."""
    rows = detector.label_rows().get(name)
    total = sum(slot.numel() for _, slot in _slots(*layer))
    return total if rows is None else total // rows.count(detector.label_count) * rows.count(labels)


def _slots(module: nn.Module, norm: nn.BatchNorm2d | None) -> list[tuple[str, Tensor]]:
    """A layer's tensors in the file's order, with their places relative to the convolution or its norm ("norm.")."""
    if isinstance(module, WeightedSum):
        return [("weights", module.weights)]
    assert isinstance(module, nn.Conv2d | nn.Linear)
    if norm is None:
        assert module.bias is not None
        return [("bias", module.bias), ("weight", module.weight)]
    assert norm.running_mean is not None
    assert norm.running_var is not None
    of_norm = [(f"norm.{name}", getattr(norm, name)) for name in ("bias", "weight", "running_mean", "running_var")]
    return [*of_norm, ("weight", module.weight)]


def _filled(
    detector: Detector, layout: list[tuple[str, Layer]], numbers: np.ndarray, labels: int, transposed: bool
) -> dict[str, Tensor]:
    names = {id(module): name for name, module in detector.named_modules()}
    found, start = {}, 0
    for name, (module, norm) in layout:
        rows = detector.label_rows().get(name)
        for place, slot in _slots(module, norm):
            shape = list(slot.shape)
            if rows is not None:
                shape[0] = rows.count(labels)
            size = int(np.prod(shape))
            tensor = torch.from_numpy(numbers[start : start + size].astype(np.float32))
            if transposed and isinstance(module, nn.Linear) and place == "weight":
                tensor = tensor.view(shape[::-1]).t().contiguous()
            where = names[id(norm)] if place.startswith("norm.") else name
            found[f"{where}.{place.removeprefix('norm.')}"] = tensor.view(shape)
            start += size
    return found


def _parse(detector: Detector, file: Path, most: int) -> tuple[Header, np.ndarray]:
    """The numbers in a file, of which there may be at most `most`: a larger file is not read at all."""
    try:
        with open(file, "rb") as stream:
            header = _header(stream.read(20), file)
            if file.stat().st_size > header.size + 4 * most:
                raise Refused(file, _misfit(detector, file, header, None))
            stream.seek(header.size)
            data = stream.read()
    except OSError as error:
        raise Refused(file, f"could not be read: {error.strerror or error}.", cause=error) from error
    if len(data) % 4:
        raise Refused(file, _misfit(detector, file, header, None))
    numbers = np.frombuffer(data, "<f4")
    if not np.isfinite(numbers).all():
        raise Refused(file, "contains numbers that are not finite, so its training had failed. Use an earlier file.")
    return header, numbers


def _header(head: bytes, file: Path) -> Header:
    if len(head) < 16:
        raise Refused(file, "is too short for a Darknet weights file. Copy it again.")
    major, minor, revision, seen = struct.unpack("<iiiI", head[:16])
    header = Header(major, minor, revision, seen)
    if major < 0 or minor < 0 or major > 2 * LARGEST_VERSION or minor > 2 * LARGEST_VERSION:
        raise Refused(file, "is not a Darknet weights file: its version number makes no sense.")
    if header.wide and len(head) == 20:
        return Header(major, minor, revision, struct.unpack("<Q", head[12:20])[0])
    return header


def _misfit(detector: Detector, file: Path, header: Header, content: Content | None) -> str:
    expected, found = header.size + 4 * count(detector), file.stat().st_size
    sizes = f"{expected:,} bytes expected, {found:,} found"
    sentence = f"does not fit {detector.title} with {counted(detector.label_count, 'label')}: {sizes}"
    if content is None:
        return f"{sentence}. Choose the detector, width and anchors that it was trained with, or its cfg."
    if content.complete:
        return f"{sentence}. It fits {counted(content.labels, 'label')}: choose that many."
    return f"{sentence}. It contains only the first layers of the network: use it to start a training from."
