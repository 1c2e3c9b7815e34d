"""The options of `workbench predict`, and what is wrong with them, before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.cli.checks import check_checkpoint
from workbench.cli.options import parse_nms, typed
from workbench.core.files import check_writable
from workbench.errors import Misused, Refused

if TYPE_CHECKING:
    from workbench.inference.pictures.listing import Shard


@dataclass(frozen=True, slots=True)
class Options:
    """The options, before the run's own operating point is known."""

    sources: tuple[Path, ...]
    out: Path
    webcam: int | None
    frames: int
    confidence: float | None
    iou: float | None
    nms: str
    every: int
    tiles: int | None
    overlap: float | None
    formats: tuple[str, ...]
    ids: Path | None
    shard: str
    fresh: bool


def check(options: Options, file: Path) -> None:
    """WorkbenchError for what would be refused once PyTorch is loaded, or only when everything was predicted."""
    from workbench.inference.predict_files import check_sources, chosen_tiling
    from workbench.inference.writing import out_folder
    from workbench.training.checkpoints.header import read_header

    check_checkpoint(file)
    with typed():
        chosen_tiling(read_header(file).tiling, options.tiles, options.overlap)
    if options.nms:
        parse_nms(options.nms)
    read_shard(options.shard)
    if options.webcam is None:
        check_sources(options.sources)
        if options.frames:
            raise Misused("--frames is for --webcam. Leave it out; --every takes fewer frames of a video.")
    elif options.shard or options.ids:
        raise Misused("--shard and --coco-ids are for images and videos. Leave them out beside --webcam.")
    if options.ids is not None:
        if "coco" not in options.formats:
            raise Misused("--coco-ids is for --format coco. Add that, or leave out --coco-ids.")
        if not options.ids.is_file():
            raise Refused(options.ids, "there is no such file.")
    out_folder.check(options.out, options.sources, options.formats)
    check_writable(options.out)


def read_shard(text: str) -> Shard:
    """The part of the work of --shard I/N; "" is all of it. Misused if it is not written so."""
    from workbench.inference.pictures.listing import Shard

    if not text:
        return Shard()
    try:
        number, of = map(int, text.split("/"))
        return Shard(number, of)
    except ValueError as error:
        raise Misused(f"--shard takes I/N, such as 1/8 for the first of eight, not '{text}'.", error) from error
