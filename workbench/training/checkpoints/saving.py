"""What a training saves in its checkpoints, and restores from them to resume."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import detectors
from workbench.core.formatting import size
from workbench.detectors.parts.sync_norm import check_parts, has_sync_norms
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.checkpoints import checkpoint
from workbench.training.checkpoints.checkpoint import LAST, STATE, CheckpointHeader, State
from workbench.training.checkpoints.header import PLUGIN
from workbench.training.checks.estimate import checkpoint_bytes, state_bytes
from workbench.training.ema import Average
from workbench.training.events import Message, Saved
from workbench.training.hardware import machine
from workbench.training.records.runs import weights_name
from workbench.training.request import RunRequest
from workbench.training.settings import TrainingSettings
from workbench.training.step import Stepper

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class TrainingProgress:
    """The progress of a training: what is in neither network nor optimiser."""

    done: int = 0  # completed steps
    evaluated: int = 0  # step of the last evaluation
    stale: int = 0  # evaluations since the best one
    best: float = -1.0  # value of `best_by`, before the first evaluation -1
    best_ap50: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)  # from the last evaluation
    earlier: float = 0.0  # seconds of training before this resume
    kept: float = -1.0  # value of weights left by a kill that were better than `best` (see resuming.py)
    kept_ap50: float = 0.0

    @property
    def highest_ap50(self) -> float:
        """AP50 of the weights in best.safetensors; NaN if no evaluation has written any."""
        if max(self.kept, self.best) < 0:
            return math.nan
        return self.kept_ap50 if self.kept > self.best else self.best_ap50


def header(
    request: RunRequest, stepper: Stepper, progress: TrainingProgress, epoch: int, images: int, seconds: float
) -> CheckpointHeader:
    """A checkpoint's description of itself."""
    recipe, detector = recipes.to_dict(request.recipe), stepper.detector
    plugin = detectors.load_all().plugin(request.recipe.detector)
    return CheckpointHeader(
        detector=request.recipe.detector, detector_settings=recipe["detector_settings"],
        labels=request.snapshot.labels, anchors=detector.anchors, input_px=request.recipe.detector_settings.input_px,
        resize=detector.resize, window=request.snapshot.window, epoch=epoch, step=progress.done,
        metrics=progress.metrics, data_digest=request.snapshot.digest, tiles=request.recipe.training.tiles,
        tile_overlap=request.recipe.training.tile_overlap,
        provenance=checkpoint.provenance(
            {
                "run": request.name,
                "images": images,
                "precision": stepper.runtime.precision.name,
                "processes": stepper.runtime.world,
                "seconds": round(seconds, 1),
                "recipe": recipe,
                "seen": progress.done * stepper.settings.batch,
                "begun from": "" if request.start is None else weights_name(request.start),
                **({PLUGIN: plugin} if plugin else {}),
                "anchors from": request.anchors.source if request.anchors else "",
            }
        ),
    )  # fmt: skip


def state(
    stepper: Stepper, average: Average, progress: TrainingProgress, about: CheckpointHeader, seconds: float
) -> State:
    """Everything that is needed to resume."""
    rng, device_rng = stepper.runtime.rng()
    scale = stepper.scale or machine.LossScale(0.0)
    return State(
        step=progress.done, detector=stepper.detector.state_dict(), average=average.detector.state_dict(),
        optimizer=stepper.optimizer.state_dict(), rng=rng, device_rng=device_rng,
        best=progress.best, best_ap50=progress.best_ap50, stale=progress.stale, evaluated=progress.evaluated,
        seconds=seconds, precision=stepper.runtime.precision.name, micro_batch=stepper.micro if stepper.halved else 0,
        header=about.to_json(), loss_scale=scale.value, scaled_for=scale.good,
        batch=stepper.settings.batch, epochs=stepper.settings.epochs, fp32_needed=stepper.runtime.precision.needed,
    )  # fmt: skip


