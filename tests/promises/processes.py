"""Other processes that know the program and these tests, and that one talks to in lines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def python(*arguments: str) -> subprocess.Popen[str]:
    """Python with these arguments; its pipes are closed at the end of a `with`."""
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """Its next line; "" after its end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
