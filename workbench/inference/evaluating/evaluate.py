"""Evaluates a checkpoint on a split: predicts its images, or reuses the candidates kept from last time, and scores."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.detections import Candidates, NmsKind
from workbench.core.files import atomic_write
from workbench.core.folders import lost_folders
from workbench.core.folders.lost_folders import ADVICE
from workbench.core.formatting import count, named
from workbench.core.metrics import Evaluation
from workbench.core.project import Image, Snapshot, Split
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import candidate_cache, saved_evaluation
from workbench.inference.evaluating.scoring import (
    ScoringRules,
    best_confidence,
    label_columns,
    score,
    with_project_labels,
)
from workbench.inference.events import (
    SAY_EVERY,
    EvaluateEvent,
    EvaluationDone,
    EvaluationProgress,
    ListingProgress,
    Skipped,
)
from workbench.inference.pictures.read_ahead import how_far, read_ahead
from workbench.inference.predict import Predictor
from workbench.training.batches import data
from workbench.training.checkpoints.header import trained_labels
from workbench.training.checks import data_leakage

log = logging.getLogger(__name__)
SAVE_EVERY = 60.0  # seconds of predictions that a crash can cost


def evaluate_run(
    predictor: Predictor,
    snapshot: Snapshot,
    split: Split | None,
    run_folder: Path | None = None,
    rules: ScoringRules | None = None,
) -> Iterator[EvaluateEvent]:
    """Evaluate on the images of `split` (None: all) and write its file (see saved_evaluation.py) into `run_folder`.

    Without `rules`, NMS is as published by the detector's authors.

    With a `run_folder`, candidates are kept in it; closing the generator early keeps what was predicted. If it can't be
    written to, nothing is kept, and what was kept is used. WorkbenchError if there is no image or if the labels of the
    detector are not those of the snapshot, by name.
    """
    rules = rules or ScoringRules(kind=predictor.detector.published_nms[0])
    truth = snapshot if split is None else snapshot.only(splits={split})
    if not len(truth):
        which = "the project" if split is None else f"the split '{split}'"
        raise WorkbenchError(f"There is no image in {which} to evaluate on. Choose another split, or put some into it.")
    found = yield from find(predictor, truth, run_folder)
    evaluation = score(found.truth, found.candidates, rules)
    home = run_folder or (predictor.checkpoint.parent if predictor.checkpoint else None)
    known = data_leakage.count_learnt_images(home, found.truth) if home else None
    file = None
    if run_folder is not None and os.access(run_folder, os.W_OK):
        try:
            file = _write(run_folder, predictor, evaluation, found.truth, rules, split, found.skipped, known)
        except WorkbenchError as error:  # a full disk must not cost the result of an hour's work
            log.warning("%s", error.sentence)
    yield EvaluationDone(
        evaluation, found.truth, found.candidates, rules, found.skipped, file, known, remark_on([found]),
        labels=found.labels, step=_step(predictor),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a checkpoint finds in the images that could be read: `candidates[i]` in image i of `truth`, its labels
    those of `truth`. `rows`: the images' rows in what was asked for.
    """

    truth: Snapshot
    candidates: tuple[Candidates, ...]
    rows: tuple[int, ...]
    skipped: int
    unknown: tuple[str, ...]  # labels with boxes that the detector lacks
    missed: int  # boxes of these
    changed: tuple[str, ...]  # paths of the images whose size is another than the project's
    labels: tuple[str, ...]  # that the detector knows, as they are called now
    published: NmsKind  # of NMS, the detector's authors'


class NoneReadable(WorkbenchError):
    """None of the images could be read."""


