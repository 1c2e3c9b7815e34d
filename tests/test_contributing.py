"""CONTRIBUTING.md names only files that are there and what the code has: names change, and a page stays behind."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PARTS = ("workbench", "plugins", "resources", "tests", ".ci")
PAGE = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
SPOKEN = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL))
FILES = [file.relative_to(REPOSITORY).as_posix() for part in PARTS for file in sorted((REPOSITORY / part).rglob("*"))]
YOURS = {"NAME.py", "example.py", ".py", "settings.toml", "training-queue.json"}
"""Files that a contributor, an export, a run or a project makes."""


def test_each_file_that_it_names_is_there() -> None:
    named = {code for code in SPOKEN if re.fullmatch(r"[\w./-]*\.(py|md|toml|txt|json)", code)}
    own = {name for name in named if name.rpartition("/")[2] in YOURS}
    there = [f"/{file}" for file in (*FILES, "pyproject.toml", "README.md")]
    assert [name for name in sorted(named - own) if not any(file.endswith(f"/{name}") for file in there)] == []
    assert len(named - own) > 20


def test_each_name_in_it_is_one_of_the_code() -> None:
    sources = [
        REPOSITORY / file for file in FILES if file.endswith(".py") and not file.endswith("test_contributing.py")
    ]
    words = {word for file in sources for word in re.findall(r"\w+", file.read_text("utf-8"))}
    words |= {Path(file).stem for file in FILES}
    named = {code.removesuffix("()") for code in SPOKEN if re.fullmatch(r"@?[A-Za-z_][\w.]*(\(\))?", code)}
    named = {name for name in named if not name.endswith((".py", ".md", ".toml", ".txt", ".json"))}
    assert [name for name in sorted(named) if not set(re.findall(r"\w+", name)) <= words] == []
    assert len(named) > 60
