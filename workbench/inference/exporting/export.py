"""Exports a trained detector as files that run without this program, and verifies that they find the same."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

import workbench
from workbench.core import formatting
from workbench.core.extras import install_command
from workbench.core.files import atomic_path, atomic_write, disk_problem
from workbench.core.project import Snapshot, Split
from workbench.core.tiling import OVERLAP
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.inference.evaluating.saved_evaluation import deciding_evaluation, read_evaluation
from workbench.inference.events import ExportDone, Exported, ExportEvent, ExportProgress, NotExported
from workbench.inference.exporters import PUBLISHED, Card, Exporter, ExportSettings, Source, Unsuitable
from workbench.inference.exporting import model_card
from workbench.inference.exporting.graph import build_graph
from workbench.inference.exporting.runtimes import RuntimeProcess
from workbench.inference.exporting.verification import NAME, Sample, make_samples, noise_samples, verify
from workbench.inference.exporting.verification_images import CHECKED
from workbench.inference.predict import Predictor, fold_batch_norms
from workbench.settings import with_values
from workbench.training.checkpoints.header import KEY, from_json
from workbench.training.records.runs import EVENTS


@dataclass(frozen=True, eq=False)
class RunContext:
    """What may be known about a run besides its checkpoint. `snapshot`: the project's current data."""

    snapshot: Snapshot | None = None
    evaluation: dict[str, Any] | None = None  # on the test images, else the deciding one (saved_evaluation.py)
    point: OperatingPoint | None = None  # the one kept with the run


STAGE, DAY = ".workbench-export-", 24 * 60 * 60.0  # what a temporary folder's name begins with; seconds
TILED = (
    "Cut photographs larger than {tiles:,} px into tiles of that side, as in training: MODEL_CARD.md says how, and"
    " the example beside a file that runs by itself does it."
)


def export(
    checkpoint: Path,
    folder: Path,
    formats: Sequence[str] | None,
    images: Sequence[Path] = (),
    settings: ExportSettings | None = None,
    snapshot: Snapshot | None = None,
) -> Iterator[ExportEvent]:
    """Write `checkpoint` in each of `formats` (names in the registry; None: all possible) to `folder`/<format>/.

    Each gets the file, model.json, verification.json, MODEL_CARD.md and example.py, once the file was run by its own
    library and found what this program finds in up to eight of `images`. A format that can't be written or disagrees
    is reported by NotExported, what was there before is kept, and the others continue. Default `settings` are those of
    the run's point in use (saved_evaluation.py); the labels' own confidences are always included. Labels have
    their names in `snapshot`, even if the run knows them by an earlier name. WorkbenchError, before anything is
    written, for an unknown format or one that needs a missing package.
    """
    run, name = Path(checkpoint).parent, Path(checkpoint).name
    former = snapshot.former_names if snapshot is not None and (run / EVENTS).is_file() else ()
    point = operating_point.read(run, name, former)
    predictor = Predictor.open(checkpoint, device="cpu")
    predictor.rename_labels(former)
    if predictor.header is not None and "run" in predictor.header.provenance and (run / EVENTS).is_file():
        predictor.header.provenance["run"] = run.name  # which may have been renamed since it was trained
    if settings is None:
        settings = with_values(ExportSettings(), model_card.suggested_settings(run, name))
    context = RunContext(snapshot, read_evaluation(run, name, Split.TEST) or deciding_evaluation(run, name), point)
    yield from export_predictor(predictor, folder, formats, images, settings, context)


def export_predictor(
    predictor: Predictor,
    folder: Path,
    formats: Sequence[str] | None,
    images: Sequence[Path] = (),
    settings: ExportSettings | None = None,
    context: RunContext = RunContext(),
) -> Iterator[ExportEvent]:
    """The same for an open detector."""
    wanted = [name for name, _ in exporters.load_all()] if formats is None else formats
    members = {name: exporters.load_all().get(name)() for name in wanted}
    left = []
    for name, member in list(members.items()):
        try:
            require(member)
        except WorkbenchError as error:
            if formats is not None:
                raise
            left.append(NotExported(name, error.sentence))
            del members[name]
    settings = settings or ExportSettings()
    work = _ExportWork(predictor, Path(folder), make_samples(predictor, images), settings, context)
    with work.process:
        yield from _each(members, work, left, formats is not None)


