"""Reports average the terms since the last one and count images and time."""

from __future__ import annotations

import time

import pytest
import torch

from workbench.core import control_groups
from workbench.training.monitoring import meter
from workbench.training.schedule import Plan


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def test_a_report_averages_and_predicts(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    counting.add({"box": 1.0, "label": 4.0}, 0.1)
    before = counting.due
    clock.now += 2.0
    assert (before, counting.due) == (False, True)
    counting.add({"box": 3.0, "label": 0.0}, 0.2)
    report = counting.progress(2)
    assert report.terms == {"box": 2.0, "label": 2.0}
    assert report.loss == 4.0
    assert report.learning_rate == 0.2
    assert report.images_per_second == 5.0  # 10 images in 2 s
    assert report.seconds_left == 18.0  # 18 of 20 steps at 1 s
    assert (report.step, report.steps, report.epoch, report.epochs) == (2, 20, 1, 10)
    assert report.memory_bytes > 0
    assert not counting.due


def test_an_image_in_tiles_is_one_image(clock: Clock) -> None:
    """As in an evaluation and in predictions: of 10 views of 2 photographs, 5 in a second are one of those."""
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"), images=2)
    clock.now += 1.0
    counting.add({"box": 1.0}, 0.1)
    assert counting.progress(1).images_per_second == 1.0


def test_a_report_at_once_after_another_does_not_make_it_fast(clock: Clock) -> None:
    """Of a graphics card many steps are read at the same moment."""
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    for step in (1, 2, 3, 4):
        clock.now += 1.0 if step in (1, 3) else 0.0
        counting.add({"box": 1.0}, 0.1)
        told = counting.progress(step).images_per_second
        assert told == pytest.approx({1: 5.0, 2: 5.0, 3: 5.5, 4: 5.5}[step])  # 10 images in the second after the first


def test_a_machine_that_was_asleep_did_not_train(clock: Clock) -> None:
    """After a night with its lid closed it had 11 hours left instead of one, and an hour's training had taken ten."""
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    for step in (1, 2, 3, 4):
        clock.now += 36_000.0 if step == 3 else 20.0
        counting.add({"box": 1.0}, 0.1)
        report = counting.progress(step)
    assert report.seconds_left == pytest.approx(16 * 15.0), "three steps of 20 s are known of four"
    assert report.images_per_second == 0.25
    assert counting.slept == 36_000.0


def test_a_slow_step_is_no_sleep(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    for step, seconds in enumerate((700.0, 90.0, 650.0), start=1):
        clock.now += seconds
        counting.add({"box": 1.0}, 0.1)
        counting.progress(step)
    assert counting.slept == 0.0


def test_a_long_run_has_no_more_reports_than_can_be_read_again(clock: Clock) -> None:
    """A week's run had six million, 2 GB, and its curves took ten minutes to appear."""
    plan = Plan(images=16, batch=16, epochs=100_000)
    counting, reports = meter.Meter(plan, torch.device("cpu")), []
    for step in range(1, 101):
        clock.now += 1.0
        counting.add({"box": float(step)}, 0.1)
        if counting.due:
            reports.append(counting.progress(step))
    assert [report.step for report in reports] == [1, *range(6, 100, 5)]
    assert [report.loss for report in reports[:2]] == [1.0, 4.0], "of all steps since the last one"


def test_waiting_does_not_count_as_computing(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    clock.now += 1000.0  # a pause
    counting.rest()
    clock.now += 1.0
    counting.add({"box": 1.0}, 0.1)
    assert counting.progress(1).images_per_second == 5.0


def test_a_pause_does_not_count_for_the_time_that_is_left(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    for step in (1, 2):
        clock.now += 1.0
        counting.add({"box": 1.0}, 0.1)
        assert counting.progress(step).seconds_left == 20.0 - step
        clock.now += 1000.0
        counting.resume()


def test_a_resumed_run_predicts_from_its_own_steps(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    counting.begin(10)
    clock.now += 3.0
    counting.add({"box": 1.0}, 0.1)
    assert counting.progress(11).seconds_left == 27.0  # 9 of 20 steps left at 3 s


def test_a_report_holds_the_largest_gradient_and_forgets_it(clock: Clock) -> None:
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    for norm in (2.0, 7.0, 3.0):
        counting.add({"box": 1.0}, 0.1, norm)
    clock.now += 1.0
    assert counting.progress(3).gradient_norm == 7.0
    counting.add({"box": 1.0}, 0.1, 4.0)
    assert counting.progress(4).gradient_norm == 4.0


def test_the_use_of_the_processor_is_a_share_of_all_its_cores(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    worked = iter([10.0, 13.0, 13.0])
    monkeypatch.setattr(time, "process_time", lambda: next(worked))
    monkeypatch.setattr(control_groups, "usable_cores", lambda: 4)
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    counting.add({"box": 1.0}, 0.1)
    clock.now += 1.0
    assert counting.progress(1).device_use == 0.75  # 3 s of work in 1 s of four cores


def test_the_speed_is_that_of_the_steps_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its monotonic clock goes in steps of 16 ms before Python 3.13: a first step within one made millions a second."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    counting = meter.Meter(Plan(images=10, batch=5, epochs=10), torch.device("cpu"))
    time.sleep(0.005)
    counting.add({"box": 1.0}, 0.1)
    assert 0 < counting.progress(1).images_per_second <= 1000
