"""Trained networks from files, to suggest labels: ours, Darknet's, torchvision's, and our own ONNX exports.

`prepare_model` gives what suggest.SuggestionWorker opens: one of our checkpoints, made once from another program's
file and kept in `folder` by its content, or the ONNX file itself. Nothing is downloaded. Labels come from a .names
or .txt beside the file, else from the kind of file: COCO's if it has as many labels.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.core.formatting import count
from workbench.errors import Refused
from workbench.inference.suggesting import onnx_model

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.detectors.parts.detector import LabelRows
    from workbench.training.recipes import Recipe

FILES = "Trained networks (*.safetensors *.weights *.onnx *.pth *.pt);;All files (*)"
FROM_CFG = "darknet-cfg"  # the plugin that reads any cfg, which its user has to name
NAMES = (".names", ".txt")
_CLASSES = re.compile(r"^\s*classes\s*=\s*(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """`model`: what SuggestionWorker opens; `source`: the file that the user chose."""

    source: Path
    model: Path


def prepare_model(file: Path, folder: Path) -> PreparedModel:
    """WorkbenchError says what is missing: a cfg, the labels, or the description in an ONNX file.

    Takes seconds and loads torch: not for the window's thread. Plugins must be loaded.
    """
    file = Path(file)
    if not file.is_file():
        raise Refused(file, "there is no such file.")
    if file.suffix == ".onnx":
        onnx_model.check(file)
        return PreparedModel(file, file)
    if file.suffix == ".safetensors":
        from workbench.training.checkpoints import checkpoint

        checkpoint.read_header(file)
        return PreparedModel(file, file)
    if file.suffix in (".pth", ".pt"):
        recipe, names = _torchvisions(file)
    else:
        recipe, names = _darknets(file)
    return PreparedModel(file, _imported(file, recipe, names, folder))


def _imported(file: Path, recipe: Recipe, names: tuple[str, ...], folder: Path) -> Path:
    from workbench.inference.evaluating.candidate_cache import digest
    from workbench.training import recipes
    from workbench.training.checkpoints import weights

    about = "\n".join((digest(file), recipes.to_toml(recipe), *names))
    target = folder / f"{hashlib.sha256(about.encode()).hexdigest()[:24]}.safetensors"
    if not target.is_file():
        weights.import_weights(file, recipe, names, target)
    return target


# --- Darknet ---


def _darknets(file: Path) -> tuple[Recipe, tuple[str, ...]]:
    from workbench import detectors
    from workbench.training import recipes

    cfg = file.with_suffix(".cfg")
    if cfg.is_file():
        recipe = recipes.default_recipe(FROM_CFG).changed({"cfg": str(cfg)})
        found = _CLASSES.findall(cfg.read_text("utf-8", errors="replace"))
        classes = int(found[-1]) if found else 0
        return recipe, _names(file, classes) or _cocos(file, classes)
    known = [name for name, kind in detectors.load_all() if kind.darknet and name != FROM_CFG]
    detector = max((name for name in known if file.name.startswith(name)), key=len, default="")
    if not detector:
        raise Refused(
            file, f"weights alone don't say which network they belong to. Put its {cfg.name} beside them, or choose a"
            f" name that begins with the network's: {', '.join(known)}.",
        )  # fmt: skip
    return recipes.default_recipe(detector), _names(file, 0) or _cocos(file, 80)


# --- torchvision ---


def _torchvisions(file: Path) -> tuple[Recipe, tuple[str, ...]]:
    """Tensor names tell which detector a state dict is for, and shapes how many labels it has."""
    from workbench import detectors
    from workbench.training import recipes
    from workbench.training.checkpoints import unpickling

    state = unpickling.load(file)
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and hasattr(value, "shape") for name, value in state.items()
    ):
        raise Refused(file, "it contains no named weights. Choose a file of torchvision's weights.")
    known = {name: kind.pretrained for name, kind in detectors.load_all() if kind.pretrained is not None}
    likely = sorted(known, key=lambda name: not file.name.replace("_", "").startswith(name.replace("-", "")))
    for name in likely:
        published = known[name]
        labels = _labels_in(state, _skeleton(name), published.prefix)
        if labels:
            own = published.labels if len(published.labels) == labels else ()
            return recipes.default_recipe(name), _names(file, labels) or own or _cocos(file, labels)
    raise Refused(file, f"its tensors do not match any of torchvision's detectors known here: {', '.join(known)}.")


@functools.cache
def _skeleton(detector: str) -> dict[str, tuple[tuple[int, ...], LabelRows | None]]:
    """Each tensor's shape, for one label, and how its rows belong to labels. Takes no memory."""
    import torch

    from workbench import detectors
    from workbench.training import recipes

    with torch.device("meta"):
        own = recipes.default_recipe(detector).detector_settings.resolved(("a",))
        made = detectors.build(detector, own, 1)
    rows = made.label_rows()
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    return {name: (shape, rows.get(name.rpartition(".")[0])) for name, shape in shapes.items()}


def _labels_in(
    state: dict[str, Tensor], wanted: dict[str, tuple[tuple[int, ...], LabelRows | None]], prefix: str
) -> int:  # fmt: skip
    """How many labels a network of these tensors must have for `state` to fill it; 0 if it is another network.

    Output layers may have other numbers of rows, all others must have the same shapes.
    """
    from workbench.detectors.parts import foreign

    shapes = {foreign.current_name(prefix + name, wanted): tuple(tensor.shape) for name, tensor in state.items()}
    counts = set[float]()
    for name, (shape, rows) in wanted.items():
        if name.endswith("num_batches_tracked") or not name.startswith(prefix):
            continue  # torchvision's older files lack counters, and our own buffers are not weights
        found = shapes.get(name)
        if found is None or found[1:] != shape[1:] or (rows is None and found != shape):
            return 0
        if rows is not None:
            counts.add((found[0] - rows.after) / rows.groups / rows.repeat - rows.before)
    return int(counts.pop()) if len(counts) == 1 else 0


# --- labels ---


def _names(file: Path, labels: int) -> tuple[str, ...]:
    """Those in the file of names with the same stem, else in the folder's only .names file with that many lines.

    `labels` 0: any number. Refused if the former has a different number.
    """
    from workbench.training.checkpoints import weights

    for suffix in NAMES:
        own = file.with_suffix(suffix)
        if own.is_file():
            names = weights.read_names(own)
            if labels and len(names) != labels:
                found = f"{own.name} beside it has {count(len(names), 'label')}, but the network {labels:,}."
                raise Refused(file, f"{found} One label per line is expected, in the network's order.")
            return names
    others = [weights.read_names(one) for one in sorted(file.parent.glob("*.names"))]
    fitting = {names for names in others if not labels or len(names) == labels}
    return fitting.pop() if len(fitting) == 1 else ()


def _cocos(file: Path, labels: int) -> tuple[str, ...]:
    """COCO's 80 labels, or its 90 or 91 ids including unused ones; else Refused."""
    import torchvision  # noqa: F401  (whole before its parts: tests/test_import_order.py)
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

    places: Sequence[str] = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    for names in (places, places[1:], [name for name in places[1:] if name != "N/A"]):
        if len(names) == labels:
            return tuple(names)
    raise Refused(
        file, f"the names of its {count(labels, 'label')} are not known. Put a file {file.with_suffix('.names').name}"
        " beside it, one label per line in the network's order.",
    )  # fmt: skip
