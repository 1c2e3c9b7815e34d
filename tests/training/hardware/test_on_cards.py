"""What a training does on graphics cards, as far as a machine without one can tell: memory, fp16, several of them."""

from __future__ import annotations

import dataclasses
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from tests.contract.test_every_detector import settings_of
from tests.networks import build
from tests.training.run_results import MakeRequest, logged, only
from tests.training.slow_device import SlowRuntime
from tests.training.test_step import Normed, batch, stepper
from tests.training.toys import CALM, Toy, ToySettings
from workbench.detectors.parts import sync_norm
from workbench.detectors.parts.detector import Raw
from workbench.errors import WorkbenchError
from workbench.training import run, validate
from workbench.training.checkpoints import checkpoint, saving
from workbench.training.ema import Average
from workbench.training.events import Control, Failed, Message
from workbench.training.hardware import torchrun
from workbench.training.hardware.machine import LossScale, Precision
from workbench.training.hardware.runtime import Runtime
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper
from workbench.training.step_result import Diverged, StepResult

CPU = torch.device("cpu")


# --- memory ---


def test_the_gradients_of_a_part_take_memory_no_longer_than_the_next_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the smallest parts a batch would else need the most memory: a whole network's gradients for each."""
    made, alive, before = stepper(mini_batch=1), list[int](), Stepper._part
    seen: list[weakref.ref[Any]] = []

    def part(self: Stepper, *given: Any) -> Any:
        alive.append(sum(one() is not None for one in seen))
        gradients, terms = before(self, *given)
        seen.append(weakref.ref(gradients[0]))
        return gradients, terms

    monkeypatch.setattr(Stepper, "_part", part)
    made.step(batch(), 0.1)
    assert alive == [0, 1, 1, 1], "the sum"


def test_apples_memory_that_runs_out_halves_the_parts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Normed.forward

    def forward(self: Normed, images: Tensor) -> Raw:
        if len(images) > 2:
            raise RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)")
        return before(self, images)

    monkeypatch.setattr(Normed, "forward", forward)
    made = stepper(Normed)
    made.step(batch(), 0.1)
    assert (made.micro, made.halved) == (2, True)


def test_and_an_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def look(indices: Any) -> list[int]:
        tried.append(len(indices))
        if len(indices) > 2:
            raise RuntimeError("MPS backend out of memory")
        return list(indices)

    assert validate._fitting(look, CPU, torch.arange(4).numpy()) == [0, 1, 2, 3]
    assert tried == [4, 2, 2]


# --- fp16 ---


