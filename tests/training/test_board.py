"""The curves that TensorBoard reads are those of the events."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.training import board
from workbench.training.events import Evaluated, Message, Progress


@pytest.mark.filterwarnings("ignore")  # of protobuf and numpy inside tensorboard
def test_events_pass_through_and_can_be_read_back(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = [
        Progress(1, 2, 1, 1, {"box": 0.5}, 0.75, 0.01, 20.0, 3.0),
        Message("info", "hello"),
        Evaluated(1, 2, 0.25, 0.5, 0.125, {"cat": 0.5}, 4, 1.0, True),
    ]
    assert list(board.mirrored(events, tmp_path)) == events
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert [(s.step, s.value) for s in read.Scalars("loss/box")] == [(1, 0.5)]
    assert [(s.step, s.value) for s in read.Scalars("validation/AP50")] == [(2, 0.5)]


def test_a_missing_tensorboard_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WorkbenchError, match=r"pip install 'workbench-detection\[tb\]'"):
        board.require()
