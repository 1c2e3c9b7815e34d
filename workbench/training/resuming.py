"""What a run that was killed had found after its last save: those steps are learnt again, the best weights stay."""

from __future__ import annotations

from pathlib import Path

from workbench.core.words import count
from workbench.errors import WorkbenchError
from workbench.training import checkpoint, header, runs
from workbench.training.checkpoint import BEST, STATE, State
from workbench.training.data import Dataset
from workbench.training.events import Message, Progress
from workbench.training.request import RunRequest
from workbench.training.saving import Standing
from workbench.training.settings import FEW_JUDGES, TrainingSettings


def saved_state(folder: Path) -> tuple[State | None, list[Message]]:
    """None where the run was killed before its first save: it begins again, from what it was asked, and says so."""
    file = folder / STATE
    if file.exists():
        return checkpoint.load_state(file), []
    return None, [Message("warning", "The run ended before anything was saved, so it begins again.")]


def notes(
    request: RunRequest,
    state: State,
    standing: Standing,
    settings: TrainingSettings,
    data: Dataset,
    validation: Dataset,
) -> list[Message]:
    """What a person should know where the run goes on from `state`.

    `standing` is told of weights in the run's folder that are better than the best that it knows.
    """
    told = []
    before = checkpoint.header_of(state, STATE).provenance.get("images")
    if before != len(data):
        sentence = f"{len(data):,} images can be read now, {before:,} could when the run was saved."
        told.append(Message("warning", f"{sentence} It goes on, but not exactly as it would have."))
    newest = max((event.step for event in runs.outline(request.folder) if isinstance(event, Progress)), default=0)
    if newest > state.step:
        again = count(newest - state.step, "step")
        sentence = f"The run was last saved after step {state.step:,}: {again} behind it had not been saved, and"
        told.append(Message("warning", f"{sentence} {'is' if newest == state.step + 1 else 'are'} learnt again."))
    best = _best(request.folder) if len(validation) >= FEW_JUDGES else None  # of fewer the newest count as the best
    if best is not None and best.metrics.get(settings.best_by, -1.0) > standing.best:
        standing.kept, standing.kept_ap50 = best.metrics[settings.best_by], best.metrics.get("ap50", 0.0)
        sentence = f"The best weights are those of epoch {best.epoch:,}, and stay until others are as good."
        told.append(Message("info", sentence))
    return told


def _best(folder: Path) -> header.CheckpointHeader | None:
    try:
        return header.read_header(folder / BEST)
    except WorkbenchError:
        return None
