"""The progress of jobs that count things: the status bar shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobProgress:
    """`done` of `total` things (0: total not known yet); `detail` is a few words such as a file's name."""

    done: int
    total: int
    detail: str = ""