def _each(
    members: dict[str, Exporter], work: _ExportWork, left: list[NotExported], asked: bool
) -> Iterator[ExportEvent]:
    """One format after the other. Without `asked`, those that can't contain this detector are left out, too."""
    results: list[Exported] = []
    failed: list[NotExported] = []
    for number, (name, member) in enumerate(members.items()):
        try:
            for event in _one(name, member, work):
                if isinstance(event, Exported):
                    results.append(event)
                yield (
                    event
                    if isinstance(event, Exported)
                    else replace(event, done=2 * number + event.done, total=2 * len(members))
                )
        except WorkbenchError as error:
            if isinstance(error, Unsuitable) and not asked:
                left.append(NotExported(name, error.sentence))
                continue
            logging.getLogger(__name__).warning("%s: %s %s", name, error.sentence, error.cause)
            failed.append(NotExported(name, error.sentence))
            yield failed[-1]
    tiles = work.predictor.tiling.side if work.predictor.tiling and results else 0
    note = TILED.format(tiles=tiles) if tiles else ""
    yield ExportDone(work.folder, tuple(results), tuple(failed), tuple(left), note)


@dataclass(eq=False)
class _ExportWork:
    """Shared by the formats of one export."""

    predictor: Predictor
    folder: Path
    samples: list[Sample]
    settings: ExportSettings
    context: RunContext
    process: RuntimeProcess = field(default_factory=RuntimeProcess)
    sources: dict[bool, Source] = field(default_factory=dict)  # by whether batch and size are respected

    def source(self, flexible: bool) -> Source:
        if self.settings.batch == 1 and self.settings.size == "fixed":
            flexible = False
        if flexible not in self.sources:
            self.sources[flexible] = source_of(self.predictor, self.settings, flexible, self.context.point)
        return self.sources[flexible]


def _one(name: str, member: Exporter, work: _ExportWork) -> Iterator[ExportProgress | Exported]:
    """One format: written to a temporary place, verified, and only then moved."""
    source, samples, context = work.source(getattr(member, "flexible", False)), work.samples, work.context
    yield ExportProgress(name, f"Writing {member.title}", 0, 2)
    with _staging(work.folder) as stage:
        file = stage / member.file
        remark = _written(member, source, file)
        yield ExportProgress(name, f"Verifying {member.title}", 1, 2)
        verified = verify(name, member, file, source, samples or noise_samples(work.predictor.input_px), work.process)
        agreed = verified.agreement
        if agreed is not None and len(samples) < CHECKED:
            remark = f"{remark} {_few(len(samples))}".strip()
        about = model_card.text(
            member, source.card, verified, work.predictor.header, context.snapshot, context.evaluation, context.point
        )
        beside = {NAME: verified.to_json(), "MODEL_CARD.md": about, "example.py": example(member, source.card)}
        more = member.beside(source) if hasattr(member, "beside") else {}
        _put(file, work.folder / name, {"model.json": source.card.to_json() + "\n", **more, **beside})
    file = work.folder / name / member.file
    yield Exported(name, file.parent, file, file.stat().st_size, len(verified.images), agreed, remark)


def _few(count: int) -> str:
    if not count:
        return "There was no image to check it on, so it was checked on noise."
    return (
        f"It was checked on {formatting.count(count, 'image')} only, as there were no more; {CHECKED} would tell more."
    )


def _put(file: Path, target: Path, beside: dict[str, str]) -> None:
    """Move the verified file and what goes with it into place, the file itself last."""
    for name, text in beside.items():
        atomic_write(target / name, text)
    (target / "README.md").unlink(missing_ok=True)  # from earlier versions; replaced by MODEL_CARD.md
    with atomic_path(target / file.name) as temporary:
        shutil.move(file, temporary)


def example(member: Exporter, card: Card) -> str:
    """example.py: runs without this program."""
    body = member.code(card)
    if "sys.argv" in body:
        about = f"{card.detector}: prints what the weights beside this file find in a photograph."
        use = f"python example.py PHOTO   ({member.title}, without Workbench)\n\n{_needs(body)}"
    else:
        about = f"{card.detector}: prints which weights the file beside this one holds."
        use = (
            f"python example.py   ({member.title}, without Workbench)\n\nThe network itself is not in the file. To find"
            " objects without Workbench, export as ONNX,\nPyTorch 2 export or TorchScript, which hold it."
        )
    return f'"""{about}\n\n{use}\n"""\n\n{body}'


def _needs(code: str) -> str:
    """The command that installs what these lines need."""
    modules = dict.fromkeys(re.findall(r"^import (\w+)", code, re.MULTILINE))
    opencv = next(iter(re.findall(r"'opencv-python-headless[^']*'", code)), "opencv-python-headless")
    packages = [opencv if name == "cv2" else name for name in modules if name not in sys.stdlib_module_names]
    return f"It needs: pip install {' '.join(packages)}"


def require(member: Exporter) -> None:
    """WorkbenchError if a package that this format needs is missing."""
    missing = exporters.missing_packages(member)
    if missing:
        raise WorkbenchError(f"{member.title} needs {', '.join(missing)}. Install with: {install_command('[export]')}")


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A temporary folder in `folder`. Folders made for it are removed with it if nothing was put there."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]  # innermost first
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_left_behind(folder)
            stage = tempfile.TemporaryDirectory(prefix=STAGE, dir=folder)
        except OSError as error:
            raise WorkbenchError(
                f"{folder} can't be written to: {error.strerror}. Choose another folder.", error
            ) from error
        with stage as name:
            yield Path(name)
    finally:
        for one in made:
            with contextlib.suppress(OSError):  # it is not empty
                one.rmdir()


