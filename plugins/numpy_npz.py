"""The weights as a NumPy archive, for code without PyTorch. A shipped example of an exporter plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from workbench.api import WorkbenchError, exporters, files

API = 1


@exporters.register("npz")
class NumpyArchive:
    """One array per weight under its name in the network, and model.json as text under "model.json"."""

    title: ClassVar[str] = "NumPy archive"
    summary: ClassVar[str] = "Only the weights, as NumPy arrays, for code without PyTorch."
    file: ClassVar[str] = "model.npz"
    needs: ClassVar[tuple[str, ...]] = ()  # packages beyond those that Workbench itself needs

    def write(self, source: exporters.Source, file: Path) -> str:
        """Returns an empty remark: there is nothing to tell the user."""
        arrays: dict[str, Any] = {
            name: tensor.detach().cpu().numpy() for name, tensor in source.detector.state_dict().items()
        }
        arrays[exporters.KEY] = np.array(source.card.to_json())
        with files.atomic_path(file) as temporary, open(temporary, "xb") as out:
            np.savez(out, **arrays)
        return ""

    def fill(self, file: Path, detector: Any) -> None:
        """Load the weights into `detector`, an empty one of its kind, which must then find what the trained one does.

        This is how a file that can't run by itself is verified.
        """
        import torch

        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files if name != exporters.KEY}
            labels = json.loads(str(opened[exporters.KEY]))["labels"]
        if len(labels) != detector.label_count:
            raise WorkbenchError(f"It has {len(labels)} labels, but the network has {detector.label_count}.")
        wanted = detector.state_dict()
        odd = sorted(name for name in {*wanted, *arrays} if _shape(wanted, name) != _shape(arrays, name))
        if odd:
            raise WorkbenchError(f"Its weights differ from the network's in name or size, such as '{odd[0]}'.")
        detector.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

    def code(self, card: exporters.Card) -> str:
        """The body of example.py."""
        return """import json
import pathlib

import numpy as np

with np.load(pathlib.Path(__file__).parent / "model.npz", allow_pickle=False) as weights:
    about = json.loads(str(weights["model.json"]))
    print(about["detector"], about["labels"])
    for name in weights.files:
        if name != "model.json":
            print(name, weights[name].shape)
"""


def _shape(arrays: dict[str, Any], name: str) -> tuple[int, ...] | None:
    return tuple(arrays[name].shape) if name in arrays else None
