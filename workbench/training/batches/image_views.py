"""The views in which a training sees its images: large ones as a whole and in tiles, if its settings say so."""

from __future__ import annotations

from workbench.anchors.sizes import LEAST_VISIBLE
from workbench.core.formatting import count
from workbench.core.project import Image, Snapshot
from workbench.core.resize import FitMode
from workbench.core.snapshot_views import cut_into_views
from workbench.core.tiling import Place
from workbench.training.batches.data import Dataset
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.settings import TrainingSettings


def tiles_of(image: Image, settings: TrainingSettings) -> list[Place]:
    """The tiles of an image of this size."""
    return settings.tiling.places(image.width, image.height) if settings.tiling else []


def learnt_views(train: Snapshot, settings: TrainingSettings) -> Snapshot:
    """What is learnt from: all views with boxes, as many tiles without, and each image as a whole."""
    return cut_into_views(train, settings.tiling, LEAST_VISIBLE, thin=True)


def evaluated_views(validation: Snapshot, settings: TrainingSettings) -> Snapshot:
    """What is evaluated: every view, whose detections are then merged."""
    return cut_into_views(validation, settings.tiling, LEAST_VISIBLE)


def examined_views(train: Snapshot, settings: TrainingSettings) -> Snapshot:
    """Views in which each box counts once, to say how many of the boxes are learnt. Tiles whose boxes all count
    elsewhere are thinned out with the empty ones, so there may be fewer than of `learnt_views`.
    """
    return cut_into_views(train, settings.tiling, LEAST_VISIBLE, once=True, thin=True)


def examined(data: Dataset, settings: TrainingSettings, mode: FitMode) -> Dataset:
    """The training's data, without pixels if it has views: in them each box then counts once."""
    if data.originals is None:
        return data
    return load_without_pixels(examined_views(data.originals, settings), data.side, mode, settings)


def tiles_note(train: Snapshot, views: Snapshot, settings: TrainingSettings) -> str:
    """A sentence about what the tiles make of the training images; empty without tiles."""
    if settings.tiling is None:
        return ""
    tiles = sum(place is not None for place in views.places)
    if not tiles:
        return f"No training image is larger than a tile of {settings.tiles:,} px: all are seen only as a whole."
    return (
        f"Images larger than {settings.tiles:,} px are seen as a whole and in tiles: {count(len(train), 'image')} and"
        f" {count(tiles, 'tile')}."
    )
