"""The network compiled: kept only where it is faster and says the same, and never in the way of a training."""

from __future__ import annotations

import logging
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.run_results import MakeRequest, only, same, weights
from tests.training.test_step import Normed, Plain, batch, stepper
from tests.training.toys import Toy
from workbench.detectors.parts.detector import Raw
from workbench.training import step
from workbench.training.events import Control, Evaluated, Finished, Message
from workbench.training.hardware import compiling, machine
from workbench.training.hardware.compiling import CompiledNetwork
from workbench.training.records import record
from workbench.training.run import resume, train
from workbench.training.step import Stepper

Clock = Callable[[float, float], None]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    with machine.one_thread_each():
        yield
    torch._dynamo.reset()


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that compiles nothing, for the decisions."""
    monkeypatch.setattr(compiling, "BACKEND", "eager")


@pytest.fixture
def takes(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Seconds that a step is said to take without and with."""

    def set_clock(plain: float, fast: float) -> None:
        now, asked = [0.0], [0]

        def clock(device: torch.device) -> float:
            asked[0] += 1
            if asked[0] % 2 == 0:  # the end of a round; every other round is compiled
                now[0] += fast if asked[0] % 4 == 0 else plain
            return now[0]

        monkeypatch.setattr(compiling, "clock", clock)

    return set_clock


def compiled(kind: type[Toy] = Normed, **changes: Any) -> Stepper:
    return stepper(kind, compile="auto", **changes)


@pytest.mark.parametrize(
    ("plain", "fast", "kept", "said"),
    [
        (
            0.2,
            0.1,
            True,
            "The network is compiled: a batch of 64 × 64 px takes 100.0 ms compiled and 200.0 ms uncompiled.",
        ),
        (0.106, 0.1, True, "is compiled: "),
        (0.104, 0.1, False, "The network is not compiled: a batch of 64 × 64 px takes 100.0 ms compiled and 104.0 ms"),
    ],
)
@pytest.mark.usefixtures("backend")
def test_it_is_kept_from_five_percent_on_and_both_times_are_told(
    takes: Clock, plain: float, fast: float, kept: bool, said: str
) -> None:
    takes(plain, fast)
    made = compiled()
    (remark,) = made.try_compiling(batch(), 101)
    assert (said in remark.sentence, remark.level) == (True, "info")
    assert made.compiler is not None
    assert made.compiler.call.shapes == ({(4, 3, 64, 64)} if kept else set())
    assert made.try_compiling(batch(), 102) == [], "each size is tried once"


@pytest.mark.parametrize("device", ["cuda", "mps", "cpu"])
def test_the_time_is_read_once_the_device_has_finished(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waited.append("cuda"))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    compiling.clock(torch.device(device))
    assert waited == ([device] if device != "cpu" else [])


@pytest.mark.usefixtures("backend")
def test_what_is_tried_changes_nothing(takes: Clock) -> None:
    takes(0.2, 0.1)
    one, other = stepper(Toy), compiled(Toy)  # with dropout: the random state matters
    other.try_compiling(batch(), 101)
    for number in range(3):
        torch.manual_seed(number)
        expected = one.step(batch(), 0.1)
        torch.manual_seed(number)
        assert other.step(batch(), 0.1) == expected
    assert same(one.detector.state_dict(), other.detector.state_dict())


@pytest.mark.usefixtures("backend")
def test_the_compiled_network_is_called_for_the_sizes_that_won(takes: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(0.2, 0.1)
    made, called = compiled(Plain), []
    made.try_compiling(batch(), 101)
    assert made.compiler is not None
    fast = made.compiler.call._fast
    monkeypatch.setattr(made.compiler.call, "_fast", lambda images: called.append(len(images)) or fast(images))
    made.step(batch(), 0.1)
    made.micro = 2
    made.step(batch(), 0.1)
    assert called == [4]


@pytest.mark.usefixtures("backend")
def test_a_loss_that_differs_leaves_the_network_as_it_is(takes: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(0.2, 0.1)
    before = torch.compile

    def wrong(forward: Any, **given: Any) -> Any:
        right = before(forward, **given)
        return lambda images: tuple(level + 1 for level in right(images))

    monkeypatch.setattr(torch, "compile", wrong)
    made = compiled()
    (remark,) = made.try_compiling(batch(), 101)
    assert remark.sentence.startswith("Its loss differs by ")
    assert made.compiler is not None
    assert made.compiler.call.shapes == set()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx"), "needs a C++ compiler"),
        (RuntimeError("Cannot find a working triton installation."), "needs Triton"),
        (RuntimeError("Failed to find C compiler. Please set CC or triton.knobs.build.impl."), "needs a C compiler"),
        (RuntimeError("Found GTX 1080 which is too old to be supported by the triton GPU compiler"), "of this age"),
        (ValueError("odd graph\nline 2"), "odd graph."),
    ],
)
def test_a_compiler_that_fails_is_told_and_the_training_goes_on(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(forward: Any, **given: Any) -> Any:
        def call(images: Tensor) -> Raw:
            raise error

        return call

    monkeypatch.setattr(torch, "compile", failing)
    made = compiled()
    (remark,) = made.try_compiling(batch(), 101)
    assert said in remark.sentence
    assert remark.sentence.endswith("The training goes on without it.")
    assert remark.level == "warning"
    assert made.step(batch(), 0.1) == stepper(Normed).step(batch(), 0.1)
    assert made.try_compiling(batch(), 102) == []


def test_a_compiled_network_that_fails_later_is_told_and_called_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda forward, **given: lambda images: 1 / 0)
    call = CompiledNetwork(nn.Identity())
    call.shapes.add((1, 3, 2, 2))
    images = torch.ones(1, 3, 2, 2)
    answer: object = call(images)
    assert answer is images
    made = compiled()
    assert made.compiler is not None
    made.compiler.call.failed = call.failed
    (remark,) = made.try_compiling(batch(), 101)
    assert remark.sentence == "The compiled network failed: division by zero. The training goes on without it."


