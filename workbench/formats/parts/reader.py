"""What reading a data set begins and ends with: its folder, its images, and those of them that nobody labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.core.image_lookup import ImageLookup
from workbench.core.project import Split, State
from workbench.formats import ReadImage, ReadSettings
from workbench.formats.parts.layout import shown, split_of_folders
from workbench.formats.parts.report import Report


class DataSetReader:
    """One reading of a file or folder, `path`; formats derive theirs. `root` is the folder of the data set."""

    apart: Sequence[str] = ()  # folders of annotation files beside those of images, in lower case: not the root

    def __init__(self, path: Path, images: Sequence[Path], settings: ReadSettings) -> None:
        """`images`: more folders that the images may lie in."""
        self.path, self.settings = path, settings
        self.report = Report(settings.skip_broken)
        folder = path if path.is_dir() else path.parent
        self.root = folder.parent if folder.name.lower() in self.apart else folder
        self.lookup = ImageLookup([self.root, *images])

    def bare_images(
        self, read: Sequence[ReadImage], folder: str = "", split_of: Callable[[Path], Split | None] | None = None
    ) -> list[ReadImage]:
        """Images beside those that were `read`, and in folders called `folder`, that no file speaks of: unlabelled.

        None if a single file was given. `split_of` says the split of an image; without it the folders' names do.
        """
        if not self.path.is_dir():
            return []
        used = {image.file for image in read if image.file}
        folders = {file.parent for file in used}
        split_of = split_of or (lambda file: split_of_folders(file, self.root))
        return [
            ReadImage(shown(file, self.root), file, 0, 0, (), split_of(file), State.UNLABELLED)
            for file in self.lookup.files
            if file.is_relative_to(self.root)
            and file not in used
            and (file.parent in folders or file.parent.name == folder)
        ]
