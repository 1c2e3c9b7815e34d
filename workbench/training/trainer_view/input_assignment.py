"""How a detector's loss treats an image as it is seen: every cell, anchor or point, by the loss's own code.

If the loss needs the network's output to choose (the hardest negatives, predictions that are ignored), the network is
run: with the weights that a training of the recipe starts from, or with those of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.batchnorm import _BatchNorm

from workbench.core.former_names import FormerNames
from workbench.core.project import AnchorSet
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.explained import Explained
from workbench.training import freezing, prepare, schedule
from workbench.training.batches.device_transfer import on_device
from workbench.training.checkpoints import weights
from workbench.training.recipes import Recipe
from workbench.training.trainer_view.network_input import NetworkInput

_ANSWERS = "What is ignored, and which negatives are used, depends on the network's predictions: here those"
FIRST_STEP = f"{_ANSWERS} of the first step, whatever the epoch."
OF_RUN = f"{_ANSWERS} of the run's weights."
NORMS = "In training, batch norm also sees the other images of the batch, which changes predictions a little."
DRAWN = "What is learnt is sampled at random in every step: this is one sample."
TWO_STAGES = "This shows the first stage, which proposes regions, not the second, which learns from the proposals."


@dataclass(frozen=True)
class InputAssignment:
    """`boxes` without a positive: (row of the input's boxes, reason). `explained` is for a batch of one image.

    `note`: why a training may treat the image differently; empty if it can't.
    """

    explained: Explained
    unmatched: tuple[tuple[int, str], ...]
    note: str = ""

    def of_box(self, box: int) -> list[int]:
        """The number of positives of a box of the input, per level."""
        level = self.explained.layout.level[self.explained.prior[self.explained.box == box]]
        return torch.bincount(level, minlength=len(self.explained.layout.grids)).tolist()  # type: ignore[no-any-return]

    def cells(self, side: int) -> NDArray[np.float64]:
        """(N, 4) the cell around the centre of each prior: torchvision's anchors lie on the corners of a grid."""
        layout = self.explained.layout
        shape = np.array([(side / columns, side / rows) for rows, columns in layout.grids])[layout.level.numpy()]
        priors = layout.boxes.double().numpy()
        middle = (priors[:, :2] + priors[:, 2:]) / 2
        cells = np.concatenate([middle - shape / 2, middle + shape / 2], axis=1)
        return np.asarray(cells.round(3))  # so that cells at one place are equal


def build_detector(
    recipe: Recipe, labels: tuple[str, ...], anchors: AnchorSet | None, file: Path | None, *, begun: bool = False,
    former: FormerNames = (),
) -> Detector:  # fmt: skip
    """The recipe's detector with the weights that its training starts from, or those of `file`.

    What fits is taken from a file, and the network then answers as in evaluation; `begun`: the training starts from
    the file. `former`: earlier names of the labels. WorkbenchError says what is wrong.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        if begun:
            anchors = weights.initial_anchors(recipe, anchors, file)
        detector = prepare.build(recipe, len(labels), anchors)
        if file is not None:
            weights.start(detector, file, labels, former)
    detector.train(file is None or begun)
    if begun:
        freezing.set_frozen(detector, schedule.is_frozen(recipe.training, 0, 1))
    return detector


def assign_input(sample: NetworkInput, detector: Detector, *, answers: bool = True) -> InputAssignment:
    """How the loss treats `sample`. Without `answers` the network is not run, and what depends on it stays unknown.

    What depends only on the boxes is exactly as in training; if chance or the network's answers decide, see `note`.
    """
    images, targets = on_device(sample.batch(), slice(None), torch.device("cpu"))
    size = (sample.side, sample.side)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(max(sample.step, 0))
        found = detector.explained(None, targets, size)
        depends = bool(found.note)
        if answers and depends:
            found = detector.explained(_raw(detector, images), targets, size)
    reasons = {m: why for (_, m), why in found.reasons.items()}
    reasons |= {m: one.reason for m, one in sample.ignored_as().items() if m in reasons}
    return InputAssignment(found, tuple(sorted(reasons.items())), _note(detector, found, answers and depends))


def _note(detector: Detector, found: Explained, answered: bool) -> str:
    """`answered`: the network's answers decided something."""
    notes = [found.note]
    if answered and detector.samples:
        notes.append(DRAWN)
    elif answered:
        normed = detector.training and any(isinstance(module, _BatchNorm) for module in detector.modules())
        notes += [FIRST_STEP if detector.training else OF_RUN, NORMS if normed else ""]
    notes.append(TWO_STAGES if detector.later_multiply_adds else "")
    return " ".join(note for note in notes if note)


def _raw(detector: Detector, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
    try:
        return detector(images)  # type: ignore[no-any-return]
    except ValueError:  # batch norm over a map of one cell needs two values: repeating one changes no mean
        return tuple(level[:1] for level in detector(images.repeat(2, 1, 1, 1)))
