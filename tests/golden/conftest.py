"""Prints the worst difference from Darknet of every network at the end of a test run."""

from __future__ import annotations

import pytest

FIGURES: dict[str, dict[str, float]] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("largest differences from Darknet")
        for name, figures in FIGURES.items():
            words = ", ".join(f"{what} {value:.1e}" for what, value in figures.items())
            terminalreporter.write_line(f"{name:24} {words}")


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> dict[str, float]:
    """Where a test notes its worst figures, under the name of its golden file."""
    return FIGURES.setdefault(request.getfixturevalue("case").file, {})
