"""In a bundle the program is its own Python: whatever it starts with sys.executable works as with Python itself."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType

import pytest

import workbench
from workbench.core.files import resource

PACKAGE = Path(workbench.__file__).parent


RECIPE = resource("bundle", "workbench.spec").read_text(encoding="utf-8")


def loaded(name: str) -> ModuleType:
    """A file beside the recipe, imported as a module."""
    spec = importlib.util.spec_from_file_location(f"bundle_{name[:-3]}", resource("bundle", name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def start() -> ModuleType:
    return loaded("start.py")


@pytest.mark.parametrize(
    ("given", "what", "is_module", "arguments"),
    [
        ("-m workbench.cli.torchrun_worker run begin", "workbench.cli.torchrun_worker", True, ["run", "begin"]),
        ("-P -m workbench.core.decoding.image_check -m 7", "workbench.core.decoding.image_check", True, ["-m", "7"]),
        ("-u -m workbench train project", "workbench", True, ["train", "project"]),
        ("-I -X utf8 some/where/runtime_child.py", "some/where/runtime_child.py", False, []),
        ("worker/__main__.py --kind fork", "worker/__main__.py", False, ["--kind", "fork"]),
    ],
)
def test_what_is_asked_of_python_is_found(
    start: ModuleType, given: str, what: str, is_module: bool, arguments: list[str]
) -> None:
    assert start.job_of(given.split()) == start.Job(what, is_module, tuple(arguments))


@pytest.mark.parametrize(
    "given", ["", "project", "project/project.sqlite", "train project --epochs 3", "--help", "-h", "-m"]
)
def test_what_is_asked_of_the_program_is_left_to_it(start: ModuleType, given: str) -> None:
    assert start.job_of(given.split()) is None


ONLY_SHOWN = "extras.py"
"""It puts the program's name into a command for people to type, and starts nothing."""


def started() -> list[list[str]]:
    """The arguments that the program gives sys.executable anywhere; what is known at run time only becomes a word."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if "sys.executable" in text and file.name != ONLY_SHOWN:
            lists = [node.elts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.List)]
            lists = [items for items in lists if items and ast.unparse(items[0]) == "sys.executable"]
            assert len(lists) == text.count("sys.executable"), f"{file.name} uses sys.executable in another way"
            found += [[_word(item) for item in items[1:]] for items in lists]
    return found


def _word(item: ast.expr) -> str:
    return str(item.value) if isinstance(item, ast.Constant) else f"{ast.unparse(item)}.py"


def test_all_that_the_program_starts_as_python_is_understood(start: ModuleType) -> None:
    assert len(started()) >= 4
    for arguments in started():
        assert start.job_of(arguments) is not None, arguments


SAYS = """import os, sys
print(__name__, sys.argv[1:], os.environ["LD_LIBRARY_PATH"], os.environ["PYINSTALLER_RESET_ENVIRONMENT"])
"""


def test_a_module_and_a_file_run_as_the_main_program(tmp_path: Path) -> None:
    """With their own arguments. What they start finds its libraries: other programs their own, the bundle its own."""
    file = tmp_path / "what.py"
    file.write_text(SAYS, "utf-8")
    environment = {"PYTHONPATH": str(tmp_path), "LD_LIBRARY_PATH": "/bundle", "LD_LIBRARY_PATH_ORIG": "/own"}
    for way in (["-u", "-m", "what"], ["-I", str(file)]):
        command = [sys.executable, str(resource("bundle", "start.py")), *way, "a", "b"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == "__main__ ['a', 'b'] /own 1\n"


def test_the_recipe_names_all_resources_that_the_program_looks_for() -> None:
    """Those found by path; PyInstaller finds modules itself."""
    texts = [file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py")]
    wanted = {name for text in texts for name in re.findall(r'\bresource\(\s*"([a-z]+)"', text)}
    named = re.search(r"^RESOURCES = \((.*?)\)", RECIPE, re.MULTILINE)
    assert named is not None
    assert {"help", "icons", "presets"} <= wanted
    assert wanted <= set(re.findall(r'"(\w+)"', named[1]))
    assert '"plugins").glob("*.py")' in RECIPE


def test_the_recipe_names_what_a_bundle_may_have_besides() -> None:
    """Packages of extras are imported in ways that PyInstaller does not detect."""
    extras = tomllib.loads((resource("bundle").parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [one for name in ("export", "huge") for one in extras["optional-dependencies"][name]]
    names = {re.split(r"[^\w-]", one)[0] for one in wanted}
    modules = {module for module, found in packages_distributions().items() if names & set(found)}
    modules = {name for name in modules if (spec := importlib.util.find_spec(name)) and spec.origin}
    assert {"onnx", "pyvips"} <= modules
    optional = re.search(r"^OPTIONAL = \((.*?)\)", RECIPE, re.MULTILINE)
    assert optional is not None
    assert modules <= set(re.findall(r'"(\w+)"', optional[1]))


@pytest.mark.parametrize(
    ("package", "module", "text"),
    [
        ("pi_heif", "pi_heif", "LICENSES_bundled.txt"),
        ("pillow", "PIL.Image", "LICENSE"),
        ("opencv-python-headless", "cv2/__init__.py", "LICENSE-3RD-PARTY.txt"),
        ("torch", "torch", "LICENSE"),
    ],
)
def test_the_licences_of_what_goes_in_go_in(package: str, module: str, text: str) -> None:
    """For pi_heif those of libheif and libde265, too."""
    licences = loaded("licences.py")
    assert licences.packages([module, "os"]) == {package}
    found = licences.texts(package)
    assert any(place.startswith(f"licences/{package}/") and place.endswith(f"/{text}") for place in found)
    assert all(Path(file).is_file() for file in found.values())
    assert "licences.texts(" in RECIPE
