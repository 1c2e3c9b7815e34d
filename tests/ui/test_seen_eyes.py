"""What the eyes of the window see of a real project: the loss of real detectors, runs' weights, damaged files."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QPushButton
from pytestqt.qtbot import QtBot

from tests.ui.hand import Open, find
from tests.ui.seeing import boxes, labelled, recipe
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Split, State
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.ui.train.seen.eyes import Eyes
from workbench.ui.train.seen.pane import Pane
from workbench.ui.train.seen.window import SeenWindow
from workbench.ui.train.seen.wishes import CERTAIN, FRESH, Begun, Check, Checked, GivenUp, Look, Wish

__all__ = ["labelled"]


def narrow(detector: str, **changes: Any) -> Any:
    """Of one image there is no training and no validation part, so all are trained on."""
    wanted = recipes.preset("quick-cpu").with_detector(detector)
    return wanted.changed({"width": 0.05, "mosaic": 0.0, "hold_out": 0.0, **changes})


def ids_of(project: Path) -> list[int]:
    with Document.open(project, read_only=True) as document:
        return [image.id for image in document.images()]


def look_of(eyes: Eyes, wish: Wish) -> Look:
    found = eyes.do(wish)
    assert isinstance(found, Look)
    return found


@pytest.mark.slow
def test_the_real_eyes_show_what_the_loss_computes(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """From the Label page's key: YOLOv1 learns one of two boxes in a cell, YOLOv3 both."""
    main = open_window(labelled, "label")
    find(main, QAction, "action-seen").trigger()
    window: SeenWindow = find(main, SeenWindow, "seen-window")
    panes: tuple[Pane, ...] = window.panes
    qtbot.waitUntil(lambda: panes[0].look is not None, timeout=60_000)
    panes[0].choose("yolov1")
    panes[1].choose("yolov3")
    find(window, QCheckBox, "seen-augmented").click()
    find(window, QCheckBox, "seen-beside").click()
    qtbot.waitUntil(
        lambda: [p.look.detector if p.look else "" for p in panes] == ["yolov1", "yolov3"], timeout=60_000
    )  # fmt: skip
    looks = [pane.look for pane in panes]
    for look, reasons in zip(looks, (1, 0), strict=True):
        assert look is not None
        assert len(look.boxes) == 3
        assert sum(bool(reason) for reason in look.reasons) == reasons
    assert "another box has its cell" in boxes(window)[0][1]
    main.show_page("train")
    find(main, QPushButton, "train-seen").click()
    assert len(main.findChildren(SeenWindow)) == 1
    panes[0].choose("ssd300")
    find(window, QCheckBox, "seen-beside").click()
    window.controls.augmented.click()
    qtbot.waitUntil(lambda: panes[0].look is not None and panes[0].look.detector == "ssd300", timeout=60_000)
    look = panes[0].look
    assert look is not None
    assert look.negative is not None
    assert int(look.negative.sum()) == 3 * max(look.positives, 1)
    assert len(np.unique(look.cells, axis=0)) == sum(rows * columns for rows, columns in look.grids)
    assert look.passed_over > 0


@pytest.mark.slow
def test_a_runs_weights_bring_its_network_and_its_answers(labelled: Path, tmp_path: Path) -> None:
    """A run of another width and input side than the recipe's; what is ignored follows from its weights."""
    from workbench.training import run
    from workbench.training.request import RunRequest

    small = narrow("yolov3-tiny", input_px=64, width=0.1, epochs=1, batch=2, ignore_iou=0.05, precision="fp32")
    with Document.open(labelled) as document:
        snapshot, images = document.snapshot(), document.images()
    for _ in run.train(RunRequest(tmp_path / "run", snapshot, small)):
        pass
    wanted, file = recipes.preset("quick-cpu").with_detector("yolov3-tiny"), tmp_path / "run" / "last.safetensors"
    wish = Wish(labelled, 0, wanted, images[0].id, file, False, 0, None)
    eyes = Eyes()
    trained, fresh = look_of(eyes, wish), look_of(eyes, replace(wish, weights=FRESH))
    certain = look_of(eyes, replace(wish, weights=CERTAIN))
    assert (trained.side, fresh.side) == (64, wanted.detector_settings.input_px)
    assert trained.ignored is not None
    assert trained.ignored.any()
    assert "of the run's weights" in trained.note
    assert certain.ignored is None
    assert "choose weights" in certain.note
    assert (fresh.prior.tolist(), fresh.box.tolist()) == (certain.prior.tolist(), certain.box.tolist())
    begun = look_of(eyes, replace(wish, recipe=small, weights=Begun(file)))
    assert "of the first step" in begun.note
    assert (begun.side, begun.prior.tolist()) == (64, trained.prior.tolist())
    other = replace(small, detector_settings=replace(small.detector_settings, input_px=96))
    for _ in run.train(RunRequest(tmp_path / "other", snapshot, other)):
        pass
    shutil.copy(tmp_path / "other" / "last.safetensors", file)
    assert look_of(eyes, wish).side == 96, "another file under the same name"


