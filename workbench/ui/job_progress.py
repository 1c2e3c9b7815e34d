"""The progress of jobs that count things: the status bar shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobProgress:
    """`done` of `total` things (0: total not known yet); `detail` is a few words such as a file's name."""

    done: int
    total: int
    detail: str = ""

    @property
    def words(self) -> str:
        """ "12 of 1,000 images", or the detail alone."""
        return f"{self.done:,} of {self.total:,} {self.detail}".rstrip() if self.total else self.detail
