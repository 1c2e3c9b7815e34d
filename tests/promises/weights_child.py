"""A process that opens files of weights as the program does, each in a fork of its own (see reading_child)."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from tests.promises import hostile_weights, reading_child
from workbench.errors import Refused, WorkbenchError
from workbench.training import recipes
from workbench.training.checkpoints import checkpoint, weights

torch.set_num_threads(1)  # a fork has no other threads
DETECTOR = hostile_weights.network()
RECIPE = recipes.default_recipe("yolov3-tiny").changed({"input_px": 64, "width": 0.1})


def ours(file: Path) -> tuple[float, str]:
    """To start a training, to be imported by the window, to detect, to resume: each refuses it, or it is sound."""
    started = time.process_time()
    said: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        for use in (
            lambda: weights.start(DETECTOR, file, hostile_weights.LABELS),
            lambda: weights.import_run(file, RECIPE, hostile_weights.LABELS, Path(folder)),
            lambda: checkpoint.load_detector(file) if file.suffix == ".safetensors" else None,
            lambda: checkpoint.load_state(file) if file.name.endswith(".state.pt") else None,
        ):
            try:
                use()
                said["loaded"] = None
                if not all(bool(torch.isfinite(t).all()) for t in DETECTOR.state_dict().values()):
                    said["Error: what was loaded is not finite"] = None
            except Refused as refusal:
                said[refusal.reason] = None
            except WorkbenchError as error:
                said[error.sentence] = None
            except Exception as error:
                said[f"Error: {type(error).__name__}: {error}"] = None
    return time.process_time() - started, " | ".join(said)


if __name__ == "__main__":
    reading_child.run({"ours": ours})
