"""What one of several processes takes: its card, its part of a batch, its cores."""

from __future__ import annotations

import pytest
import torch

from workbench.core import control_groups
from workbench.errors import WorkbenchError
from workbench.training.hardware import process_share
from workbench.training.hardware.process_share import OneOfSeveral
from workbench.training.settings import TrainingSettings


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two graphics cards, and eight cores."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(control_groups, "usable_cores", lambda: 8)


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("device", "rank", "taken", "threads"),
    [("auto", 0, "cuda:0", 1), ("auto", 1, "cuda:1", 1), ("cuda", 1, "cuda:1", 1), ("cpu", 1, "cpu", 4)],
)
def test_each_has_a_card_or_its_share_of_the_cores(device: str, rank: int, taken: str, threads: int) -> None:
    """On the processor of a machine with a card each of them computed with one core."""
    assert process_share.device_of(device, rank, 2) == taken
    assert process_share.threads_of(device, 2) == threads


@pytest.mark.usefixtures("cards")
def test_more_processes_than_cards_are_refused() -> None:
    with pytest.raises(WorkbenchError, match=r"There are 2 graphics cards for 3 processes on this machine\. Start as"):
        process_share.device_of("auto", 0, 3)
    with pytest.raises(WorkbenchError, match=r"can't share the device 'cuda:1'\. Choose auto, cuda or cpu"):
        process_share.device_of("cuda:1", 0, 2)


def test_the_first_of_several_measures_alone_and_tells_what_they_would_be_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(control_groups, "usable_cores", lambda: 6)
    one = OneOfSeveral(3)
    one.choose(TrainingSettings(device="cpu"), "fp32")
    assert (one.device.type, one.world, one.threads("cpu"), one.own_slice(8)) == ("cpu", 1, 2, slice(0, 3))
    with pytest.raises(WorkbenchError, match=r"A batch of 2 images can't be divided among 3 processes"):
        one.own_slice(2)
    with pytest.raises(WorkbenchError, match="can't share the device 'mps'"):
        one.choose(TrainingSettings(device="mps"), "fp32")
