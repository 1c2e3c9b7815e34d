"""Plugins: one Python file adds detectors, formats or exporters. Loaded one by one, so that none can break startup.

A plugin declares `API = 1`, imports `workbench.api` only, and registers by the decorators that built-in members use.
Files in the shipped folder are trusted; a file in the user's plugin folder runs only after the user has said yes to
exactly that content (its SHA-256), because a plugin is a program. The same holds for an installed package with an
entry point of the group "workbench.plugins" that names one of its modules: its content is all of the package's files.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from workbench import detectors, formats
from workbench.core.files import atomic_write
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.registry import Registry, registered_in

log = logging.getLogger(__name__)
API = 1
GROUP = "workbench.plugins"  # of entry points
SAFE_MODE = "WORKBENCH_SAFE_MODE"  # set by `workbench --safe-mode`, also for the processes that it starts
NOTHING = "It registered nothing. To register a class, put a line such as @detectors.register('name') above it."
HOW = "See Help > Plugins, or: workbench plugins"
STATES = {"loaded": "loaded", "failed": "failed", "asks": "asks to run", "later": "with PyTorch", "off": "off"}
AT_NEXT_START = "at the next start"
FAMILIES: tuple[Registry[Any], ...] = (detectors.detectors, formats.formats, exporters.exporters)
SHIPPED = "workbench_plugin_"  # prefix of a file's module name


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin, a file or an installed package, and what happened when it was loaded.

    `state`: "loaded", "failed", "asks" (for the user's consent), "later" (with PyTorch, which it imports), "off" (in
    safe mode). `module`: of an installed package, whose `file` it is; otherwise empty. What happens at the next start
    may differ: see `is_allowed` and `state_text`.
    """

    file: Path
    state: str
    about: str  # first paragraph of its docstring
    problem: str = ""
    members: tuple[str, ...] = ()
    package: str = ""
    module: str = ""

    @property
    def name(self) -> str:
        return self.package or self.file.stem

    @property
    def owner(self) -> str:
        """Its name as an owner in the registries."""
        return self.package or self.file.name

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that run when it is imported."""
        if not self.package or self.file.name != "__init__.py":
            return (self.file,)
        inside = (file for file in self.file.parent.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
        return tuple(sorted(inside))


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
    """Every plugin and its state; the first call in the process loads them. Safe from any thread.

    Those that import torch wait until the detectors are loaded: that takes seconds, too long for the window.
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
            _loaded = tuple(_load(plugin) if plugin.state == "later" else plugin for plugin in _loaded)


detectors.when_loaded(_load_waiting)


def listed() -> tuple[Plugin, ...]:
    """`loaded()` and, as asking, those that appeared since then; those that asked and have gone are left out."""
    known = tuple(plugin for plugin in loaded() if plugin.state != "asks" or plugin.file.exists())
    there = {(plugin.owner, plugin.file) for plugin in known}
    if any(plugin.state == "off" for plugin in known):
        return known
    return (*known, *(_waiting(plugin) for plugin in _untrusted() if (plugin.owner, plugin.file) not in there))


def state_text(plugin: Plugin) -> str:
    """Its state, and what happens at the next start where that differs, in a few words."""
    if plugin.state == "off" or is_allowed(plugin) == (plugin.state != "asks"):
        return STATES[plugin.state]
    return AT_NEXT_START if plugin.state == "asks" else f"{STATES[plugin.state]}, asks at the next start"


def find(name: str) -> Plugin:
    """The plugin in the user's folder or in a package, by its name, file name or path. Nothing is imported.

    WorkbenchError if there is none.
    """
    found = _untrusted()
    for plugin in found:
        if name in (plugin.owner, plugin.name) or Path(name).absolute() == plugin.file:
            return plugin
    names = f" There are: {', '.join(plugin.owner for plugin in found)}." if found else ""
    raise WorkbenchError(
        f"There is no plugin '{name}' in {user_folder()}, and no installed package of that name provides one.{names}"
        " Put the file into that folder, and give its name as it is there."
    )


