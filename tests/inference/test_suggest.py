"""What is suggested of what a network sees, and that it looks at an image once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.core.detections import Candidates
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.inference import predict
from workbench.inference.suggest import (
    KEPT,
    SuggestionRequest,
    SuggestionResult,
    SuggestionWorker,
    suggestions,
    unknown_labels,
)
from workbench.training.header import IMPORTED, CheckpointHeader

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


def test_what_is_gone_is_said(files: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"gone\.safetensors no longer exists"):
        SuggestionWorker()(SuggestionRequest(files / "gone.safetensors", 1, files / "0.png"))
