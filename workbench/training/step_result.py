"""The outcome of a step: its numbers, or the sentence about numbers that are not finite."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.errors import WorkbenchError


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """A queued step: its number, from 0, its learning rate, and the names of its loss terms."""

    number: int
    rate: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """A step that was taken (or skipped, as fp16 sometimes must): its loss terms, averaged over images."""

    step: QueuedStep
    terms: dict[str, float]
    gradient_norm: float  # before it was clipped

    @property
    def fine(self) -> bool:
        """Whether all of its numbers are finite."""
        return all(map(math.isfinite, self.terms.values())) and math.isfinite(self.gradient_norm)


class Diverged(WorkbenchError):
    """The loss or a gradient is no longer finite; the weights are still those before that `step`."""

    def __init__(self, sentence: str, step: QueuedStep, cause: object = "") -> None:
        super().__init__(sentence, cause)
        self.step = step


def make_diverged(result: StepResult) -> Diverged:
    """The sentence about a step that is not fine."""
    odd = [name for name, value in result.terms.items() if not math.isfinite(value)]
    if odd:
        what, more = f"loss is not a number any more (term '{odd[0]}')", "make the warm-up longer"
    else:
        what, more = "gradient is not a number any more", "set clip_gradient to 10"
    return Diverged(f"The {what}. The last good checkpoint is kept. Lower the learning rate, or {more}.", result.step)
