"""Why a command of the Train page can't be pressed now, in a sentence for its tooltip."""

from __future__ import annotations

from workbench.training.records.runs import RunInfo

ANOTHER_TRAINS = "A training is running: wait until it ends, or stop it."
QUEUE_INSTEAD = "A training is running: Train next puts this one into the queue."
_CHOOSE = "Choose one run first."
_IS_TRAINED = "This run is being trained: wait until it ends."


def why_not_resume(run: RunInfo | None, is_free: bool) -> str:
    """For the chosen run; `is_free`: it may begin, or wait in the queue. "" if it can be resumed."""
    if run is None:
        return _CHOOSE
    if run.is_running:
        return _IS_TRAINED
    if not is_free:
        return ANOTHER_TRAINS
    if run.resumable:
        return ""
    if run.state != "finished":
        return "This run has no checkpoint to go on from."
    return "This run is finished." + (" More > Extend goes on from its end." if run.extendable else "")


def why_not_extend(run: RunInfo | None, is_free: bool) -> str:
    """For the chosen run; `is_free` as above. "" if it can be extended."""
    if run is None:
        return _CHOOSE
    if run.is_running:
        return _IS_TRAINED
    if not is_free:
        return ANOTHER_TRAINS
    if run.extendable:
        return ""
    if run.state != "finished":
        return "This run has not finished." + (" Resume goes on with it." if run.resumable else "")
    return "This run was not trained here: there is no state of a training to go on from."


def why_not_inspect(run: RunInfo | None) -> str:
    """For the chosen run; "" if there is something to inspect."""
    if run is None:
        return _CHOOSE
    if run.checkpoint is not None:
        return ""
    return "This run has no checkpoint yet." if run.is_running else "This run has no checkpoint: it ended before one."
