"""Start here: without arguments, or with a project folder, the window; else the command line."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    """Entry point of `workbench` and `python -m workbench`; returns the exit code."""
    arguments = sys.argv[1:]
    if not arguments or (len(arguments) == 1 and _is_project(arguments[0])):
        from workbench.ui.app import run

        return run(Path(arguments[0]) if arguments else None)
    from workbench.cli import main as command_line

    return command_line(arguments)


def _is_project(argument: str) -> bool:
    path = Path(argument)
    return path.name == "project.sqlite" or (path / "project.sqlite").is_file()


if __name__ == "__main__":
    raise SystemExit(main())
