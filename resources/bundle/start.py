"""What a bundle begins with: the program, or what Python itself would run, for the processes that the program starts.

In a bundle sys.executable is the bundle. Whoever starts a process with it (core/child_process.py, checks of exports,
torchrun and what torchrun starts) gives it Python's own arguments, so these are understood here.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_OPTIONS = ("-B", "-E", "-I", "-O", "-P", "-S", "-s", "-u")
_WITH_VALUE = ("-W", "-X")


@dataclass(frozen=True)
class Job:
    """A module or a file that is run as Python's main program."""

    what: str
    is_module: bool
    arguments: tuple[str, ...]


def job_of(arguments: Sequence[str]) -> Job | None:
    """What is asked for as of Python, `-m MODULE ...` or `FILE.py ...`, with its options before. None: the program.

    What the options say is not done: a bundle imports nothing from outside anyway.
    """
    rest = list(arguments)
    while rest and rest[0] in (*_OPTIONS, *_WITH_VALUE):
        del rest[: 2 if rest[0] in _WITH_VALUE else 1]
    if len(rest) > 1 and rest[0] == "-m":
        return Job(rest[1], True, tuple(rest[2:]))
    if rest and rest[0].endswith(".py"):
        return Job(rest[0], False, tuple(rest[1:]))
    return None


def _leave_no_trace() -> None:
    """The bundle's libraries are loaded by now; other programs, as the one that opens a folder, need their own.

    So those of this bundle that come look for theirs again, as PyInstaller does where this is asked for.
    """
    kept = os.environ.pop("LD_LIBRARY_PATH_ORIG", None)
    if kept:
        os.environ["LD_LIBRARY_PATH"] = kept
    else:
        os.environ.pop("LD_LIBRARY_PATH", None)
    os.environ["PYINSTALLER_RESET_ENVIRONMENT"] = "1"


def main() -> int:
    """The exit code."""
    multiprocessing.freeze_support()
    _leave_no_trace()
    job = job_of(sys.argv[1:])
    if job is None:
        from workbench.__main__ import main as program

        return program()
    sys.argv = [job.what, *job.arguments]
    if job.is_module:
        runpy.run_module(job.what, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(job.what, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