def _remove_left_behind(folder: Path) -> None:
    """What killed exports left in `folder`: files of up to hundreds of megabytes. Another may be at work: a day old."""
    for stage in folder.glob(f"{STAGE}*"):
        with contextlib.suppress(OSError):
            if time.time() - stage.stat().st_mtime > DAY:
                shutil.rmtree(stage)


def _written(member: Exporter, source: Source, file: Path) -> str:
    try:
        return member.write(source, file) or ""  # a plugin's may return nothing
    except WorkbenchError:
        raise
    except Exception as error:  # exporters raise dozens of kinds
        if problem := disk_problem(error):
            raise WorkbenchError(f"{file.parent.parent} can't be written to: {problem}", error) from error
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise WorkbenchError(
            f"The export as {member.title} failed: {first or type(error).__name__}. Try another format.", error
        ) from error


def source_of(
    predictor: Predictor, settings: ExportSettings, flexible: bool = True, point: OperatingPoint | None = None
) -> Source:
    """The detector as one graph on the CPU, and its card. `flexible`: with the requested batch and size.

    Raises Unsuitable if the detector can't have them.
    """
    if not flexible:
        settings = replace(settings, batch=1, size="fixed")
    _check_shapes(predictor, settings)
    running = fold_batch_norms(predictor.detector, torch.device("cpu"))
    card = card_of(predictor, settings, point)
    px = predictor.input_px
    example = torch.rand(settings.batch or 2, 3, px, px)  # two images, as torch.export treats 1 as a constant
    return Source(predictor.detector, build_graph(running, card), example, card, _metadata(predictor))


def _check_shapes(predictor: Predictor, settings: ExportSettings) -> None:
    detector = predictor.detector
    if detector.later_multiply_adds and (settings.batch == 0 or settings.size == "dynamic"):
        raise Unsuitable(
            f"{detector.title} processes each image's proposals in turn, so the shapes in its file are fixed. Set a"
            " batch of 1 or more and a fixed size."
        )
    if detector.fixed_size and settings.size == "dynamic":
        raise Unsuitable(
            f"{detector.title} accepts only images of {predictor.input_px} pixels: it ends in fully connected layers."
            " Set a fixed size."
        )


def card_of(predictor: Predictor, settings: ExportSettings, point: OperatingPoint | None = None) -> Card:
    """What is written beside and into the file; from `point` the labels' own confidences."""
    detector, header = predictor.detector, predictor.header
    kind, iou = detector.published_nms
    return Card(
        detector=detector.name,
        labels=predictor.labels,
        input_px=predictor.input_px,
        resize=predictor.resize,
        score=settings.score,
        iou=iou if settings.iou is None else settings.iou,
        nms_kind=kind if settings.nms_kind == PUBLISHED else settings.nms_kind,
        output=settings.output,
        limit=settings.limit,
        batch=settings.batch,
        size=settings.size,
        multiple=detector.multiple,
        anchors=tuple((float(w), float(h)) for w, h in detector.anchors),
        window=(predictor.window.low, predictor.window.high) if predictor.window else None,
        tiles=predictor.tiling.side if predictor.tiling else 0,
        tile_overlap=predictor.tiling.overlap if predictor.tiling else OVERLAP,
        licence=settings.licence.strip() or model_card.licence_of(detector, header),
        data=header.data_digest if header else "",
        version=workbench.__version__,
        provenance=_provenance(predictor),
        label_scores={name: value for name, value in (point.own if point else ()) if name in predictor.labels},
    )


def _metadata(predictor: Predictor) -> dict[str, str]:
    if predictor.checkpoint is None:
        return {}
    from safetensors import safe_open

    with safe_open(predictor.checkpoint, framework="np") as file:
        metadata = dict(file.metadata() or {})
    if KEY in metadata and predictor.header is not None:
        kept = from_json(metadata[KEY])
        metadata[KEY] = replace(kept, labels=predictor.header.labels).to_json()  # some may have been renamed since
    return metadata


def _provenance(predictor: Predictor) -> dict[str, Any]:
    """The training's data in the checkpoint's header, as plain JSON."""
    provenance = getattr(predictor.header, "provenance", None)
    if is_dataclass(provenance) and not isinstance(provenance, type):
        provenance = asdict(provenance)
    plain: dict[str, Any] = json.loads(json.dumps(provenance or {}, default=str))
    if predictor.checkpoint is not None:
        plain["checkpoint"] = predictor.checkpoint.name
    return plain
