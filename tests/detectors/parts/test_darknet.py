"""Darknet's weight files: byte for byte, and refused unless they fit."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from workbench import detectors
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector
from workbench.errors import Refused


def build(labels: int = 3, width: float = 0.05, name: str = "yolov4-tiny", seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    kind = detectors.load_all().get(name)
    return detectors.build(name, kind.settings_class(input_px=64, width=width), labels)


def equal(a: Detector, b: Detector) -> bool:
    pairs = zip(a.state_dict().items(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for (key, x), y in pairs if "num_batches" not in key)


@pytest.mark.parametrize("name", detectors.load_all().names())
def test_a_written_file_reads_back_the_same(name: str, tmp_path: Path) -> None:
    first, second = build(name=name, seed=1), build(name=name, seed=2)
    darknet.write(first, tmp_path / "a.weights", seen=2**40 + 5)
    header = darknet.read(second, tmp_path / "a.weights")
    assert (header.major, header.minor, header.revision, header.seen) == (0, 2, 5, 2**40 + 5)
    assert equal(first, second)
    darknet.write(second, tmp_path / "b.weights", seen=2**40 + 5)
    assert (tmp_path / "a.weights").read_bytes() == (tmp_path / "b.weights").read_bytes()


def test_numbers_stand_in_darknets_order(tmp_path: Path) -> None:
    """The first layer: bias (of the norm), scale, mean, variance, weights; the last: bias, weights."""
    detector = build()
    file = tmp_path / "a.weights"
    numbers = np.arange(darknet.count(detector), dtype="<f4")
    file.write_bytes(struct.pack("<iiiQ", 0, 2, 5, 0) + numbers.tobytes())
    darknet.read(detector, file)
    layers = list(darknet.layers(detector))
    conv, norm = layers[0]
    assert norm is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    starts = [norm.bias, norm.weight, norm.running_mean, norm.running_var, conv.weight]
    assert [slot.flatten()[0].item() for slot in starts] == [0, 8, 16, 24, 32]
    last, none = layers[-1]
    assert none is None
    assert last.bias is not None
    assert last.weight.flatten()[-1].item() == len(numbers) - 1
    assert last.bias[0].item() == len(numbers) - last.weight.numel() - last.bias.numel()


def test_the_header_before_version_0_2_is_four_bytes_shorter(tmp_path: Path) -> None:
    detector = build()
    file = tmp_path / "a.weights"
    numbers = np.arange(darknet.count(detector), dtype="<f4")
    file.write_bytes(struct.pack("<iiiI", 0, 1, 0, 77) + numbers.tobytes())
    assert darknet.read(detector, file).seen == 77
    assert next(darknet.layers(detector))[1].bias[0].item() == 0.0  # type: ignore[union-attr]


@pytest.mark.parametrize("change", [-4, 4, 1, -1])
def test_a_file_that_is_off_by_a_number_or_a_byte_is_refused_and_nothing_changes(tmp_path: Path, change: int) -> None:
    detector, before = build(seed=1), build(seed=1)
    file = tmp_path / "a.weights"
    darknet.write(build(seed=2), file)
    data = file.read_bytes()
    file.write_bytes(data[:change] if change < 0 else data + bytes(change))
    with pytest.raises(Refused, match=f"{len(data):,} bytes expected, {len(data) + change:,} found"):
        darknet.read(detector, file)
    assert equal(detector, before)


def test_a_file_for_another_number_of_labels_says_for_how_many(tmp_path: Path) -> None:
    darknet.write(build(labels=80), tmp_path / "a.weights")
    with pytest.raises(Refused, match=r"with 3 labels.* It fits 80 labels"):
        darknet.read(build(labels=3), tmp_path / "a.weights")


@pytest.mark.parametrize("data", [b"", b"\0" * 15, b"PK\3\4" * 10, b"\xff" * 100])
def test_files_of_other_kinds_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.weights").write_bytes(data)
    with pytest.raises(Refused):
        darknet.read(build(), tmp_path / "a.weights")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="could not be read"):
        darknet.read(build(), tmp_path / "none.weights")


def test_a_file_of_a_training_that_blew_up_is_refused(tmp_path: Path) -> None:
    broken = build()
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    darknet.write(broken, tmp_path / "a.weights")
    with pytest.raises(Refused, match="not finite"):
        darknet.read(build(), tmp_path / "a.weights")


@pytest.mark.parametrize(
    ("name", "trainable", "in_file"),
    [
        ("yolov3-tiny", 8_852_366, 8_858_734),
        ("yolov4-tiny", 6_056_606, 6_062_814),
        ("yolov3", 61_949_149, 62_001_757),
        ("yolov4", 64_363_101, 64_429_405),
    ],
)
def test_at_full_width_with_80_labels_every_parameter_is_there(name: str, trainable: int, in_file: int) -> None:
    kind = detectors.load_all().get(name)
    with torch.device("meta"):
        detector = kind(kind.settings_class(), 80)
    assert sum(p.numel() for p in detector.parameters()) == trainable
    assert darknet.count(detector) == in_file
