"""Verifies that an exported file finds what the trained network finds: it is run by its own library, on real images.

Nothing counts as exported before it is verified. verification.json beside each file says what was compared, on which
images, with which versions, and how far apart the two worst outputs were.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import workbench
from workbench.core import formatting
from workbench.core import images as pictures
from workbench.core.resize import fit
from workbench.detectors.parts.detector import Detector
from workbench.errors import WorkbenchError
from workbench.inference.events import FOREIGN_SHARE, MATCHED_SHARE, Agreement
from workbench.inference.exporters import Arrays, Card, Exporter, Run, Source
from workbench.inference.exporting import graph as graphs
from workbench.inference.exporting.runtimes import ExportedFile, NotRunnable, RuntimeProcess
from workbench.inference.exporting.verification_images import CHECKED
from workbench.inference.predict import Predictor, fold_batch_norms

NAME = "verification.json"
SAID = 160  # characters of a library's message that go into a sentence
AGREES = "finds the same as the trained network"
Shapes = list[list[NDArray[np.float32]]]  # for each shape, batches of images (B, 3, H, W)
LIMITS = {
    "same_iou": graphs.SAME_IOU, "same_score": graphs.SAME_SCORE, "same_px": graphs.TINY,
    "matched_at_least": MATCHED_SHARE, "foreign_at_most": FOREIGN_SHARE,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An input (1, 3, S, S) in 0..1 made from the image `name`; from noise if that is empty."""

    name: str
    image: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shape:
    """The file's agreement on `images` in network inputs of `height` x `width`, `batch` at a time."""

    batch: int
    height: int
    width: int
    images: int
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Verification:
    """The result. `agreement` is over all shapes, or None for a file that can't be read back."""

    format: str
    file: str
    sha256: str
    images: tuple[str, ...]
    versions: dict[str, str]
    agreement: Agreement | None
    shapes: tuple[Shape, ...] = ()

    def to_json(self) -> str:
        """The text of verification.json."""
        found = self.agreement
        record = {
            "format": self.format, "file": self.file, "sha256": self.sha256,
            "verdict": AGREES if found else "not verified: this format's file can't be read back",
            "program": {"workbench": workbench.__version__, "torch": str(torch.__version__)},
            "runtime": self.versions, "images": list(self.images), "noise": not self.images,
            **(_numbers(found) if found else {}), "limits": LIMITS,
            "shapes": [
                {"batch": s.batch, "height": s.height, "width": s.width, "images": s.images, **_numbers(s.agreement)}
                for s in self.shapes
            ],
        }  # fmt: skip
        return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _numbers(found: Agreement) -> dict[str, Any]:
    names = {"largest_score_gap": "worst_score_difference", "largest_box_gap": "worst_box_difference_px"}
    return {names.get(name, name): value for name, value in asdict(found).items()}


class VerificationError(WorkbenchError):
    """A file does not contain or find what it should, or can't be run."""


