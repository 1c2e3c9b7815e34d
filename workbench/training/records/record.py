"""What a run's folder contains besides checkpoints: its events, its recipe, and the data it was started with."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from workbench import detectors
from workbench.core.decoding import intensity_window
from workbench.core.document import Document
from workbench.core.files import atomic_write
from workbench.core.folders import lost_folders
from workbench.core.parsing import npz
from workbench.core.project import AnchorSet, FormerName, Image, Label, Snapshot, Split, State
from workbench.errors import Refused, WorkbenchError
from workbench.training import events, hold_out, recipes
from workbench.training.checkpoints import header
from workbench.training.checkpoints.write_retries import WriteRetries
from workbench.training.events import Event
from workbench.training.records.runs import ABOUT, EVENTS, NAMELESS, RECIPE, data_time, owner, start_of
from workbench.training.request import RunRequest

DATA = "data.npz"
BY_IDS = 2
"""The version of DATA since which ids decide what is held out."""
IMAGE_ARRAYS = ("image_ids", "image_roots", "image_dates", "image_paths")
"""Of each image, for present_images; records of before December 2026 have them in their head alone."""
_ARRAYS = ("offsets", "boxes", "label_index", "flags", "box_ids")
AnyEvent = TypeVar("AnyEvent", bound=Event)


class EventLog:
    """Appends events to events.jsonl, one write per line: a killed process leaves only complete lines."""

    def __init__(self, folder: Path, retries: WriteRetries | None = None) -> None:
        """`retries`: of the training whose log it is; without, a line is tried once. WorkbenchError as of add()."""
        self.file, self._retries = folder / EVENTS, retries
        self._handle: int | None = None
        with self._explained():
            self._open()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = handle = os.open(self.file, flags, 0o666)
        try:
            if not _ends_with_line(handle):
                os.write(handle, b"\n")
        except OSError:
            self.close()  # else the next event would be glued to that line, and both be lost
            raise
        return handle

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WorkbenchError(
                f"{self.file} could not be written: {error.strerror or error}. Make room and resume the run.", error
            ) from error

    def add(self, event: AnyEvent) -> AnyEvent:
        """Append the event with the current time; returns it with that time. WorkbenchError if it can't be written."""
        event = dataclasses.replace(event, time=time.time())
        line = (events.to_json(event) + "\n").encode()
        if self._retries is None:
            self._append(line)
        else:
            for _ in self._retries.tries(lambda: self._append(line)):
                self.close()  # what was opened on a share that went away stays of no use
        return event

    def _append(self, line: bytes) -> None:
        with self._explained():
            handle, rest = self._open() if self._handle is None else self._handle, line
            try:
                while rest:  # of what has no room on a full disk the system writes a part, and does not complain
                    rest = rest[os.write(handle, rest) :]
            except OSError:
                with contextlib.suppress(OSError):  # the next event would be glued to that part, and both be lost
                    os.ftruncate(handle, os.fstat(handle).st_size - (len(line) - len(rest)))
                raise

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):  # of a share that went away
                os.close(handle)


def _ends_with_line(handle: int) -> bool:
    """False if a power cut left the last line incomplete."""
    size = os.lseek(handle, 0, os.SEEK_END)
    os.lseek(handle, max(size - 1, 0), os.SEEK_SET)
    return size == 0 or os.read(handle, 1) == b"\n"


class NoLog:
    """The log of a training's processes other than the main one: nothing is written."""

    def add(self, event: AnyEvent) -> AnyEvent:
        return event


AnyLog = EventLog | NoLog


def write_request(request: RunRequest, judged_by: str = "") -> None:
    """Write recipe, anchors and data into the run's folder, for `resume` and for the record.

    `judged_by`: the digest of the images that it is evaluated on; the data alone does not tell which are held out.
    """
    recipes.write(request.recipe, request.folder / RECIPE)
    anchors = request.anchors and {**dataclasses.asdict(request.anchors)}
    seen = request.snapshot.window
    head = {
        "version": BY_IDS,
        "digest": request.snapshot.digest,
        "window": [seen.low, seen.high] if seen else None,
        "anchors": anchors,
        "start": str(request.start) if request.start else "",
        "start_near": _relative(request.start, request.folder) if request.start else "",
        "goes_on": request.goes_on,
        "labels": [dataclasses.asdict(label) for label in request.snapshot.labels],
        "images": [dataclasses.asdict(image) for image in request.snapshot.images],
        "former_names": request.snapshot.former_names,
        "files": [str(file) for file in request.snapshot.files],
        "near": [_relative(file, request.folder) for file in request.snapshot.files],
    }
    arrays = {name: getattr(request.snapshot, name) for name in _ARRAYS} | _image_arrays(request.snapshot.images)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)
    atomic_write(request.folder / DATA, buffer.getvalue())
    about = {"version": NAMELESS, "digest": head["digest"], "images": len(request.snapshot), "start": head["start"]}
    about |= {header.PLUGIN: detectors.detectors.plugin(request.recipe.detector)}
    about |= {"start_near": head["start_near"], "goes_on": request.goes_on, "judged_by": judged_by}
    about["time"] = request.data_time
    atomic_write(request.folder / ABOUT, json.dumps(about))


