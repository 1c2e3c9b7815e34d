"""What the Inspect page does in its thread: run a checkpoint over a split, or take what is kept, and score it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.core.detections import Candidates, Detections, Kind
from workbench.core.metrics import Evaluation
from workbench.core.project import Snapshot, Split
from workbench.inference import scoring
from workbench.inference.events import EvaluationProgress, Skipped
from workbench.inference.scoring import Rules
from workbench.ui.counted import Counted


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """Look with `checkpoint` of the run in `run_folder` at the images of `split` (None: all) of `snapshot`."""

    run_folder: Path
    checkpoint: Path
    snapshot: Snapshot
    split: Split | None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a checkpoint sees. `candidates[i]` belong to image i of `truth`; `evaluation` is for NMS as in `rules`."""

    truth: Snapshot
    candidates: tuple[Candidates, ...]
    evaluation: Evaluation
    rules: Rules
    published: Kind  # of NMS, by the detector's authors
    confidence: float  # where F1 is highest
    skipped: int  # images that could not be read

    def rescored(self, iou: float, kind: Kind | None) -> Found:
        """The same candidates with another NMS (None: as published) or overlap; no network is run."""
        rules = replace(self.rules, iou=iou, kind=kind or self.published)
        return replace(self, rules=rules, evaluation=scoring.score(self.truth, self.candidates, rules))

    def detections(self, image: int) -> Detections:
        """What NMS leaves of this image's candidates: what the evaluation's matching counts in."""
        rules = self.rules
        return self.candidates[image].detections(rules.score, rules.iou, rules.kind, rules.limit)


Look = Callable[[Wish], Iterator[Counted | Found]]


def look(wish: Wish) -> Iterator[Counted | Found]:
    """Progress, then Found. Closing early keeps the candidates found so far beside the run."""
    from workbench import plugins
    from workbench.inference import evaluate
    from workbench.inference.predict import Predictor

    plugins.loaded()
    predictor = Predictor.open(wish.checkpoint)
    for event in evaluate.evaluate_run(predictor, wish.snapshot, wish.split, wish.run_folder):
        if isinstance(event, EvaluationProgress):
            yield Counted(event.done, event.total, "images")
        elif isinstance(event, Skipped):
            yield Counted(0, 0, event.sentence)
        else:
            best = scoring.best_confidence(event.evaluation)
            rules = event.rules
            yield Found(event.truth, event.candidates, event.evaluation, rules, rules.kind, best, event.skipped)


def is_kept(run_folder: Path) -> bool:
    """Whether candidates of this run are kept, so that looking again is quick."""
    return any((run_folder / "candidates").glob("*.npz"))
