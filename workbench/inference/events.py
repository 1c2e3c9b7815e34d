"""What predicting, evaluating and exporting report, as frozen values, for the window and the command line alike.

No torch here, so that the window can import it before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.core.detections import Candidates
from workbench.core.metrics import Evaluation
from workbench.core.project import Snapshot
from workbench.inference.evaluating.scoring import ScoringRules

SAY_EVERY = 0.2  # seconds between two words about images that are looked up among those kept
MATCHED_SHARE, FOREIGN_SHARE = 0.9, 0.01  # at least, at most: see graph.agreement()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A picture that could not be read, and the reason."""

    name: str
    index: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """One picture is done. `total` may be wrong for videos and is 0 if unknown."""

    name: str
    index: int
    done: int
    total: int
    detections: int
    images_per_second: float


@dataclass(frozen=True, slots=True)
class ListingProgress:
    """The pictures to predict are being listed, or looked up among those predicted before: `found` so far."""

    found: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """An earlier process was interrupted after `done` of `total`; this one continues from there."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class WritingProgress:
    """`done` pictures have been written in this format of results."""

    format: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PredictionsSaved:
    """The last event: everything is written. `file` is the first of `files`.

    One of several shards writes only its part until they are merged: `file` is then that folder.
    """

    file: Path
    images: int
    detections: int
    skipped: int
    files: tuple[Path, ...] = ()
    remark: str = ""  # what the user should know about them
    new: int = -1  # images predicted by this process; -1: all


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """`done` of `total` images are predicted; `cached` of them came from the cache."""

    done: int
    total: int
    cached: int
    images_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class FoldScore:
    """What one run of a cross-validation has on its own fold, of so many images. NaN where there is no AP."""

    fold: int
    run: str
    images: int
    ap: float
    ap50: float


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationDone:
    """The last event. `candidates[i]` belong to image i of `truth`, which lacks the images that could not be read."""

    evaluation: Evaluation
    truth: Snapshot
    candidates: tuple[Candidates, ...]
    rules: ScoringRules
    skipped: int
    file: Path | None
    trained_on: int | None = None  # how many of these images the run has learnt from; None: not known
    remark: str = ""  # what the user should know about the numbers: files changed since they were labelled
    folds: tuple[FoldScore, ...] = ()  # of a cross-validation
    labels: tuple[str, ...] = ()  # that the detector knows, or all of a cross-validation's; (): not known
    step: int | None = None  # of the run's weights; None: not known


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well a file's outputs agree with the network's: of `compared` outputs, `matched` are among the file's.

    `foreign` outputs of the file are none of the network's candidates. `lowest_iou`, `largest_score_gap` and
    `largest_box_gap` (pixels of the network input, of one coordinate) are of the matched ones.
    """

    compared: int
    matched: int
    foreign: int = 0
    lowest_iou: float = 1.0
    largest_score_gap: float = 0.0
    largest_box_gap: float = 0.0

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.compared + other.compared,
            self.matched + other.matched,
            self.foreign + other.foreign,
            min(self.lowest_iou, other.lowest_iou),
            max(self.largest_score_gap, other.largest_score_gap),
            max(self.largest_box_gap, other.largest_box_gap),
        )

    @property
    def holds(self) -> bool:
        return self.foreign <= self.compared * FOREIGN_SHARE and self.matched >= self.compared * MATCHED_SHARE


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """The current step: `done` of `total`."""

    format: str
    sentence: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Exported:
    """One format is written and verified. `agreement` is None for a plugin's files that can't be read back.

    `checked_images` 0: there were no images, so it was checked on noise.
    """

    format: str
    folder: Path
    file: Path
    bytes: int
    checked_images: int
    agreement: Agreement | None
    remark: str


@dataclass(frozen=True, slots=True)
class NotExported:
    """One format could not be written, or the file does not find the same; nothing of it is left."""

    format: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ExportDone:
    """The last event: what was written and what was not; `left_out` formats were not requested by name. `note`: what a
    user of the files has to know about them.
    """

    folder: Path
    results: tuple[Exported, ...]
    failed: tuple[NotExported, ...] = ()
    left_out: tuple[NotExported, ...] = ()
    note: str = ""


PredictEvent = ListingProgress | Resumed | Predicted | Skipped | WritingProgress | PredictionsSaved
EvaluateEvent = ListingProgress | EvaluationProgress | Skipped | EvaluationDone
ExportEvent = ExportProgress | Exported | NotExported | ExportDone
