"""Weights from elsewhere: to start a training from, or to detect with directly, as a run of the project.

Three kinds of files are distinguished by suffix: our checkpoints (.safetensors), torchvision's (.pth, .pt, read without
running code), and Darknet's (.weights, .conv.74 and everything else).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from workbench import detectors
from workbench.core.formatting import count as counted
from workbench.core.former_names import FormerNames, network_names
from workbench.core.project import AnchorSet, Label, colour_for
from workbench.detectors.parts import darknet, foreign
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.transfer import TransferResult, transfer
from workbench.errors import Refused, WorkbenchError
from workbench.training import events, recipes
from workbench.training.checkpoints import checkpoint, unpickling
from workbench.training.checkpoints.checkpoint import BEST, CheckpointHeader
from workbench.training.checkpoints.header import IMPORTED, trained_labels
from workbench.training.events import Message
from workbench.training.recipes import Recipe
from workbench.training.records import record, runs
from workbench.training.request import RunRequest

# prefixes in our networks of the names in torchvision's files of whole detectors, of ResNets and of others
PREFIXES = ("", "net.", "net.backbone.body.", "net.backbone.")


@dataclass(frozen=True)
class _Content:
    tensors: dict[str, Tensor]  # by the detector's names
    labels: tuple[str, ...] | None  # None: the file does not say
    seen: int = 0  # images trained on, for the warm-up of priors; 0: the file does not say
    anchors: AnchorSet | None = None  # that it was trained with; None: the file does not say
    header: CheckpointHeader | None = None  # if it is one of our checkpoints


def start(detector: Detector, file: Path, labels: Sequence[str], former: FormerNames = ()) -> Message:
    """Fill `detector`, made for `labels`, with what fits of `file`, and return a message that says what did. Refused if
    nothing fits.

    `former`: earlier names of the labels, which the file may use.
    """
    content = _read(detector, file)
    trained = () if content.header is None else trained_labels(content.header)
    theirs = None if content.labels is None else network_names(content.labels, trained, former)
    done = transfer(detector, content.tensors, theirs, labels)
    if not done.taken:
        raise Refused(file, f"nothing in it fits {detector.title}. Choose a file of the same network and width.")
    whole = done.taken == done.total and not done.new_labels
    darknet.set_seen(detector, content.seen if whole else 0)  # fresh layers warm up again
    frozen = any(isinstance(module, FrozenBatchNorm2d) for module in detector.modules())
    norms = " Batch norms keep the file's statistics (frozen_norms)." if frozen else ""
    other = content.anchors is not None and not _alike(detector, content.anchors)
    other |= _has_other_scale(detector, content)
    sizes = " It was trained with other anchors, so boxes start at other sizes than it learnt." if other else ""
    return Message("info", f"Begun from {runs.weights_name(Path(file))}: {done.sentence}{norms}{sizes}")


def _alike(detector: Detector, theirs: AnchorSet) -> bool:
    """Whether the detector has these anchors, in pixels or as shares of the input side, or a different number."""
    factors = 1.0, detector.settings.input_px / theirs.input_px
    return len(theirs.sizes) != len(detector.anchors) or any(
        np.allclose(np.array(theirs.sizes) * factor, detector.anchors, rtol=0.01) for factor in factors
    )


def _has_other_scale(detector: Detector, content: _Content) -> bool:
    """Whether both have anchors of fixed shapes (RetinaNet, Faster R-CNN), but of other sizes. Published files name no
    size, but their labels.
    """
    published = getattr(type(detector.settings)(), "anchor_scale", None)
    ours, theirs = getattr(detector.settings, "anchor_scale", None), content.header
    if theirs is None:
        return content.labels is not None and ours != published
    return theirs.detector == detector.name and theirs.detector_settings.get("anchor_scale", published) != ours


def own_anchors(request: RunRequest) -> AnchorSet | None:
    """The anchors of a run: those of initial_anchors(), or those that it was started with if it goes on."""
    return request.anchors if request.resume else initial_anchors(request.recipe, request.anchors, request.start)


def initial_anchors(recipe: Recipe, chosen: AnchorSet | None, start: Path | None) -> AnchorSet | None:
    """The anchors to train with: those chosen, or else those that the weights in `start` were trained with.

    That is for files with a Darknet network's published anchors, which are then taken as they are, in pixels and
    whatever the input side. Scaled to it (YOLOv4's are for 608 px; at 416 px 0.68 times as large) all boxes came out
    that much smaller, as the file's numbers are relative to the anchors. None: the detector's own. Refused for a
    damaged file.
    """
    if chosen is not None or start is None:
        return chosen
    kind = detectors.load_all().get(recipe.detector)
    own, theirs = recipe.detector_settings, kind.published_anchors if start.suffix == ".weights" else ()
    if start.suffix == ".safetensors":
        header = checkpoint.read_header(start)
        theirs = header.anchors if header.detector == recipe.detector else ()
    if not (kind.darknet and theirs and sorted(theirs) == sorted(kind.published_anchors)):
        return None
    return AnchorSet(kind.published_anchors, own.input_px, kind.chosen_resize(own), source=f"those of {start.name}")


def _read(detector: Detector, file: Path) -> _Content:
    file = Path(file)
    if file.suffix == ".safetensors":
        return _ours(detector, file)
    if file.suffix in (".pth", ".pt"):
        return _torchvisions(detector, file)
    content = darknet.load(detector, file)
    return _Content(content.tensors, None, content.header.seen if content.complete else 0)


def _ours(detector: Detector, file: Path) -> _Content:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    header = checkpoint.read_header(file)
    try:
        size = unpickling.check_size(file)
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Refused(file, "this checkpoint is damaged. Use another one.", cause=error) from error
    unpickling.check_tensors(file, tensors, size)
    names = tuple(label.name for label in header.labels)
    same = header.detector == detector.name and header.anchors
    anchors = AnchorSet(header.anchors, header.input_px) if same else None
    return _Content(tensors, names, darknet.seen_of(tensors.items()) or 0, anchors, header)


def _torchvisions(detector: Detector, file: Path) -> _Content:
    state = unpickling.load(file)
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise Refused(file, "it contains no named weights. Choose a file of torchvision's weights.")
    unpickling.check_tensors(file, state, file.stat().st_size)
    wanted = detector.state_dict()
    prefix = max(PREFIXES, key=lambda some: sum(some + name in wanted for name in state))
    published = detector.pretrained
    known = published is not None and prefix == published.prefix
    tensors = {foreign.current_name(prefix + name, wanted): tensor for name, tensor in state.items()}
    if known and published is not None and published.norm_eps is not None:
        _fit_norms(detector, tensors, published.norm_eps)
    return _Content(tensors, published.labels if known and published is not None else None)


def _fit_norms(detector: Detector, tensors: dict[str, Tensor], theirs: float) -> None:
    """Old files were made with a different epsilon added to variances: move the difference into the variances."""
    for name, module in detector.named_modules():
        key = f"{name}.running_var"
        if isinstance(module, nn.BatchNorm2d | FrozenBatchNorm2d) and key in tensors and module.eps > theirs:
            variances, scale = tensors[key], f"{name}.weight"
            tensors[key] = (variances - (module.eps - theirs)).clamp(min=0)
            if scale in tensors:  # what a variance near 0 can't absorb goes to the scale
                tensors[scale] = tensors[scale] * ((tensors[key] + module.eps) / (variances + theirs)).sqrt()


# --- to detect with at once ---


def import_weights(file: Path, recipe: Recipe, names: Sequence[str], target: Path) -> TransferResult:
    """Write `file`, trained elsewhere for the labels `names`, as one of our checkpoints at `target`.

    recipe: the detector and its settings. Refused unless every weight can be used.
    """
    if not Path(file).is_file():
        raise Refused(file, "there is no such file.")
    if not names:
        raise WorkbenchError("The labels of these weights are not known. Choose a file with one label per line.")
    own = recipe.detector_settings.resolved(tuple(names))
    kind = detectors.load_all().get(recipe.detector)
    published = kind.published_anchors  # unchanged: a file's weights fit only these
    detector = detectors.build(recipe.detector, own, len(names), published or None)
    seen = 0
    if Path(file).suffix in (".safetensors", ".pth", ".pt"):
        content = _read(detector, file)
        done = transfer(detector, content.tensors, content.labels, names)
        if done.taken < done.total and Path(file).suffix != ".safetensors":  # fine-tuned for labels of its own
            done = transfer(detector, content.tensors, None, names)
        if done.taken < done.total:
            what = f"{detector.title} with {counted(len(names), 'label')}"
            raise Refused(file, f"it does not fill {what}: {done.sentence}")
    else:
        seen = darknet.read(detector, file).seen
        darknet.set_seen(detector, seen)
        count = len(detector.state_dict())
        done = TransferResult(count, count, tuple(names), (), 0)
    labels = tuple(Label(i, name, colour_for(i), position=i - 1) for i, name in enumerate(names, 1))
    header_ = CheckpointHeader(
        detector=recipe.detector,
        detector_settings=recipes.to_dict(replace(recipe, detector_settings=own))["detector_settings"],
        labels=labels,
        anchors=detector.anchors,
        input_px=own.input_px,
        resize=detector.resize,
        provenance=checkpoint.provenance({IMPORTED: Path(file).name, "seen": seen}),
    )
    checkpoint.save_detector(target, detector.state_dict(), header_)
    return done


def import_run(file: Path, recipe: Recipe, names: Sequence[str], folder: Path) -> Path:
    """As import_weights(), but as a run in the project's folder of runs, so that every page knows
    it. Returns its folder.
    """
    run = runs.new_folder(folder, f"{recipe.detector}-imported")
    try:
        done = import_weights(file, recipe, names, run / BEST)
        recipes.write(recipe, run / runs.RECIPE)
        log = record.EventLog(run)
        try:
            log.add(
                events.Started(
                    run=run.name, folder=str(run), detector=recipe.detector, device="", precision="", images=0,
                    validation_images=0, epochs=0, steps=0, parameters=0,
                )
            )  # fmt: skip
            log.add(Message("info", f"Imported from {file}: {done.sentence}"))
            log.add(events.Finished(0, 0, False, float("nan"), 0.0, str(run)))
        finally:
            log.close()
    except BaseException:
        for left in run.iterdir():
            left.unlink()
        run.rmdir()
        raise
    return run


def published_names(file: Path, recipe: Recipe) -> tuple[str, ...]:
    """The labels of a published file or a checkpoint of ours, which both know them; empty for other files."""
    if Path(file).suffix == ".safetensors":
        return tuple(label.name for label in checkpoint.read_header(Path(file)).labels)
    published = detectors.load_all().get(recipe.detector).pretrained
    known = published is not None and Path(file).name == published.url.rpartition("/")[2]
    return published.labels if known and published is not None else ()


def read_names(file: Path) -> tuple[str, ...]:
    """The labels in a file of names, one per line, as in Darknet."""
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise Refused(file, "there is no such file.", cause=error) from error
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(file, "these names could not be read: one label per line is expected.", cause=error) from error
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names:
        raise Refused(file, "it contains no labels: it must have one per line.")
    return names
