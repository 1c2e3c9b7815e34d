"""Only what pyproject.toml declares is imported; what an extra brings, only where it is needed."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
OURS = {"workbench"}


def declared() -> tuple[set[str], set[str]]:
    """Names of packages: those always there, and those that an extra for users brings."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in ("test", "bundle")}
    return {_name(line) for line in project["dependencies"]}, {
        _name(line) for lines in extras.values() for line in lines
    }


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return _normal(found[0])


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def packages_of(module: str) -> set[str]:
    """The packages that may bring a module."""
    return {_normal(name) for name in _brought().get(module, [])}


@cache
def _brought() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def imported(file: Path) -> Iterator[tuple[str, bool]]:
    """Each foreign module's first name, and whether the file's own import brings it (else a function's, or none)."""
    yield from _imports(ast.parse(file.read_text(encoding="utf-8")), True)


def _imports(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        names = [alias.name for alias in child.names] if isinstance(child, ast.Import) else []
        if isinstance(child, ast.ImportFrom) and not child.level:
            names = [child.module or ""]
        for name in {name.partition(".")[0] for name in names} - OURS - sys.stdlib_module_names:
            yield name, at_once
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or _is_for_types(child)
        yield from _imports(child, at_once and not later)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def all_imported() -> dict[tuple[str, bool], Path]:
    files = [*(REPOSITORY / "workbench").rglob("*.py"), *(REPOSITORY / "plugins").glob("*.py")]
    return {what: file for file in sorted(files) for what in imported(file)}


def test_only_declared_packages_are_imported_and_extras_not_at_once() -> None:
    always, extra = declared()
    found = all_imported()
    assert {"torch", "PySide6", "onnxruntime"} <= {name for name, _ in found}
    for (name, at_once), file in found.items():
        allowed = always if at_once else always | extra
        brought = packages_of(name) or {_normal(name)}
        assert brought & allowed, f"{file.relative_to(REPOSITORY)} imports {name} of {', '.join(sorted(brought))}"


def test_every_declared_package_is_used() -> None:
    names = {name for name, _ in all_imported()}
    used = {package for name in names for package in packages_of(name)}
    told = {"onnxscript", "pyvips-binary", "tensorboard"}  # torch and pyvips import these
    always, extra = declared()
    assert always | extra <= used | told
