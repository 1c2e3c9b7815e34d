"""The demo: the whole loop on generated photographs, from scenes to exported weights, shown on the console."""

from __future__ import annotations

import time
from pathlib import Path

from workbench import anchors, scenes
from workbench.console import progress_bar, say
from workbench.core import edits, formatting
from workbench.core.document import Document
from workbench.core.project import AnchorSet, Split, State
from workbench.errors import WorkbenchError
from workbench.report import elapsed, show_evaluation, show_export, show_predictions, show_training

IMAGES, UNLABELLED, SEED = 240, 24, 7
PRESET, ANCHORS = scenes.RECIPE, 6


def show(folder: Path, epochs: int = 0) -> None:
    """Make the sample project in `folder` (new or empty) and run the whole loop on it."""
    if folder.exists() and any(folder.iterdir()):
        raise WorkbenchError(f"The folder {folder} is not empty. Choose another one: workbench demo FOLDER")
    with make(folder) as document:
        kept = cluster(document)
        run = train(document, kept, epochs)
        evaluate(document, run)
        predict(document, run)
        export(document, run)


def make(folder: Path) -> Document:
    """Step 1: make the photographs and the project; return it open."""
    begun, drawn = time.monotonic(), []
    with progress_bar("Photographs", IMAGES) as progress:
        for scene in scenes.write_scenes(folder / scenes.PHOTOGRAPHS, IMAGES, SEED):
            drawn.append(scene)
            progress.to(len(drawn))
    document = scenes.project_of(folder, drawn, UNLABELLED, SEED)
    boxes = sum(document.label_counts().values())
    say(f"1  {IMAGES} photographs with {boxes:,} boxes, {UNLABELLED} left unlabelled ({elapsed(begun)}).")
    return document


def cluster(document: Document) -> AnchorSet:
    """Step 2: anchors from the box sizes, kept in the project."""
    from workbench.training import recipes

    begun = time.monotonic()
    recipe = recipes.preset(PRESET)
    kept = anchors.anchor_set(document.snapshot(), ANCHORS, recipe.detector_settings.input_px)
    document.do(edits.ChangeSetting("anchors", kept.to_setting()))
    sizes = "  ".join(f"{w:.0f}x{h:.0f}" for w, h in kept.sizes)
    quality = f"mean IoU {kept.mean_iou:.3f}, recall {kept.recall:.3f}"
    say(f"2  {len(kept.sizes)} anchors: {sizes}; {quality} ({elapsed(begun)}).")
    return kept


def train(document: Document, kept: AnchorSet, epochs: int = 0) -> Path:
    """Step 3: train; returns the run's folder."""
    from workbench.training import recipes
    from workbench.training.events import Control
    from workbench.training.records import runs
    from workbench.training.run import RunRequest
    from workbench.training.run import train as training

    begun = time.monotonic()
    folder = runs.new_folder(document.runs_folder, "demo")
    control = Control()
    recipe = recipes.preset(PRESET).changed({"epochs": epochs} if epochs else {})
    request = RunRequest(folder, document.snapshot(), recipe, kept)
    finished = show_training(training(request, control))
    best = f"best AP50 on the validation images {formatting.share(finished.best_ap50)}"
    say(f"3  Trained {formatting.count(finished.epoch, 'epoch')}; {best} ({elapsed(begun)}).")
    return folder


def evaluate(document: Document, run: Path) -> None:
    """Step 4: AP on the held-out test images."""
    from workbench.inference.evaluating.evaluate import evaluate_run
    from workbench.inference.predict import Predictor

    begun = time.monotonic()
    predictor = Predictor.open(run / "best.safetensors")
    show_evaluation(evaluate_run(predictor, document.snapshot(), Split.VALIDATION, run), quiet=True)  # its confidence
    done = show_evaluation(evaluate_run(predictor, document.snapshot(), Split.TEST, run)).evaluation
    say(f"4  On {done.images} held-out photographs: AP50 {done.ap50:.3f}, AP {done.ap:.3f} ({elapsed(begun)}).")


def predict(document: Document, run: Path) -> None:
    """Step 5: predict on the unlabelled images."""
    from workbench.inference.predict import Predictor
    from workbench.inference.predict_files import predict_files

    begun = time.monotonic()
    unlabelled = document.snapshot().only(states=[State.UNLABELLED])
    predictor = Predictor.open(run / "best.safetensors")
    saved = show_predictions(predict_files(predictor, list(unlabelled.files), document.folder / "predictions"))
    say(
        f"5  {saved.detections} objects found in {saved.images} unlabelled photographs:"
        f" {saved.file} ({elapsed(begun)})."
    )


def export(document: Document, run: Path) -> None:
    """Step 6: weights in every format that can be written here."""
    from workbench.inference.exporting import export as exporting

    begun = time.monotonic()
    folder = document.folder / "export"
    test = document.snapshot().only(splits=[Split.TEST])
    done = show_export(exporting.export(run / "best.safetensors", folder, None, images=test.files[:8]))
    if done.failed:
        raise WorkbenchError(" ".join(one.sentence for one in done.failed))
    listed = ", ".join(f"{one.file.name} ({formatting.size(one.bytes)})" for one in done.results)
    say(f"6  Exported and checked: {listed} in {folder} ({elapsed(begun)}).")
