"""Writes a trained detector as files that run without this program, and checks that they find the same."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.core import images as pictures
from workbench.core.files import atomic_path, atomic_write
from workbench.core.resize import fit
from workbench.errors import WorkbenchError
from workbench.inference import exporters
from workbench.inference.events import Agreement, ExportDone, Exported, ExportEvent, ExportProgress
from workbench.inference.exporters import Card, Exporter, ExportSettings, Source, Unsuitable
from workbench.inference.graph import Decoded, EndToEnd, compare
from workbench.inference.predict import Predictor, folded

CHECKED = 8  # pictures that a file is checked on


def export(
    checkpoint: Path,
    folder: Path,
    formats: Sequence[str] | None,
    images: Sequence[Path] = (),
    settings: ExportSettings | None = None,
) -> Iterator[ExportEvent]:
    """Write `checkpoint` in each of `formats` (names of the registry; None: all that can) to `folder`/<format>/.

    Each gets the file, model.json and README.md. Files that can run are compared with this program on up to eight of
    `images` before they take their place. WorkbenchError if one disagrees, can't be written or needs a package that
    is missing; what was there before is then left as it was.
    """
    yield from export_predictor(Predictor.open(checkpoint, device="cpu"), folder, formats, images, settings)


def export_predictor(
    predictor: Predictor,
    folder: Path,
    formats: Sequence[str] | None,
    images: Sequence[Path] = (),
    settings: ExportSettings | None = None,
) -> Iterator[ExportEvent]:
    """The same for a detector that is already open."""
    wanted = available() if formats is None else formats
    members = {name: exporters.load_all().get(name)() for name in wanted}
    for member in members.values():
        require(member)
    source = source_of(predictor, settings or ExportSettings())
    samples = sample_inputs(predictor, images)
    results: list[Exported] = []
    total = 2 * len(members)
    for name, member in members.items():
        yield ExportProgress(name, f"Writing {member.title}", 2 * len(results), total)
        with _staging(Path(folder)) as stage:
            file = stage / member.file
            try:
                remark = _written(member, source, file)
            except Unsuitable:
                if formats is None:
                    continue
                raise
            yield ExportProgress(name, f"Checking {member.title}", 2 * len(results) + 1, total)
            agreed = checked(member, file, source, samples or noise(predictor.input_px))
            if agreed is not None and not samples:
                remark = f"{remark} There was no picture to check it on, so it was checked on noise.".strip()
            _put(file, Path(folder) / name, source.card, readme(member, source.card, runs=agreed is not None))
        file = Path(folder) / name / member.file
        count = len(samples) if agreed is not None else 0
        results.append(Exported(name, file.parent, file, file.stat().st_size, count, agreed, remark))
        yield results[-1]
    yield ExportDone(Path(folder), tuple(results))


def _put(file: Path, target: Path, card: Card, lines: str) -> None:
    """The checked file and what goes with it to their place; the file itself last."""
    atomic_write(target / "model.json", card.to_json() + "\n")
    atomic_write(target / "README.md", lines)
    with atomic_path(target / file.name) as temporary:
        shutil.move(file, temporary)


def available() -> list[str]:
    """The formats that can be written here: those whose packages are installed."""
    members = exporters.load_all()
    return [name for name, member in members if all(importlib.util.find_spec(package) for package in member.needs)]


def require(member: Exporter) -> None:
    """WorkbenchError if a package that this format needs is missing."""
    missing = [name for name in member.needs if importlib.util.find_spec(name) is None]
    if missing:
        raise WorkbenchError(
            f"{member.title} needs {' and '.join(missing)}. Install with: pip install 'workbench-detection[export]'"
        )


@contextlib.contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder in `folder` to write in, which goes at the end. Folders made for it go too if nothing was put there."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]  # the innermost first
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stage = tempfile.TemporaryDirectory(prefix=".export-", dir=folder)
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


def _written(member: Exporter, source: Source, file: Path) -> str:
    try:
        return member.write(source, file)
    except WorkbenchError:
        raise
    except Exception as error:  # exporters raise dozens of kinds
        if "No space left" in str(error) or getattr(error, "errno", 0) == errno.ENOSPC:  # safetensors has its own kind
            raise WorkbenchError(f"{file.parent.parent} is full. Make room and export again.", error) from error
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise WorkbenchError(
            f"The export as {member.title} failed: {first or type(error).__name__}. Try another format.", error
        ) from error


def source_of(predictor: Predictor, settings: ExportSettings) -> Source:
    """The detector as one graph on the CPU, and its card."""
    running = folded(predictor.detector, torch.device("cpu"))
    px = predictor.input_px
    kind, published = predictor.detector.published_nms
    iou = published if settings.iou is None else settings.iou
    graph = (EndToEnd(running, px, iou, kind) if settings.nms else Decoded(running)).eval()
    card = Card(
        detector=predictor.detector.name,
        labels=predictor.labels,
        input_px=px,
        resize=predictor.resize,
        score=settings.score,
        iou=iou,
        nms=settings.nms,
        nms_kind=kind,
        anchors=tuple((float(w), float(h)) for w, h in predictor.detector.anchors),
        window=(predictor.window.low, predictor.window.high) if predictor.window else None,
        provenance=_provenance(predictor),
    )
    return Source(predictor.detector, graph, torch.rand(1, 3, px, px), card, _metadata(predictor))


def _metadata(predictor: Predictor) -> dict[str, str]:
    if predictor.checkpoint is None:
        return {}
    from safetensors import safe_open

    with safe_open(predictor.checkpoint, framework="np") as file:
        return dict(file.metadata() or {})


def _provenance(predictor: Predictor) -> dict[str, Any]:
    """What the checkpoint's header says of its training, as plain JSON."""
    provenance = getattr(predictor.header, "provenance", None)
    if is_dataclass(provenance) and not isinstance(provenance, type):
        provenance = asdict(provenance)
    plain: dict[str, Any] = json.loads(json.dumps(provenance or {}, default=str))
    if predictor.checkpoint is not None:
        plain["checkpoint"] = predictor.checkpoint.name
    return plain


