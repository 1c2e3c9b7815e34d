"""The commands that the help on training names are understood as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from workbench.cli.options import app
from workbench.core.files import resource

PAGE = resource("help", "training-on-several.md")
MODEL = resource("help", "using-a-trained-model.md")


def of_a_model() -> list[list[str]]:
    """The arguments of `workbench` in every block of the page on trained models."""
    blocks = re.findall(r"```\n(.*?)```", Path(str(MODEL)).read_text("utf-8"), re.DOTALL)
    found = re.findall(r"^workbench (.+)$", "\n".join(blocks), re.MULTILINE)
    return [shlex.split(line) for line in found]


def commands() -> list[list[str]]:
    """The arguments of `workbench` in every block of the page, with continued lines joined."""
    text = Path(str(PAGE)).read_text("utf-8").replace("\\\n", " ").replace("[torchrun,", "torchrun").replace(",", " ")
    lines = [line for block in re.findall(r"```\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    lines = [" ".join(line.split()) for line in lines]
    found = [re.sub(r".*(?:-m workbench|^workbench) ", "", line) for line in lines if " train" in f" {line}"]
    return [shlex.split(line.strip().rstrip("]").replace('"', "")) for line in found if line.startswith("train ")]


def test_the_page_has_commands() -> None:
    assert len(commands()) >= 6


def test_the_page_on_trained_models_has_commands_and_settings_that_there_are() -> None:
    from workbench import settings
    from workbench.inference.exporters import ExportSettings

    assert {arguments[0] for arguments in of_a_model()} == {"export", "benchmark"}
    text = Path(str(MODEL)).read_text("utf-8")
    (listed,) = re.findall(r"page shows: (.*?)\. What", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) <= {row.name for row in settings.rows(ExportSettings)}
    assert len(re.findall(r"`(\w+)`", listed)) >= 8


@pytest.mark.parametrize("arguments", [*commands(), *of_a_model()], ids=" ".join)
def test_a_command_of_the_page_is_understood(arguments: list[str], tmp_path: Path) -> None:
    """Typer takes all its words; that there is no such project is then said by the command itself."""
    from workbench.errors import WorkbenchError

    known = [str(tmp_path) if word in ("PROJECT", "/data/cells") else word for word in arguments]
    with pytest.raises(WorkbenchError, match="There is no project"):
        app(known, standalone_mode=False)


def test_a_word_that_is_no_option_is_not_understood(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="No such option"):
        app(["train", str(tmp_path), "--procesess", "8"], standalone_mode=False)
