"""The command line: the same work as the window, on a server too. One thin function per command."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from workbench import __version__, console
from workbench.cli import project, results, training  # noqa: F401 - each files its commands with the app
from workbench.cli.options import app
from workbench.errors import WorkbenchError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code (see console.py). Failures are sentences on stderr."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    try:
        code = app(args=arguments, prog_name="workbench", standalone_mode=False)
        return code if isinstance(code, int) else console.DONE
    except WorkbenchError as error:
        console.err.print(f"workbench: {error.sentence}", markup=False, style="red")
        return console.FAILED
    except KeyboardInterrupt:
        console.err.print("Stopped.")
        return console.INTERRUPTED
    except BrokenPipeError:  # `workbench ... | head`
        return console.DONE
    except Exception as error:
        show = getattr(error, "show", None)  # typer's own: a command that was not understood
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", console.MISUSED))


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        console.out.print(f"workbench {__version__}")
        raise typer.Exit
