"""A training that goes on from a run with what is labelled by now."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from workbench.core import edits
from workbench.core.document import Document, snapshot_of
from workbench.core.project import AnchorSet, Snapshot, Split, State
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training import request as request_module
from workbench.training.records import next_training, record
from workbench.training.records.next_training import NO_RUN, NextTraining, NextTrainingRequest
from workbench.training.request import DeferredRunRequest, RunRequest

ANCHORS = AnchorSet(((8.0, 8.0), (32.0, 32.0)), 320)


@pytest.fixture
def document(tmp_path: Path) -> Document:
    (tmp_path / "photographs").mkdir()
    for name in "abcd":
        PillowImage.new("RGB", (16, 16)).save(tmp_path / "photographs" / f"{name}.png")
    return Document.create(tmp_path / "project", tmp_path / "photographs")


def trained(document: Document, name: str, time: float, **changes: object) -> Path:
    """A run as a training leaves it, as far as it matters here."""
    folder = document.runs_folder / name
    folder.mkdir(parents=True)
    recipe = recipes.preset("quick-cpu").changed(changes)
    record.write_request(RunRequest(folder, document.snapshot(), recipe, ANCHORS))
    started = {"event": "Started", "run": name, "folder": str(folder), "detector": "yolov4-tiny", "device": "cpu"}
    numbers = {"images": 2, "validation_images": 1, "epochs": 4, "steps": 8, "parameters": 9}
    (folder / "events.jsonl").write_text(json.dumps(started | numbers | {"precision": "fp32", "time": time}) + "\n")
    (folder / "best.safetensors").write_bytes(b"weights")
    return folder


def test_it_has_the_settings_anchors_and_weights_of_the_run_and_the_labels_of_now(document: Document) -> None:
    old, new = trained(document, "old", 10.0, epochs=7), trained(document, "new", 20.0, epochs=9)
    found = next_training.plan_next_training(NextTrainingRequest(document.runs_folder, None, False))
    assert (found.name, found.recipe.training.epochs, found.start) == ("new", 9, new / "best.safetensors")
    chosen = next_training.plan_next_training(NextTrainingRequest(document.runs_folder, old, True))
    assert (chosen.name, chosen.recipe.training.epochs, chosen.start) == ("old", 7, None), "fresh weights"
    document.do(edits.SetState((1, 2), State.DONE))
    request = next_training.make_run_request(document, found).request()
    assert (request.anchors, request.start, request.resume) == (ANCHORS, new / "best.safetensors", False)
    assert [image.state for image in request.snapshot.images].count(State.DONE) == 2
    assert request.folder == document.runs_folder / "yolov4-tiny-1"
    document.close()


def test_what_is_edited_while_the_project_is_read_counts_as_not_learnt(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited: list[float] = []

    def read(folder: Path) -> Snapshot:
        found = snapshot_of(folder)
        edited.append(time.time())
        return found

    monkeypatch.setattr(request_module, "snapshot_of", read)
    recipe = recipes.preset("quick-cpu")
    request = DeferredRunRequest(document.folder, document.runs_folder / "a", recipe).request()
    assert 0 < request.data_time < edited[0]
    document.close()


def test_it_goes_on_from_no_fold_of_a_cross_validation_and_learns_from_all_images(document: Document) -> None:
    """Train and suggest continued the last fold, with its setting, and left out what that fold judges."""
    fold = trained(document, "cells-fold-2", 20.0, folds=2, fold=2, epochs=9)
    request = NextTrainingRequest(document.runs_folder, None, False)
    found = next_training.plan_next_training(request)
    training = found.recipe.training
    assert (found.start, training.folds, training.fold, training.epochs) == (fold / "best.safetensors", 0, 0, 9)
    trained(document, "old", 9.0)
    trained(document, "whole", 10.0)
    assert next_training.plan_next_training(request).name == "whole"
    chosen = next_training.plan_next_training(NextTrainingRequest(document.runs_folder, fold, False))
    assert (chosen.name, chosen.recipe.training.folds) == ("cells-fold-2", 0)
    document.close()


def test_without_a_run_or_with_too_little_labelled_it_says_what_to_do(document: Document) -> None:
    (document.runs_folder / "weightless").mkdir(parents=True)
    (document.runs_folder / "weightless" / "events.jsonl").write_text("")
    for run in (None, document.runs_folder / "weightless"):
        with pytest.raises(WorkbenchError, match=NO_RUN):
            next_training.plan_next_training(NextTrainingRequest(document.runs_folder, run, False))
    wanted = NextTraining("one", recipes.preset("quick-cpu"), None, False, None)
    with pytest.raises(WorkbenchError, match=r"No image is done, too few .* mark them as done \(N\), at least 2"):
        next_training.make_run_request(document, wanted)
    document.do(edits.SetState((1, 2), State.DONE))
    document.do(edits.SetSplit((2,), Split.TEST))
    with pytest.raises(WorkbenchError, match="Only 1 image is done"):
        next_training.make_run_request(document, wanted)
    assert [entry.name for entry in document.runs_folder.iterdir()] == ["weightless"], "no folder is left"
    document.do(edits.SetSplit((2,), Split.TRAIN))
    assert next_training.make_run_request(document, wanted).anchors is None
    document.close()
