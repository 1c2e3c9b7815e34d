"""Metrics of detections on real labelled photographs equal those of pycocotools."""

from __future__ import annotations

import contextlib
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.inference.labelled import Row, snapshot_of
from workbench.core import images
from workbench.core.detections import Candidates
from workbench.core.project import Snapshot
from workbench.inference.evaluating.scoring import ScoringRules, score


def bccd(folder: Path) -> Snapshot:
    """80 images of blood cells with their PASCAL VOC files, read as plainly as can be."""
    files = sorted((folder / "BCCD" / "JPEGImages").glob("*.jpg"))[:80]
    rows: list[list[Row]] = []
    for file in files:
        objects = ElementTree.parse(folder / "BCCD" / "Annotations" / f"{file.stem}.xml").getroot().iter("object")
        rows.append(
            [
                (
                    str(row.findtext("name")),
                    [float(row.findtext(f"bndbox/{side}") or 0) for side in ("xmin", "ymin", "xmax", "ymax")],
                    False,
                )
                for row in objects
            ]
        )
    return snapshot_of(files, rows, ["Platelets", "RBC", "WBC"])


def cheetah(folder: Path) -> Snapshot:
    """The validation images of the cheetahs with their YOLO files; sizes from the images' headers."""
    files = sorted((folder / "data" / "valid" / "images").glob("*.jpg"))
    rows: list[list[Row]] = []
    for file in files:
        info = images.info(file)
        text = (folder / "data" / "valid" / "labels" / f"{file.stem}.txt").read_text()
        numbers = [[float(part) for part in line.split()] for line in text.splitlines() if len(line.split()) == 5]
        size = [info.width, info.height] * 2
        rows.append(
            [
                (
                    f"label {int(n[0])}",
                    [side * s for side, s in zip(
                        (n[1] - n[3] / 2, n[2] - n[4] / 2, n[1] + n[3] / 2, n[2] + n[4] / 2), size, strict=True)],
                    False,
                )
                for n in numbers
            ]
        )  # fmt: skip
    return snapshot_of(files, rows, sorted({row[0] for some in rows for row in some}))


def jittered(truth: Snapshot, seed: int) -> list[Candidates]:
    """Detections as a fair network makes them: boxes near the true ones, doubles, wrong labels, false alarms."""
    rng = np.random.default_rng(seed)
    found = []
    for image in range(len(truth)):
        rows = np.repeat(np.arange(len(truth.boxes))[truth.rows(image)], 3)
        size = np.maximum(np.tile(truth.boxes[rows, 2:] - truth.boxes[rows, :2], 2), 1)
        boxes = truth.boxes[rows] + rng.normal(0, 0.12, (len(rows), 4)) * size
        labels = np.where(rng.random(len(rows)) < 0.9, truth.label_index[rows], rng.integers(0, len(truth.labels)))
        corner = rng.uniform(0, 400, (10, 2))
        alarms = np.concatenate([corner, corner + rng.uniform(10, 200, (10, 2))], 1)
        boxes = np.concatenate([boxes, alarms])
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        labels = np.concatenate([labels, rng.integers(0, len(truth.labels), 10)])
        found.append(Candidates.of_arrays(boxes, rng.uniform(0.01, 1, len(boxes)), labels))
    return found


def pycocotools_numbers(truth: Snapshot, found: list[Candidates], rules: ScoringRules) -> Any:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def xywh(box: list[float]) -> list[float]:
        return [box[0], box[1], box[2] - box[0], box[3] - box[1]]

    image_of = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO()
        oracle.dataset = {
            "images": [{"id": i + 1} for i in range(len(truth))],
            "categories": [{"id": c + 1} for c in range(len(truth.labels))],
            "annotations": [
                {"id": r + 1, "image_id": int(image_of[r]) + 1, "category_id": int(truth.label_index[r]) + 1,
                 "bbox": xywh(box), "area": xywh(box)[2] * xywh(box)[3], "iscrowd": int(truth.crowd[r])}
                for r, box in enumerate(truth.boxes.tolist())
            ],
        }  # fmt: skip
        oracle.createIndex()
        results = []
        for i, candidates in enumerate(found):
            kept = candidates.detections(rules.score, rules.iou, rules.kind, rules.limit)
            results += [
                {"image_id": i + 1, "category_id": int(label) + 1, "score": float(confidence), "bbox": xywh(box)}
                for box, confidence, label in zip(
                    kept.boxes.astype(float).tolist(), kept.scores, kept.labels, strict=True
                )
            ]
        evaluation = COCOeval(oracle, oracle.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("name", ["bccd", "cheetah"])
@pytest.mark.parametrize("crowds", [False, True])
def test_real_data_with_jittered_detections_equals_pycocotools(test_data: Path, name: str, crowds: bool) -> None:
    truth = {"bccd": bccd, "cheetah": cheetah}[name](test_data / "data" / name)
    assert len(truth) >= 20
    if crowds:
        truth.flags[::7, 3] = True
    found = jittered(truth, seed=crowds)
    ours, oracle = score(truth, found, ScoringRules()), pycocotools_numbers(truth, found, ScoringRules())
    numbers = np.array(list(ours.numbers().values()))
    np.testing.assert_allclose(np.where(np.isnan(numbers), -1, numbers), oracle.stats, rtol=0, atol=1e-6)
    theirs = oracle.eval["precision"][:, :, :, 0, 2].mean(axis=(0, 1))
    np.testing.assert_allclose(np.nan_to_num(ours.per_label_ap, nan=-1), theirs, rtol=0, atol=1e-6)
    assert 0.1 < ours.ap < 0.9