def test_images_without_boxes_or_outside_the_training_are_shown_too(labelled: Path) -> None:
    empty, other = ids_of(labelled)[2], ids_of(labelled)[1]
    with Document.open(labelled) as document:
        document.do(edits.SetState((other,), State.IN_WORK))
    eyes, wish = Eyes(), Wish(labelled, 0, narrow("yolov1"), empty, FRESH, True, 0, None)
    nothing, outside = look_of(eyes, wish), look_of(eyes, replace(wish, image=other))
    assert (len(nothing.boxes), nothing.positives) == (0, 0)
    assert "No box is visible." in nothing.note
    assert nothing.outside == ""
    assert "step 1 of" in nothing.about
    assert (nothing.instead, outside.instead) == (0, empty), "the next one that is trained on"
    with Document.open(labelled) as document:
        document.do(edits.SetState((empty,), State.IN_WORK))
    assert look_of(eyes, replace(wish, version=1)).instead == ids_of(labelled)[0], "after the last comes the first"
    assert outside.outside == "it is in work, and the recipe uses images that are done or verified"
    assert outside.note.startswith(f"Not trained on: {outside.outside}. Shown as it is.")
    assert "not augmented" in outside.about
    assert len(outside.boxes) == outside.positives == 1


def test_the_training_of_another_detector_is_named(labelled: Path) -> None:
    wish = Wish(labelled, 0, narrow("yolov3"), ids_of(labelled)[0], CERTAIN, True, 0, None, borrowed="YOLOv1")
    assert "Augmented as in the training of YOLOv1, for comparison." in look_of(Eyes(), wish).note
    assert "Augmented as" not in look_of(Eyes(), replace(wish, augmented=False)).note


def test_a_box_that_is_too_small_is_to_be_learnt_and_is_not(labelled: Path) -> None:
    image = ids_of(labelled)[1]
    with Document.open(labelled) as document:
        document.draw((Box(0, image, document.labels()[0].id, (100, 50, 100.5, 60)),))
    look = look_of(Eyes(), Wish(labelled, 0, narrow("yolov3"), image, CERTAIN, False, 0, None))
    small = int((look.boxes[:, 2] - look.boxes[:, 0]).argmin())
    assert not look.ignore.any()
    assert look.missed.tolist() == [k == small for k in range(2)]
    assert look.reasons[small].startswith("too small: ")


def test_a_project_without_labels_says_what_to_do(project: Path) -> None:
    wish = Wish(project, 0, recipe(), ids_of(project)[0], FRESH, False, 0, None)
    with pytest.raises(WorkbenchError, match="no labels yet"):
        Eyes().do(wish)


# --- files ---


def checked(eyes: Eyes, wish: Check) -> list[Checked]:
    """All answers until all files are known."""
    found: list[Checked] = []
    while not found or found[-1].done < found[-1].total:
        one = eyes.do(wish)
        assert isinstance(one, Checked)
        found.append(one)
    return found


def test_a_damaged_file_is_found_out_and_left_out(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.ui.train.seen.eyes.MOMENT", 1e-9)  # one file at a time
    with Document.open(labelled) as document:
        bad = document.file(document.images()[0])
        document.do(edits.SetSplit((document.images()[2].id,), Split.VALIDATION))
    bad.write_bytes(bad.read_bytes()[:100])
    ids, wanted, eyes = ids_of(labelled), narrow("yolov3", batch=1), Eyes()
    wish = Wish(labelled, 0, wanted, ids[1], CERTAIN, True, 1, None)
    before = look_of(eyes, wish)
    assert "of 200" in before.about  # two images, 100 epochs
    assert before.epochs == 100
    told = checked(eyes, Check(labelled, 0, wanted))
    assert [(one.done, one.otherwise) for one in told] == [(1, 1), (2, 1)]
    assert told[-1].problems[0].startswith(str(bad))
    after = look_of(eyes, replace(wish, otherwise=1))
    assert "step 2 of 100" in after.about
    with pytest.raises(WorkbenchError, match=r"cut off.*Training leaves this image out\."):
        eyes.do(replace(wish, image=ids[0]))
    assert len(checked(eyes, Check(labelled, 1, wanted))) == 1  # another version: nothing is read again


def test_a_look_that_meets_a_damaged_file_goes_on_without_it(labelled: Path) -> None:
    """In a mosaic, of which the other images are fine."""
    with Document.open(labelled) as document:
        bad = document.file(document.images()[0])
        document.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TRAIN))
    bad.write_bytes(b"")
    wanted = narrow("yolov3", mosaic=1.0, calm_share=0.0)
    for seed in range(4):
        look = look_of(Eyes(), Wish(labelled, 0, wanted, ids_of(labelled)[1], CERTAIN, True, 0, seed))
        assert set(look.labels) <= {"cell"}
        assert not set(look.ids.tolist()) - {4}  # of the box of b.png, the only one left


def test_a_look_is_given_up_when_it_is_not_wished_any_more(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever torch is: here where the loss matches boxes."""
    from workbench.detectors.yolov3 import YoloV3

    eyes, wish = Eyes(), Wish(labelled, 0, narrow("yolov3"), ids_of(labelled)[0], CERTAIN, False, 0, None)
    plain, reached = YoloV3.explained, threading.Event()

    def explained(self: Any, *all_: Any) -> Any:
        reached.set()
        eyes.only({wish} if keeps else set())
        return plain(self, *all_)

    monkeypatch.setattr(YoloV3, "explained", explained)
    keeps = True
    assert isinstance(eyes.do(wish), Look)
    keeps = False
    with pytest.raises(GivenUp):
        eyes.do(wish)
    assert reached.is_set()
    keeps = True
    assert isinstance(eyes.do(wish), Look)  # the next one is done again
    eyes.leave()
    with pytest.raises(GivenUp):
        eyes.do(wish)
