"""A checkpoint's description of itself, in the head of its file: readable without loading the network or torch."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench import detectors
from workbench.core.decoding import intensity_window
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.former_names import FormerNames, of_labels
from workbench.core.project import Label
from workbench.core.resize import FIT_MODES
from workbench.core.tiling import OVERLAP, Tiling, tiling
from workbench.errors import Refused, WorkbenchError

KEY = "workbench"  # in the safetensors metadata
VERSION = 1
IMPORTED = "imported from"  # what the provenance of weights that were not trained here begins with
PLUGIN = "plugin"  # key of the provenance: the plugin whose detector this is
LARGEST_HEAD = (
    16_000_000  # bytes; ours have thousands. safetensors allows 100 MB, which become gigabytes as Python lists
)


@dataclass(frozen=True)
class CheckpointHeader:
    """`labels` in the order of the network's outputs. Anchors are (w, h) in pixels of the network input."""

    detector: str
    detector_settings: dict[str, Any]
    labels: tuple[Label, ...]
    anchors: tuple[tuple[float, float], ...]
    input_px: int
    resize: str  # one of core.resize.FIT_MODES: how an image became the input
    epoch: int = 0
    step: int = 0
    metrics: dict[str, float] = field(default_factory=dict)  # from the last evaluation: ap, ap50, ap75
    data_digest: str = ""
    window: IntensityWindow | None = None  # how images of more than 8 bits were read
    tiles: int = 0  # side of the tiles in which large images were seen, in their pixels; 0: none
    tile_overlap: float = OVERLAP
    provenance: dict[str, Any] = field(default_factory=dict)  # versions, time, recipe, run: for people
    version: int = VERSION

    @property
    def tiling(self) -> Tiling | None:
        """The tiles in which it was trained to see large images."""
        return tiling(self.tiles, self.tile_overlap)

    def to_json(self) -> str:
        values = dataclasses.asdict(self)
        values["labels"] = [{"id": x.id, "name": x.name, "colour": x.colour} for x in self.labels]
        values["window"] = [self.window.low, self.window.high] if self.window else None
        values["metrics"] = {name: value for name, value in self.metrics.items() if math.isfinite(value)}
        return json.dumps(values, ensure_ascii=False, allow_nan=False)


def from_json(text: str, file: object = "checkpoint") -> CheckpointHeader:
    """The inverse of to_json(). Refused if a field is missing, of the wrong kind or from a newer program."""
    try:
        values = json.loads(text)
        if int(values["version"]) > VERSION:
            raise Refused(file, "this checkpoint was made by a newer Workbench. Update Workbench to use it.")
        known = {f.name for f in dataclasses.fields(CheckpointHeader)}
        values = {name: value for name, value in values.items() if name in known}
        values["labels"] = tuple(
            Label(int(x["id"]), str(x["name"]), str(x.get("colour", "#0072b2")), position=i)
            for i, x in enumerate(values["labels"])
        )
        values["anchors"] = tuple((float(w), float(h)) for w, h in values["anchors"])
        values["input_px"] = int(values["input_px"])
        values["window"] = intensity_window.from_setting(values.get("window"))
        tiling(int(values.get("tiles", 0)), float(values.get("tile_overlap", OVERLAP)))  # checks them
        if values["resize"] not in FIT_MODES:
            raise ValueError(values["resize"])
        return CheckpointHeader(**values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(file, "the description in this checkpoint is damaged. Use another one.", cause=error) from error


def former_of(header: CheckpointHeader, former: FormerNames) -> FormerNames:
    """What `former` means to this checkpoint."""
    return of_labels(trained_labels(header), former)


def former_in(checkpoint: Path | None, former: FormerNames) -> FormerNames:
    """The same for a checkpoint's file; if it is None or can't be read, only names that no label has now."""
    named = tuple(one for one in former if not one.label)
    if checkpoint is None or len(named) == len(tuple(former)):
        return named
    try:
        return former_of(read_header(checkpoint), former)
    except WorkbenchError:
        return named


def trained_labels(header: CheckpointHeader) -> tuple[Label, ...]:
    """The checkpoint's labels, if their ids are a project's; () for imported weights, which are numbered anew."""
    return () if IMPORTED in header.provenance else header.labels


def read_header(file: Path) -> CheckpointHeader:
    """The head of one of our .safetensors checkpoints; the weights are not read. Refused if it is not one."""
    file = Path(file)
    try:
        with open(file, "rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(LARGEST_HEAD, file.stat().st_size - 8):
                raise Refused(file, "this is not a checkpoint, or it is damaged. Choose a .safetensors file of a run.")
            head = json.loads(stream.read(length))
        text = head["__metadata__"][KEY]
    except FileNotFoundError as error:
        reason = "this checkpoint is not there any more. Choose another run or file."
        raise Refused(file, reason, cause=error) from error
    except OSError as error:
        raise Refused(file, f"this checkpoint could not be read: {error.strerror or error}.", cause=error) from error
    except (ValueError, RecursionError) as error:
        raise Refused(file, "this checkpoint is damaged. Use another one of the run.", cause=error) from error
    except (KeyError, TypeError) as error:
        raise Refused(
            file, "these weights were not made by Workbench: they do not say which network they are for.", cause=error
        ) from error
    return from_json(text, file)


def check_detector(header: CheckpointHeader, file: object, known: Container[str]) -> None:
    """Refused if its detector is not among the `known` ones: with the plugin that it needs, and what to do."""
    refuse_unknown(header.detector, str(header.provenance.get(PLUGIN, "")), file, known, "checkpoint")


def refuse_unknown(detector: str, plugin: str, file: object, known: Container[str], what: str) -> None:
    """Refused if `detector` is not among the `known` ones. `plugin`: whose it was, "" if not known; `what` needs it."""
    if detector in known:
        return
    needed = f"this {what} needs the detector '{detector}'"
    if where := detectors.detectors.elsewhere(detector):
        raise Refused(file, f"{needed}. {where}")
    if plugin:
        is_file = plugin.endswith(".py")  # else a package
        get = "Put it into the folder that `workbench plugins` shows" if is_file else f"Install the package {plugin}"
        allow = f"{get}, and allow it: workbench plugins --allow {plugin}"
        raise Refused(file, f"{needed} of the plugin {plugin}, which is not here. {allow}")
    raise Refused(
        file,
        f"{needed}, which neither this Workbench nor a plugin here has. If it is a plugin's, put that into the folder"
        " that Help > Plugins shows (or: workbench plugins), and allow it; else update Workbench.",
    )
