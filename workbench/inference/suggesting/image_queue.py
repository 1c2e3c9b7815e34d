"""Sorts a project's unlabelled images by how much labelling them would teach a run's network.

The network sees every image once, and the results are kept beside the run in `runs/<name>/queue/<key>.npz`, a row for
each: recognised by the file's path, size and time, else by its bytes, so that a renamed image is still known. The key
is that of the checkpoint's content. An interrupted queue continues where it was; the folder can be deleted at any time.
No torch here before an image must be seen: what is kept is sorted without it.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.core import image_queue, images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.files import atomic_path, stamp
from workbench.core.image_queue import QueueOrder
from workbench.core.parsing import npz
from workbench.core.project import Snapshot, State
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.candidate_cache import forget_former, image_digest, key_of
from workbench.inference.events import SAY_EVERY, EvaluationProgress, Skipped
from workbench.inference.pictures.read_ahead import how_far, read_ahead

if TYPE_CHECKING:
    from workbench.inference.predict import Predictor
    from workbench.inference.suggesting.features import ImageFeatures

log = logging.getLogger(__name__)
VERSION = 1  # of what is kept of an image: increase when features or uncertainty change
SAVE_EVERY = 30.0  # seconds of work that a crash can cost


@dataclass(frozen=True, slots=True, eq=False)
class RankingRequest:
    """Run `checkpoint` of the run in `run_folder` on all images of `snapshot`."""

    run_folder: Path
    checkpoint: Path
    snapshot: Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class LabellingQueue:
    """The last event: ids of the unlabelled images, those to label first at the start."""

    run: str
    checkpoint: Path
    orders: Mapping[QueueOrder, NDArray[np.int64]]
    skipped: int  # images that could not be read

    def __len__(self) -> int:
        return len(self.orders[QueueOrder.UNCERTAIN])


@dataclass(slots=True, eq=False)
class ImageRecords:
    """What was seen of images, one row each; found by `marks` (path, size and time) and by `digests` (bytes)."""

    uncertain: list[float] = field(default_factory=list)
    features: list[NDArray[np.float16]] = field(default_factory=list)
    digests: dict[str, int] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)

    def row(self, file: Path) -> int:
        """The row of this file, -1 if it was not seen. OSError if it does not exist."""
        name = file_mark(file)
        if name not in self.marks:
            known = self.digests.get(image_digest(file), -1) if self.digests else -1
            if known < 0:
                return -1
            self.marks[name] = known
        return self.marks[name]

    def add(self, names: tuple[str, str], seen: ImageFeatures) -> int:
        """`names`: `file_mark` and `image_digest` of the file, taken before it was read: it may have changed by now."""
        row = len(self.uncertain)
        self.uncertain.append(seen.uncertain)
        self.features.append(seen.features.astype(np.float16))
        self.marks[names[0]] = self.digests[names[1]] = row
        return row


def build_queue(
    request: RankingRequest, open_predictor: Callable[[Path], Predictor] | None = None
) -> Iterator[EvaluationProgress | Skipped | LabellingQueue]:
    """Yields progress, files that can't be read, then the LabellingQueue. Closing it early keeps what was seen.

    WorkbenchError if the checkpoint can't be read.
    """
    file, files = queue_file(request.run_folder, request.checkpoint), request.snapshot.files
    records = load(file)
    rows: NDArray[np.int64] = np.full(len(files), -1, np.int64)
    todo = []
    said = time.perf_counter()
    yield EvaluationProgress(0, len(files), 0, 0.0, math.nan)
    for i, one in enumerate(files):
        if time.perf_counter() - said > SAY_EVERY:  # those not known by name are read for their digest: one may stop
            cached = int((rows >= 0).sum())
            yield EvaluationProgress(cached, len(files), cached, 0.0, math.nan)
            said = time.perf_counter()
        try:
            rows[i] = records.row(one)
        except OSError as error:
            yield Skipped(one.name, i, _gone(one, error))
            continue
        if rows[i] < 0:
            todo.append(i)
    cached = int((rows >= 0).sum())
    if todo:
        yield from _extract(
            request, records, file, rows, _unlabelled_first(request.snapshot, todo), cached, open_predictor
        )
    yield _ordered(request, records, rows)


def _gone(file: Path, error: OSError) -> str:
    return f"{file} no longer exists: {error.strerror}."


def _unlabelled_first(snapshot: Snapshot, todo: list[int]) -> list[int]:
    return sorted(todo, key=lambda i: snapshot.images[i].state is not State.UNLABELLED)


def _extract(
    request: RankingRequest, records: ImageRecords, file: Path, rows: NDArray[np.int64], todo: list[int], cached: int,
    open_predictor: Callable[[Path], Predictor] | None,
) -> Iterator[EvaluationProgress | Skipped]:  # fmt: skip
    """Fill `rows` for the images `todo`."""
    from workbench.inference.predict import Predictor
    from workbench.inference.suggesting.features import extract_features

    predictor = (open_predictor or partial(Predictor.open, cpu_fallback=True))(request.checkpoint)
    window = predictor.window or request.snapshot.window
    begun = saved = time.perf_counter()
    done = 0
    ahead = how_far(predictor.batch, predictor.tiling)
    reading = read_ahead(lambda i: _read(request.snapshot.files[i], i, window), todo, ahead)
    try:
        while done < len(todo):
            some = todo[done : done + predictor.batch]  # fewer once memory ran out
            read = {i: next(reading) for i in some}
            yield from (problem for problem in read.values() if isinstance(problem, Skipped))
            good = {i: one for i, one in read.items() if not isinstance(one, Skipped)}
            found = extract_features(predictor, [picture for _, picture in good.values()])
            for (i, (names, _)), seen in zip(good.items(), found, strict=True):
                rows[i] = records.add(names, seen)
            done += len(some)
            now = time.perf_counter()
            if now - saved > SAVE_EVERY:
                save(file, records)
                saved = now
            speed = done / max(now - begun, 1e-9)
            yield EvaluationProgress(cached + done, len(rows), cached, speed, (len(todo) - done) / speed)
    finally:
        reading.close()
        if done:
            save(file, records)
            forget_former(file)


def _read(
    file: Path, index: int, window: IntensityWindow | None
) -> tuple[tuple[str, str], NDArray[np.uint8]] | Skipped:  # fmt: skip
    """The picture with its `names` of ImageRecords.add."""
    try:
        names = file_mark(file), image_digest(file)
        return names, images.read(file, window)
    except OSError as error:
        return Skipped(file.name, index, _gone(file, error))
    except WorkbenchError as error:
        return Skipped(file.name, index, error.sentence)


def _ordered(request: RankingRequest, records: ImageRecords, rows: NDArray[np.int64]) -> LabellingQueue:
    ids = np.array([image.id for image in request.snapshot.images], np.int64)
    fresh = np.array([image.state is State.UNLABELLED for image in request.snapshot.images], bool)
    uncertain = np.array(records.uncertain, np.float32)
    features = np.stack(records.features) if records.features else np.zeros((0, 1), np.float16)
    asked, known = rows[(rows >= 0) & fresh], rows[(rows >= 0) & ~fresh]
    orders = {
        by: ids[(rows >= 0) & fresh][image_queue.order_images(by, uncertain[asked], features[asked], features[known])]
        for by in QueueOrder
    }
    return LabellingQueue(request.run_folder.name, request.checkpoint, orders, int((rows < 0).sum()))


# --- on disk ---


def queue_file(run_folder: Path, checkpoint: Path) -> Path:
    """The file for what this checkpoint saw. WorkbenchError if the checkpoint is gone."""
    try:
        return run_folder / "queue" / f"{key_of(checkpoint)}-{VERSION}.npz"
    except OSError as error:
        raise WorkbenchError(f"{checkpoint} no longer exists: {error.strerror}. Choose another run.") from error


def file_mark(file: Path) -> str:
    """A text that differs for files of another path, size or time of change. OSError if the file is not there."""
    return hashlib.blake2b(f"{file}|{stamp(file)}".encode("utf-8", "replace"), digest_size=12).hexdigest()


def load(file: Path) -> ImageRecords:
    """What was kept; empty ImageRecords if the file is missing or damaged, as everything can be looked at again."""
    try:
        both = [name for key in _NAMES for name in (key, f"{key}_rows")]
        uncertain, features, *found = npz.read(file, "uncertain", "features", *both)
        names = [dict(zip(keys.tolist(), rows.tolist(), strict=True)) for keys, rows in (found[:2], found[2:])]
        if uncertain.ndim != 1 or features.ndim != 2 or len(features) != len(uncertain):
            return ImageRecords()
        if any(not 0 <= row < len(uncertain) for some in names for row in some.values()):
            return ImageRecords()
        return ImageRecords(uncertain.tolist(), list(features.astype(np.float16)), *names)
    except (OSError, ValueError):
        return ImageRecords()


_NAMES = ("digests", "marks")


def save(file: Path, records: ImageRecords) -> None:
    """Replace the file. If the run's folder is gone (renamed or deleted), nothing is written.

    If it can't be written (full disk, read-only project), which is only logged, the images are looked at again another
    time.
    """
    if not file.parent.parent.is_dir():
        return
    names = {key: np.array(list(getattr(records, key)), "U64") for key in _NAMES}
    rows = {f"{key}_rows": np.array(list(getattr(records, key).values()), np.int64) for key in _NAMES}
    features = np.stack(records.features) if records.features else np.zeros((0, 1), np.float16)
    try:
        with atomic_path(file) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, uncertain=np.array(records.uncertain, np.float32), features=features, **names, **rows)  # type: ignore[arg-type]
    except WorkbenchError as error:
        log.warning("%s", error.sentence)
