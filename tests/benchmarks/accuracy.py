"""What is learnt from scratch in equal processor time: Workbench beside YOLOv8n and torchvision's ssdlite, same images.

    python -m tests.benchmarks.accuracy try DATA WHO EPOCHS          # how long so many epochs take; not kept
    python -m tests.benchmarks.accuracy learn DATA WHO EPOCHS SEED   # bccd or cheetah; workbench, yolov8n or ssdlite
    python -m tests.benchmarks.accuracy write                        # the table into resources/help

Each has as many epochs as take BUDGET seconds of all cores together, and sees the images at 320 px. Nobody gets to
choose a checkpoint: the last weights are judged, by one code for all, on the official test split (cheetah: on what was
not trained on, as 14 test images are few). Results are kept in accuracy.json; a test holds the page to it.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from tests.benchmarks import choosing, peers

RESULTS = choosing.HERE / "accuracy.json"
BEGIN, END = "<!-- table: tests/benchmarks/accuracy.py write -->", "<!-- end of accuracy -->"
BUDGET = 1440.0  # CPU seconds: twelve minutes of two cores
PX = 320
DETECTOR = "yolov4-tiny-3l"
WHO = {
    "workbench": "Workbench, YOLOv4-tiny-3l, “Quick, on a processor”",
    "yolov8n": "YOLOv8n, as its authors train it",
    "ssdlite": "torchvision's ssdlite320, with its reference augmentation",
}
PEER = "ultralytics"  # whose environment has torchvision, too


def snapshot_of(data: str, folder: Path) -> Any:
    """The images with their labels and official splits, as a Snapshot."""
    if data == "bccd":
        return choosing.blood_cells(folder)
    from workbench.core.document import Document
    from workbench.exchange.importing import apply_import, plan_import

    with Document.create(folder) as document:
        apply_import(document, plan_import(document, choosing.data_folder() / "cheetah" / "data"))
        return document.snapshot()


def judged(data: str, snapshot: Any) -> Any:
    """The part that nobody was trained on."""
    from workbench.core.project import Split

    return snapshot.only(splits={Split.TEST} if data == "bccd" else {Split.TEST, Split.VALIDATION})


def scored(truth: Any, found: list[np.ndarray]) -> dict[str, float]:
    """AP of detections, by image rows of label index, score, x0, y0, x1, y1."""
    from workbench.core import metrics
    from workbench.core.detections import Detections

    made = []
    for rows in found:
        rows = rows[np.argsort(-rows[:, 1], kind="stable")].astype(np.float32)
        made.append(Detections(rows[:, 2:], rows[:, 1], rows[:, 0].astype(np.int32)))
    numbers = metrics.evaluate(truth, made)
    return {"ap": round(numbers.ap, 4), "ap50": round(numbers.ap50, 4)}


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


# --- who learns ---


def workbench_learns(data: str, snapshot: Any, folder: Path, epochs: int, seed: int) -> dict[str, Any]:
    from workbench import anchors, detectors
    from workbench.inference.evaluating.evaluate import evaluate_run
    from workbench.inference.predict import Predictor
    from workbench.training import recipes
    from workbench.training.events import Failed
    from workbench.training.run import RunRequest, train

    recipe = recipes.preset("quick-cpu").with_detector(DETECTOR)
    recipe = recipe.changed({"epochs": epochs, "seed": seed, "input_px": PX, "evaluate_every": max(epochs // 10, 1)})
    kind, own = detectors.load_all().get(DETECTOR), recipe.detector_settings
    count = len(kind.published_anchors)
    begun = processor_seconds()
    chosen = anchors.anchor_set(snapshot, count, own.input_px, resize=kind.chosen_resize(own))
    for event in train(RunRequest(folder / "run", snapshot, recipe, chosen)):
        assert not isinstance(event, Failed), event
    spent = processor_seconds() - begun
    predictor = Predictor.open(folder / "run" / "last.safetensors", device="cpu")
    *_, done = evaluate_run(predictor, judged(data, snapshot), None)
    numbers = done.evaluation  # type: ignore[union-attr]
    return {
        "ap": round(numbers.ap, 4), "ap50": round(numbers.ap50, 4), "cpu_seconds": round(spent, 1), "epochs": epochs,
    }  # fmt: skip


def peer_learns(data: str, who: str, snapshot: Any, folder: Path, epochs: int, seed: int) -> dict[str, Any]:
    truth = judged(data, snapshot)
    there = {str(file) for file in truth.files}
    rest = snapshot.take([row for row, file in enumerate(snapshot.files) if str(file) not in there])
    if data == "bccd":
        from workbench.core.project import Split

        rest = snapshot.only(splits={Split.TRAIN})
    names = [label.name for label in snapshot.labels]
    (folder / "names.json").write_text(json.dumps(names))
    listed = "".join(f"  {number}: {name}\n" for number, name in enumerate(names))
    (folder / "data.yaml").write_text(f"path: {folder}\ntrain: images/train\nval: images/test\nnames:\n{listed}")
    _put(rest, folder, "train")
    _put(truth, folder, "test")
    told = peers.run(PEER, "learn", who, folder, epochs, seed, limit=7200)
    found = [np.array(told["found"][f"{row:05}{file.suffix}"]).reshape(-1, 6) for row, file in enumerate(truth.files)]
    kept = {name: told[name] for name in ("cpu_seconds", "epochs", "version")}
    return {**scored(truth, found), **kept}


def _put(part: Any, folder: Path, split: str) -> None:
    """Images as links, and their boxes in YOLO's format."""
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for row, (image, file) in enumerate(zip(part.images, part.files, strict=True)):
        (images / f"{row:05}{file.suffix}").symlink_to(file)
        span = slice(part.offsets[row], part.offsets[row + 1])
        size = np.array([image.width, image.height])
        boxes = part.boxes[span].reshape(-1, 2, 2)
        rows = np.concatenate([boxes.mean(axis=1) / size, (boxes[:, 1] - boxes[:, 0]) / size], axis=1)
        lines = zip(part.label_index[span].tolist(), rows.tolist(), strict=True)
        text = "".join(f"{label} {' '.join(f'{value:.6f}' for value in row)}\n" for label, row in lines)
        (labels / f"{row:05}.txt").write_text(text)


