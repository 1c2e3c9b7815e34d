"""The commands that the help on training names are understood as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from workbench.cli.options import app
from workbench.core.files import resource

PAGE = resource("help", "training-on-several.md")


def commands() -> list[list[str]]:
    """The arguments of `workbench` in every block of the page, with continued lines joined."""
    text = Path(str(PAGE)).read_text("utf-8").replace("\\\n", " ").replace("[torchrun,", "torchrun").replace(",", " ")
    lines = [line for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines = [" ".join(line.split()) for line in lines]
    found = [re.sub(r".*(?:-m workbench|^workbench) ", "", line) for line in lines if " train" in f" {line}"]
    return [shlex.split(line.strip().rstrip("]").replace('"', "")) for line in found if line.startswith("train ")]


def test_the_page_has_commands() -> None:
    assert len(commands()) >= 6


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_a_command_of_the_page_is_understood(arguments: list[str], tmp_path: Path) -> None:
    """Typer takes all its words; that there is no such project is then said by the command itself."""
    from workbench.errors import WorkbenchError

    known = [str(tmp_path) if word in ("PROJECT", "/data/cells") else word for word in arguments]
    with pytest.raises(WorkbenchError, match="There is no project"):
        app(known, standalone_mode=False)


def test_a_word_that_is_no_option_is_not_understood(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="No such option"):
        app(["train", str(tmp_path), "--procesess", "8"], standalone_mode=False)
