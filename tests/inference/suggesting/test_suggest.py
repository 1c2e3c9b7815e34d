"""What is suggested of what a network sees, and that it looks at an image once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.core import nms
from workbench.core.boxes import iou
from workbench.core.detections import Candidates
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.inference import predict
from workbench.inference.suggesting.suggest import (
    KEPT,
    MOST,
    Suggestion,
    SuggestionRequest,
    SuggestionResult,
    SuggestionWorker,
    suggestions,
    unknown_labels,
)
from workbench.training.checkpoints.header import IMPORTED, CheckpointHeader

LABELS = (Label(3, "cell"), Label(8, "plate"))
ASK = SuggestionRequest(Path("best.safetensors"), 1, Path("a.png"))
BOXES = np.array([(0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60), (80, 0, 90, 10)], float)


def found(scores: tuple[float, ...] = (0.9, 0.8, 0.6, 0.5), labels: tuple[int, ...] = (0, 0, 1, 2)) -> SuggestionResult:
    candidates = Candidates.of_arrays(BOXES, np.array(scores), np.array(labels))
    return SuggestionResult(ASK, candidates, ("plate", "cell", "moon"), 0.5, "per label")


def test_overlapping_strange_and_labelled_ones_are_left_out() -> None:
    told = [(one.label, round(one.score, 3)) for one in suggestions(found(), LABELS, (), 0.1)]
    assert told == [(8, 0.9), (3, 0.6)], "one of two plates on each other, no moon; the project's ids"
    same = Box(1, 1, 8, (0, 0, 10, 9))
    assert [one.label for one in suggestions(found(), LABELS, (same,), 0.1)] == [3]
    other = Box(1, 1, 3, (0, 0, 10, 9))
    assert [one.label for one in suggestions(found(), LABELS, (other,), 0.1)] == [8, 3], "of another label"
    assert [one.label for one in suggestions(found(), LABELS, (), 0.7)] == [8]
    assert suggestions(found(), (), (), 0.1) == ()
    assert unknown_labels(found(), LABELS) == ("moon",)


def test_what_taking_a_surer_one_would_end_is_not_suggested_and_less_where_a_person_says_so() -> None:
    boxes = np.array([(0, 0, 10, 10), (0, 0, 10, 18), (0, 4, 10, 14), (0, 30, 10, 40)], float)  # IoU 0.56, 0.43, 0
    candidates = Candidates.of_arrays(boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.zeros(4, int))
    seen = SuggestionResult(ASK, candidates, ("cell",), 0.6, "per label")
    assert [round(one.score, 1) for one in suggestions(seen, LABELS, (), 0.1)] == [0.9, 0.7, 0.6]
    assert [round(one.score, 1) for one in suggestions(seen, LABELS, (), 0.1, overlap=0.4)] == [0.9, 0.6]


def test_of_a_crowd_the_surest_are_suggested_and_the_next_once_these_are_labelled() -> None:
    """Of a photograph in tiles thousands were, each compared with each: the window stood still for ten seconds."""
    low = np.stack(np.divmod(np.arange(450), 30), axis=1) * 20.0
    boxes, scores = np.hstack([low, low + 10]), np.linspace(0.9, 0.2, 450)
    candidates = replace(Candidates.of_arrays(boxes, scores, np.zeros(450, int)), views=2)
    seen = SuggestionResult(ASK, candidates, ("cell",), 0.5, "per label")
    labelled: list[Box] = []
    for first in (0, 100, 200, 300, 400):
        some = suggestions(seen, LABELS, labelled, 0.1)
        assert [one.xyxy for one in some] == [tuple(box) for box in boxes[first : first + MOST].tolist()]
        labelled += [Box(0, 1, one.label, one.xyxy) for one in some]
    assert suggestions(seen, LABELS, labelled, 0.1) == ()


@pytest.mark.parametrize("overlap", [0.5, 0.3])
def test_what_is_chosen_of_many_follows_the_rule_for_each(overlap: float) -> None:
    random = np.random.default_rng(7)
    low = random.uniform(0, 300, (700, 2))
    boxes, labels = np.hstack([low, low + random.uniform(20, 60, (700, 2))]), random.integers(0, 3, 700)
    candidates = Candidates.of_arrays(boxes, np.linspace(0.9, 0.2, 700), labels, most=700)
    seen = SuggestionResult(ASK, candidates, ("cell", "plate", "moon"), 0.7, "per label")
    labelled = [Box(0, 1, 3, tuple(box)) for box in boxes[labels == 0][:40].tolist()]
    labelled += [Box(0, 1, 8, tuple(box)) for box in boxes[labels == 1][:400:3].tolist()]
    kept: list[Suggestion] = []
    wanted = []
    found = candidates.detections(0.1, 0.7)
    for xyxy, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
        if label == 2 or any(one.label == (3, 8)[label] and overlap_of(xyxy, one.xyxy) >= overlap for one in kept):
            continue
        kept.append(Suggestion(tuple(xyxy), (3, 8)[label], score))
        if not any(box.label == (3, 8)[label] and overlap_of(xyxy, box.xyxy) >= 0.5 for box in labelled):
            wanted.append(kept[-1])
    assert suggestions(seen, LABELS, labelled, 0.1, overlap=overlap) == tuple(wanted[:MOST])
    assert len(wanted) > 20


def overlap_of(one: Sequence[float], other: Sequence[float]) -> float:
    return float(iou(np.array([one], float), np.array([other], float))[0, 0])


class Predictor:
    """Counts what it opens and looks at."""

    header: CheckpointHeader | None = None
    opened: list[Path] = []
    looks = 0

    def __init__(self) -> None:
        self.labels, self.window, self.detector = ("cell",), None, self
        self.published_nms = "per label", 0.45

    @classmethod
    def open(cls, checkpoint: Path, *, cpu_fallback: bool) -> Predictor:
        cls.opened.append(checkpoint)
        return cls()

    def candidates(self, images: list[np.ndarray]) -> list[Candidates]:
        Predictor.looks += len(images)
        return [Candidates.none()]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(predict, "Predictor", Predictor)
    Predictor.opened, Predictor.looks = [], 0
    for number in range(KEPT + 1):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    (tmp_path / "best.safetensors").write_bytes(b"1")
    return tmp_path


@pytest.mark.parametrize(("provenance", "ids"), [({"run": "a"}, [7]), ({IMPORTED: "a.weights"}, [])])
def test_a_network_that_was_trained_here_knows_the_ids_of_its_labels(
    files: Path, monkeypatch: pytest.MonkeyPatch, provenance: dict[str, str], ids: list[int]
) -> None:
    header = CheckpointHeader("toy", {}, (Label(7, "cell"),), (), 64, "stretch", provenance=provenance)
    monkeypatch.setattr(Predictor, "header", header)
    seen = SuggestionWorker()(SuggestionRequest(files / "best.safetensors", 1, files / "0.png"))
    assert [label.id for label in seen.trained] == ids


def test_an_image_is_looked_at_once_and_anew_when_it_or_the_run_has_changed(files: Path) -> None:
    finder, ask = SuggestionWorker(), SuggestionRequest(files / "best.safetensors", 1, files / "0.png")
    assert finder(ask) is finder(ask)
    assert (len(Predictor.opened), Predictor.looks) == (1, 1)
    Image.new("RGB", (9, 9)).save(files / "0.png")
    finder(ask)
    assert (len(Predictor.opened), Predictor.looks) == (1, 2)
    (files / "best.safetensors").write_bytes(b"better")
    finder(ask)
    assert (len(Predictor.opened), Predictor.looks) == (2, 3)
    for number in range(1, KEPT + 1):
        finder(SuggestionRequest(files / "best.safetensors", 1 + number, files / f"{number}.png"))
    finder(ask)
    assert Predictor.looks == 3 + KEPT + 1, "the oldest is forgotten"


def test_overlaps_are_looked_for_where_the_image_is_looked_at(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not in the window's thread, which shows the suggestions."""
    monkeypatch.setattr(Predictor, "candidates", lambda *_: [found(labels=(0, 0, 0, 0)).candidates])
    seen = SuggestionWorker()(SuggestionRequest(files / "best.safetensors", 1, files / "0.png"))
    monkeypatch.setattr(nms, "overlaps", lambda *_, **__: pytest.fail("it is done again"))
    assert [one.score for one in suggestions(seen, (Label(3, "cell"),), (), 0.1)] == pytest.approx([0.9, 0.6, 0.5])


def test_what_is_gone_is_said(files: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"gone\.safetensors no longer exists"):
        SuggestionWorker()(SuggestionRequest(files / "gone.safetensors", 1, files / "0.png"))
