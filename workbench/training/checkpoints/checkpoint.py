"""Saved states of a run: weights to detect with (.safetensors, runs no code) and what is needed to resume training.

A run's folder holds last.safetensors and best.safetensors (averaged weights, with a CheckpointHeader in the file's
head) and last.state.pt: everything that `resume` needs, as tensors and plain values that load with weights_only=True.
Each file is replaced completely or not at all, and never by one with a number that is not finite. last.state.pt
depends on no other file, so a kill between the files of one save does no harm.

Refused: one file for both. Detecting needs no optimiser, and people send weights around.
"""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import workbench
from workbench import detectors, settings
from workbench.core.files import apply_default_permissions, atomic_path
from workbench.errors import Refused, WorkbenchError
from workbench.training.checkpoints import unpickling
from workbench.training.checkpoints.header import KEY, CheckpointHeader, check_detector, from_json, read_header

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.detectors.parts.detector import Detector

__all__ = ["BEST", "LAST", "STATE", "CheckpointHeader", "NotFinite", "State", "check_same", "load_detector"]
__all__ += ["load_state", "load_weights", "provenance", "read_header", "save_detector", "save_state"]

LAST, BEST, STATE = "last.safetensors", "best.safetensors", "last.state.pt"
STATE_VERSION = 4
LARGEST_INPUT = 4096  # pixels; settings allow 2,048


def provenance(more: Mapping[str, Any]) -> dict[str, Any]:
    """A header's information for people: what wrote it, when, and `more`, such as `seen`: images as Darknet counts."""
    import torch

    return {
        "workbench": workbench.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **more,
    }


class NotFinite(WorkbenchError):
    """Weights with a NaN or infinity were not saved; the file keeps its earlier, good content."""


@dataclass(frozen=True)
class State:
    """The state of a run. Tensors are on the CPU once loaded."""

    step: int
    detector: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Any]
    rng: Tensor  # torch's generator on the CPU, uint8: for Workbenches that did not yet seed each step
    device_rng: Tensor | None  # that of the graphics card, for the same reason
    best: float  # the best value of `best_by` so far, -1 before the first evaluation
    best_ap50: float
    stale: int  # evaluations since the best
    evaluated: int  # step of the last evaluation
    seconds: float  # of training so far
    precision: str  # "bf16" or "fp32", as it was measured at the start
    micro_batch: int  # images at a time if memory was too small for more; 0: it was not
    header: str  # CheckpointHeader as JSON
    loss_scale: float = 0.0  # of fp16, see machine.LossScale; 0: none
    scaled_for: int = 0  # good steps since the last change of loss_scale
    batch: int = 0  # the run's own, which may be smaller than the recipe's for few images; 0: not known
    epochs: int = 0  # the run's own, which may be more
    fp32_needed: bool = False  # half precision could not hold the run's numbers, wherever it goes on


def save_detector(file: Path, weights: Mapping[str, Tensor], header: CheckpointHeader) -> None:
    """Write a checkpoint to detect with. Raises NotFinite and writes nothing if a weight is NaN or infinite.

    WorkbenchError if it can't be written; the file keeps its earlier content.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    _check_finite(weights, file)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    try:
        with atomic_path(file) as temporary:
            save_file(plain, temporary, metadata={KEY: header.to_json()})
            apply_default_permissions(temporary)
    except SafetensorError as error:  # its own, whatever the system said
        raise WorkbenchError(
            f"{file} could not be written: is the disk full? Make room and try again.", error
        ) from error


def save_state(file: Path, state: State) -> None:
    """Write what `resume` needs. Raises NotFinite and writes nothing if a weight is NaN or infinite."""
    import torch

    _check_finite(state.detector, file)
    _check_finite(state.average, file)
    values = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}
    try:
        with atomic_path(file) as temporary, open(temporary, "xb") as stream:
            torch.save({"version": STATE_VERSION, **values}, stream)
    except RuntimeError as error:  # torch's own, whatever cut off the writing
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise WorkbenchError(
            f"{file} could not be written: is the disk full? Make room and resume the run.", error
        ) from error


def load_state(file: Path) -> State:
    """The inverse of save_state(); never runs code from the file. Refused if it is damaged or not ours."""
    try:
        values = unpickling.load(file)
        if values.pop("version") > STATE_VERSION:
            raise Refused(file, "this run was saved by a newer Workbench. Update Workbench to resume it.")
        state = State(**values)
        _check_kinds(state)
    except Refused as refusal:
        if refusal.reason == unpickling.DAMAGED:
            raise Refused(file, _NO_STATE, cause=refusal.cause) from refusal
        raise
    except Exception as error:  # not a dictionary, or one with other values
        raise Refused(file, _NO_STATE, cause=error) from error
    unpickling.check_tensors(file, dict(unpickling.tensors_in(values)), file.stat().st_size)
    return state


_NO_STATE = "the saved state is damaged. Start a new run."


def _check_kinds(state: State) -> None:
    """TypeError if a value is not of its field's type."""
    import torch

    kinds: dict[str, Any] = {
        "int": int, "float": int | float, "str": str, "bool": bool,
        "Tensor": torch.Tensor, "Tensor | None": torch.Tensor | None,
    }  # fmt: skip
    for field in dataclasses.fields(state):
        if not isinstance(getattr(state, field.name), kinds.get(str(field.type), dict)):
            raise TypeError(field.name)