@pytest.mark.parametrize("scale", [None, LossScale(1024.0)])
def test_an_attack_in_fp16_has_the_slopes_of_fp32(scale: LossScale | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slopes too small for fp16 come from a loss that is scaled as a step's."""
    images = torch.from_numpy(batch().images).permute(0, 3, 1, 2).float() / 255
    expected = attacked(None, images)
    before, losses = torch.autograd.grad, list[float]()

    def grad(loss: Tensor, *given: Any) -> Any:
        losses.append(loss.item())
        return before(loss, *given)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    torch.testing.assert_close(attacked(scale, images), expected)
    attacked(None, images)
    assert losses[0] == pytest.approx(losses[1] * (1 if scale is None else scale.value / len(images)))


def attacked(scale: LossScale | None, images: Tensor) -> Tensor:
    made = stepper(Normed)
    made.scale, made._attack = scale, 3.0
    return made._turned(made.detector, images)


class Overflowing(Normed):
    """One of its channels is too large for fp16 in the step `at`."""

    at = 1
    calls = -1

    def forward(self, images: Tensor) -> Raw:
        self.calls += self.training
        factor = torch.ones(8)
        factor[3] = torch.inf if self.training and self.calls == self.at else 1
        out: Tensor = self.out(self.norm(self.conv(images) * factor[:, None, None]).relu())
        return (out,)


@pytest.mark.parametrize("runtime", [SlowRuntime(0, "fp16"), Runtime(CPU, Precision("fp16", ""))])
def test_a_step_that_fp16_skips_does_not_spoil_the_statistics_of_batch_norms(runtime: Runtime) -> None:
    """It did where steps are read at once, as on Apple's GPU and processors."""
    torch.manual_seed(0)
    made = Stepper(Overflowing(ToySettings(input_px=64), 2), CALM, runtime)
    made.scale = LossScale(64.0)
    average, read = Average(made.detector, 0.9), list[StepResult]()
    for number in range(3):
        made.queue(batch(), 0.1, number)
        average.update(number + 1, made.over)
        read += made.results()
    assert [taken.fine for taken in read] == [True, False, True]
    for detector in (made.detector, average.detector):
        assert all(tensor.isfinite().all() for tensor in detector.state_dict().values())
    assert int(made.detector.norm.num_batches_tracked) == 3


def test_outputs_go_through_the_sigmoid_in_float32() -> None:
    """bf16 knows 129 numbers from a half to one, so that a box would jump."""
    network = build("yolov4-csp", settings_of("yolov4-csp", 64, 0.125), 2).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        raw = network(torch.rand(1, 3, 64, 64))
    assert {level.dtype for level in raw} == {torch.float32}


# --- going on elsewhere ---


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_of_another_device_goes_on_with_the_optimiser_of_this_one(
    request_of: MakeRequest, optimizer: str
) -> None:
    """Apple's has none of torch's fused ones, and no other looks whether a step may be taken."""
    request = request_of(optimizer=optimizer)
    list(run.train(request))
    state = checkpoint.load_state(request.folder / "last.state.pt")
    for group in state.optimizer["param_groups"]:
        group["fused"] = False
    made = Stepper(Toy(ToySettings(input_px=64), 2), request.recipe.training, SlowRuntime(0))
    saving.restore(state, made, Average(made.detector, 0.9))
    assert [group["fused"] for group in made.optimizer.param_groups] == [True, True]
    before = [p.detach().clone() for p in made.detector.parameters()]
    made.detector.out.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(Diverged):
        made.step(batch(), 0.1)
    assert all(torch.equal(p, b) for p, b in zip(made.detector.parameters(), before, strict=True))


# --- a card that fails ---


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("CUDA error: unspecified launch failure\nCUDA kernel errors ...", "The graphics card meta failed (CUDA error"),
        ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "The graphics card meta failed (cuDNN error: CUDNN_STATUS_EXEC"),
        ("NCCL error in: ../Utils.hpp:75, unhandled cuda error", "The graphics card meta failed (NCCL error in: ../Ut"),
        ("CUDA out of memory. Tried to allocate 3 GiB", "The memory of meta ran out."),
    ],
)
def test_a_card_that_fails_ends_the_run_with_a_sentence(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, error: str, said: str
) -> None:
    runtime = Runtime()

    def update(self: Average, steps: int, over: Tensor | None = None) -> None:
        runtime.device = torch.device("meta")  # not the processor
        raise RuntimeError(error)

    monkeypatch.setattr(Average, "update", update)
    request = request_of()
    events = list(run.train(request, runtime=runtime))
    assert isinstance(events[-1], Failed)
    assert events[-1].sentence.startswith(said)
    assert logged(request)[-1] == events[-1]


