"""The architecture's boundaries: who may import whom, and what must not be loaded before it is needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent
REPOSITORY = PACKAGE.parent


def loaded_by(code: str) -> set[str]:
    """Top-level modules in sys.modules of a fresh interpreter after `code`."""
    tail = "\nimport sys; print('loaded:', *sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, check=True)
    return set(done.stdout.rsplit("loaded:", 1)[1].split())


@pytest.mark.slow
def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(linter), "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("family", ["formats", "detectors"])
def test_every_member_of_a_family_is_in_its_contract(family: str) -> None:
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    named = {name for one in told if one["type"] == "independence" for name in one["modules"]}
    members = {f"workbench.{family}.{file.stem}" for file in (PACKAGE / family).glob("[!_]*.py")}
    assert members - named == set(), "add it to the contract of its family in pyproject.toml"


def test_all_but_the_window_is_in_the_contract_on_qt() -> None:
    told = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    named = next(set(one["source_modules"]) for one in told if "PySide6" in one.get("forbidden_modules", ()))
    parts = {f"workbench.{entry.stem}" for entry in PACKAGE.iterdir() if entry.stem[0] not in "_."}
    assert parts - named == {"workbench.ui"}, "add it to the contract 'Qt only in the window' in pyproject.toml"


def test_no_file_of_tests_is_without_a_test() -> None:
    files = (REPOSITORY / "tests").rglob("test_*.py")
    assert [file.name for file in files if not re.search(r"def test_|\.TestCase", file.read_text("utf-8"))] == []


def test_the_core_loads_neither_qt_nor_torch() -> None:
    core = "import workbench.core.document, workbench.formats as f, workbench.anchors, workbench.exchange; f.load_all()"
    assert loaded_by(core).isdisjoint({"PySide6", "pyqtgraph", "torch", "torchvision"})


def test_the_command_line_loads_neither_qt_nor_torch_before_it_must() -> None:
    assert loaded_by("import workbench.cli").isdisjoint({"PySide6", "pyqtgraph", "torch", "torchvision"})


def test_a_training_loads_no_qt() -> None:
    code = "import workbench.training.run, workbench.inference.predict, workbench.detectors as d; d.load_all()"
    assert loaded_by(code).isdisjoint({"PySide6", "pyqtgraph", "qtawesome"})


def test_plugins_import_the_api_only() -> None:
    files = sorted((REPOSITORY / "plugins").glob("*.py"))
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = {name for name in names if name.split(".")[0] == "workbench"}
            assert ours <= {"workbench.api"}, f"{file.name} imports {ours}"


def test_files_are_written_atomically_everywhere() -> None:
    """Only core/files.py opens a file for writing, or code that got the temporary path of its `atomic_path`.

    The exceptions only append, hold a lock, note a process's progress in its own file or write where nothing is kept:
    the event log of a run, predictions so far, a crash's stacks, the lock itself, which image is being read, what
    processes say, pixels whose rows are known only once the table beside them is replaced, the null device. The files
    of a zip are written into a hidden folder that is renamed when complete, those of an export into one from which each
    is moved once verified.
    """
    allowed = {
        "cli/__init__.py",
        "core/parsing/archives.py",
        "core/files.py",
        "core/folders/folder_reader.py",
        "core/storage/lock.py",
        "inference/exporters/state_dict.py",
        "inference/exporters/torch_export.py",
        "inference/exporters/torchscript.py",
        "inference/writing/result_parts.py",
        "training/hardware/launch.py",
        "training/batches/pixel_cache.py",
        "training/records/record.py",
        "ui/crashes.py",
    }
    found = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _writes(node) and not _is_temporary(node):
                found.add(file.relative_to(PACKAGE).as_posix())
    assert found <= allowed


def _is_temporary(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Name) and call.args[0].id == "temporary"


def _writes(call: ast.Call) -> bool:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    if name in ("write_text", "write_bytes", "imwrite"):
        return True
    arguments = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    arguments += [str(k.value.value) for k in call.keywords if k.arg == "mode" and isinstance(k.value, ast.Constant)]
    return name == "open" and any(set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in arguments)


def test_no_signal_starts_a_timer_directly() -> None:
    """A number that a signal carries would be its time: a share of a split, or an image's id, in milliseconds."""
    timers = re.compile(r"(\w+) = QTimer\(")
    for file in (PACKAGE / "ui").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for timer in set(timers.findall(text)):
            assert not re.search(rf"connect\(self\.{timer}\.start\)", text), (file, timer)
