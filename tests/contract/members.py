"""Which members of each family the contract is held against: all that ship, or with --plugins those of a stranger."""

from __future__ import annotations

from pathlib import Path

from workbench import detectors, formats, plugins
from workbench.inference import exporters
from workbench.registry import Registry

FAMILIES: dict[str, Registry] = {  # type: ignore[type-arg]
    "detectors": detectors.detectors, "formats": formats.formats, "exporters": exporters.exporters,
}  # fmt: skip
OPTION = "--plugins"


def of(family: str, folder: Path | None = None) -> list[str]:
    """The names of the family's members; of those that the files in `folder` registered, where one is given."""
    plugins.loaded()
    detectors.load_all(), formats.load_all(), exporters.load_all()
    registry = FAMILIES[family]
    owners = None if folder is None else {file.name for file in folder.glob("*.py")}
    shipped = {"built in", *(file.name for file in plugins.shipped_folder().glob("*.py"))}
    return [name for name in registry.names() if registry.owner(name) in (shipped if owners is None else owners)]