def test_why_the_processor_computes_is_told_first(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "The graphics card is not used: its driver is too old."
    monkeypatch.setattr("workbench.training.hardware.gpu.unused_gpu_reason", lambda: sentence)
    for device, count in (("auto", 1), ("cpu", 0)):
        events = list(run.train(request_of(device, device=device, epochs=1)))
        assert [event.level for event in only(events, Message) if event.sentence == sentence] == ["warning"] * count


# --- several of them ---


class Second(Runtime):
    """The second of two processes, which computes what one alone does; it knows what Torchrun does of errors."""

    rank, world = 1, 2
    _waits = True

    def failed_alone(self, error: Exception) -> bool:
        return torchrun.Torchrun.failed_alone(cast(Any, self), error)

    def close(self) -> None:
        torchrun.Torchrun.close(cast(Any, self))


@pytest.mark.parametrize("error", [WorkbenchError("The memory is full."), RuntimeError("odd")], ids=["told", "odd"])
def test_what_happens_to_one_process_alone_ends_it_at_once(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It raises, so that its exit code ends the others, and does not wait for these, which wait for it."""

    def order(self: Stepper, *given: Any, **more: Any) -> None:
        raise error

    destroyed = []
    monkeypatch.setattr(Stepper, "queue", order)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: destroyed.append(True))
    runtime = Second()
    with pytest.raises(type(error), match=str(error)):
        list(run.train(request_of(evaluate_every=0, device="cpu"), Control(), runtime))
    runtime.close()
    assert destroyed == []


def test_what_happens_to_all_ends_them_in_order(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Toy.loss

    def loss(self: Toy, *given: Any) -> dict[str, Tensor]:
        return {name: term * float("nan") for name, term in before(self, *given).items()}

    destroyed = []
    monkeypatch.setattr(Toy, "loss", loss)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda: destroyed.append(True))
    runtime = Second()
    events = list(run.train(request_of(evaluate_every=0), Control(), runtime))
    assert isinstance(events[-1], Failed)
    runtime.close()
    assert destroyed == [True]


@pytest.mark.parametrize(
    ("images", "world", "micro", "good"), [(8, 2, 2, True), (5, 2, 5, True), (5, 2, 1, False), (7, 2, 2, True)]
)
def test_norms_that_count_all_processes_are_called_equally_often(
    images: int, world: int, micro: int, good: bool
) -> None:
    if good:
        sync_norm.check_parts(images, world, micro)
        return
    with pytest.raises(WorkbenchError, match="Choose a batch that is a multiple of 2"):
        sync_norm.check_parts(images, world, micro)


def test_a_stepper_of_two_processes_looks_at_that() -> None:
    settings = dataclasses.replace(CALM, batch=5, mini_batch=1, sync_norm=True)
    with pytest.raises(WorkbenchError, match="some of 2 have 3 and some 2"):
        Stepper(Normed(ToySettings(input_px=64), 2), settings, Second())


@pytest.fixture
def first_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun tells its processes."""
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")


@pytest.mark.usefixtures("first_of_two")
@pytest.mark.parametrize("name", ["cuda:1", "mps"])
def test_several_processes_do_not_share_one_card(name: str) -> None:
    runtime = torchrun.Torchrun.__new__(torchrun.Torchrun)
    with pytest.raises(WorkbenchError, match=f"can't share the device '{name}'"):
        runtime.choose(TrainingSettings(device=name), "fp32")


@pytest.mark.usefixtures("first_of_two")
def test_several_processes_say_too_why_no_card_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "The graphics card is not used: its driver is too old."
    monkeypatch.setattr("workbench.training.hardware.gpu.unused_gpu_reason", lambda: sentence)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torchrun.Torchrun, "broadcast", lambda self, make: make())
    for device, said in (("auto", [sentence]), ("cpu", [])):
        runtime = torchrun.Torchrun.__new__(torchrun.Torchrun)
        runtime.choose(TrainingSettings(device=device), "fp32")
        assert [note.sentence for note in runtime.notes() if note.level == "warning"] == said


def test_who_waits_for_its_turn_is_asked_to_stop_with_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would read all the images that the first one left, for nothing."""
    told: list[int] = []

    def agree(self: torchrun.Torchrun, value: int) -> int:
        told.append(value)
        return max(told)

    monkeypatch.setattr(torchrun.Torchrun, "agree", agree)
    first, second = Control(), Control()
    for number, control in enumerate((first, second)):
        monkeypatch.setattr(torchrun, "local_rank", lambda number=number: number)
        with torchrun.Torchrun.__new__(torchrun.Torchrun).local_main_first(control):
            assert control.stop.is_set() == (control is second)
            first.stop.set()  # while it reads
    assert told == [True, True, False, True]


def test_the_first_goes_on_once_the_others_have_what_it_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of these held the kept images, so it, and then each of them, read the validation images into its memory."""
    meeting, gone_on, ranks = threading.Barrier(2, timeout=30), threading.Event(), dict[int, int]()
    monkeypatch.setattr(torchrun.Torchrun, "agree", lambda self, value: meeting.wait() and 0)
    monkeypatch.setattr(torchrun, "local_rank", lambda: ranks[threading.get_ident()])

    def read(rank: int) -> bool:
        ranks[threading.get_ident()] = rank
        with torchrun.Torchrun.__new__(torchrun.Torchrun).local_main_first(Control()):
            too_early = rank == 1 and gone_on.wait(0.2)
        gone_on.set()
        return too_early

    with ThreadPoolExecutor(2) as pool:
        assert not any(pool.map(read, (0, 1)))
