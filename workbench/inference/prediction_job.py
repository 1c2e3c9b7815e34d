"""The state of a prediction that can be interrupted and continued: what was asked, the listing, the parts.

OUT/parts/1-of-1/ (or k-of-n for each shard) has job.json, listing.jsonl and the parts; formats are written from them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from workbench.core.decoding import video as videos
from workbench.core.detections import NmsKind
from workbench.core.files import atomic_write
from workbench.core.folders.drawn_pictures import PARTS
from workbench.core.project import Label
from workbench.core.storage.lock import Lock
from workbench.errors import WorkbenchError
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.pictures.listing import ListingSummary, Shard
from workbench.inference.writing import result_parts

FOLDER, FILE, LISTING = PARTS, "job.json", "listing.jsonl"
EARLIER = "earlier"  # in FOLDER: parts of jobs that were started over, until the new results exist
_VERSION = 1
_NAMED = re.compile(r"^([0-9]+)-of-([0-9]+)$")
WORDS = {
    "checkpoint": "the checkpoint", "digest": "the weights in the checkpoint", "labels": "the labels",
    "sources": "the sources", "confidence": "the confidence", "own": "the confidences of labels", "iou": "the overlap",
    "kind": "the kind of NMS", "limit": "the most of an image", "every": "every n-th frame", "tiles": "the tiles",
    "overlap": "the overlap of tiles", "precision": "the precision",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class JobSpec:
    """All that decides about the results: a job with another spec is another job."""

    checkpoint: str
    digest: str  # of the checkpoint's bytes
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    confidence: float
    own: tuple[tuple[str, float], ...]
    iou: float
    kind: str
    limit: int
    every: int = 1
    tiles: int = 0
    overlap: float = 0.0
    precision: str = "exact"

    @property
    def point(self) -> OperatingPoint:
        return OperatingPoint(self.confidence, self.own, self.iou, cast(NmsKind, self.kind), self.limit)

    def differences(self, other: JobSpec) -> str:
        """The first few differences in words; "" if there are none."""
        words = []
        for name, word in WORDS.items():
            before, now = getattr(self, name), getattr(other, name)
            if before != now:
                plain = isinstance(before, int | float | str) and name != "digest"
                words.append(f"{word} ({before} then, {now} now)" if plain else word)
        return ", ".join(words[:3])


@dataclass(frozen=True, slots=True)
class PredictionJob:
    """One shard's work as in job.json. `pictures`: pictures with boxes are written too.

    `fingerprints` of its videos; missing in jobs before November 2026. `remark`: what the user should know about the
    listing.
    """

    folder: Path
    spec: JobSpec
    shard: Shard
    labels: tuple[Label, ...]
    listed: ListingSummary
    pictures: bool = True
    finished: bool = False
    fingerprints: tuple[str, ...] = ()
    remark: str = ""

    @property
    def listing(self) -> Path:
        return self.folder / LISTING

    def write(self) -> None:
        record = {
            "version": _VERSION,
            "order": dataclasses.asdict(self.spec),
            "shard": [self.shard.number, self.shard.of],
            "labels": [[label.id, label.name, label.colour] for label in self.labels],
            "pictures_listed": self.listed.pictures,
            "listed_by_all": self.listed.everywhere,
            "videos": [[place, str(file)] for place, file in self.listed.videos],
            "listing": self.listed.digest,
            "pictures": self.pictures,
            "finished": self.finished,
            "fingerprints": self.fingerprints,
            "remark": self.remark,
        }
        atomic_write(self.folder / FILE, json.dumps(record, indent=1, ensure_ascii=False, default=str) + "\n")

    def finish(self) -> None:
        """Mark everything listed as done."""
        dataclasses.replace(self, finished=True).write()


def read(folder: Path) -> PredictionJob | None:
    """The job in `folder`; None if there is none. WorkbenchError if it is damaged or from another version."""
    file = folder / FILE
    try:
        record = json.loads(file.read_text("utf-8"))
        if record["version"] != _VERSION:
            raise ValueError(f"version {record['version']}")
        spec = record["order"] | {"own": tuple((name, float(value)) for name, value in record["order"]["own"])}
        spec |= {name: tuple(spec[name]) for name in ("labels", "sources")}
        files = tuple((place, Path(video)) for place, video in record["videos"])
        listed = ListingSummary(record["pictures_listed"], record["listed_by_all"], files, record["listing"])
        labels = tuple(Label(id, name, colour, position=at) for at, (id, name, colour) in enumerate(record["labels"]))
        return PredictionJob(
            folder, JobSpec(**spec), Shard(*record["shard"]), labels, listed, record["pictures"], record["finished"],
            tuple(record.get("fingerprints", ())), record.get("remark", ""),
        )  # fmt: skip
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"{file} could not be read. Start over with --fresh.", error) from error


def fingerprints(listed: ListingSummary) -> tuple[str, ...]:
    """The fingerprints of the videos listed; "" for a video that can't be read."""
    found = []
    for _, file in listed.videos:
        try:
            found.append(videos.fingerprint(file))
        except WorkbenchError:
            found.append("")
    return tuple(found)