def check_room(folder: Path, stepper: Stepper) -> None:
    """WorkbenchError, before the first step, if the disk of `folder` has no room for the run's checkpoints, and for a
    state that is written beside the one that it replaces.

    Of a disk that does not tell its room, or on which another process is still to make the folder, nothing is said.
    """
    parameters = sum(p.numel() for p in stepper.detector.parameters())
    needed = checkpoint_bytes(parameters, stepper.settings) + state_bytes(parameters, stepper.settings)
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return
    if free < needed:
        raise WorkbenchError(
            f"The checkpoints of this run take up to {size(needed)}, and the disk of {folder} has room for"
            f" {size(free)}. Make room, or choose a smaller width."
        )


def save_last(
    folder: Path,
    stepper: Stepper,
    average: Average,
    progress: TrainingProgress,
    about: CheckpointHeader,
    seconds: float,
) -> Saved | Message:
    """Write last.state.pt and last.safetensors; if weights are not finite, the files stay unchanged.

    WorkbenchError if the disk has no room for both; the weights, a fraction of the state, may still have had it.
    """
    try:
        checkpoint.save_state(folder / STATE, state(stepper, average, progress, about, seconds))
        return save_weights(folder / LAST, average, about)
    except checkpoint.NotFinite as error:
        return Message("warning", error.sentence)
    except WorkbenchError:
        if not (folder / LAST).exists():
            save_weights(folder / LAST, average, about)
        raise


def save_weights(file: Path, average: Average, about: CheckpointHeader) -> Saved:
    """Write a checkpoint to detect with. Raises NotFinite and writes nothing if a weight is not finite."""
    checkpoint.save_detector(file, average.detector.state_dict(), about)
    return Saved(file.stem, str(file), about.step)


def progress_of(state: State) -> TrainingProgress:
    """Where the training stood."""
    metrics = checkpoint.header_of(state, STATE).metrics
    return TrainingProgress(
        state.step, state.evaluated, state.stale, state.best, state.best_ap50, metrics, earlier=state.seconds
    )


def restore(state: State, stepper: Stepper, average: Average) -> None:
    """Put a saved state back into network, average and optimiser. (Each step seeds torch.)

    Refused if it is of another network: a detector of a plugin may have changed since. WorkbenchError if these
    processes can't divide the batch into so small parts that all have as many.
    """
    now, then = (
        {name: tuple(tensor.shape) for name, tensor in some.items()}
        for some in (stepper.detector.state_dict(), state.detector)
    )
    checkpoint.check_same(now, then, STATE)
    stepper.detector.load_state_dict(state.detector)
    average.detector.load_state_dict(state.average)
    stepper.optimizer.load_state_dict(_for(stepper.optimizer, state.optimizer))
    if state.micro_batch:
        stepper.micro, stepper.halved = min(state.micro_batch, stepper.micro), True
        if has_sync_norms(stepper.detector):  # it may have been saved by another number of processes
            check_parts(stepper.settings.batch, stepper.runtime.world, state.micro_batch)
    if stepper.scale is not None and state.loss_scale:
        stepper.scale = machine.LossScale(state.loss_scale, state.scaled_for)


def as_resumed(settings: TrainingSettings, state: State | None) -> TrainingSettings:
    """The settings of a run that goes on after adapt_settings() lengthened it, also in another number of processes.

    Those of an extended run were written into its recipe and need no change.
    """
    if state is None or not (state.batch and settings.least_steps):
        return settings
    return replace(settings, batch=state.batch, epochs=state.epochs, least_steps=0)


def _for(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> dict[str, Any]:
    """The optimiser's saved state, computed as this device does it: a run may go on on another
    device, and only torch's fused optimisers check by themselves whether a step may be taken.
    """
    pairs = zip(saved["param_groups"], optimizer.param_groups, strict=True)
    return {**saved, "param_groups": [{**theirs, "fused": own["fused"]} for theirs, own in pairs]}
