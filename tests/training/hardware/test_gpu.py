"""What torch says of graphics cards becomes sentences, and one card that can't be used does not end a training."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.batches.test_device_augment import noise
from tests.training.batches.test_pixel_snapping import WILD
from workbench.errors import WorkbenchError
from workbench.training.batches import augment
from workbench.training.batches.device_augment import StreamedPixels
from workbench.training.hardware import gpu, machine

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
OLD_DRIVER = "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver"
OLD_CARD = "CUDA error: no kernel image is available for execution on the device\nSearch for `cudaErrorNoKernelImage'"
LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory_runs_out_in_many_words(error: RuntimeError) -> None:
    assert gpu.is_out_of_memory(error)
    told = gpu.explain_error(error, CUDA)
    assert told is not None
    assert told.sentence.startswith("The memory of cuda ran out. Close other programs")


def test_other_errors_are_none_of_memory() -> None:
    for error in (RuntimeError(LOST), ValueError("out of memory"), RuntimeError("shape '[2]' is invalid")):
        assert not gpu.is_out_of_memory(error)


def test_a_card_that_failed_is_a_sentence_and_an_error_of_ours_stays_one() -> None:
    told, own = gpu.explain_error(RuntimeError(LOST), CUDA), WorkbenchError("A sentence.")
    assert told is not None
    assert told.sentence.startswith("The graphics card cuda failed (CUDA error: unspecified launch failure). ")
    assert "resume the run" in told.sentence
    assert gpu.explain_error(own, CUDA) is own
    assert gpu.explain_error(RuntimeError("shape '[2]' is invalid"), CUDA) is None


def refusing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A machine with PyTorch for CUDA, where the first tensor on the card raises this."""

    def zeros(*given: Any, device: torch.device) -> None:
        if device.type == "cuda":
            raise RuntimeError(text)

    monkeypatch.setattr(torch, "zeros", zeros)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("text", "there", "said"),
    [
        (OLD_DRIVER, False, "its driver is too old for this PyTorch. Update NVIDIA's driver."),
        (OLD_CARD, True, "does not support a card of this age"),
        (LOST, True, "it does not answer (CUDA error: unspecified launch failure)."),
    ],
)
def test_a_card_that_cant_be_used_is_passed_over_and_told(
    text: str, there: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, text)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert machine.choose_device("auto") == CPU
    assert gpu.unused_gpu_reason().startswith("The graphics card is not used: ")
    assert said in gpu.unused_gpu_reason()
    with pytest.raises(WorkbenchError) as raised:
        machine.choose_device("cuda")
    assert said in raised.value.sentence
    assert "Choose auto" not in raised.value.sentence


@pytest.mark.parametrize("text", ["Found no NVIDIA driver on your system.", "No CUDA GPUs are available"])
def test_of_a_card_that_is_not_there_nothing_is_said(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, text)
    assert gpu.unused_gpu_reason() == ""
    with pytest.raises(WorkbenchError, match="There is no device 'cuda'"):
        machine.choose_device("cuda")


@pytest.mark.parametrize("there", [True, False])
def test_a_card_that_this_pytorch_was_not_made_for_is_told_of(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows pip brings a PyTorch for processors alone, and the training took hours without a word."""
    refusing(monkeypatch, "Torch not compiled with CUDA enabled")
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/driver/{name}" if there else None)
    assert machine.choose_device("auto") == CPU
    assert ("this PyTorch was built without CUDA" in gpu.unused_gpu_reason()) is there
    with pytest.raises(WorkbenchError, match="built without CUDA" if there else "There is no device 'cuda'"):
        machine.choose_device("cuda")


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_full_card_is_not_called_absent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, "CUDA error: out of memory")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(WorkbenchError, match="The memory of cuda is full. Close other programs"):
        machine.choose_device(name)


def test_memory_that_runs_out_in_the_trial_is_not_taken_for_missing_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    def trials(device: torch.device, half: torch.dtype) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(machine, "_trials", trials)
    with pytest.raises(WorkbenchError, match="is full"):
        machine.choose_precision("bf16", CPU)


def test_how_busy_a_card_is_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a part of a card (MIG) NVIDIA's library says with an error of its own that it can't tell."""

    class NotSupported(Exception):
        pass

    def refused(device: torch.device) -> int:
        raise NotSupported

    monkeypatch.setattr(torch.cuda, "utilization", refused)
    assert gpu.utilization(CUDA) != gpu.utilization(CUDA)
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: 40)
    assert gpu.utilization(CUDA) == 0.4


def test_the_random_numbers_of_one_card_alone_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all cards, as torch has it unless told, each would be begun, with a warning."""
    seen: list[list[torch.device]] = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: seen.append(devices))
    for device in (CPU, CUDA, MPS):
        gpu.forked_rng(device)
    assert seen == [[], [CUDA], []]


def test_who_waits_for_a_card_lets_its_core_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent batches are waited for in every step; torch's own events would keep a core busy for the whole training."""
    queued: list[tuple[str, bool]] = []

    class Event:
        def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
            self.blocking = blocking

        def record(self, stream: str) -> None:
            queued.append((stream, self.blocking))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"of {device}")
    data, zeros = noise(), torch.zeros
    monkeypatch.setattr(torch, "empty", lambda shape, dtype, pin_memory: zeros(shape, dtype=dtype).as_subclass(Sent))
    layout = augment.draw_layout(data, np.arange(8), WILD, 0, 96, calm=False)
    StreamedPixels(data, torch.device("cuda", 1)).table(layout)
    assert queued == [("of cuda:1", True)]


class Sent(torch.Tensor):
    """Stays where it is."""

    def to(self, *given: Any, **more: Any) -> torch.Tensor:
        return self


def test_float32_is_whole_within_for_all_that_are_in_it_and_afterwards_as_before() -> None:
    flags = torch.backends.cudnn
    before, inside, first_left, out = flags.allow_tf32, threading.Event(), threading.Event(), []

    def second() -> None:
        with gpu.exact_float32():
            inside.set()
            first_left.wait(10)
            out.append(flags.allow_tf32)

    try:
        flags.allow_tf32 = True
        other = threading.Thread(target=second)
        with gpu.exact_float32():
            assert not flags.allow_tf32
            other.start()
            assert inside.wait(10)
        first_left.set()
        other.join()
        assert out == [False]
        assert flags.allow_tf32
    finally:
        flags.allow_tf32 = before


# --- Apple's GPU, which one thread may use at a time ---


def test_one_thread_at_a_time_has_apples_gpu_and_all_have_any_other_device() -> None:
    def tried(device: torch.device) -> bool:
        with gpu.alone_on(device, 0) as is_mine:
            return is_mine

    with ThreadPoolExecutor(1) as other, gpu.alone_on(MPS) as is_mine:
        assert is_mine
        assert [other.submit(tried, device).result() for device in (MPS, CPU, CUDA)] == [False, True, True]
    assert tried(MPS)


def test_while_another_thread_has_apples_gpu_the_processor_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "zeros", lambda *_, device: None)
    with gpu.alone_on(MPS):
        assert machine.choose_device("auto", 0) == CPU
    assert machine.choose_device("auto", 0) == MPS


def test_its_memory_is_not_given_back_while_a_training_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[str] = []
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.append("mps"))
    with gpu.alone_on(MPS):
        gpu.give_back_memory()
    assert emptied == []
    gpu.give_back_memory()
    assert emptied == ["mps"]