def make_samples(predictor: Predictor, files: Sequence[Path]) -> list[Sample]:
    """Inputs from up to eight readable images, spread over the list if it is longer."""
    step = max(1, len(files) // CHECKED)
    samples: list[Sample] = []
    for file in dict.fromkeys([*files[::step], *files]):
        if len(samples) == min(CHECKED, len(files)):
            break
        try:
            square, _ = fit(pictures.read(Path(file), predictor.window), predictor.input_px, predictor.resize)
        except WorkbenchError:
            continue
        image = np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        samples.append(Sample(Path(file).name, image))
    return samples


def noise_samples(px: int) -> list[Sample]:
    """Two inputs of noise, for want of images: they show that a file runs, and little more."""
    return [Sample("", image) for image in np.random.default_rng(0).random((2, 1, 3, px, px), np.float32)]


def verify(
    name: str,
    member: Exporter,
    file: Path,
    source: Source,
    samples: Sequence[Sample],
    process: RuntimeProcess | None = None,
) -> Verification:
    """Compare a file, written in the format `name`, with the network on `samples`. VerificationError if it fails.

    The file's library runs in `process`, or in a process of its own.
    """
    shapes = _shapes(source.card, samples)
    try:
        answers, versions = _answered(member, file, source, shapes, process)
    except VerificationError:
        raise
    except Exception as error:  # libraries raise dozens of types on damaged files
        raise VerificationError(_why_not_run(member, error), error) from error
    found = tuple(_compared(member, source, *pair) for pair in zip(shapes, answers, strict=True)) if answers else ()
    total = sum((shape.agreement for shape in found), Agreement(0, 0)) if found else None
    names = tuple(sample.name for sample in samples if sample.name)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return Verification(name, file.name, digest, names, versions, total, found)


def _answered(
    member: Exporter, file: Path, source: Source, shapes: Shapes, process: RuntimeProcess | None
) -> tuple[list[list[Arrays]], dict[str, str]]:
    """The file's outputs for each batch of each shape, none if it can't be read back, and the versions that ran it."""
    kind = getattr(member, "runtime", "")
    if kind:
        with ExportedFile(kind, file, process=process) as exported:
            _check_card(member, exported.card, source.card)
            return _answers_of_file(member, exported, source, shapes), exported.versions
    if hasattr(member, "fill"):
        filled = _emptied(source)
        member.fill(file, filled)
        return _answers(filled, source.card, shapes), {}
    opened: Callable[[Path], Run | None] | None = getattr(member, "opened", None)
    if opened is None:
        raise VerificationError(
            f"The export format {member.title} has no way to read its file back, so it can't be verified and was not"
            " kept. Its exporter needs `runtime`, `fill` or `opened`."
        )
    run = opened(file)
    return ([[run(image) for image in images] for images in shapes] if run else []), {}


def _why_not_run(member: Exporter, error: Exception) -> str:
    """The reason as a sentence, with the library's message about a file that it can't open."""
    if isinstance(error, WorkbenchError):
        return f"The file written as {member.title} can't be run: {error.sentence} It was not kept; export again."
    detail = f"{error}" if isinstance(error, NotRunnable) else f"{type(error).__name__}: {error}"
    return (
        f"The file written as {member.title} can't be opened, as if it were damaged or cut short ({_brief(detail)}). It"
        " was not kept; export again."
    )


def _why_not_at(member: Exporter, card: Card, image: NDArray[np.float32], detail: str) -> str:
    """Why a file that was opened does not run on `image` (B, 3, H, W)."""
    count, _, height, width = image.shape
    given = f"{formatting.count(count, 'image')} of {width} x {height}"
    if card.size == "dynamic" and (height, width) != (card.input_px, card.input_px):
        return (
            f"The file written as {member.title} can't be run at another size than the trained one, so it was not kept:"
            f" {card.detector} lays out its priors for that size. Set size=fixed, or output=raw."
        )
    return (
        f"The file written as {member.title} does not take {given}, as the network does ({_brief(detail)}). It was not"
        " kept; export again."
    )


def _brief(message: str) -> str:
    first = (message.strip().splitlines() or [""])[0]
    return first if len(first) <= SAID else f"{first[:SAID]}…"


def _shapes(card: Card, samples: Sequence[Sample]) -> Shapes:
    """The samples as inputs: each shape's batches of images. Open sizes are tried at two values."""
    inputs = [sample.image for sample in samples]
    result = [_batches(inputs, card.batch or 1)]
    if not card.batch:
        result.append(_batches(inputs, 2))
    if card.size == "dynamic":
        more = -card.multiple if card.input_px - card.multiple >= card.least else 0
        height, width = card.input_px + card.multiple, card.input_px + more
        other = [_resized(image, height, width) for image in inputs[:2]]
        result.append(_batches(other, card.batch or 2))
    return result


def _batches(inputs: Sequence[NDArray[np.float32]], size: int) -> list[NDArray[np.float32]]:
    """The last batch is filled up with images from the start."""
    count = -(-len(inputs) // size) * size
    rows = [inputs[number % len(inputs)] for number in range(count)]
    return [np.concatenate(rows[start : start + size]) for start in range(0, count, size)]


def _resized(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    resized = torch.nn.functional.interpolate(torch.from_numpy(image), (height, width), mode="bilinear")
    return np.asarray(resized.numpy(), np.float32)


def _answers_of_file(member: Exporter, exported: ExportedFile, source: Source, shapes: Shapes) -> list[list[Arrays]]:
    """By the file itself, or by a network that is filled with the weights in it."""
    if exported.runs:
        return [[_run(member, exported, source.card, image) for image in images] for images in shapes]
    filled = _emptied(source)
    weights = exported.weights()
    wanted = filled.state_dict()
    if {n: w.shape for n, w in weights.items()} != {n: tuple(w.shape) for n, w in wanted.items()}:
        odd = sorted({n for n in {*wanted, *weights} if n not in weights or n not in wanted}) or sorted(
            n for n in wanted if weights[n].shape != tuple(wanted[n].shape)
        )
        raise VerificationError(
            f"The file written as {member.title} has other weights than the network: {len(odd)} of {len(wanted)}"
            f" differ in name or size, such as '{odd[0]}'. It was not kept; export again."
        )
    filled.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return _answers(filled, source.card, shapes)


def _run(member: Exporter, exported: ExportedFile, card: Card, image: NDArray[np.float32]) -> Arrays:
    try:
        return exported.run(image)
    except NotRunnable as error:
        raise VerificationError(_why_not_at(member, card, image, str(error)), error) from error


def _answers(detector: Detector, card: Card, shapes: Shapes) -> list[list[Arrays]]:
    """The outputs of this program's network."""
    graph = graphs.build_graph(fold_batch_norms(detector, torch.device("cpu")), card)
    with torch.no_grad():
        return [[tuple(t.numpy() for t in graph(torch.from_numpy(image))) for image in images] for images in shapes]


def _emptied(source: Source) -> Detector:
    """The same network without its weights, so that they can't replace what a file lacks."""
    detector = copy.deepcopy(source.detector)
    with torch.no_grad():
        for tensor in detector.parameters():
            tensor.zero_()
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return detector


def _check_card(member: Exporter, text: str, card: Card) -> None:
    """Raises VerificationError unless the description inside the file is `card`, with labels and anchors in order."""
    try:
        inside = json.loads(text)
    except ValueError as error:
        raise VerificationError(
            f"The file written as {member.title} has no description of itself, so it was not kept.", error
        ) from error
    wanted = json.loads(card.to_json())
    wrong = [name for name in wanted if inside.get(name) != wanted[name]] if isinstance(inside, dict) else ["all of it"]
    if wrong:
        name = wrong[0]
        written = inside.get(name) if isinstance(inside, dict) else inside
        raise VerificationError(
            f"The file written as {member.title} says '{name}' is {_short(written)}, but the network has"
            f" {_short(wanted.get(name))}. It was not kept; export again."
        )


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:120]}…"


def _compared(
    member: Exporter, source: Source, images: Sequence[NDArray[np.float32]], answers: Sequence[Arrays]
) -> Shape:
    batch, _, height, width = images[0].shape
    result = Agreement(0, 0)
    try:
        for image, found in zip(images, answers, strict=True):
            result += graphs.compare(source.graph, torch.from_numpy(image), found, source.card.score)
    except graphs.ShapeMismatch as error:
        raise VerificationError(
            f"The file written as {member.title} is not of this network: {error}. It was not kept; export again."
        ) from error
    count = batch * len(images)
    if not result.compared:
        raise VerificationError(
            f"{source.detector.title} finds nothing on {formatting.count(count, 'image')}, not even at the lowest "
            f"confidence, so its files can't be verified, and this one was not kept. Train it longer, or choose "
            f"another checkpoint."
        )
    if not result.holds:
        others = (
            graphs.compare(source.graph, torch.from_numpy(image), found, source.card.score, labelled=False)
            for image, found in zip(images, answers, strict=True)
        )
        order = ": its labels are in another order" if sum(others, Agreement(0, 0)).holds else ""
        raise VerificationError(
            f"The file written as {member.title} does not find the same as this program{order}: {result.matched:,} of"
            f" {result.compared:,} detections match on {formatting.count(count, 'image')} of {width} x {height}. It was"
            " not kept; try another format.",
            result,
        )
    return Shape(batch, height, width, count, result)
