"""What torchrun starts in test_torchrun.py, as two processes: FOLDER, then steps, probe, stop, told and go-on."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.training.batches.test_augment import squares
from tests.training.toys import CALM, Toy, ToySettings, make_request
from workbench import detectors
from workbench.detectors.parts.detector import Raw, Targets
from workbench.detectors.parts.region_head import RegionHead
from workbench.errors import WorkbenchError
from workbench.training import prepare, recipes, run
from workbench.training.batches.augment import Batch
from workbench.training.events import Control, Finished, Progress
from workbench.training.hardware import torchrun
from workbench.training.hardware.machine import Precision
from workbench.training.hardware.memory_probe import DeviceMemory, fit_batch_parts, worst_case_batch
from workbench.training.hardware.runtime import Runtime
from workbench.training.step import Stepper

STEPS, IMAGES = 10, 4
FEW = 2  # steps of networks so deep that what the last digit makes of one is a thousand times as much in the next
WAIT = "told"  # the task that waits for a file of this name
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # detector: its settings, the training's
    "plain": ({"input_px": 64}, {"mini_batch": 1}),  # no batch norms: parts may be smaller than a process's
    "divided": ({"input_px": 64}, {"mini_batch": 1}),  # by the positives of all images, as SSD and FCOS do
    "yolov4-tiny": ({"width": 0.1, "input_px": 64}, {"sync_norm": True, "optimizer": "adamw"}),
    "yolov2-tiny": ({"width": 0.1, "input_px": 64}, {"sync_norm": True}),  # counts the images that it has seen
    "yolov1-tiny": ({"width": 0.1, "input_px": 64}, {"sync_norm": True}),
    "ssdlite": ({"width": 0.1, "input_px": 64}, {"sync_norm": True}),
    "retinanet": ({"width": 0.1, "input_px": 64}, {"sync_norm": True}),  # means over each image's positives
}
DEEP = ("ssdlite", "retinanet")


def last_step(name: str) -> int:
    """Of steps(), from 0."""
    return (FEW if name in DEEP else STEPS) - 1


def batch(side: int, step: int) -> Batch:
    """Noise with boxes; the third image has none, so that parts differ in what they reach."""
    random = np.random.default_rng(step)
    low = random.uniform(0, side / 2, (IMAGES, 16, 2))
    boxes = np.concatenate([low, low + random.uniform(side / 8, side / 2, low.shape)], axis=2).astype(np.float32)
    labels = np.where(np.arange(16) < 3, random.integers(0, 2, (IMAGES, 16)), -1)
    labels[2] = -1
    return Batch(
        random.integers(0, 255, (IMAGES, side, side, 3), np.uint8), boxes, labels, np.zeros(labels.shape, bool)
    )


def steps(name: str, runtime: Runtime) -> dict[str, Tensor]:
    """Ten steps, or few: the gradients of the first and the last, and the weights and counts after them.

    In float64: in float32, which negatives are the hardest and which anchor fits best soon turn on the last digit.
    """
    single = torch.Tensor.float
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    torch.set_default_dtype(torch.float64)
    try:
        return _steps(name, runtime)
    finally:
        torch.Tensor.float = single  # type: ignore[method-assign]
        torch.set_default_dtype(torch.float32)


def _steps(name: str, runtime: Runtime) -> dict[str, Tensor]:
    own, changes = CASES[name]
    if "plain" not in dict(detectors.load_all()):
        with detectors.load_all().owned_by("tests"):
            detectors.load_all().register("plain")(Plain)
            detectors.load_all().register("divided")(Divided)
    training = {"batch": IMAGES, "learning_rate": 1e-3, "precision": "fp32", "device": "cpu", "seed": 1}
    recipe = recipes.default_recipe(name).changed({**own, **training, **changes})
    runtime.begin(1)
    runtime.precision = Precision("fp32", "")
    stepper = Stepper(prepare.build(recipe, 2, None).double(), recipe.training, runtime)
    found = {}
    part = runtime.own_slice(IMAGES)
    for step in range(last_step(name) + 1):
        whole = batch(recipe.detector_settings.input_px, step)
        some = Batch(whole.images[part], whole.boxes[part], whole.labels[part], whole.ignore[part], of=IMAGES)
        terms = stepper.step(some, recipe.training.learning_rate, step)
        if step in (0, last_step(name)):
            for key, parameter in stepper.detector.named_parameters():
                if parameter.grad is not None:
                    found[f"gradient {step} {key}"] = parameter.grad.clone()
            found |= {f"term {step} {key}": torch.tensor(value) for key, value in terms.items()}
    found |= {f"weight {key}": tensor.clone() for key, tensor in stepper.detector.state_dict().items()}
    found |= {f"seen {m}": m.seen.clone() for m in stepper.detector.modules() if isinstance(m, RegionHead)}
    return {key.split(" RegionHead")[0]: value for key, value in found.items()}


class Still(Toy):
    """The toy without dropout, whose norms count all images: it does not matter who computes what."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.dropout = nn.Identity()  # type: ignore[assignment]


