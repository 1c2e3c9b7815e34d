"""The file of tested versions matches pyproject.toml's requirements, and names no place to download from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tested_versions import EXTRAS, written
from workbench.core.files import resource

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
LINE = r"([a-z0-9.-]+)==([^ ]+) \\\n    --hash=sha256:[0-9a-f]{64}\n"


def versions() -> dict[str, str]:
    text = resource("tested-versions.txt").read_text("utf-8")
    body = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    assert re.fullmatch(f"(?:{LINE})+", body), "more stands there than names, versions and hashes"
    return {canonicalize_name(name): version for name, version in re.findall(LINE, body)}


def asked() -> list[Requirement]:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    extras = [line for extra in EXTRAS.split(",") for line in project["optional-dependencies"][extra]]
    return [Requirement(line) for line in (*project["dependencies"], *extras)]


def test_every_declared_package_is_there_in_a_version_that_is_allowed() -> None:
    there = versions()
    for requirement in asked():
        version = there[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_it_names_no_place() -> None:
    assert not re.search(r"://|index|find-links|\bhttps?\b|@", resource("tested-versions.txt").read_text("utf-8"))


def test_it_is_made_of_what_pip_reports_without_the_places() -> None:
    def package(name: str, **about: object) -> dict[str, object]:
        return {"metadata": {"name": name, "version": "1.2"}, "download_info": {"url": "https://somewhere/x", **about}}

    sound = {"archive_info": {"hashes": {"sha256": "0" * 64}}}
    report = {"install": [package("Some_Thing", **sound), package("workbench-detection", dir_info={})]}
    text = written(report)
    assert text.endswith(f"some-thing==1.2 \\\n    --hash=sha256:{'0' * 64}\n")
    assert "somewhere" not in text
    assert "workbench-detection" not in text