def find(
    predictor: Predictor, truth: Snapshot, run_folder: Path | None
) -> Generator[EvaluationProgress | ListingProgress | Skipped, None, Found]:
    """Predict the images of `truth`, or read what is kept in `run_folder`; returns what was found.

    NoneReadable if no image is, WorkbenchError if the detector's labels are not those of the snapshot, by name.
    """
    trained = trained_labels(predictor.header) if predictor.header is not None else ()
    columns = label_columns(predictor.labels, truth, trained)
    predictor.rename_labels(truth.former_names)
    predicted: dict[int, Candidates] = {}
    sizes: dict[int, tuple[int, int]] = {}
    lost = lost_folders.of_snapshot(truth)
    sentences = [lost_folders.sentence(folder, len(gone)) for folder, gone in lost.items()]
    away = {row for gone in lost.values() for row in gone}
    if len(away) == len(truth):
        raise NoneReadable(" ".join(sentences))
    for (folder, gone), sentence in zip(lost.items(), sentences, strict=True):
        yield Skipped(folder.name, gone[0], sentence)
    there, skipped = [row for row in range(len(truth)) if row not in away], len(away)
    for item in predict_all(predictor, [truth.files[row] for row in there], run_folder):
        if isinstance(item, Skipped):
            skipped += 1
            yield replace(item, index=there[item.index])
        elif isinstance(item, EvaluationProgress | ListingProgress):
            yield item
        else:
            row = there[item[0]]
            predicted[row], sizes[row] = with_project_labels(item[1], columns), item[2]
    if not predicted:
        raise NoneReadable(f"None of the images could be read. Is their folder still there? {ADVICE}")
    rows = sorted(predicted)
    readable = truth.take(rows)
    changed = tuple(
        image.path for row, image in zip(rows, readable.images, strict=True) if _is_other(image, sizes[row])
    )
    found = tuple(predicted[row] for row in rows)
    unknown, missed = _unknown(columns, readable)
    published, _ = predictor.detector.published_nms
    return Found(readable, found, tuple(rows), skipped, unknown, missed, changed, predictor.labels, published)


def _unknown(columns: np.ndarray, truth: Snapshot) -> tuple[tuple[str, ...], int]:
    """The labels with boxes that the detector (its `columns` of matched_labels) lacks, and how many boxes these are."""
    boxes = np.bincount(truth.label_index, minlength=len(truth.labels))
    boxes[columns[columns >= 0]] = 0
    names = tuple(label.name for label, some in zip(truth.labels, boxes, strict=True) if some)
    return names, int(boxes.sum())


def remark_on(parts: Sequence[Found]) -> str:
    """What to know about what was found, in several parts of the images by detectors of the same training settings."""
    missed: Counter[tuple[str, ...]] = Counter()
    for part in parts:
        missed[part.unknown] += part.missed
    sentences = [
        f"The detector doesn't know {named(list(names))}: all {count(boxes, 'box')} of"
        f" {'it' if len(names) == 1 else 'them'} count as missed, which lowers AP."
        for names, boxes in missed.items()
        if names
    ]
    changed = [path for part in parts for path in part.changed]
    return " ".join([*sentences, *([data.other_sizes(changed, most=2)] if changed else [])])


def _is_other(image: Image, size: tuple[int, int]) -> bool:
    """Whether the project knows its size, and that is another."""
    return image.width > 0 and (image.width, image.height) != size


