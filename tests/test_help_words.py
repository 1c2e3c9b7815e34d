"""What README and the help pages call a button, a menu entry, a setting or a key is so called in the program."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

from workbench import detectors, settings
from workbench.training.settings import TrainingSettings
from workbench.ui.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("resources/help/*.md"))]
OTHERS = {  # in italics, too: files, labels, and words of the pages themselves
    *("contributing.md", "rbc", "red blood cell", "person", "worker", "time per image"),
    "label of their outlined boxes",  # put together of two parts
}
KEYS = {"Ctrl+click", "Shift+click"}  # everywhere, not on the Label page alone


@lru_cache
def words_of_program() -> str:
    """All its texts but docstrings, in lower case, a line each; {} for what is put into one."""
    texts = [row.title for row in settings.rows(TrainingSettings)]
    texts += [row.title for _, kind in detectors.load_all() for row in settings.rows(kind.settings_class)]
    texts += [file.read_text("utf-8") for file in ROOT.glob("resources/presets/*.toml")]
    for file in (ROOT / "workbench").rglob("*.py"):
        docstrings, parts = set(), set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Expr):
                docstrings.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts |= set(node.values)
                texts.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
                )
            elif isinstance(node, ast.Constant) and node not in docstrings | parts:
                texts.append(str(node.value))
    return "\n".join(" ".join(text.split()) for text in texts).lower()


def named(page: Path) -> set[str]:
    """What a page has in italics: A and B of *A > B*, without questions."""
    text = re.sub(r"```.*?```|`[^`]*`|\*\*", "", page.read_text("utf-8"), flags=re.DOTALL)
    italics = [" ".join(one.split()) for one in re.findall(r"\*([^\s*][^*]*)\*", text)]
    return {part.lower().rstrip("…") for one in italics if not one.endswith("?") for part in one.split(" > ")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_in_italics_is_shown_by_the_program(page: Path) -> None:
    there = words_of_program()
    asked = {one: re.sub(r"\d[\d.]*", "{}", one) for one in named(page) - OTHERS}
    assert [one for one, pattern in asked.items() if one not in there and pattern not in there] == []


def test_every_key_is_one_of_a_command() -> None:
    ours = {key.lower() for command in COMMANDS for key in command.keys} | {key.lower() for key in KEYS}
    written = {key for page in PAGES for key in re.findall(r"\b(?:(?:Ctrl|Shift|Alt)\+)+\w+", page.read_text("utf-8"))}
    assert len(written) > 20
    assert {key for key in written if key.lower() not in ours} == set()