def test_its_error_keeps_no_tensor_of_the_step_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a graphics card that would be the activations of a whole batch, until the training ends."""
    seen: list[weakref.ref[Tensor]] = []

    def compile_(forward: Any, **given: Any) -> Any:
        def fast(images: Tensor) -> Raw:
            activations = images * 2
            seen.append(weakref.ref(activations))
            raise RuntimeError("an illegal size")

        return fast

    monkeypatch.setattr(torch, "compile", compile_)
    monkeypatch.setattr(logging.getLogger(compiling.__name__), "disabled", True)  # pytest keeps what is logged
    call = CompiledNetwork(nn.Identity())
    call.shapes.add((1, 3, 2, 2))
    call(torch.ones(1, 3, 2, 2))
    assert call.failed == "an illegal size."
    assert seen[0]() is None
    made = compiled()
    made.try_compiling(batch(), 101)
    assert len(seen) > 1
    assert all(one() is None for one in seen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"threads": 2}, "Each core computes a part"), ({"cross_norm": True, "mini_batch": 2}, "cross_norm keeps")],
)
def test_what_can_not_be_compiled_is_told_once(changes: dict[str, Any], said: str) -> None:
    made = compiled(**changes)
    (remark,) = made.try_compiling(batch(), 101)
    assert said in remark.sentence
    assert made.try_compiling(batch(), 102) == []
    made.close()


def test_nothing_is_tried_unasked_or_before_the_norms_have_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.Compiler, "try_size", lambda *given: [Message("info", "tried")])
    assert stepper(Normed).try_compiling(batch(), 101) == []
    assert compiled().try_compiling(batch(), 100) == []
    assert compiled().try_compiling(batch(), 101) != []


@pytest.mark.usefixtures("backend")
def test_a_compiled_training_is_resumed_plain_and_back(
    request_of: MakeRequest, takes: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler of this test computes what the network computes, so the weights are those of a straight run."""
    monkeypatch.setattr(step, "NORMS_SETTLED", -1)
    monkeypatch.setattr(step, "settle_norms", lambda *given: None)
    takes(0.2, 0.1)
    straight = request_of("straight")
    list(train(straight))
    request = request_of("compiled", compile="auto")
    said: list[Message] = []
    for part, asked in enumerate(("auto", "off", "auto")):
        control = Control()
        changed = replace(request.recipe.training, compile=asked)
        monkeypatch.setattr(
            record, "read_request", lambda folder, now=changed: replace(
                request, recipe=replace(request.recipe, training=now), resume=True
            ),
        )  # fmt: skip
        events = train(request, control) if part == 0 else resume(request.folder, control)
        for event in events:
            if isinstance(event, Message) and "compiled" in event.sentence:
                said.append(event)
            if part < 2 and isinstance(event, Evaluated):
                control.stop.set()
    assert only([event], Finished)[0].step == 6
    assert [message.sentence[:24] for message in said] == ["The network is compiled:"] * 2
    assert same(weights(straight.folder), weights(request.folder))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler on this machine")
@pytest.mark.skipif(os.environ.get("WORKBENCH_FULL_BENCHMARKS") != "1", reason="compiling takes a minute")
def test_torchs_own_compiler_is_tried_and_its_network_trains() -> None:
    made = compiled(Normed, weight_decay=0.0)
    (remark,) = made.try_compiling(batch(), 101)
    assert " ms compiled and " in remark.sentence, remark
    assert made.compiler is not None
    made.compiler.call.shapes.add((4, 3, 64, 64))  # whichever was faster
    plain = stepper(Normed, weight_decay=0.0)
    for number in range(101, 104):
        assert made.step(batch(), 0.01, number) == pytest.approx(plain.step(batch(), 0.01, number), rel=1e-4)
    assert made.compiler.call.failed == ""
    assert made.detector.state_dict().keys() == plain.detector.state_dict().keys()