def load_detector(file: Path) -> tuple[Detector, CheckpointHeader]:
    """The detector of a checkpoint in evaluation mode, and its header. Refused if they don't fit."""
    header = read_header(file)
    _check_fits(header, file)
    detector = build(header, file)
    detector.load_state_dict(load_weights(file, detector.state_dict()))
    return detector.eval(), header


def build(header: CheckpointHeader, file: object = "checkpoint") -> Detector:
    """A detector as the header describes it, with fresh weights."""
    if not 0 < header.input_px <= LARGEST_INPUT:
        raise Refused(file, f"it claims an input side of {header.input_px} pixels. Use another checkpoint.")
    check_detector(header, file, detectors.load_all().names())
    try:
        kind = detectors.load_all().get(header.detector).settings_class
        own = settings.with_values(kind(), kind.renewed(header.detector_settings))
        return detectors.build(header.detector, own, len(header.labels), header.anchors or None)
    except WorkbenchError as error:
        raise Refused(file, error.sentence, cause=error.cause) from error
    except (TypeError, ValueError, AttributeError, KeyError) as error:  # values of other types
        raise Refused(file, "the description in this checkpoint is damaged. Use another one.", cause=error) from error


def _check_fits(header: CheckpointHeader, file: Path) -> None:
    """Refused if the network that the header describes has another size than the file's, before it takes any memory.

    A header of 50 KB can ask for a network of 100 GB. On torch's device "meta" a network has shapes but no numbers.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with torch.device("meta"):
            skeleton = build(header, file)
        with safe_open(file, framework="pt") as there:
            found = {name: tuple(there.get_slice(name).get_shape()) for name in there.keys()}  # noqa: SIM118
    except Refused:
        raise
    except (OSError, SafetensorError) as error:
        raise Refused(file, "this checkpoint is damaged. Use another one of the run.", cause=error) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in skeleton.state_dict().items()}
    check_same(wanted, found, file)


def check_same(wanted: Mapping[str, Any], found: Mapping[str, Any], file: object) -> None:
    """Refused if tensors of these names, with these properties, are not those of the network."""
    odd = list(wanted.keys() ^ found.keys()) or [name for name in wanted if wanted[name] != found[name]]
    if odd:
        what = f"the weights do not fit the network named in this checkpoint (at '{sorted(odd)[0]}')"
        raise Refused(file, f"{what}. If it is a plugin's, they need that plugin as it was.")


def load_weights(file: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, which must match `wanted` by name, shape and dtype."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise Refused(file, "this checkpoint is damaged. Use another one of the run.", cause=error) from error
    kinds, theirs = ({name: (t.shape, t.dtype) for name, t in some.items()} for some in (wanted, weights))
    check_same(kinds, theirs, file)
    unpickling.check_tensors(file, weights, file.stat().st_size)
    return weights


def header_of(state: State, file: object) -> CheckpointHeader:
    return from_json(state.header, file)


def _check_finite(weights: Mapping[str, Tensor], file: object) -> None:
    import torch

    for name, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NotFinite(f"{file}: the weights of '{name}' are not finite numbers, so they are not used.")