def load_all() -> tuple[Plugin, ...]:
    """Import every plugin that may run; one that fails does not affect the others. A user's file that has the name of a
    shipped one takes its place. In safe mode none is loaded, and each says so.
    """
    shipped = _in(shipped_folder())
    strange = _untrusted()
    if os.environ.get(SAFE_MODE):
        why = "Nothing was loaded because the program was started with --safe-mode."
        return tuple(replace(plugin, state="off", problem=why) for plugin in shipped + strange)
    asked = [_load(plugin) if is_allowed(plugin) else _waiting(plugin) for plugin in strange]
    changed = {plugin.owner for plugin in asked if plugin.state in ("loaded", "later")}
    return (*(_load(plugin) for plugin in shipped if plugin.owner not in changed), *asked)


def _untrusted() -> list[Plugin]:
    """The plugins that run only after the user has allowed them."""
    return [*_in(user_folder()), *installed()]


def _in(folder: Path) -> list[Plugin]:
    return [
        Plugin(file, "found", _about(file)) for file in sorted(folder.glob("*.py")) if not file.name.startswith(".")
    ]


def installed() -> list[Plugin]:
    """The plugins of installed packages. Nothing is imported."""
    found = []
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda one: one.value):
        package = point.dist.name if point.dist is not None else point.name
        top = point.module.partition(".")[0]
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            spec = None
        file = Path(spec.origin) if spec is not None and spec.origin else Path(top)
        found.append(Plugin(file, "found", _about(file), package=package, module=point.module))
    return found


def load_trusted(folder: Path) -> tuple[Plugin, ...]:
    """Import every plugin in `folder` without asking: for authors who run `pytest tests/contract --plugins`.

    The user's own plugins are not loaded in this process: one of the same name would replace what is tested.
    """
    global _loaded
    detectors.load_all()
    with _one_at_a_time:
        names = {file.name for file in folder.glob("*.py")}
        shipped = tuple(_load(plugin) for plugin in _in(shipped_folder()) if plugin.file.name not in names)
        theirs = tuple(map(_load, _in(folder)))
        _loaded = shipped + theirs
    return theirs


def allow(plugin: Plugin) -> None:
    """Record the user's yes to this plugin as it is now, from the next start on; a changed byte asks again."""
    _keep(_consents() | {_known_as(plugin): _fingerprint(plugin)})


def forget(plugin: Plugin) -> None:
    """Take the user's yes back, from the next start on."""
    _keep({name: kept for name, kept in _consents().items() if name != _known_as(plugin)})


def is_shipped(plugin: Plugin) -> bool:
    """Whether it came with the program, and is trusted like the program."""
    return not plugin.package and plugin.file.parent == shipped_folder()


def is_allowed(plugin: Plugin) -> bool:
    """Whether it runs at the next start with its present content."""
    if is_shipped(plugin):
        return True
    try:
        return _consents().get(_known_as(plugin), "") == _fingerprint(plugin)
    except OSError:  # it can't be read
        return False


def _elsewhere(name: str) -> str:
    """A sentence about the plugin that registers `name` but did not run (name "": about all that ask), or ""."""
    asking = [plugin for plugin in _loaded or () if plugin.state == "asks"]
    if not name:
        names = ", ".join(plugin.owner for plugin in asking)
        return f"Plugins that ask to run are not among them: {names}. {HOW}" if asking else ""
    out = [plugin for plugin in _loaded or () if plugin.state in ("failed", "off")]
    for plugin in (*asking, *out):
        if name in _registered_by(plugin):
            how = f" {HOW} --allow {plugin.owner}" if plugin in asking else ""
            return f"The plugin {plugin.owner} provides it, but did not run. {plugin.problem}{how}"
    return ""


for _family in FAMILIES:
    _family.elsewhere = _elsewhere


def _registered_by(plugin: Plugin) -> set[str]:
    """The names that its source registers, found without running it."""
    return {name for file in plugin.files for name in registered_in(_source(file)) if name is not None}


