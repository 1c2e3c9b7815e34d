"""What a killed run had done after its last save: those steps are trained again, the best weights stay."""

from __future__ import annotations

from pathlib import Path

from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.training import checkpoint, header, runs
from workbench.training.checkpoint import BEST, STATE, State
from workbench.training.data import Dataset
from workbench.training.events import Message, Progress
from workbench.training.request import RunRequest
from workbench.training.saving import TrainingProgress
from workbench.training.settings import FEW_JUDGES, TrainingSettings


def saved_state(folder: Path) -> tuple[State | None, list[Message]]:
    """None if the run was killed before its first save: it then starts again from its request, and says so."""
    file = folder / STATE
    if file.exists():
        return checkpoint.load_state(file), []
    return None, [Message("warning", "The run ended before anything was saved, so it starts again from the beginning.")]


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
