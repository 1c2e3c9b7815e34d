"""What a run tells, what it leaves in its folder, and whether two left the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workbench.training.checkpoints import checkpoint
from workbench.training.events import Event, from_json
from workbench.training.run import RunRequest

MakeRequest = Callable[..., RunRequest]
STEPS = 6


def only(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def logged(request: RunRequest) -> list[Event]:
    return [from_json(line) for line in (request.folder / "events.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, Tensor]:
    state = checkpoint.load_state(folder / "last.state.pt")
    return {**{f"now {n}": t for n, t in state.detector.items()}, **{f"mean {n}": t for n, t in state.average.items()}}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
