"""Files of torch.save are looked into before they are opened; sound ones of any torch come as they were saved."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from workbench.errors import Refused
from workbench.training.checkpoints import unpickling
from workbench.training.checks.estimate import MOMENTS, NUMBER


@pytest.mark.parametrize("new", [True, False])
def test_weights_of_a_network_are_opened_whatever_torch_wrote_them(tmp_path: Path, new: bool) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).bfloat16()
    torch.save(network.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    found = unpickling.load(tmp_path / "a.pth")
    assert list(found) == list(network.state_dict())
    assert all(torch.equal(found[name], tensor) for name, tensor in network.state_dict().items())
    unpickling.check_tensors("a.pth", found, (tmp_path / "a.pth").stat().st_size)


def test_a_pickle_that_names_anything_else_is_not_obeyed(tmp_path: Path) -> None:
    class Large:
        def __reduce__(self) -> tuple[Any, ...]:
            return bytearray, (10,)  # torch allows it: with 10**11 the machine would be full

    torch.save({"a": Large()}, tmp_path / "a.pth")
    assert torch.load(tmp_path / "a.pth", weights_only=True) == {"a": bytearray(10)}
    with pytest.raises(Refused, match=r"would run code \(.*bytearray\)"):
        unpickling.load(tmp_path / "a.pth")


def test_a_packed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as sound, zipfile.ZipFile(tmp_path / "b.pth", "w") as packed:
        for name in sound.namelist():
            packed.writestr(name, sound.read(name), zipfile.ZIP_DEFLATED)
    with pytest.raises(Refused, match="unpacks to more"):
        unpickling.load(tmp_path / "b.pth")


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (torch.zeros(1).expand(1_000, 1_000), "larger than the file"),
        (torch.tensor([1.0, float("nan")]), "not finite"),
        (torch.zeros(3, device="meta"), "is not a plain tensor"),
        (torch.zeros(3, dtype=torch.complex64), "is not a plain tensor"),
    ],
)
def test_tensors_that_are_not_what_a_file_holds_are_refused(tensor: torch.Tensor, why: str) -> None:
    with pytest.raises(Refused, match=why):
        unpickling.check_tensors("a.pth", {"a": tensor}, 1_000)


def test_tensors_are_found_wherever_they_are() -> None:
    one = torch.zeros(1)
    assert dict(unpickling.tensors_in({"a": {0: [one, 2, (one,)]}, "b": "c"})) == {"a.0.0": one, "a.0.2.0": one}


def test_the_state_of_the_largest_network_is_not_too_large_to_be_opened(tmp_path: Path) -> None:
    """YOLOv1, fine-tuned by the preset of that name, could be stopped, but neither resumed nor extended."""
    of_each = json.loads((Path(__file__).parents[2] / "benchmarks" / "choosing.json").read_text())
    weights = max(one.get("weights", 0) for one in of_each.values())
    state = (2 + max(MOMENTS.values())) * NUMBER * weights  # with the average
    for size in (state, 10 * state):
        with open(tmp_path / "last.state.pt", "wb") as sparse:
            sparse.truncate(size)
        if size == state:
            assert unpickling.check_size(tmp_path / "last.state.pt") == size > 4.5e9
        else:
            with pytest.raises(Refused, match="more than any network has"):
                unpickling.check_size(tmp_path / "last.state.pt")
