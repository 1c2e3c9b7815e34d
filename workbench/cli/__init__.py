"""The command line: does the same work as the window, also on a server. One thin function per command."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shlex
import sys
from typing import Annotated

import typer

from workbench import __version__, console
from workbench.cli import (  # noqa: F401 - each files its commands with the app
    adding,
    anchors,
    benchmark,
    compare,
    images,
    labels,
    plugins,
    point,
    predict,
    project,
    results,
    runs,
    seen,
    splits,
    text,
    training,
    undo,
    weights,
)
from workbench.cli.checks import is_first, is_reporting
from workbench.cli.options import app
from workbench.errors import Misused, WorkbenchError

_WHOLE = "surrogateescape", "utf-8"
"""What a stream does with letters that it lacks, and its encoding, where all letters and names of files are written as
they are: in the locale C, since Python 3.7.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code (see console.py). Failures are sentences on stderr."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    if sys.stdout is None:  # closed by the caller (>&-)
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the program ends
    if isinstance(sys.stdout, io.TextIOWrapper) and (sys.stdout.errors, sys.stdout.encoding) != _WHOLE:
        sys.stdout.reconfigure(errors="backslashreplace")  # a Windows code page lacks most letters; stderr is so anyway
    try:
        _refuse_empty(sys.argv[1:] if arguments is None else arguments)
        # one of several processes that waits for another would not notice a signal: it ends at once
        with console.interrupt_on_signal() if is_reporting() else contextlib.nullcontext():
            code = app(args=arguments, prog_name="workbench", standalone_mode=False)
        if code == console.INTERRUPTED:  # typer turns KeyboardInterrupt into this code silently
            _say_stopped()
        return code if isinstance(code, int) else console.DONE
    except WorkbenchError as error:
        console.err.print(f"workbench: {console.printable(error.sentence)}", style="red")
        return console.MISUSED if isinstance(error, Misused) else console.FAILED
    except KeyboardInterrupt:
        _say_stopped()
        return console.INTERRUPTED
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        console.drop_output()
        # `workbench ... | head`: not a failure, though typer and rich exit with 1. But if it is the progress
        # that nobody reads (`2>&1 | head`), the work was interrupted; rich has silenced `err` then
        return console.FAILED if console.err.quiet else console.DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sentence = f"workbench: {where}{error.strerror or error}. Nothing that was saved before is lost."
        with contextlib.suppress(OSError):  # the terminal itself may be gone
            console.err.print(console.printable(sentence), style="red")
        return console.FAILED
    except Exception as error:
        show = getattr(error, "show", None)  # typer's own: a command that it could not parse
        if show is None:
            raise
        _suggest(error)
        show()
        return int(getattr(error, "exit_code", console.MISUSED))


def _say_stopped() -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, and with it the session
        if is_first():
            console.err.print("Stopped.")


def _refuse_empty(arguments: list[str]) -> None:
    """Misused for an empty argument: a script's variable that is not set.

    As a path it would be the present folder, as a run the newest. Only a note may be empty, and the name at --resume.
    """
    for index, argument in enumerate(arguments):
        before = arguments[max(index - 2, 0) : index]
        if not argument and "--note" not in before and before[-1:] != ["--resume"]:
            raise Misused(
                f"An argument is empty, as if a variable were not set: {shlex.join(['workbench', *arguments])}. Leave"
                " it out, or say what it should be."
            )


ELSEWHERE = {
    "lr": ["--learning-rate"], "lr0": ["--learning-rate"], "amp": ["--precision"], "batch_size": ["--batch"],
    "cfg": ["--preset"], "config": ["--preset"], "model": ["--detector", "--run"], "weights": ["--run"],
    "conf": ["--confidence"], "score_thr": ["--confidence"], "output": ["--out"], "save_dir": ["--out"],
}  # fmt: skip
"""Option names of other programs (ultralytics, MMDetection, detectron2), and what they may be called here."""
SIZES = ("imgsz", "img", "img_size", "image_size", "size")
"""Their names for `input_px`."""
OF_EXPORT = {"confidence": "score", "conf": "score", "score_thr": "score", "nms": "nms_kind"}
"""What other commands and programs call a setting of `export`."""


def _suggest(error: Exception) -> None:
    """Add to the refusal of an option its name here.

    `train --width 0.1`: a detector's own setting has no flag, so it says how to set it.
    """
    from workbench import detectors, settings
    from workbench.plugins import loaded

    name = str(getattr(error, "option_name", "") or "").lstrip("-").replace("-", "_")
    context = getattr(error, "ctx", None)
    if not name or context is None:
        return
    there = {flag for parameter in context.command.params for flag in parameter.opts}
    if known := [flag for flag in ELSEWHERE.get(name, []) if flag in there]:
        error.possibilities = known  # type: ignore[attr-defined]
        return
    if context.info_name == "export":
        from workbench.inference.exporters import ExportSettings

        name = OF_EXPORT.get(name, name)
        if any(row.name == name for row in settings.rows(ExportSettings)):
            error.possibilities = [f"--set {name}=VALUE"]  # type: ignore[attr-defined]
        return
    if context.info_name not in ("train", "estimate", "import-weights"):
        return
    name = "input_px" if name in SIZES else name
    loaded()
    kinds = (member.settings_class for _, member in detectors.load_all())
    if any(row.name == name for kind in kinds for row in settings.rows(kind)):
        error.possibilities = [f"--set {name}=VALUE"]  # type: ignore[attr-defined]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    safe_mode: Annotated[
        bool, typer.Option("--safe-mode", help="Without plugins; before a command, or alone for the window.")
    ] = False,
) -> None:
    if safe_mode:
        os.environ["WORKBENCH_SAFE_MODE"] = "1"  # as __main__.py does, which accepts it anywhere in the line
    if version:
        console.out.print(f"workbench {__version__}")
        raise typer.Exit
