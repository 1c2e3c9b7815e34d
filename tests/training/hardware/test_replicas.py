"""Replicas of a network share one count of the images that the detector has been trained on."""

from __future__ import annotations

import contextlib
import threading
from concurrent import futures
from concurrent.futures import Future

import pytest
import torch

from workbench import detectors
from workbench.detectors.parts.detector import Detector, Targets
from workbench.training.hardware import replicas
from workbench.training.hardware.replicas import FEWEST, ReplicaPool, split_batch


def loss(member: Detector, count: int) -> float:
    nothing = Targets(
        torch.zeros(count, 0, 4), torch.zeros(count, 0, dtype=torch.int64), torch.zeros(count, 0, dtype=torch.bool)
    )
    return member.loss((torch.ones(count, 14, 2, 2),), nothing)["warm-up"].item()


def test_images_counted_by_the_members_add_up() -> None:
    """Parts of 2, 2 and 1 images per step, two at a time; warm-up for the first 6 images, so for one step and more."""
    settings = detectors.load_all().get("yolov2-tiny").settings_class
    chosen = settings(input_px=64, width=0.05, warm_up_images=6)  # type: ignore[call-arg]  # of the subclass
    detector = detectors.build("yolov2-tiny", chosen, 2, ((20.0, 20.0), (40.0, 40.0)))
    pool = ReplicaPool(detector, 2)
    try:
        first = list(pool.work(loss, [2, 2, 1]))
        second = list(pool.work(loss, [2, 2, 1]))
        third = list(pool.work(loss, [2, 2, 1]))
    finally:
        pool.close()
    assert all(value > 0 for value in first)
    assert [value > 0 for value in second] == [True, True, False]  # a member starts a step at 5 and knows its own since
    assert not any(third)
    assert detector.state_dict()["head.seen"].item() == 15


def test_where_one_fails_the_others_have_ended_when_that_is_told() -> None:
    """As the parts are made smaller then, and go through the same members."""
    kind = detectors.load_all().get("yolov2-tiny")
    pool = ReplicaPool(detectors.build("yolov2-tiny", kind.settings_class(width=0.05), 1), 2)
    failed, told, went_on = threading.Event(), threading.Event(), []

    def job(member: Detector, _: int) -> None:
        if member is pool.members[0]:
            failed.set()
            raise RuntimeError("not enough memory")
        failed.wait()
        went_on.append(told.wait(0.5))

    with contextlib.closing(pool):
        with pytest.raises(RuntimeError, match="memory"):
            list(pool.work(job, [0, 1]))
        told.set()
    assert went_on == [False]


def test_where_ctrl_c_ends_the_waiting_the_members_have_ended_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would count on in the network that is then saved."""
    kind = detectors.load_all().get("yolov2-tiny")
    pool = ReplicaPool(detectors.build("yolov2-tiny", kind.settings_class(width=0.05), 1), 2)
    before, may_end, waited, ended = futures.wait, threading.Event(), list[int](), list[int]()

    def wait(computed: list[Future[None]]) -> None:
        waited.append(1)
        if len(waited) == 1:
            raise KeyboardInterrupt
        may_end.set()
        before(computed)

    def job(_: Detector, part: int) -> None:
        may_end.wait(5)
        ended.append(part)

    monkeypatch.setattr(replicas, "wait", wait)
    with contextlib.closing(pool):
        with pytest.raises(KeyboardInterrupt):
            list(pool.work(job, [0, 1]))
        assert sorted(ended) == [0, 1]


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32])
def test_no_core_gets_a_single_image(threads: int) -> None:
    """16 images on 6 cores were dealt 3, 3, 3, 3, 3 and 1."""
    for batch in range(2, 65):
        members = max(1, min(threads, batch // FEWEST))
        parts = split_batch(batch, -(-batch // members))
        sizes = [part.stop - part.start for part in parts]
        assert sum(sizes) == batch
        assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
        assert len(parts) <= members
        assert max(sizes) - min(sizes) <= 1
        assert min(sizes) >= FEWEST, (batch, threads)
