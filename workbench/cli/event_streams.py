"""A training's events to their end where no person watches: lines of JSON for another program, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from workbench import console
from workbench.errors import WorkbenchError


def print_lines(stream: Iterable[Any], *, resumes: bool = False) -> int:
    """Print every event as a line of JSON, for another program; returns the exit code.

    `resumes`: the training is that of a run that has a checkpoint already.
    """
    from workbench.training import events

    code, begun = console.DONE, resumes
    for event in stream:
        begun = begun or isinstance(event, events.Started)
        try:
            console.print_json_line(events.to_json(event))
        except BrokenPipeError as error:
            stream.close()  # type: ignore[attr-defined]
            console.drop_output()
            kept = "with a checkpoint. Go on with --resume" if begun else "before its first step. Start it again"
            raise WorkbenchError(
                f"The program reading the events has ended, so the training was stopped, {kept}."
            ) from error
        if isinstance(event, events.Failed):
            code = console.FAILED
        elif isinstance(event, events.Finished) and event.stopped:
            code = console.INTERRUPTED
    return code


def follow(stream: Iterable[Any]) -> int:
    """For a process that is not the main one: print nothing; returns the exit code."""
    from workbench.training import events

    last = None
    for event in stream:
        last = event
    if isinstance(last, events.Failed):
        return console.FAILED
    return console.INTERRUPTED if isinstance(last, events.Finished) and last.stopped else console.DONE
