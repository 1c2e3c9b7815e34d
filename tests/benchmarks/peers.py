"""Other annotation programs, to be measured beside Workbench. They are never a dependency: each lives in an own
virtual environment, is started as an own process, and is driven from outside by the scripts in `peers/`.

The environments are made by `pip install NAME` at the first use and kept in the folder that WORKBENCH_PEERS names,
else in the user's cache. What programs write into a home goes there too. Delete the folder to get newer versions.
WORKBENCH_PEERS_PYTHON names another interpreter to make them with: labelme 7 wants Python 3.12.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import platformdirs

PEERS = ("labelme", "x-anylabeling-cvhub", "labelImg")
"""As the package index calls them."""
# Read when this file is imported: within a test, the user's cache is a temporary folder.
FOLDER = Path(os.environ.get("WORKBENCH_PEERS") or platformdirs.user_cache_dir("workbench-peers", appauthor=False))
SCRIPTS = Path(__file__).with_name("peers")


class PeerFailed(Exception):
    """A peer could not be installed or did not run to its end; with the end of what it said."""


def python(peer: str) -> Path:
    """The interpreter of the peer's environment, which may not be there yet."""
    inside = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    return FOLDER / f"env-{peer}" / Path(*inside)


def version(peer: str) -> str | None:
    """Which version of the peer is installed; None if none is."""
    if not python(peer).exists():
        return None
    asked = f"import importlib.metadata as m; print(m.version({peer!r}))"
    found = subprocess.run([python(peer), "-c", asked], capture_output=True, text=True, env=_environment(peer))
    return found.stdout.strip() or None


def prepare(peer: str) -> str:
    """Install the peer if it is not yet; its version. Takes minutes, and a connection to the package index."""
    found = version(peer)
    if found is None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        _said(
            [
                os.environ.get("WORKBENCH_PEERS_PYTHON", sys.executable),
                "-m",
                "venv",
                "--clear",
                str(FOLDER / f"env-{peer}"),
            ]
        )
        _said([str(python(peer)), "-m", "pip", "install", "--quiet", peer])
        found = version(peer)
        if found is None:
            raise PeerFailed(f"pip installed {peer}, but it is not there")
    return found


def run(peer: str, script: str, *args: object, limit: float = 600) -> dict[str, Any]:
    """What `peers/SCRIPT.py` measures of a prepared peer; see there. `limit`: seconds after which it is ended."""
    environment = _environment(peer)
    (FOLDER / f"home-{peer}").mkdir(parents=True, exist_ok=True)
    command = [str(python(peer)), str(SCRIPTS / f"{script}.py"), peer, *map(str, args)]
    environment["PEER_STARTED"] = str(time.monotonic_ns())
    lines = _said(command, environment, limit).strip().splitlines()
    if not lines:
        raise PeerFailed(f"{' '.join(command)}: ended without having measured anything")
    return dict(json.loads(lines[-1]))


def _said(command: list[str], environment: dict[str, str] | None = None, limit: float = 1800) -> str:
    """Run to the end; what it wrote. Raises PeerFailed."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", env=environment, timeout=limit
        )
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"{' '.join(command)}: not done after {limit:.0f} s") from error
    if done.returncode or not (done.stdout.strip() or environment is None):
        raise PeerFailed(
            f"{' '.join(command)}: ended with {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def _environment(peer: str) -> dict[str, str]:
    """Without a screen, with a home of its own, and nothing of the environment that the tests run in."""
    home = str(FOLDER / f"home-{peer}")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "QT_", "XDG_", "VIRTUAL_ENV", "PYTEST"))
    }
    return {**kept, "QT_QPA_PLATFORM": "offscreen", "HOME": home, "USERPROFILE": home, "PYTHONIOENCODING": "utf-8"}