class Plain(Still):
    """And without norms."""

    name = "plain"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.norm = nn.Identity()  # type: ignore[assignment]


class Divided(Plain):
    """And with a loss that is divided by the positives of all images."""

    name, shared_divisor = "divided", True

    def loss(self, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        positives = (targets.labels >= 0).sum().clamp(min=1)
        return {name: term * len(targets.labels) / positives for name, term in super().loss(raw, targets).items()}


LONG: dict[str, Any] = {"epochs": 100, "evaluate_every": 0, "learning_rate": 0.002, "sync_norm": True}


def main(folder: Path, tasks: list[str]) -> None:
    torch.set_num_threads(1)
    detectors.load_all().register("toy")(Still)
    with torchrun.join_processes() as runtime:
        for task in tasks:
            if task == "steps":
                found = {name: steps(name, runtime) for name in CASES}
                if runtime.is_main:
                    torch.save(found, folder / "steps.pt")
            elif task == "probe":
                (folder / f"probe-{runtime.rank}").write_text(_probe(runtime))
            elif task == WAIT:
                while not (folder / WAIT).exists():
                    time.sleep(0.05)
            else:
                _run(folder, task, runtime)


def _probe(runtime: Runtime) -> str:
    """Where the second process can take two images at a time: how many were tried at once, before a step and in it;
    and what is said where it can take none, and where it is of another version.
    """
    runtime.precision, holds, tried = Precision("fp32", ""), 2, list[int]()
    settings = replace(CALM, batch=8, sync_norm=True)
    stepper = Stepper(Still(ToySettings(input_px=64), 3), settings, runtime)
    before = Toy.forward

    def forward(toy: Toy, images: Tensor) -> Raw:
        tried.append(len(images))
        if runtime.rank and len(images) > holds:
            raise torch.OutOfMemoryError("too many")
        return before(toy, images)

    memory = DeviceMemory(lambda: None, lambda: 0, 10**9)
    Toy.forward = forward  # type: ignore[method-assign, assignment]
    try:
        fit_batch_parts(stepper, squares(), memory)
        found = str([*tried, "step"])
        tried.clear()
        stepper.step(worst_case_batch(squares(), stepper), 0.1)
        found += str(tried)
        holds, stepper.device = 0, torch.device("cpu", runtime.rank)
        fit_batch_parts(stepper, squares(), memory)
    except WorkbenchError as error:
        found += f" {type(error).__name__}: {error.sentence}"
    finally:
        Toy.forward = before  # type: ignore[method-assign]
    runtime.check_program()
    torchrun._program = lambda: f"Workbench 0.{runtime.rank}"
    try:
        runtime.check_program()
    except WorkbenchError as error:
        found += f" {type(error).__name__}: {error.sentence}"
    return found


def _run(folder: Path, task: str, runtime: Runtime) -> None:
    control = Control()
    request = runtime.broadcast(lambda: make_request(folder, **LONG))
    events = run.train(request, control, runtime) if task == "stop" else run.resume(request.folder, control, runtime)
    for event in events:
        if task == "stop" and runtime.rank == 1 and isinstance(event, Progress):
            control.stop.set()  # in one of them only
    assert isinstance(event, Finished), event
    (folder / f"{task}-{runtime.rank}").write_text(f"{event.stopped} {event.step}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
