"""Darknet's weight files: byte for byte, and refused unless they fit."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workbench import detectors
from workbench.detectors.parts import darknet
from workbench.detectors.parts.detector import Detector
from workbench.errors import Refused
from workbench.registry import OWN


def build(labels: int = 3, width: float = 0.05, name: str = "yolov4-tiny", seed: int = 0) -> Detector:
    torch.manual_seed(seed)
    kind = detectors.load_all().get(name)
    return detectors.build(name, kind.settings_class(input_px=64, width=width), labels)


def equal(a: Detector, b: Detector) -> bool:
    pairs = zip(a.state_dict().items(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for (key, x), y in pairs if "num_batches" not in key)


DARKNETS = [name for name, kind in detectors.load_all() if kind.darknet and detectors.detectors.owner(name) == OWN]


@pytest.mark.parametrize("name", DARKNETS)
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
    assert isinstance(conv, nn.Conv2d)
    assert norm is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    starts = [norm.bias, norm.weight, norm.running_mean, norm.running_var, conv.weight]
    assert [slot.flatten()[0].item() for slot in starts] == [0, 8, 16, 24, 32]
    last, none = layers[-1]
    assert none is None
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    assert last.weight.flatten()[-1].item() == len(numbers) - 1
    assert last.bias[0].item() == len(numbers) - last.weight.numel() - last.bias.numel()


def test_the_header_before_version_0_2_is_four_bytes_shorter(tmp_path: Path) -> None:
    detector = build()
    file = tmp_path / "a.weights"
    numbers = np.arange(darknet.count(detector), dtype="<f4")
    file.write_bytes(struct.pack("<iiiI", 0, 1, 0, 77) + numbers.tobytes())
    assert darknet.read(detector, file).seen == 77
    assert next(darknet.layers(detector))[1].bias[0].item() == 0.0


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
    with pytest.raises(Refused, match=r"with 1 label: .* It fits 80 labels"):
        darknet.read(build(labels=1), tmp_path / "a.weights")


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


def test_fully_connected_layers_stand_bias_first_and_in_files_of_odd_versions_transposed(tmp_path: Path) -> None:
    detector = build(name="yolov1-tiny")
    last = detector.get_submodule("out")
    assert isinstance(last, torch.nn.Linear)
    size = last.weight.numel()
    numbers = np.arange(darknet.count(detector), dtype="<f4")
    for version, flipped in ((0, False), (1001, True)):
        file = tmp_path / "a.weights"
        file.write_bytes(struct.pack("<iiiI", version, 1, 0, 0) + numbers.tobytes())
        darknet.read(detector, file)
        assert last.bias[0].item() == len(numbers) - size - len(last.bias)
        after = last.weight[0, 1] if not flipped else last.weight[1, 0]
        assert after.item() == len(numbers) - size + 1


def test_a_file_for_other_labels_can_be_loaded_for_what_it_has_in_common(tmp_path: Path) -> None:
    many, few = build(labels=80, seed=1), build(labels=3, seed=2)
    darknet.write(many, tmp_path / "a.weights")
    content = darknet.load(few, tmp_path / "a.weights")
    assert (content.labels, content.complete) == (80, True)
    theirs = many.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in content.tensors.items())
    assert content.tensors.keys() == {name for name in theirs if "num_batches" not in name}


@pytest.mark.parametrize("name", ["yolov3", "yolov4", "yolov4-tiny"])
def test_the_beginning_of_a_network_is_loaded_if_it_ends_with_a_layer(name: str, tmp_path: Path) -> None:
    """As darknet53.conv.74 and yolov4.conv.137 end: after a convolution, not within one."""
    whole, other = build(name=name, seed=1), build(name=name, seed=2)
    darknet.write(whole, tmp_path / "a.weights")
    data = (tmp_path / "a.weights").read_bytes()
    first = list(darknet.layers(whole))[:7]
    size = 20 + 4 * sum(slot.numel() for layer in first for _, slot in darknet._slots(*layer))
    (tmp_path / "a.conv.7").write_bytes(data[:size])
    content = darknet.load(other, tmp_path / "a.conv.7")
    assert not content.complete
    assert sum(name.endswith("conv.weight") for name in content.tensors) == 7
    with pytest.raises(Refused, match="only the first layers"):
        darknet.read(other, tmp_path / "a.conv.7")
    (tmp_path / "a.conv.7").write_bytes(data[: size - 4])
    with pytest.raises(Refused, match="does not fit"):
        darknet.load(other, tmp_path / "a.conv.7")


def test_published_beginnings_end_where_ours_do() -> None:
    """The sizes of darknet53.conv.74 and yolov4.conv.137 in bytes, with their headers of 20."""
    for name, size in (("yolov3", 162_482_580), ("yolov4", 170_038_676)):
        kind = detectors.load_all().get(name)
        with torch.device("meta"):
            detector = kind(kind.settings_class(), 80)
        ends, total = set(), 20
        for layer in darknet.layers(detector):
            total += 4 * sum(slot.numel() for _, slot in darknet._slots(*layer))
            ends.add(total)
        assert size in ends
