"""The results of a run's evaluation, and the operating point at which the run is used until the user keeps another.

The Inspect page opens with it, and predicting and exporting take it from here, so what was evaluated is what is used.
It is chosen on validation images, so that looking at others changes neither it nor the test; without an evaluation of
these, on all images. No torch here, so that the window can import it before torch is loaded.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from workbench.core.project import Split
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.checkpoints.header import read_header

_BEST = "best.safetensors"


def evaluation_file(run_folder: Path, split: Split | None, checkpoint: str = "") -> Path:
    """The file of an evaluation on `split` (None: all images). That of validation images is evaluation.json; looking at
    other images leaves it as it is, and so does looking with another checkpoint of the run than the best one.
    """
    name = "evaluation" if split is Split.VALIDATION else f"evaluation-{split or 'all'}"
    is_other = checkpoint not in ("", _BEST) and (run_folder / _BEST).exists()
    return run_folder / (f"{name}-{Path(checkpoint).stem}.json" if is_other else f"{name}.json")


def read_evaluation(
    run_folder: Path, checkpoint: str = "", split: Split | None = Split.VALIDATION
) -> dict[str, Any] | None:
    """The evaluation in evaluation_file(), or None if there is none, or it is of another checkpoint or of the weights
    that the checkpoint's file had before the training went on.
    """
    own, common = evaluation_file(run_folder, split, checkpoint), evaluation_file(run_folder, split)
    for file in dict.fromkeys((own, common)):  # earlier versions wrote one for all checkpoints
        try:
            found = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        good = isinstance(found, dict) and (not checkpoint or found.get("checkpoint") in (None, checkpoint))
        if good and _is_of_these_weights(found, run_folder):
            return dict(found)
    return None


def _is_of_these_weights(evaluation: dict[str, Any], run_folder: Path) -> bool:
    """Whether its checkpoint is at the step that was evaluated. Files of earlier versions don't say: then, too."""
    step, checkpoint = evaluation.get("step"), evaluation.get("checkpoint")
    if step is not None and isinstance(checkpoint, str):
        with contextlib.suppress(WorkbenchError):  # weights that can't be read have no other step
            return bool(read_header(run_folder / checkpoint).step == step)
    return True


def deciding_evaluation(run_folder: Path, checkpoint: str = "") -> dict[str, Any] | None:
    """That of the validation images, else of all images, else of those without a split. None if there is none.

    evaluation.json of earlier versions may be of any images: of the same ones, a file of their own is newer.
    """
    found = [read_evaluation(run_folder, checkpoint, split) for split in reversed(_IMAGES)]
    return next((one for split in _IMAGES for one in found if one is not None and one.get("split") == split), None)


def deciding_images(run_folder: Path, checkpoint: str = "") -> str:
    """Those of `deciding_evaluation`, in words."""
    return _IMAGES[(deciding_evaluation(run_folder, checkpoint) or {}).get("split", Split.VALIDATION)]


_IMAGES = {Split.VALIDATION: "validation images", None: "all images", Split.NONE: "images without a split"}


def best_point(run_folder: Path, checkpoint: str = "") -> OperatingPoint | None:
    """The confidence with the highest F1 in the deciding evaluation, with the NMS that it was found with."""
    return _point(deciding_evaluation(run_folder, checkpoint))


def _point(evaluation: dict[str, Any] | None) -> OperatingPoint | None:
    try:
        found = evaluation or {}
        rules = found["rules"]
        return OperatingPoint(
            float(found["best_confidence"]), iou=float(rules["iou"]), kind=rules["kind"], limit=int(rules["limit"])
        )
    except (KeyError, TypeError, ValueError):
        return None


def validation_point(run_folder: Path, checkpoint: str, split: Split | None) -> OperatingPoint | None:
    """The point to judge test images at: the best point of the validation images alone. None for other
    splits, or without one.
    """
    found = read_evaluation(run_folder, checkpoint) or {}
    return _point(found) if split is Split.TEST and found.get("split") == Split.VALIDATION else None


def point_in_use(run_folder: Path, checkpoint: str = "") -> OperatingPoint | None:
    """The operating point that was kept with the run, or else its best point.

    None if the run was not evaluated: then the detector's published values apply. WorkbenchError if the kept one is
    damaged.
    """
    return operating_point.read(run_folder, checkpoint) or best_point(run_folder, checkpoint)
