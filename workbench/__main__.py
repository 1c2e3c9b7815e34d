"""Start here: without arguments, or with a project folder, it opens the window; otherwise it is the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workbench.core import control_groups


def main() -> int:
    """Entry point of `workbench` and `python -m workbench`; returns the exit code."""
    # By default OpenMP's threads spin while they wait: with one other busy program a step then takes 30 times as long
    # (measured: 55 s instead of 7 s). Waiting passively costs a third on an idle machine and never collapses.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Read when OpenCV is loaded. With hardware transforms Windows takes a minute to open a webcam (opencv/opencv#17687)
    os.environ.setdefault("OPENCV_VIDEOIO_MSMF_ENABLE_HW_TRANSFORMS", "0")
    # Likewise for torch: the processor computes what Apple's GPU can't, which would otherwise end the training
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    # Likewise: it computes with all cores of the machine, of which a container or a cluster's job may use few
    if (cores := control_groups.usable_cores()) < control_groups.visible_cores():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores))
    # A user without a home, such as one that a container makes up: those who ask for it raise. Debian's name for none
    if not os.path.isabs(os.path.expanduser("~")):
        os.environ["HOME"] = "/nonexistent"
    arguments = [_whole(one) for one in sys.argv[1:] if one != "--safe-mode"]
    if len(arguments) < len(sys.argv) - 1:
        os.environ["WORKBENCH_SAFE_MODE"] = "1"  # without plugins: see plugins.py
    if not arguments or (len(arguments) == 1 and _is_project(arguments[0])):
        from workbench.ui.app import run

        return run(Path(arguments[0]) if arguments else None)
    try:
        from workbench.cli import main as command_line
    except KeyboardInterrupt:  # importing takes seconds on a slow disk
        sys.stderr.write("Stopped.\n")
        return 130  # console.INTERRUPTED, which may not be imported yet

    return command_line(arguments)


def _whole(argument: str) -> str:
    r"""The argument that was typed: Windows takes the quote after a backslash, as in 'C:\My photos\', for a part of it.

    PowerShell's completion of a folder's name ends like that.
    """
    return argument.removesuffix('"') if os.name == "nt" and argument.count('"') == 1 else argument


def _is_project(argument: str) -> bool:
    path = Path(argument)
    return path.name == "project.sqlite" or os.path.isfile(path / "project.sqlite")


if __name__ == "__main__":
    raise SystemExit(main())
