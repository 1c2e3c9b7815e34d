"""The checks before a training, run in threads: what is odd about it and, in a child process, what it would cost.

The child (this module run as a script) trains a few steps at the largest size. The memory this takes is freed with it,
and if there is not enough, only the child dies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from workbench.core import child_process as child_side
from workbench.core.child_process import ChildEnded, ChildProcess
from workbench.core.document import Document
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.checks.estimate import Estimate
from workbench.training.checks.findings import Finding
from workbench.training.recipes import Recipe


@dataclass(frozen=True, slots=True)
class PreflightRequest:
    """A training that might start. `turn` numbers the request: the project may have changed since the last one."""

    folder: Path  # of the project
    recipe: Recipe
    start: Path | None
    turn: int


def check_training(request: PreflightRequest) -> tuple[Finding, ...]:
    from workbench.training.checks.preflight import preflight

    with Document.open(request.folder, read_only=True, check=False) as document:
        snapshot, anchors = document.snapshot(), document.anchors()
    return preflight(snapshot, request.recipe, anchors, request.start)


def estimate_cost(request: PreflightRequest, stopped: Callable[[], bool]) -> Estimate | None:
    """None if stopped meanwhile. WorkbenchError if the training could not begin."""
    with closing(ChildProcess(__name__, stopped=stopped)) as child:
        try:
            child.send({"folder": str(request.folder), "recipe": recipes.to_dict(request.recipe)})
            answer = child.receive()
        except ChildEnded as ended:
            if stopped():
                return None
            raise WorkbenchError(
                "The estimate was ended by the system: there is too little memory for this training. Choose a smaller"
                " batch, mini batch, input side or width.", ended,
            ) from ended  # fmt: skip
    if "error" in answer:
        raise WorkbenchError(answer["error"], answer.get("cause", ""))
    return Estimate(**answer)


def _serve() -> None:
    """In the child: make the requested measurement, once."""
    child_side.begin()
    request = child_side.receive()
    try:
        from workbench import plugins
        from workbench.training.checks import cost_measurement

        plugins.loaded()
        with Document.open(Path(request["folder"]), read_only=True, check=False) as document:
            snapshot, anchors = document.snapshot(), document.anchors()
        made = cost_measurement.estimate(snapshot, recipes.from_dict(request["recipe"]), anchors)
        child_side.send(dataclasses.asdict(made))
    except WorkbenchError as error:
        child_side.send({"error": error.sentence, "cause": error.cause})
    except Exception as error:  # the window waits for an answer
        child_side.send(
            {"error": f"The estimate failed because of an error in Workbench: {error}", "cause": repr(error)}
        )


if __name__ == "__main__":
    _serve()
