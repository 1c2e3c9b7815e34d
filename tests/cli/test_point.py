"""`workbench point`: the operating point of a run is shown and kept where the Inspect page keeps it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.records.test_runs import PROGRESS, STARTED, leave
from workbench import console
from workbench.cli import main
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """With two checkpoints, and evaluated on its validation images."""
    Document.create(tmp_path / "project").close()
    folder = leave(tmp_path / "project" / "runs" / "first", STARTED, PROGRESS)
    for name in ("best", "last"):
        (folder / f"{name}.safetensors").write_bytes(b"weights")
    judged = {"best_confidence": 0.3, "rules": {"iou": 0.45, "kind": "darknet diou", "limit": 300}, "checkpoint": None}
    (folder / "evaluation.json").write_text(json.dumps(judged), "utf-8")
    return folder


def did(capsys: Capture, run: Path, *arguments: object) -> dict[str, Any]:
    assert main(["point", str(run.parents[1]), *map(str, arguments), "--json"]) == console.DONE
    return json.loads(capsys.readouterr().out)


def test_what_is_used_is_shown_and_nothing_is_kept_by_that(run: Path, capsys: Capture) -> None:
    shown = did(capsys, run)
    assert (shown["confidence"], shown["iou"], shown["nms"]) == (0.3, 0.45, "darknet diou")
    assert operating_point.read(run) is None


def test_what_is_given_is_kept_and_the_rest_stays_as_it_was(run: Path, capsys: Capture) -> None:
    did(capsys, run, "--confidence", 0.4)
    assert operating_point.read(run) == OperatingPoint(0.4, (), 0.45, "darknet diou", 300, "best.safetensors")
    did(capsys, run, "--iou", 0.7, "--nms", "soft", "--limit", 50, "--checkpoint", "last")
    assert operating_point.read(run) == OperatingPoint(0.3, (), 0.7, "soft", 50, "last.safetensors")


def test_a_confidence_of_all_labels_takes_the_place_of_their_own(run: Path, capsys: Capture) -> None:
    operating_point.write(run, OperatingPoint(0.4, (("cell", 0.9),), checkpoint="best.safetensors"))
    assert did(capsys, run, "--iou", 0.5)["confidence_of_labels"] == {"cell": 0.9}
    assert did(capsys, run, "--confidence", 0.2)["confidence_of_labels"] == {}


def test_a_label_that_was_renamed_keeps_its_confidence(run: Path, capsys: Capture) -> None:
    """It came back under its former name, which no label has, or was another's by then."""
    with Document.open(run.parents[1]) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "dust"))))
        cell, dust = document.labels()
        own = (("cell", 0.9), ("dust", 0.2))
        operating_point.write(run, OperatingPoint(0.4, own, ids=(("cell", cell.id), ("dust", dust.id))))
        for label, name in ((cell, "nucleus"), (dust, "cell")):
            document.do(edits.ChangeLabel(replace(label, name=name)))
    assert did(capsys, run)["confidence_of_labels"] == {"nucleus": 0.9, "cell": 0.2}
    did(capsys, run, "--iou", 0.5)
    with Document.open(run.parents[1]) as document:
        document.do(edits.ChangeLabel(replace(cell, name="core")))
    assert did(capsys, run)["confidence_of_labels"] == {"core": 0.9, "cell": 0.2}


def test_what_can_not_be_is_refused(run: Path, capsys: Capture) -> None:
    project = str(run.parents[1])
    assert main(["point", project, "--nms", "odd"]) == console.MISUSED
    assert "--nms must be one of" in " ".join(capsys.readouterr().err.split())
    assert main(["point", project, "--run", str(run / "best.safetensors"), "--iou", "0.5"]) == console.MISUSED
    assert "Name the run with --run" in " ".join(capsys.readouterr().err.split())
    assert operating_point.read(run) is None