def announced_names() -> list[str | None]:
    """The names that plugins which wait for PyTorch will register, by their sources; None for one that is not said."""
    waiting = [plugin for plugin in loaded() if plugin.state == "later"]
    found = ([name for file in plugin.files for name in registered_in(_source(file))] for plugin in waiting)
    return [name for names in found for name in names or [None]]


def _source(file: Path) -> bytes:
    """The source of a Python file; b"" if it can't be read."""
    try:
        return file.read_bytes() if file.suffix == ".py" else b""
    except OSError:
        return b""  # its import will say why


def _parsed(file: Path) -> ast.Module:
    """The syntax tree of a Python file; an empty one if it can't be read or parsed."""
    try:
        return ast.parse(_source(file))
    except (SyntaxError, ValueError):
        return ast.parse("")  # likewise


def _load(plugin: Plugin) -> Plugin:
    if not detectors.are_loaded() and any(map(_imports_torch, plugin.files)):
        return replace(plugin, state="later")
    with _owned(plugin.owner):
        try:
            module = _import(plugin)
            if getattr(module, "API", None) != API:
                raise ValueError(f"it must say API = {API}")
        except (Exception, SystemExit) as error:  # a plugin may raise anything, and the window must start
            for family in FAMILIES:
                family.unregister_owner(plugin.owner)
            log.warning("Plugin %s was left out", plugin.file, exc_info=True)
            problem = error.sentence if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
            return replace(plugin, state="failed", problem=problem)
    members = tuple(name for family in FAMILIES for name in family.names() if family.owner(name) == plugin.owner)
    return replace(plugin, state="loaded", problem="" if members else NOTHING, members=members)


@contextlib.contextmanager
def _owned(owner: str) -> Iterator[None]:
    """Members registered inside belong to `owner`; those that it registered before are forgotten."""
    with contextlib.ExitStack() as owners:
        for family in FAMILIES:
            family.unregister_owner(owner)
            owners.enter_context(family.owned_by(owner))
        yield


def _imports_torch(file: Path) -> bool:
    statements = _parsed(file).body
    names = [alias.name for line in statements if isinstance(line, ast.Import) for alias in line.names]
    names += [line.module or "" for line in statements if isinstance(line, ast.ImportFrom)]
    return any(name.partition(".")[0] in ("torch", "torchvision") for name in names)


def _import(plugin: Plugin) -> object:
    if plugin.module:
        for name in [one for one in sys.modules if f"{one}.".startswith(f"{plugin.module}.")]:
            del sys.modules[name]  # so that it registers again what was forgotten
        return importlib.import_module(plugin.module)
    name = f"{SHIPPED}{plugin.file.stem}"
    spec = importlib.util.spec_from_file_location(name, plugin.file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{plugin.file} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _waiting(plugin: Plugin) -> Plugin:
    why = "It was changed since you allowed it." if _known_as(plugin) in _consents() else "It is new."
    return replace(plugin, state="asks", problem=f"{why} A plugin is a program: allow it if you trust what it is now.")


def _about(file: Path) -> str:
    paragraph = (ast.get_docstring(_parsed(file)) or "").partition("\n\n")[0]
    return "".join(one for one in " ".join(paragraph.split()) if one.isprintable())


def _known_as(plugin: Plugin) -> str:
    return f"package {plugin.package}" if plugin.package else plugin.file.name


def _fingerprint(plugin: Plugin) -> str:
    """SHA-256 of the file, or of the names and contents of all files of a package."""
    if not plugin.package:
        return hashlib.sha256(plugin.file.read_bytes()).hexdigest()
    total = hashlib.sha256(plugin.module.encode())
    for file in plugin.files:
        total.update(hashlib.sha256(file.relative_to(plugin.file.parent).as_posix().encode()).digest())
        total.update(hashlib.sha256(file.read_bytes() if file.is_file() else b"").digest())
    return total.hexdigest()


def _keep(consents: dict[str, str]) -> None:
    atomic_write(_consent_file(), json.dumps(consents, indent=1))


def _consent_file() -> Path:
    return Path(platformdirs.user_config_dir("workbench", appauthor=False)) / "plugins.json"


def _consents() -> dict[str, str]:
    try:
        kept = json.loads(_consent_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}
