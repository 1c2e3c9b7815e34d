"""What images a folder holds, described for a project: size and orientation from each header, or what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from workbench.core import images
from workbench.core.files import scan_images
from workbench.core.project import Image
from workbench.errors import WorkbenchError


def describe(folder: Path, root: int, known: Collection[str] = ()) -> Iterator[Image]:
    """Images of `folder` and below (id 0, to be added) in natural order, without those whose path is `known`.

    A file whose header can't be read is described too, with its `problem`, so that it is seen and not silently lost.
    """
    for name in scan_images(folder):
        if name not in known:
            yield describe_one(folder / name, name, root)


def describe_one(file: Path, name: str, root: int) -> Image:
    """One image by its header; never raises for a bad file."""
    try:
        info = images.info(file)
    except WorkbenchError as error:
        return Image(id=0, path=name, root=root, problem=getattr(error, "reason", error.sentence))
    return Image(id=0, path=name, width=info.width, height=info.height, orientation=info.orientation, root=root)