def check_videos(job: PredictionJob) -> None:
    """WorkbenchError if a video is not the one that the job began with, such as a recording that
    was replaced by the next.
    """
    if not job.fingerprints:
        return
    now = fingerprints(job.listed)
    for (_, file), before, here in zip(job.listed.videos, job.fingerprints, now, strict=True):
        if here != before:
            raise WorkbenchError(
                f"{file.name} is no longer the video that was predicted into {job.folder.parent.parent}. Start "
                f"again with --fresh, or give another folder with --out."
            )


def folder_of(output: Path, shard: Shard) -> Path:
    return output / FOLDER / f"{shard.number}-of-{shard.of}"


def shards(output: Path) -> dict[Shard, Path]:
    """The shards that were started, in order."""
    found = {}
    with contextlib.suppress(OSError):
        for folder in (output / FOLDER).iterdir():
            named = _NAMED.match(folder.name)
            if named and (folder / FILE).is_file():
                found[Shard(int(named.group(1)), int(named.group(2)))] = folder
    return dict(sorted(found.items(), key=lambda pair: (pair[0].of, pair[0].number)))


def resume(output: Path, shard: Shard, spec: JobSpec, *, fresh: bool, pictures: bool) -> PredictionJob | None:
    """The job to go on with, or None to begin a new one. WorkbenchError if the folder has results of another job.

    `fresh`: those results are removed, also those of another number of shards.
    """
    for other, folder in shards(output).items():
        if other.of != shard.of and fresh:
            put_aside(folder)
            shutil.rmtree(folder, ignore_errors=True)  # another shard may do the same
        elif other.of != shard.of:
            raise WorkbenchError(
                f"{output} holds results of {_count(other)}, but this is {_count(shard)}. Start again with --fresh, "
                f"or give another folder with --out."
            )
    if fresh:
        (folder_of(output, shard) / FILE).unlink(missing_ok=True)
    job = read(folder_of(output, shard))
    if job is None:
        return None
    different = job.spec.differences(spec)
    if not different and pictures and not job.pictures:
        different = "pictures (none were written)"
    if different:
        raise WorkbenchError(
            f"{output} holds results of another job. What differs: {different}."
            " Start again with --fresh, or give another folder with --out."
        )
    return job


def put_aside(folder: Path) -> None:
    """Move the parts of a shard that is begun anew aside: they tell which files it wrote (see out_folder.clear)."""
    result_parts.put_aside(folder, folder.parent / EARLIER)


def _count(shard: Shard) -> str:
    return "one process" if shard.of == 1 else f"one of {shard.of} shards"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """WorkbenchError if another process is working on this shard."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkbenchError(f"{folder} can't be made: {error.strerror}. Choose another --out.", error) from error
    lock = Lock(folder, "lock")
    if not lock.writable:
        raise WorkbenchError(f"{folder} can't be written. Choose another --out.")
    if not lock.held:
        raise WorkbenchError(lock.why(f"predicting into {folder}"))
    try:
        yield
    finally:
        lock.release()


def complete(output: Path) -> list[PredictionJob]:
    """The jobs of all shards. WorkbenchError that says which are missing or not finished, or differ."""
    found = [read(folder) for folder in shards(output).values()]
    jobs = [job for job in found if job is not None]
    if not jobs:
        raise WorkbenchError(f"There is nothing to merge in {output}. Predict into it first.")
    of = {job.shard.of for job in jobs}
    if len(of) > 1:
        counts = " and of ".join(map(str, sorted(of)))
        raise WorkbenchError(f"{output} has shards of {counts}. Delete what is not wanted in {output / FOLDER}.")
    _check_whole(output, jobs, of.pop())
    return jobs


def _check_whole(output: Path, jobs: Sequence[PredictionJob], of: int) -> None:
    ready = {job.shard.number for job in jobs if job.finished}
    missing = [str(number) for number in range(1, of + 1) if number not in ready]
    if missing:
        what = "The prediction is" if of == 1 else f"Of {of} shards these are"
        names = "" if of == 1 else f": {', '.join(missing[:10])}{' ...' if len(missing) > 10 else ''}"
        raise WorkbenchError(f"{what} not finished{names}. Run the same command until it is, then merge {output}.")
    for job in jobs[1:]:
        different = jobs[0].spec.differences(job.spec)
        if not different and jobs[0].listed.everywhere != job.listed.everywhere:
            different = "the pictures in the sources"
        if different:
            raise WorkbenchError(
                f"Shard {job.shard.number} of {of} belongs to another job than shard 1. What differs: {different}."
                " Run it again with --fresh."
            )
