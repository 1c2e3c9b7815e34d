"""Promises of the window are held to in the window that tests/ui opens."""

from tests.ui.conftest import open_window, project

__all__ = ["open_window", "project"]
