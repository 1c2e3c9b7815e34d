"""Plugins load one by one, a bad one harms nobody, and a stranger's runs only after a yes to exactly that file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench import detectors, formats, plugins

GOOD = (
    '"""A good one."""\nfrom workbench.api import formats\nAPI = 1\n@formats.register("mine")\nclass Mine:\n    pass\n'
)


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    for name in [name for name in formats.formats.names() if formats.formats.owner(name) != "built in"]:
        formats.formats.unregister_owner(formats.formats.owner(name))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's plugin folder, empty; no shipped ones."""
    monkeypatch.setattr(plugins, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(plugins, "shipped_folder", lambda: tmp_path / "none")
    return tmp_path


def test_the_shipped_examples_load_and_register() -> None:
    detectors.load_all()  # what imports PyTorch waits for it
    loaded = {plugin.name: plugin for plugin in plugins.load_all()}
    assert loaded["csv_boxes"].members == ("csv",)
    assert loaded["darknet_cfg"].members == ("darknet-cfg",)
    assert {plugin.state for plugin in loaded.values()} == {"loaded"}


def test_a_strangers_plugin_runs_only_after_a_yes_and_asks_again_when_changed(folder: Path) -> None:
    file = folder / "stranger.py"
    file.write_text(GOOD)
    assert [(p.state, p.about) for p in plugins.load_all()] == [("asks", "A good one.")]
    assert "mine" not in formats.formats
    plugins.allow(file)
    assert [p.members for p in plugins.load_all()] == [("mine",)]
    file.write_text(GOOD + "#")
    assert [p.state for p in plugins.load_all()] == ["asks"]


@pytest.mark.parametrize(
    "text",
    ["raise RuntimeError('no')", "this is not python", GOOD.replace("API = 1", "API = 99"), "import missing_thing"],
)
def test_a_bad_plugin_is_named_and_leaves_nothing_behind(folder: Path, text: str) -> None:
    (folder / "bad.py").write_text(text)
    (folder / "good.py").write_text(GOOD.replace("mine", "other"))
    for file in folder.glob("*.py"):
        plugins.allow(file)
    bad, good = plugins.load_all()
    assert (bad.state, good.state) == ("failed", "loaded")
    assert bad.problem
    assert "mine" not in formats.formats


def test_safe_mode_loads_none(folder: Path) -> None:
    (folder / "good.py").write_text(GOOD)
    plugins.allow(folder / "good.py")
    assert plugins.load_all(safe_mode=True) == ()
