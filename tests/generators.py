"""Closes the generators that Workbench's long work is, as the window and Ctrl+C do."""

from __future__ import annotations

from collections.abc import Generator, Iterator


def close(events: Iterator[object]) -> None:
    """End the work where it stands; fails the test if this is no generator, which could not be ended."""
    assert isinstance(events, Generator)
    events.close()