def sample_inputs(predictor: Predictor, images: Sequence[Path]) -> list[NDArray[np.float32]]:
    """(1, 3, S, S) inputs from up to eight readable images, spread over the list."""
    step = max(1, len(images) // CHECKED)
    samples: list[NDArray[np.float32]] = []
    for file in dict.fromkeys([*images[::step], *images]):
        if len(samples) == min(CHECKED, len(images)):
            break
        try:
            square, _ = fit(pictures.read(Path(file), predictor.window), predictor.input_px, predictor.resize)
        except WorkbenchError:
            continue
        samples.append(np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32) / np.float32(255))
    return samples


def noise(px: int) -> list[NDArray[np.float32]]:
    """Two inputs for want of pictures: they show that a file runs, and little more."""
    return list(np.random.default_rng(0).random((2, 1, 3, px, px), np.float32))


def checked(member: Exporter, file: Path, source: Source, samples: Sequence[NDArray[np.float32]]) -> Agreement | None:
    """How well the written file agrees with the network on `samples`; WorkbenchError if it does not."""
    try:
        run = member.opened(file)
        if run is None:
            return None
        theirs = [run(sample) for sample in samples]
    except Exception as error:
        raise WorkbenchError(f"The file written as {member.title} can't be run, so it was not kept.", error) from error
    result = Agreement(0, 0)
    for sample, found in zip(samples, theirs, strict=True):
        result += compare(source.graph, torch.from_numpy(sample), found, source.card.score)
    if not result.holds:
        raise WorkbenchError(
            f"The file written as {member.title} does not find the same as this program: {result.matched} of"
            f" {result.compared} detections match on {len(samples)} pictures. It was not kept; try another format.",
            result,
        )
    return result


def readme(member: Exporter, card: Card, runs: bool) -> str:
    """README.md of an export: what lies here and the lines that use it."""
    title = f"# {card.detector}: {', '.join(card.labels[:8])}{' ...' if len(card.labels) > 8 else ''}"
    about = (
        f"`{member.file}` ({member.title}), written by Workbench. `model.json` holds labels, input size,\n"
        "preprocessing, anchors and where it comes from; the same text lies inside the file."
    )
    return f"{title}\n\n{about}\n\n{_interface(card, runs)}\n\n```python\n{member.code(card)}```\n"


def _interface(card: Card, runs: bool) -> str:
    if not runs:
        return "The weights alone: to run them, open the file with Workbench or build the network yourself."
    px = card.input_px
    outputs = (
        "`boxes` (n, 4), `scores` (n,) and `labels` (n,) after NMS, highest score first"
        if card.nms
        else "`boxes` (N, 4) and `scores` (N, C) for every prior, before NMS"
    )
    return (
        f'Input: `image`, 1 x 3 x {px} x {px}, float32, RGB, 0..1; the upright photograph fitted by "{card.resize}".\n'
        f"Output: {outputs}. Boxes are xyxy in pixels of the network input."
    )
