"""What the help page on anchors tells of BCCD is what the page shows of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QTextBrowser
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench import anchors
from workbench.core.document import Document
from workbench.core.files import resource
from workbench.exchange import apply_import, plan_import
from workbench.ui.anchors import computation, details, rules

PAGE = resource("help", "reading-the-anchors-page.md").read_text(encoding="utf-8")
WORDS = re.sub(r"\s+", " ", PAGE)


@pytest.fixture(scope="module")
def blood(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = test_data / "data" / "bccd" / "BCCD"
    folder = tmp_path_factory.mktemp("blood")
    with Document.create(folder / "p") as document:
        apply_import(document, plan_import(document, source, images=source / "JPEGImages"))
    return folder / "p"


@pytest.mark.slow
def test_the_numbers_are_those_of_the_page(blood: Path) -> None:
    events = list(
        computation.compute(blood, computation.AnchorChoices(9, 416, "stretch", "train", 0.0, "median", False, 0))
    )
    (taken,) = [event for event in events if isinstance(event, computation.PreparedBoxes)]
    counts = {len(event.step.centres): event.step for event in events if isinstance(event, computation.ByCount)}
    assert f"({taken.count:,} boxes of the training images)" in WORDS
    said = {"one anchor reaches a mean IoU of": 1, "four": 4, "six": 6, "nine": 9, "fifteen": 15}
    for word, k in said.items():
        assert f"{word} {100 * counts[k].mean_iou:.1f} %" in WORDS, k
    assert counts[4].recall > 0.99
    fitted = [event.step for event in events if isinstance(event, computation.StepComputed)][-1]
    found = details.compute_details(details.DetailsRequest(taken.boxes, fitted.centres, None, 416))
    names = [label.name for label in taken.boxes.names]
    worst_served = min(found.labels, key=lambda one: one.mean_iou)
    assert names[worst_served.number] == "Platelets"
    assert f"served worst ({100 * worst_served.mean_iou:.1f} %)" in WORDS
    worst = min(found.labels, key=lambda one: one.worst)
    assert names[worst.number] == "RBC"
    (row,) = np.flatnonzero(taken.boxes.ids == worst.worst_box.ids[0])
    assert taken.boxes.sizes[row].max() < 1, "less than one pixel"


@pytest.mark.slow
def test_what_it_says_of_detectors_is_so(blood: Path) -> None:
    events = computation.compute(blood, computation.AnchorChoices(9, 416, "stretch", "train", 0.0, "median", False, 0))
    taken = next(event for event in events if isinstance(event, computation.PreparedBoxes))
    pool = anchors.SizePool.of(taken.boxes.sizes)
    lost = {}
    for name in ("yolov1", "yolov2", "yolov3"):
        need = rules.need_of(name)
        *_, step = anchors.kmeans(pool, need.count or 9)
        found = details.compute_details(details.DetailsRequest(taken.boxes, step.centres, need, 416))
        lost[name] = " ".join(sentence.text for sentence in found.sentences)
    cells, share, least = re.search(r"(7 × 7) cells.*: (\d+) of .* at least (\d+)", lost["yolov1"]).groups()
    assert f"each of its {cells} cells learns a single box" in WORDS
    close = "have their middle in the same cell as another box, as when boxes touch or lie close"
    assert close in lost["yolov1"]
    assert f"{share} {close}: at least {least} can't be learnt" in WORDS
    gone = re.search(r"(\d+) boxes \(\S+ %\) can't be learnt", lost["yolov2"]).group(1)
    shared = re.search(r"(\d+) boxes \(\S+ %\) share an anchor", lost["yolov3"]).group(1)
    assert f"YOLOv2, with its five anchors, loses {gone} to that rule" in WORDS, gone
    assert f"in YOLOv3 {shared} boxes share an anchor of a cell" in WORDS, shared


def test_its_pictures_are_there_and_shown(qtbot: QtBot, open_window: Open) -> None:
    window = open_window()
    window.show_help("reading-the-anchors-page")
    browser = find(window, QTextBrowser, "help-text")
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", PAGE)
    assert len(pictures) == 2
    for picture in pictures:
        loaded = browser.document().resource(QTextDocument.ResourceType.ImageResource, QUrl(picture))
        assert loaded is not None, picture
        assert resource("help", picture).stat().st_size < 300_000
