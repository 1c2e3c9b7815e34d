"""Plugins: one Python file adds detectors, formats or exporters. Imported one by one, so that none harms the start.

A plugin declares `API = 1`, imports `workbench.api` only, and registers by the decorators that built-in members use.
Files of the shipped folder are trusted; a file of the user's plugin folder runs only after the user has said yes to
exactly that content (its SHA-256), because a plugin is a program.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import logging
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from workbench import detectors, formats
from workbench.core.files import atomic_write
from workbench.inference import exporters
from workbench.registry import Registry

log = logging.getLogger(__name__)
API = 1


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin file and what became of it.

    `state`: "loaded", "failed", "asks" (for the user's consent), "later" (with PyTorch, which it imports).
    """

    file: Path
    state: str
    about: str  # first line of its docstring
    problem: str = ""
    members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.file.stem


def shipped_folder() -> Path:
    """The examples that come with the program, also when installed from a wheel."""
    installed = Path(__file__).with_name("shipped_plugins")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[1] / "plugins"


def user_folder() -> Path:
    """Where users put their own plugins."""
    return Path(platformdirs.user_data_dir("workbench", appauthor=False)) / "plugins"


_loaded: tuple[Plugin, ...] | None = None
_one_at_a_time = threading.RLock()


def loaded() -> tuple[Plugin, ...]:
    """What became of every plugin; the first call of the process loads them. Safe from any thread.

    Those that import torch wait until the detectors are loaded: it takes seconds, which the window does not have.
    """
    global _loaded
    with _one_at_a_time:
        if _loaded is None:
            _loaded = load_all()
        return _loaded


def _load_waiting() -> None:
    """Load the plugins that waited for torch."""
    global _loaded
    with _one_at_a_time:
        if _loaded is not None:
            _loaded = tuple(_load(plugin.file) if plugin.state == "later" else plugin for plugin in _loaded)


detectors.when_loaded(_load_waiting)


def load_all(*, safe_mode: bool = False) -> tuple[Plugin, ...]:
    """Import every plugin that may run, one failing without harming the others. `safe_mode`: none at all."""
    if safe_mode:
        return ()
    shipped = [(file, True) for file in sorted(shipped_folder().glob("*.py"))]
    own = [(file, _allowed(file)) for file in sorted(user_folder().glob("*.py"))]
    return tuple(_load(file) if allowed else _waiting(file) for file, allowed in shipped + own)


def allow(file: Path) -> None:
    """Record the user's yes to this file as it is now, from the next start on; a changed byte asks again."""
    kept = _consents()
    kept[file.name] = _fingerprint(file)
    atomic_write(_consent_file(), json.dumps(kept, indent=1))


def _load(file: Path) -> Plugin:
    if not detectors.are_loaded() and _imports_torch(file):
        return Plugin(file, "later", _about(file))
    families: tuple[Registry[Any], ...] = (detectors.detectors, formats.formats, exporters.exporters)
    for family in families:
        family.unregister_owner(file.name)  # when it was loaded before
        family.current_owner = file.name
    try:
        module = _import(file)
        if getattr(module, "API", None) != API:
            raise ValueError(f"it must say API = {API}")
    except Exception as error:  # a plugin may raise anything, and the window must start
        for family in families:
            family.unregister_owner(file.name)
        log.warning("Plugin %s was left out", file, exc_info=True)
        return Plugin(file, "failed", _about(file), f"{type(error).__name__}: {error}")
    finally:
        for family in families:
            family.current_owner = "built in"
    members = tuple(name for family in families for name in family.names() if family.owner(name) == file.name)
    return Plugin(file, "loaded", _about(file), members=members)


def _imports_torch(file: Path) -> bool:
    try:
        statements = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return False  # its import will say why
    names = [alias.name for line in statements if isinstance(line, ast.Import) for alias in line.names]
    names += [line.module or "" for line in statements if isinstance(line, ast.ImportFrom)]
    return any(name.partition(".")[0] in ("torch", "torchvision") for name in names)


def _import(file: Path) -> object:
    name = f"workbench_plugin_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _waiting(file: Path) -> Plugin:
    return Plugin(
        file, "asks", _about(file), "It is new or was changed. A plugin is a program: allow it if you trust it."
    )


def _about(file: Path) -> str:
    try:
        first = file.read_text(encoding="utf-8").lstrip().splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    return first.strip("\"' ")


def _allowed(file: Path) -> bool:
    return _consents().get(file.name) == _fingerprint(file)


def _fingerprint(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _consent_file() -> Path:
    return Path(platformdirs.user_config_dir("workbench", appauthor=False)) / "plugins.json"


def _consents() -> dict[str, str]:
    try:
        kept = json.loads(_consent_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}
