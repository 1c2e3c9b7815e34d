"""How a run goes on: on which device, whether its images are still there, and what a kill after its last save cost.

The steps that were not saved are trained again, the best weights stay.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from workbench.core.folders.lost_folders import ADVICE
from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.training.batches.data import Dataset
from workbench.training.checkpoints import checkpoint, header
from workbench.training.checkpoints.checkpoint import BEST, STATE, State
from workbench.training.checkpoints.saving import TrainingProgress
from workbench.training.events import Message, Progress
from workbench.training.hardware import machine
from workbench.training.hardware.runtime import Runtime
from workbench.training.records import runs
from workbench.training.request import RunRequest
from workbench.training.settings import FEW_JUDGES, TrainingSettings


def saved_state(folder: Path) -> tuple[State | None, list[Message]]:
    """None if the run was killed before its first save: it then starts again from its request, and says so."""
    file = folder / STATE
    if file.exists():
        return checkpoint.load_state(file), []
    return None, [Message("warning", "The run ended before anything was saved, so it starts again from the beginning.")]


def choose_device(runtime: Runtime, settings: TrainingSettings, state: State | None, resumes: bool) -> list[Message]:
    """Choose device and precision, the same again for a run that `resumes`; errors as of Runtime.choose().

    On a machine without that device the best one, and on another kind of device the recipe's precision: what auto found
    good on a card is slow on most processors, and the other way round. A run that needs fp32 keeps it everywhere.
    """
    notes = []
    if resumes and settings.processes not in (1, runtime.world):
        now = "one process" if runtime.world == 1 else f"{runtime.world} processes"
        notes.append(Message("info", f"The run goes on in {now}, not in {settings.processes}."))
    needed = state is not None and state.fp32_needed
    asked = "fp32" if needed else settings.precision
    try:
        runtime.choose(settings, asked if state is None else state.precision)
    except machine.NoSuchDevice:
        if not resumes or runtime.world > 1:
            raise
        runtime.choose(replace(settings, device="auto"), asked)
        sentence = f"There is no device '{settings.device}' on this machine: the run goes on on {runtime.device_name}."
        notes.append(Message("warning", sentence))
        state = None  # what it says is of another device
    if needed:
        runtime.precision = machine.NEEDED
    if state is None or asked == state.precision:
        return notes
    if asked == "auto" and (state.device_rng is not None) != (runtime.device.type == "cuda"):
        runtime.choose(settings, asked)
    elif runtime.precision.name == state.precision:
        why = f"The network is computed in {state.precision}, as it was when the run was saved."
        runtime.precision = replace(runtime.precision, why=why)
    return notes


def check_plan(state: State, steps: int, images: int) -> None:
    """WorkbenchError if so few images can be read now that the run, which has so many `steps` with them, had been over
    before `state`: it would end at once, and could not be resumed once the others are there again.
    """
    before = checkpoint.header_of(state, STATE).provenance.get("images", 0)
    if images < before and state.step > steps:
        raise WorkbenchError(
            f"Only {images:,} of the {before:,} images that this run learns from can be read now. With these alone it"
            f" would have ended after step {steps:,}, and it has made {state.step:,}. Is the folder of the others still"
            f" there? {ADVICE}"
        )


def notes(
    request: RunRequest,
    state: State,
    progress: TrainingProgress,
    settings: TrainingSettings,
    data: Dataset,
    validation: Dataset,
) -> list[Message]:
    """What the user should know when the run continues from `state`.

    `progress` is updated if the run's folder has better weights than the best that it knows.
    """
    messages = []
    before = checkpoint.header_of(state, STATE).provenance.get("images")
    now = len(data.whole)
    if before != now:
        sentence = f"{count(now, 'image')} can be read now, {before:,} when the run was saved."
        messages.append(Message("warning", f"{sentence} The run continues, but not exactly as it would have."))
    newest = max((event.step for event in runs.outline(request.folder) if isinstance(event, Progress)), default=0)
    if newest > state.step:
        again = count(newest - state.step, "step")
        sentence = f"The run was last saved after step {state.step:,}: {again} after it had not been saved, and"
        messages.append(Message("warning", f"{sentence} {'is' if newest == state.step + 1 else 'are'} trained again."))
    few = len(validation.whole) < FEW_JUDGES  # then the newest count as the best
    best = None if few else _best(request.folder)
    if best is not None and best.metrics.get(settings.best_by, -1.0) > progress.best:
        progress.kept, progress.kept_ap50 = best.metrics[settings.best_by], best.metrics.get("ap50", 0.0)
        sentence = f"The best weights are those of epoch {best.epoch:,}, and they stay until others are as good."
        messages.append(Message("info", sentence))
    return messages


def _best(folder: Path) -> header.CheckpointHeader | None:
    try:
        return header.read_header(folder / BEST)
    except WorkbenchError:
        return None