def _image_arrays(images: Sequence[Image]) -> dict[str, np.ndarray]:
    """The same again as arrays (IMAGE_ARRAYS), for the window: parsing the head of 100,000 images stops it for long."""
    return {
        "image_ids": np.array([image.id for image in images], np.int64),
        "image_roots": np.array([image.root for image in images], np.int64),
        "image_dates": np.array([image.date for image in images], np.float64),
        "image_paths": np.frombuffer("\0".join(image.path for image in images).encode(), np.uint8),
    }


def read_request(folder: Path) -> RunRequest:
    """The request that a run was started with, to resume it. Refused if the record is missing or damaged.

    Images whose folder has gone are taken from where the project has it now (`workbench find-images`).
    """
    file = folder / DATA
    try:
        encoded, *arrays = npz.read(file, "head", *_ARRAYS)
        head = json.loads(encoded.tobytes())
        snapshot = _snapshot(head, dict(zip(_ARRAYS, arrays, strict=True)), folder)
        anchors = _anchors(head["anchors"])
        start, goes_on = _start(head, folder), bool(head.get("goes_on"))
    except OSError as error:
        raise Refused(
            file, "the run's data is missing, so it can't be resumed. Start a new run.", cause=error
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(
            file, "the run's data is damaged, so it can't be resumed. Start a new run.", cause=error
        ) from error
    check_detector(folder, detectors.load_all().names())
    recipe = recipes.read(folder / RECIPE)
    snapshot = _refound(snapshot, folder.parent.parent)
    if head.get("version", 1) < BY_IDS:
        snapshot = hold_out.as_before(snapshot, recipe.training)
    return RunRequest(
        folder, snapshot, recipe, anchors, resume=True, start=start, goes_on=goes_on, data_time=data_time(folder)
    )


def check_detector(folder: Path, known: Container[str]) -> None:
    """Refused if the detector of the run in `folder` is not among the `known` ones: with the plugin that it needs."""
    detector = recipes.detector_in(folder / RECIPE)
    if detector and detector not in known:
        plugin = owner(folder)
        for name in ("last.safetensors", "best.safetensors"):  # of runs from before owner()
            with contextlib.suppress(WorkbenchError):
                plugin = plugin or str(header.read_header(folder / name).provenance.get(header.PLUGIN, ""))
        header.refuse_unknown(detector, plugin, folder, known, "run")


def digest(folder: Path) -> str:
    """The digest of the data that the run in `folder` was started with, "" if its record is missing or damaged.

    Takes 0.1 s for 10,000 images.
    """
    try:
        encoded, *arrays = npz.read(folder / DATA, "head", *_ARRAYS)
        return _snapshot(json.loads(encoded.tobytes()), dict(zip(_ARRAYS, arrays, strict=True)), folder).digest
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _snapshot(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray], folder: Path) -> Snapshot:
    images = tuple(
        Image(**{**image, "state": State(image["state"]), "split": Split(image["split"])}) for image in head["images"]
    )
    files = tuple(_found(Path(file), near, folder) for file, near in zip(head["files"], head["near"], strict=True))
    labels = tuple(Label(**label) for label in head["labels"])
    return Snapshot(
        labels,
        images,
        files,
        arrays["offsets"],
        arrays["boxes"],
        arrays["label_index"],
        arrays["flags"],
        arrays["box_ids"],
        window=intensity_window.from_setting(head.get("window")),
        former_names=tuple(FormerName(*values) for values in head.get("former_names", ())),
    )


def read_start_options(folder: Path) -> tuple[AnchorSet | None, Path | None] | None:
    """The anchors and the file of weights that a run was asked to start from; None if there is no record of it."""
    try:
        (encoded,) = npz.read(folder / DATA, "head")
        head = json.loads(encoded.tobytes())
        return _anchors(head["anchors"]), _start(head, folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _anchors(values: Mapping[str, Any] | None) -> AnchorSet | None:
    if values is None:
        return None
    sizes = tuple((float(w), float(h)) for w, h in values["sizes"])
    return AnchorSet(**{**values, "sizes": sizes})


def _start(head: Mapping[str, Any], folder: Path) -> Path | None:
    return start_of(str(head.get("start") or ""), str(head.get("start_near") or ""), folder)


def _relative(file: Path, folder: Path) -> str:
    """With slashes, which every system understands: a run may be resumed on another one."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:  # another drive
        return ""


def _found(file: Path, near: str, folder: Path) -> Path:
    """The image at its old path, or beside the project if that has moved with its images."""
    if near and not file.exists() and (folder / near).exists():
        return folder / near
    return file


def _refound(snapshot: Snapshot, project: Path) -> Snapshot:
    """With the images of missing folders where the project says that they are now, as far as they are there."""
    lost = lost_folders.of_snapshot(snapshot)
    if not lost:
        return snapshot
    try:
        with Document.open(project, read_only=True, check=False) as document:
            folders = document.roots()
    except WorkbenchError:  # the run's folder was taken out of its project
        return snapshot
    files = list(snapshot.files)
    for row in itertools.chain.from_iterable(lost.values()):
        image = snapshot.images[row]
        if image.root in folders and (now := folders[image.root] / image.path).exists():
            files[row] = now
    return dataclasses.replace(snapshot, files=tuple(files))
