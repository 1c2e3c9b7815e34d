"""What an open project holds, as its pages and jobs ask for it; document.py adds the edits that change it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.decoding import intensity_window
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.folding import folded
from workbench.core.project import AnchorSet, Box, Image, Label
from workbench.core.storage.box_counts import BoxCounts
from workbench.core.storage.box_criteria import ANY_BOX, BoxCriteria
from workbench.core.storage.image_table import ImageTable
from workbench.core.storage.rows import GIVEN, box_of, boxes_with, given, label_of
from workbench.core.storage.tables import Tables
from workbench.core.store import Store
from workbench.errors import WorkbenchError

CACHE = "cache"
MADE_IN = "folder's name"
"""The setting that holds the name of the project's folder when it was made or renamed; older projects have none."""


class Contents:
    """The reading half of a Document."""

    def __init__(self, folder: Path, store: Store, cached: bool = True) -> None:
        """`cached` False: the cache of the images is not used, as for `Tables`."""
        self.folder = folder
        self.store = store
        self._tables = Tables(store, self.cache_folder if cached else None)
        self._window: IntensityWindow | None = None
        self._knows_window = False
        self._labels: tuple[Label, ...] | None = None
        self._roots: dict[int, Path] = {}

    @property
    def name(self) -> str:
        return str(self.store.meta("name", self.folder.name))

    @property
    def title(self) -> str:
        """The name, followed by that of its folder if it is another than when the project was named.

        A copy has the name of the project that it was copied from; and a folder that was renamed is looked for by its
        new name.
        """
        now = self.folder.name
        return self.name if now in (self.name, self.store.meta(MADE_IN)) else f"{self.name} ({now})"

    @property
    def read_only(self) -> bool:
        return self.store.read_only

    @property
    def why_read_only(self) -> str:
        return self.store.why_read_only

    @property
    def runs_folder(self) -> Path:
        return self.folder / "runs"

    @property
    def cache_folder(self) -> Path:
        return self.folder / CACHE

    def catch_up(self, before: int) -> None:
        """As Tables.catch_up."""
        self._tables.catch_up(before)

    # --- reading ---

    def labels(self) -> tuple[Label, ...]:
        """All labels in export order."""
        if self._labels is None:
            rows = self.store.rows("SELECT * FROM label ORDER BY position, id")
            self._labels = tuple(label_of(row) for row in rows)
        return self._labels

    def label(self, id: int) -> Label:
        for label in self.labels():
            if label.id == id:
                return label
        raise WorkbenchError("That label is no longer in the project.")

    def images(self) -> ImageTable:
        """All images in natural order of their paths; the table changes with edits, so don't keep it across one."""
        return self._tables.images()

    def image(self, id: int) -> Image:
        """The image with this id; WorkbenchError if it is gone."""
        images = self.images()
        row = images.row_of(id)
        if row < 0:
            raise WorkbenchError("That image is no longer in the project.")
        return images[row]

    def file(self, image: Image) -> Path:
        """The image's file, absolute; it may be missing."""
        if image.root not in self._roots:
            self._roots = self.store.roots()
        return self._roots[image.root] / image.path

    def roots(self) -> dict[int, Path]:
        """The folders that hold the images, by id."""
        return self.store.roots()

    def boxes(self, image: int) -> tuple[Box, ...]:
        """The boxes of one image, oldest first."""
        return tuple(box_of(r) for r in self.store.rows("SELECT * FROM box WHERE image = ? ORDER BY id", image))

    def box_ids(self, images: Collection[int], asked: BoxCriteria = ANY_BOX) -> tuple[int, ...]:
        """Ids of the boxes of these images that fit, oldest first."""
        condition, values = asked.condition
        rows = self.store.rows(
            f"SELECT id FROM box WHERE image IN {GIVEN} AND {condition} ORDER BY id", given(tuple(images)), *values
        )
        return tuple(row[0] for row in rows)

    def boxes_with(self, ids: Sequence[int]) -> tuple[Box, ...]:
        """The boxes with these ids, in their order; WorkbenchError if one is gone."""
        return self.store.read(lambda connection: boxes_with(connection, ids))

    def counts(self) -> BoxCounts:
        """How many boxes images and labels have; updated with edits."""
        return self._tables.counts()

    def box_counts(self) -> dict[int, int]:
        """Number of boxes by image id; images without boxes are absent."""
        by_id = self.counts().by_id
        return {int(id): int(by_id[id]) for id in np.flatnonzero(by_id)}

    def label_counts(self) -> dict[int, int]:
        """Number of boxes by label id; labels without boxes are absent."""
        return dict(self.counts().labels)

    def images_with(self, asked: BoxCriteria) -> frozenset[int]:
        """Ids of the images that have a box that fits."""
        condition, values = asked.condition
        found = self.store.rows(f"SELECT DISTINCT image FROM box WHERE {condition}", *values)
        return frozenset(row[0] for row in found)

    def images_noted(self, text: str = "") -> frozenset[int]:
        """Ids of the images with a box whose note contains this text, see folding.folded."""
        wanted = folded(text)
        found = self.store.rows("SELECT image, note FROM box WHERE note <> ''")
        return frozenset(row["image"] for row in found if wanted in folded(row["note"]))

    def setting(self, key: str, default: Any = None) -> Any:
        """A value kept with the project by edits.ChangeSetting."""
        return self.store.meta(key, default)

    def window(self) -> IntensityWindow | None:
        """How images of more than 8 bits are read everywhere; set by edits.ChangeSetting("window", [low, high])."""
        if not self._knows_window:  # cached, because painting each thumbnail asks for it
            self._window, self._knows_window = intensity_window.from_setting(self.setting("window")), True
        return self._window

    def anchors(self) -> AnchorSet | None:
        """The anchors that training will use; None: the detector's published ones."""
        kept = self.setting("anchors")
        return AnchorSet(**{**kept, "sizes": tuple((w, h) for w, h in kept["sizes"])}) if kept else None