def predict_all(
    predictor: Predictor, files: Sequence[Path], run_folder: Path | None
) -> Iterator[tuple[int, Candidates, tuple[int, int]] | EvaluationProgress | ListingProgress | Skipped]:
    """Yields (index, candidates, size) for every readable file, in any order; those kept in `run_folder` first.

    The size is (width, height) as the file was read.
    """
    keep = predictor.checkpoint is not None and run_folder is not None and predictor.precision == "exact"
    store = candidate_cache.cache_file(run_folder, predictor.checkpoint) if keep else None  # type: ignore[arg-type]
    if store and not predictor.is_current:
        store = None  # its name is that of other weights, which a training has saved since these were read
    known = candidate_cache.load(store) if store else {}
    digests = (yield from _digests(files)) if store else [""] * len(files)
    todo = [i for i, name in enumerate(digests) if name not in known]
    cached, done = len(files) - len(todo), len(files) - len(todo)
    yield from ((i, *known[name]) for i, name in enumerate(digests) if name in known)
    begun = saved = time.perf_counter()
    fresh, keep = 0, store is not None and os.access(run_folder, os.W_OK)  # type: ignore[arg-type]
    yield EvaluationProgress(done, len(files), cached, 0.0, math.nan)
    ahead = how_far(predictor.batch, predictor.tiling)
    reading = read_ahead(lambda i: _read(files[i], i, predictor.window), todo, ahead)
    try:
        first = 0
        while first < len(todo):
            batch = todo[first : first + predictor.batch]  # fewer once memory ran out
            first += len(batch)
            pictures = {i: next(reading) for i in batch}
            good = {i: image for i, image in pictures.items() if isinstance(image, np.ndarray)}
            yield from (problem for problem in pictures.values() if isinstance(problem, Skipped))
            for i, found in zip(good, predictor.candidates(list(good.values())), strict=True):
                size = good[i].shape[1], good[i].shape[0]
                if digests[i]:
                    known[digests[i]] = found, size
                yield i, found, size
            done, fresh = done + len(batch), fresh + len(good)
            now = time.perf_counter()
            if store and keep and now - saved > SAVE_EVERY:
                candidate_cache.save(store, known)
                saved = time.perf_counter()
            speed = fresh / max(now - begun, 1e-9)
            left = (len(files) - done) / speed if speed else math.nan
            yield EvaluationProgress(done, len(files), cached, speed, left)
    finally:
        reading.close()
        if store and keep and fresh:
            candidate_cache.save(store, known)
            candidate_cache.forget_former(store)


def _digests(files: Sequence[Path]) -> Generator[ListingProgress, None, list[str]]:
    """Those of the files' bytes. Of 20,000 photographs on a slow disk that takes minutes: they are counted meanwhile,
    and it can be stopped.
    """
    found: list[str] = []
    said = time.perf_counter()
    for file in files:
        found.append(candidate_cache.image_digest(file))
        if time.perf_counter() - said > SAY_EVERY:
            yield ListingProgress(len(found))
            said = time.perf_counter()
    return found


def _read(file: Path, index: int, window: IntensityWindow | None) -> np.ndarray | Skipped:
    try:
        return images.read(file, window)
    except WorkbenchError as error:
        return Skipped(file.name, index, error.sentence)


def _write(
    folder: Path,
    predictor: Predictor,
    result: Evaluation,
    truth: Snapshot,
    rules: ScoringRules,
    split: Split | None,
    skipped: int,
    trained_on: int | None,
) -> Path:
    """Write the evaluation's file: every number with the rules behind it."""
    best, ids = best_confidence(result), {label.name: label.id for label in truth.labels}
    record = {
        "split": split.value if split else None,
        "images": result.images,
        "images_skipped": skipped,
        "images_trained_on": trained_on,
        "boxes": result.boxes,
        "data": truth.digest,
        "checkpoint": predictor.checkpoint.name if predictor.checkpoint else None,
        "step": _step(predictor),
        "rules": {name: getattr(rules, name) for name in ScoringRules.__slots__},
        **{name: _or_null(value) for name, value in result.numbers().items()},
        "labels": [
            {"name": name, "id": ids[name], "ap": _or_null(ap), "ap50": _or_null(ap50), "boxes": boxes}
            for name, ap, ap50, boxes in zip(
                result.labels,
                result.per_label_ap,
                result.per_label_ap50,
                result.per_label_boxes.tolist(),
                strict=True,
            )
        ],
        "best_confidence": best,
    }
    file = saved_evaluation.evaluation_file(folder, split, predictor.checkpoint.name if predictor.checkpoint else "")
    atomic_write(file, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return file


def _step(predictor: Predictor) -> int | None:
    return predictor.header.step if predictor.header is not None else None


def _or_null(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)
