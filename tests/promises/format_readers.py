"""Reading of every format, and of the csv plugin, as an import does it: asking first what the folder is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workbench import formats
from workbench.formats import Reading, ReadSettings

Read = Callable[[Path, ReadSettings], Reading]
_PLUGIN = "csv_boxes.py"


def reader(name: str) -> Read:
    """The reading of a format. "csv" registers the plugin; `no_plugin_stays` takes it away again."""
    formats.load_all()
    if name == "csv" and name not in formats.formats:
        file = Path(__file__).resolve().parents[2] / "plugins" / _PLUGIN
        spec = importlib.util.spec_from_file_location("csv_boxes", file)
        assert spec is not None
        assert spec.loader is not None
        with formats.formats.owned_by(_PLUGIN):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    member = formats.formats.get(name)

    def read(folder: Path, settings: ReadSettings) -> Reading:
        formats.recognise(folder)
        return member.read(folder, (), settings)

    return read


@pytest.fixture(autouse=True)
def no_plugin_stays() -> Iterator[None]:
    """For modules that import it: the plugin goes again, unless other tests of this process had loaded it before."""
    there = "csv" in formats.formats
    yield
    if not there:
        formats.formats.unregister_owner(_PLUGIN)
