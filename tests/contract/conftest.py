"""`pytest tests/contract --plugins DIR`: the plugins in DIR are trusted and loaded, and the contract holds for them.

A test that has to hold for every member says so by FAMILY in its module, or names `detector`, `format` or `exporter`
among its arguments: `name` is then each of the family's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract import members

DESTINATION = "plugin_folder"  # pytest's own -p has "plugins"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        members.OPTION, dest=DESTINATION, metavar="DIR", default=None,
        help="hold the contract against the plugins in this folder alone",
    )  # fmt: skip


def pytest_collection(session: pytest.Session) -> None:
    """Before tests are collected, as the members are their parameters."""
    from workbench import plugins

    folder = folder_of(session.config)
    if folder is None:
        return
    if not folder.is_dir() or not list(folder.glob("*.py")):
        raise pytest.UsageError(f"{members.OPTION} {folder}: there is no plugin, a file with the suffix .py, in it.")
    bad = [plugin for plugin in plugins.load_trusted(folder) if plugin.problem]
    if bad:
        raise pytest.UsageError("\n".join(f"{plugin.file} can't be tested: {plugin.problem}" for plugin in bad))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    family = getattr(metafunc.module, "FAMILY", "")
    given = {argument for mark in metafunc.definition.iter_markers("parametrize") for argument in _names(mark.args[0])}
    if family and "name" in metafunc.fixturenames and "name" not in given:
        metafunc.parametrize("name", members.of(family, folder_of(metafunc.config)))


def _names(given: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --plugins, what is not about a member of theirs is left out."""
    folder = folder_of(config)
    if folder is None:
        return
    theirs = {(family, name) for family in members.FAMILIES for name in members.of(family, folder)}
    kept = [item for item in items if _member(item) in theirs]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _member(item: pytest.Item) -> tuple[str, str]:
    values = getattr(getattr(item, "callspec", None), "params", {})
    return getattr(getattr(item, "module", None), "FAMILY", ""), str(values.get("name", ""))


def folder_of(config: pytest.Config) -> Path | None:
    named = config.getoption(DESTINATION, default=None)
    return None if named is None else Path(named).expanduser().resolve()
