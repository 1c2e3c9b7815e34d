"""The licences of what goes into a bundle, as the packages brought them: PyInstaller leaves most of them behind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import PurePosixPath

_BEGIN = ("licen", "copying", "notice", "thirdparty", "authors")  # of the names that such files have


def packages(names: Iterable[str]) -> set[str]:
    """The installed packages that modules or files of these names, such as "PIL.Image" or "cv2/cv2.abi3.so", are of."""
    of_module = metadata.packages_distributions()
    return {package for name in names for package in of_module.get(re.split(r"[./\\]", name)[0], ())}


def texts(package: str) -> dict[str, str]:
    """The file of each licence of an installed package by its place in the bundle."""
    found = {}
    for part in metadata.distribution(package).files or ():
        folder, *inside = part.parts  # of the package's code, or of what is said about it
        about = folder.endswith(".dist-info")
        told = part.name.lower().startswith(_BEGIN) and part.suffix != ".py"
        if inside and ((about and (told or inside[0] == "licenses")) or (told and len(inside) == 1)):
            found[str(PurePosixPath("licences", package, *inside))] = str(part.locate())
    return found