def learn(data: str, who: str, epochs: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        snapshot = snapshot_of(data, folder / "project")
        if who == "workbench":
            return workbench_learns(data, snapshot, folder, epochs, seed)
        return peer_learns(data, who, snapshot, folder, epochs, seed)


# --- the page ---


def results() -> dict[str, dict[str, Any]]:
    """By "DATA WHO SEED", what was measured so far."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


def keep(key: str, measured: dict[str, Any]) -> None:
    RESULTS.write_text(json.dumps({**results(), key: measured}, indent=1, sort_keys=True) + "\n", "utf-8")


def rows_of(data: str, who: str) -> list[dict[str, Any]]:
    return [one for key, one in sorted(results().items()) if key.startswith(f"{data} {who} ")]


def spread(values: list[float]) -> str:
    """Their mean, and how far the farthest is from it."""
    middle = mean(values)
    return f"{middle:.3f}" + (f" ± {max(abs(value - middle) for value in values):.3f}" if len(values) > 1 else "")


def table() -> str:
    lines = [
        "| Trained for twelve minutes of two cores | Blood cells: AP50 | AP | Cheetahs: AP50 | AP |",
        "|:---|:---|:---|:---|:---|",
    ]
    for who, title in WHO.items():
        cells = [
            spread([one[name] for one in rows_of(data, who)]) if rows_of(data, who) else "–"
            for data in ("bccd", "cheetah")
            for name in ("ap50", "ap")
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    machines = dict.fromkeys(one["machine"] for one in results().values())
    versions = dict.fromkeys(one["version"] for one in results().values() if "version" in one)
    return "\n".join([*lines, "", f"Measured on: {'; '.join(machines)}. With {', '.join(versions)}."])


def page() -> str:
    """The help page with the table as it is now."""
    return choosing.filled(BEGIN, END, table())


def main(arguments: list[str]) -> None:
    match arguments:
        case ["learn", data, who, epochs, seed]:
            measured = {**learn(data, who, int(epochs), int(seed)), "machine": choosing.machine()}
            keep(f"{data} {who} {seed}", measured)
            print(data, who, seed, measured, flush=True)
        case ["try", data, who, epochs]:
            print(data, who, learn(data, who, int(epochs), 0), flush=True)
        case ["write"]:
            choosing.PAGE.write_text(page(), "utf-8")
        case _:
            print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
