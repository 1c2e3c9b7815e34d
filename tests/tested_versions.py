"""Writes resources/tested-versions.txt: the packages that the tests ran with, with their versions and hashes.

    .venv/bin/python tests/tested_versions.py

pip reports what it would install into an empty environment if every package had the version installed here, and the
hash of each file. Nothing is installed. The file does not say where to download from: that is up to pip.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
FILE = REPOSITORY / "resources" / "tested-versions.txt"
EXTRAS = "export,huge,tb"
US = "workbench-detection"
HEAD = """\
# The versions that Workbench was tested with, extras [{extras}] included, on {system} with Python {python}.
# For exactly these, in a checkout of this repository:
#     pip install --require-hashes -r resources/tested-versions.txt && pip install --no-deps .
# Made by tests/tested_versions.py.
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        here, report = Path(folder, "here.txt"), Path(folder, "report.json")
        here.write_text("".join(f"{name}=={version}\n" for name, version in installed()), "utf-8")
        asked = ["install", "--dry-run", "--ignore-installed", "--quiet", "--constraint", str(here)]
        wanted = f"{REPOSITORY}[{EXTRAS}]"
        subprocess.run([sys.executable, "-m", "pip", *asked, "--report", str(report), wanted], check=True)
        FILE.write_text(written(json.loads(report.read_text("utf-8"))), "utf-8")


def installed() -> list[tuple[str, str]]:
    found = importlib.metadata.distributions()
    return [(one.name, one.version) for one in found if one.name != US]


def written(report: dict[str, Any]) -> str:
    """The content of the file, from pip's installation report (version 1)."""
    system = f"{platform.system()} {platform.machine()}"
    python = ".".join(platform.python_version_tuple()[:2])
    lines = []
    for package in report["install"]:
        name, version = package["metadata"]["name"], package["metadata"]["version"]
        if name != US:
            (sha256,) = {package["download_info"]["archive_info"]["hashes"]["sha256"]}
            lines.append(f"{name.lower().replace('_', '-')}=={version} \\\n    --hash=sha256:{sha256}\n")
    return HEAD.format(extras=EXTRAS, system=system, python=python) + "".join(sorted(lines))


if __name__ == "__main__":
    main()
