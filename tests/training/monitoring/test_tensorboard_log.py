"""The curves that TensorBoard reads are those of the events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workbench.errors import WorkbenchError
from workbench.training.events import Evaluated, Event, Message, Progress, Started
from workbench.training.monitoring import tensorboard_log

STARTED = Started("tiny-1", "", "fcos", "cpu", "fp32", 8, 2, 4, 9, 99)


@pytest.mark.filterwarnings("ignore")  # of protobuf and numpy inside tensorboard
def test_events_pass_through_and_can_be_read_back(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events: list[Event] = [
        Progress(1, 2, 1, 1, {"box": 0.5}, 0.75, 0.01, 20.0, 3.0, 1_500_000_000, 2.5, 0.25),
        Message("info", "hello"),
        Progress(2, 2, 1, 1, {"box": 0.25}, 0.5, 0.01, 20.0, 0.0),  # whose gradient and machine are not known
        Evaluated(1, 2, 0.25, 0.5, 0.125, {"cat": 0.5}, 4, 1.0, True, {"cat": 0.25}),
    ]
    assert list(tensorboard_log.log_events(events, tmp_path)) == events
    read = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    assert {name: [(s.step, s.value) for s in read.Scalars(name)] for name in read.Tags()["scalars"]} == {
        "loss/sum": [(1, 0.75), (2, 0.5)],
        "loss/box": [(1, 0.5), (2, 0.25)],
        "learning rate": [(1, pytest.approx(0.01)), (2, pytest.approx(0.01))],
        "gradient norm": [(1, 2.5)],
        "images per second": [(1, 20.0), (2, 20.0)],
        "device use (%)": [(1, 25.0)],
        "memory (GB)": [(1, 1.5)],
        "validation/AP": [(2, 0.25)],
        "validation/AP50": [(2, 0.5)],
        "validation/AP75": [(2, 0.125)],
        "AP50/cat": [(2, 0.5)],
        "AP/cat": [(2, 0.25)],
    }


@pytest.mark.filterwarnings("ignore")  # of protobuf and numpy inside tensorboard
def test_steps_that_are_learnt_again_after_a_kill_replace_those_before(tmp_path: Path) -> None:
    """Else the curves run back and forth."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def steps(*numbers: int) -> list[Progress]:
        return [Progress(n, 9, 1, 1, {"box": n + len(numbers) / 8}, 1.0, 0.01, 20.0, 3.0) for n in numbers]

    def read() -> list[tuple[int, float]]:
        found = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
        found.Reload()
        return [(one.step, one.value) for one in found.Scalars("loss/box")]

    list(tensorboard_log.log_events([STARTED, *steps(1, 2, 3, 4)], tmp_path))
    list(tensorboard_log.log_events([replace(STARTED, resumed_step=2), *steps(3, 4, 5)], tmp_path))
    assert read() == [(1, 1.5), (2, 2.5), (3, 3.375), (4, 4.375), (5, 5.375)]
    list(tensorboard_log.log_events([STARTED, *steps(1)], tmp_path))
    assert read() == [(1, 1.125)], "nothing was saved, so it begins again"


def test_a_missing_tensorboard_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WorkbenchError, match=r"-m pip install \"workbench-detection\[tb\]\""):
        tensorboard_log.require()
    monkeypatch.setattr("sys.frozen", True, raising=False)
    with pytest.raises(WorkbenchError, match=r"not in this bundle. Leave out --tensorboard"):  # it has no pip
        tensorboard_log.require()
