"""Measures what the help page "Choosing a detector" says, and writes its table.

    python tests/benchmarks/choosing.py learn [DETECTOR ...]   # trains on bccd, minutes each; all without names
    python tests/benchmarks/choosing.py count                  # weights, multiply-adds and speed; a quiet machine
    python tests/benchmarks/choosing.py write                  # the table into resources/help

Results are kept in choosing.json beside this file; the table is made of it, and a test holds the page to it. Learning
is the preset quick-cpu, from fresh weights, with EPOCHS on the 205 training images unless the row says otherwise; AP50
is of the best checkpoint on the 72 images of the official test split.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "choosing.json"
PAGE = HERE.parents[1] / "resources" / "help" / "choosing-a-detector.md"
BEGIN, END = "<!-- table: tests/benchmarks/choosing.py write -->", "<!-- end of table -->"
LABELS = 80  # what weights and multiply-adds are counted with: COCO's
REPEATS = 7
EPOCHS = 40


@dataclass(frozen=True)
class Row:
    """What is measured of a detector, and what its authors published."""

    name: str
    published: str  # accuracy, as in their paper or release
    learnt_with: Mapping[str, Any] = field(default_factory=dict)  # settings on top of the preset
    counted_with: Mapping[str, Any] = field(default_factory=dict)


V1 = {  # nothing in it tells one place from another: it needs each object in every place, often
    "input_px": 448, "width": 0.25, "flip_vertical": 0.5, "translate": 0.2, "label_balance": 0.5, "epochs": 400,
    "evaluate_every": 10,
}  # fmt: skip
QUARTER = {"width": 0.25}
ROWS = (
    Row("yolov1", "VOC 2007: 63.4 mAP", V1),
    Row("yolov1-tiny", "VOC 2007: 52.7 mAP (Fast YOLO)", V1),
    Row("yolov2", "COCO: 44.0 AP50; VOC 2007: 76.8 mAP", QUARTER),
    Row("yolov2-tiny", "COCO: 23.7 AP50", {"epochs": 80}),
    Row("yolo9000", "ImageNet: 19.7 mAP", QUARTER),
    Row("yolov3", "COCO: 55.3 AP50", QUARTER),
    Row("yolov3-spp", "COCO: 60.6 AP50 at 608 px", QUARTER),
    Row("yolov3-tiny", "COCO: 33.1 AP50"),
    Row("yolov4", "COCO: 43.0 AP, 64.9 AP50", QUARTER),
    Row("yolov4-csp", "COCO: 46.2 AP, 64.8 AP50", QUARTER),
    Row("yolov4-tiny", "COCO: 22.0 AP, 42.0 AP50"),
    Row("yolov4-tiny-3l", "–"),
    Row("ssd300", "COCO: 25.1 AP; VOC 2007: 77.2 mAP", {"width": 0.25, "input_px": 300}),
    Row("ssd512", "COCO: 28.8 AP; VOC 2007: 79.8 mAP", {"width": 0.25, "input_px": 512}),
    Row("ssdlite", "COCO: 21.3 AP"),
    Row("retinanet", "COCO: 36.4 AP at 800 px", QUARTER),
    Row("retinanet-v2", "COCO: 41.5 AP at 800 px", QUARTER),
    Row("fcos", "COCO: 39.2 AP at 800 px", QUARTER),
    Row("faster-rcnn", "COCO: 37.0 AP at 800 px", QUARTER),
)


def results() -> dict[str, dict[str, Any]]:
    """By detector, what was measured so far."""
    found: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    return found


def keep(name: str, **values: Any) -> None:
    found = results()
    found.setdefault(name, {}).update(values)
    text = json.dumps({row.name: found[row.name] for row in ROWS if row.name in found}, indent=1)
    RESULTS.write_text(text + "\n", "utf-8")


def machine() -> str:
    names = [
        line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if line.startswith("model name")
    ]
    cores = len(os.sched_getaffinity(0))
    return f"{names[0].partition(':')[2].strip() if names else platform.processor()}, {cores} cores"


# --- learning ---


def data_folder() -> Path:
    return Path(os.environ.get("WORKBENCH_TEST_DATA", HERE.parents[2] / "shared")) / "data"


def blood_cells(folder: Path) -> Any:
    """The images of bccd with their labels and official splits, as a Snapshot."""
    from workbench.core.document import Document
    from workbench.exchange.importing import apply_import, plan_import

    source = data_folder() / "bccd" / "BCCD"
    with Document.create(folder) as document:
        apply_import(document, plan_import(document, source, images=source / "JPEGImages"))
        return document.snapshot()


def learn(row: Row, snapshot: Any, folder: Path, **changes: Any) -> dict[str, Any]:
    """Train as the table says, with these changes, and evaluate on the official test split."""
    from workbench import anchors, detectors
    from workbench.core.project import Split
    from workbench.inference.evaluating.evaluate import evaluate_run
    from workbench.inference.events import EvaluationDone
    from workbench.inference.predict import Predictor
    from workbench.training import recipes
    from workbench.training.events import Evaluated, Failed
    from workbench.training.run import RunRequest, train

    own_settings = {"epochs": EPOCHS, **row.learnt_with, **changes}
    recipe = recipes.preset("quick-cpu").with_detector(row.name).changed(own_settings)
    kind, own = detectors.load_all().get(row.name), recipe.detector_settings
    chosen = None
    if kind.published_anchors:
        count = len(kind.published_anchors)
        chosen = anchors.anchor_set(snapshot, count, own.input_px, resize=kind.chosen_resize(own))
    start = time.monotonic()
    for event in train(RunRequest(folder, snapshot, recipe, chosen)):
        assert not isinstance(event, Failed), event
        if isinstance(event, Evaluated):
            print(f"{row.name} epoch {event.epoch}: AP50 {event.ap50:.3f}", flush=True)
    seconds = time.monotonic() - start
    *_, done = evaluate_run(Predictor.open(folder / "best.safetensors", device="cpu"), snapshot, Split.TEST)
    assert isinstance(done, EvaluationDone)
    numbers = done.evaluation
    per_label = {
        name: round(float(value), 3) for name, value in zip(numbers.labels, numbers.per_label_ap50, strict=True)
    }
    return {
        "ap50": round(numbers.ap50, 4), "ap": round(numbers.ap, 4), "ap50_of_labels": per_label,
        "training_minutes": round(seconds / 60, 1), "learnt_with": {**row.learnt_with, **changes},
        "width": own.width, "px": own.input_px,
    }  # fmt: skip


def learn_all(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as text:
        snapshot = blood_cells(Path(text) / "bccd")
        for row in ROWS:
            if row.name in names or not names:
                keep(row.name, **learn(row, snapshot, Path(text) / row.name), machine=machine())
                print(row.name, results()[row.name], flush=True)


# --- counting and speed ---


def count_all() -> None:
    import torch

    from workbench import detectors
    from workbench.detectors.parts import counting
    from workbench.detectors.parts.detector import Detector

    def build(row: Row) -> Detector:
        kind = detectors.load_all().get(row.name)
        made: Detector = kind(kind.settings_class(**row.counted_with), LABELS)
        return made

    for row in ROWS:
        with torch.device("meta"):
            empty = build(row)
        torch.manual_seed(0)
        detector = build(row).eval().to(memory_format=torch.channels_last)
        px = detector.settings.input_px
        images = torch.rand(1, 3, px, px).contiguous(memory_format=torch.channels_last)
        times = []
        with torch.inference_mode():
            for _ in range(REPEATS):
                start = time.perf_counter()
                detector.candidates(detector(images))
                times.append(time.perf_counter() - start)
        keep(
            row.name, weights=counting.parameters(empty), multiply_adds=counting.multiply_adds(empty), counted_at=px,
            milliseconds=round(1000 * sorted(times)[REPEATS // 2], 1), timed_on=machine(),
        )  # fmt: skip
        print(row.name, results()[row.name], flush=True)


# --- the page ---


def table() -> str:
    """The Markdown table of all that was measured."""
    import workbench.detectors as detectors

    lines = [
        "| Detector | Weights | Multiply-adds | at | Time per image | AP50 on blood cells | Published accuracy |",
        "|:---|---:|---:|---:|---:|:---|:---|",
    ]
    for row in ROWS:
        one = results().get(row.name, {})
        title = detectors.load_all().get(row.name).title
        lines.append(
            f"| {title} | {one['weights'] / 1e6:.1f} M | {one['multiply_adds'] / 1e9:.1f} G | {one['counted_at']} px"
            f" | {one['milliseconds']:.0f} ms | {_learnt(one)} | {row.published} |"
        )
    timed = dict.fromkeys(one["timed_on"] for one in results().values() if "timed_on" in one)
    return "\n".join([*lines, "", f"Timed on: {'; '.join(timed)}, with PyTorch in fp32."])


def _learnt(one: dict[str, Any]) -> str:
    if "ap50" not in one:
        return "–"
    longer = f", {one['learnt_with']['epochs']} epochs" if "epochs" in one["learnt_with"] else ""
    return f"{one['ap50']:.3f} ({one['px']} px, width {one['width']:g}{longer})"


def page() -> str:
    """The help page with the table as it is now."""
    return filled(BEGIN, END, table())


def filled(begin: str, end: str, table: str) -> str:
    """The help page with this table between two lines of it."""
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{table}\n\n{end}", PAGE.read_text("utf-8"))


def main(arguments: list[str]) -> None:
    match arguments:
        case ["learn", *names]:
            learn_all(names)
        case ["count"]:
            count_all()
        case ["write"]:
            PAGE.write_text(page(), "utf-8")
        case _:
            print(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
