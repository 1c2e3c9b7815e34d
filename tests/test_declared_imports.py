"""Only packages declared in pyproject.toml are imported; those of an extra only where they are needed."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
# As text, since parsing 600 files takes seconds. ruff requires one module per line (E401, E702).
IMPORT = re.compile(r"^( *)(?:from (\w+)[\w.]* import\b|import (\w+))", re.MULTILINE)
CALLED_OTHERWISE = {
    "PIL": "pillow", "PySide6": "pyside6-essentials", "cv2": "opencv-python-headless", "yaml": "pyyaml",
    "shibokensupport": "shiboken6",
}  # fmt: skip
NOT_FOR_USERS = ("test", "bundle")
# torch and pyvips import the first ones themselves; the window reads only the font of the last one (ui/icons.py)
NOT_IMPORTED = {"onnxscript", "pyvips-binary", "tensorboard", "qtawesome"}


def declared() -> tuple[set[str], set[str]]:
    """Names of packages: those always installed, and those from an extra for users."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in NOT_FOR_USERS]
    return {name_in(line) for line in project["dependencies"]}, {name_in(line) for lines in extras for line in lines}


def name_in(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return normal(found[0])


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(text: str) -> Iterator[tuple[str, bool]]:
    """The package of each third-party module, and whether it is imported at once: not in a function or a condition."""
    for indent, *names in IMPORT.findall(text):
        (name,) = filter(None, names)
        if name != "workbench" and name not in sys.stdlib_module_names:
            yield CALLED_OTHERWISE.get(name, normal(name)), not indent


@pytest.fixture(scope="module")
def all_imported() -> dict[tuple[str, bool], Path]:
    files = [*(REPOSITORY / "workbench").rglob("*.py"), *(REPOSITORY / "plugins").glob("*.py")]
    return {what: file for file in sorted(files) for what in imported(file.read_text("utf-8"))}


def test_an_import_is_seen_however_it_is_written() -> None:
    text = "import os\nimport cv2\nfrom torch.nn import (\n    Module,\n)\nfrom workbench.core import boxes\n"
    text += "def f():\n    import onnx.helper as h\n    from qt_py import Qt\n"
    assert list(imported(text)) == [
        ("opencv-python-headless", True), ("torch", True), ("onnx", False), ("qt-py", False),
    ]  # fmt: skip


def test_only_declared_packages_are_imported_and_extras_not_at_once(all_imported: dict[tuple[str, bool], Path]) -> None:
    always, extra = declared()
    assert {("torch", True), ("pyside6-essentials", True), ("onnxruntime", False)} <= set(all_imported)
    for (package, at_once), file in all_imported.items():
        allowed = always if at_once else always | extra
        assert package in allowed, f"{file.relative_to(REPOSITORY)} imports {package}, which is not declared"


def test_every_declared_package_is_imported(all_imported: dict[tuple[str, bool], Path]) -> None:
    always, extra = declared()
    assert always | extra <= {package for package, _ in all_imported} | NOT_IMPORTED
