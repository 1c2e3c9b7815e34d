"""What the trainer sees, in the real window: which look is asked for, what is drawn and listed, how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QLabel, QPushButton, QSpinBox, QTabWidget, QTreeWidget
from pytestqt.qtbot import QtBot

from tests.ui.hand import Open, find
from tests.ui.test_accessible import nameless, unreachable
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.recipes import Recipe
from workbench.ui import theme
from workbench.ui.main_window import MainWindow
from workbench.ui.pictures import picture
from workbench.ui.train.seen import work
from workbench.ui.train.seen.boxes_table import BoxesTable
from workbench.ui.train.seen.pane import Pane
from workbench.ui.train.seen.picture import SeenPicture, missed_colour
from workbench.ui.train.seen.window import SeenWindow
from workbench.ui.train.seen.work import CERTAIN, FRESH, Look, Members, Start, Wish
from workbench.ui.train.work import DetectorChoice, Loaded

SIDE = 96


@pytest.fixture
def labelled(project: Path) -> Path:
    """Two boxes on a.png whose centres share a cell of YOLOv1, one beside; c.png has none. All are done."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "a label with a very long name, as some have"))))
        ids, (first, second) = [image.id for image in document.images()], document.labels()
        boxes = ((20, 20, 60, 60, first), (24, 22, 64, 62, second), (120, 30, 180, 90, first))
        document.draw(tuple(Box(0, ids[0], label.id, (x, y, u, v)) for x, y, u, v, label in boxes))
        document.draw((Box(0, ids[1], first.id, (10, 10, 60, 60)),))
        document.do(edits.SetState(tuple(ids), State.DONE))
    return project


def made_look(wish: Wish) -> Look:
    """Three boxes and a grid of 3 x 3 cells: one is learnt by two cells, one by none, one is ignored."""
    low = np.array([(32.0 * (cell % 3), 32.0 * (cell // 3)) for cell in range(9)])
    cells = np.concatenate([low, low + 32], axis=1)
    ignored = np.zeros(9, bool)
    ignored[8] = True
    negative = ~ignored
    negative[:2] = False
    return Look(
        wish.detector, wish.detector.upper(), picture(np.full((SIDE, SIDE, 3), 90, np.uint8)), SIDE,
        ("cell", "cell", "other"), np.array([(4.0, 4, 40, 40), (50, 10, 80, 30), (60, 60, 90, 90)]),
        np.array([False, False, True]), ("", "another box has its cell", "only 10% of it is in sight"),
        (("cell", (100.0, 0.0, 120.0, 20.0), "it lies outside"),), "cell", cells, cells, np.zeros(9, np.int64),
        ((3, 3),), np.array([0, 1]), np.array([0, 0]), ignored, negative, f"step {wish.epoch + 1}", "",
    )  # fmt: skip


class FakeEyes:
    """Keeps the wishes; answers with `answer`."""

    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self.answer: Callable[[Wish], object] = made_look

    def do(self, wish: object) -> object:
        if isinstance(wish, Start):
            choices = tuple(
                DetectorChoice(n, n.upper(), "It finds things.", "2016") for n in ("yolov1", "yolov3", "ssd")
            )
            return Members(Loaded(choices, (recipe(),)), ())
        if isinstance(wish, Wish):
            self.wishes.append(wish)
            return self.answer(wish)
        return None


def recipe() -> Recipe:
    return replace(recipes.preset("quick-cpu"), detector="yolov1")


Opened = Callable[..., tuple[MainWindow, SeenWindow, FakeEyes]]


@pytest.fixture
def seen(qtbot: QtBot, open_window: Open, labelled: Path) -> Opened:
    def opened(answer: Callable[[Wish], object] = made_look) -> tuple[MainWindow, SeenWindow, FakeEyes]:
        main, eyes = open_window(labelled), FakeEyes()
        eyes.answer = answer
        window = SeenWindow(main.session, main, lambda: None, eyes.do)
        window.show()
        settle(qtbot, window, eyes, 1)
        return main, window, eyes

    return opened


def settle(qtbot: QtBot, window: SeenWindow, eyes: FakeEyes, count: int) -> None:
    """Until so many looks were asked for in all, and the last was shown."""
    qtbot.waitUntil(
        lambda: len(eyes.wishes) >= count and window._eyes.is_idle() and not window._later.isActive(),
        timeout=60_000,  # the first imports PyTorch
    )


def boxes(window: SeenWindow, name: str = "seen-boxes") -> list[tuple[str, str]]:
    table = find(window, BoxesTable, name)
    return [(table.item(row, 0).text(), table.item(row, 2).text()) for row in range(table.rowCount())]


def test_its_modules_come_without_pytorch() -> None:
    """Which takes seconds, in which the window would not be there."""

    def loaded(first: str) -> str:
        program = (
            f"{first}from workbench.ui.train.seen import opening, window; import sys; print('torch' in sys.modules)"
        )
        return subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert loaded("") == "False"
    assert loaded("import torch; ") == "True"


def test_the_image_is_looked_at_as_the_recipe_says(seen: Opened) -> None:
    main, window, eyes = seen()
    (wish,) = eyes.wishes
    assert (wish.detector, wish.weights, wish.augmented, wish.epoch, wish.seed) == ("yolov1", FRESH, True, 0, None)
    assert wish.image == main.session.image_id
    assert find(window, QLabel, "seen-image").text() == "a.png"
    assert find(window, QSpinBox, "seen-epoch").maximum() == recipe().training.epochs


def test_epoch_roll_and_switch_ask_for_other_looks(qtbot: QtBot, seen: Opened) -> None:
    _, window, eyes = seen()
    find(window, QSpinBox, "seen-epoch").setValue(3)
    settle(qtbot, window, eyes, 2)
    assert eyes.wishes[-1].epoch == 2
    QTest.mouseClick(find(window, QPushButton, "seen-roll"), Qt.MouseButton.LeftButton)
    settle(qtbot, window, eyes, 3)
    assert eyes.wishes[-1].seed == recipe().training.seed + 1
    QTest.mouseClick(find(window, QPushButton, "seen-roll-back"), Qt.MouseButton.LeftButton)
    settle(qtbot, window, eyes, 4)
    assert eyes.wishes[-1].seed is None
    find(window, QCheckBox, "seen-augmented").click()
    settle(qtbot, window, eyes, 5)
    assert not eyes.wishes[-1].augmented
    assert not find(window, QSpinBox, "seen-epoch").isEnabled()


def test_it_follows_the_session_and_its_edits(qtbot: QtBot, seen: Opened) -> None:
    main, window, eyes = seen()
    QTest.mouseClick(window.controls.next, Qt.MouseButton.LeftButton)
    settle(qtbot, window, eyes, 2)
    assert eyes.wishes[-1].image == main.session.image_id != eyes.wishes[0].image
    assert find(window, QLabel, "seen-image").text() == "b.png"
    main.session.do(edits.SetState((main.session.image_id,), State.VERIFIED))
    settle(qtbot, window, eyes, 3)
    assert eyes.wishes[-1].version == eyes.wishes[0].version + 1


def test_boxes_that_nothing_learns_come_first_and_in_red(seen: Opened) -> None:
    _, window, _ = seen()
    assert boxes(window) == [
        ("cell", "another box has its cell"),
        ("cell", "2"),
        ("other", "only 10% of it is in sight"),
        ("cell", "not in the picture: it lies outside"),
    ]
    table = find(window, BoxesTable, "seen-boxes")
    inks = [table.item(row, 2).foreground().color().name() for row in range(2)]
    assert inks[0] == theme.colours().error
    assert inks[1] != theme.colours().error
    words = find(window, QLabel, "seen-words").text()
    assert words == "1 of 2 boxes learnt, by 2 cells. 1 ignored, 6 learn that nothing is there."


def ink(shown: SeenPicture, x: float, y: float) -> str:
    at = shown.view.to_widget(QPointF(x, y)).toPoint()
    return str(shown.grab().toImage().pixelColor(at).name())


def test_what_is_drawn_is_the_look(seen: Opened) -> None:
    _, window, _ = seen()
    shown = find(window, SeenPicture, "seen-picture")
    plain = ink(shown, 48, 80)
    assert ink(shown, 65, 10) == missed_colour().name()
    assert ink(shown, 20, 4) not in (plain, missed_colour().name())
    filled, hatched = ink(shown, 60, 6), ink(shown, 72, 70)
    assert filled != plain
    window.panes[0].levels._switches[0].click()
    assert ink(shown, 60, 6) == plain  # the only level is hidden
    assert ink(shown, 72, 70) == plain
    window.panes[0].levels._switches[0].click()
    assert (ink(shown, 60, 6), ink(shown, 72, 70)) == (filled, hatched)
    find(window, QCheckBox, "seen-ignored").click()
    assert ink(shown, 72, 70) == plain


def test_a_box_is_chosen_in_the_list_and_in_the_picture(seen: Opened) -> None:
    _, window, _ = seen()
    shown, table = find(window, SeenPicture, "seen-picture"), find(window, BoxesTable, "seen-boxes")
    filled = ink(shown, 60, 6)
    table.selectRow(0)
    assert shown.chosen == 1
    assert ink(shown, 60, 6) != filled  # the cells are another's
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=shown.view.to_widget(QPointF(20, 20)).toPoint())
    assert shown.chosen == 0
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=shown.view.to_widget(QPointF(20, 20)).toPoint())
    assert shown.chosen == -1
    assert not table.selectionModel().selectedRows()


def test_two_detectors_look_at_the_same_image(qtbot: QtBot, seen: Opened) -> None:
    _, window, eyes = seen()
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, eyes, 3)
    one, other = eyes.wishes[-2:]
    assert (one.detector, other.detector) == ("yolov1", "yolov3")
    assert replace(one, detector="yolov3") == other
    assert boxes(window) == boxes(window, "seen-second-boxes")
    combo = window.panes[1].weights
    combo.setCurrentIndex(combo.findData(CERTAIN))
    combo.activated.emit(combo.currentIndex())
    settle(qtbot, window, eyes, 5)
    assert [wish.weights for wish in eyes.wishes[-2:]] == [FRESH, CERTAIN]


def test_what_cant_be_shown_says_so_in_its_place(qtbot: QtBot, seen: Opened) -> None:
    def refuse(wish: Wish) -> object:
        raise WorkbenchError("a.png could not be read.")

    _, window, eyes = seen(refuse)
    assert find(window, SeenPicture, "seen-picture").sentence == "a.png could not be read."
    assert boxes(window) == []
    eyes.answer = made_look
    find(window, QSpinBox, "seen-epoch").setValue(2)
    settle(qtbot, window, eyes, 2)
    assert find(window, SeenPicture, "seen-picture").sentence == ""
    assert len(boxes(window)) == 4


def test_closed_it_rests_and_opened_again_it_looks_anew(qtbot: QtBot, seen: Opened) -> None:
    main, window, eyes = seen()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
    main.session.select_image(main.session.document.images()[1].id)  # type: ignore[union-attr]
    assert len(eyes.wishes) == 1
    window.show()
    settle(qtbot, window, eyes, 2)
    assert eyes.wishes[-1].image == main.session.image_id


def test_it_goes_with_the_project(qtbot: QtBot, seen: Opened) -> None:
    main, window, _ = seen()
    with qtbot.waitSignal(window.destroyed):
        main.close_project()


def test_every_control_has_a_name_and_is_reached_by_keyboard(qtbot: QtBot, seen: Opened) -> None:
    _, window, eyes = seen()
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, eyes, 3)
    assert nameless(window) == []
    assert unreachable(window) == []


def test_a_small_window_is_enough(qtbot: QtBot, seen: Opened) -> None:
    _, window, eyes = seen()
    find(window, QCheckBox, "seen-beside").click()
    settle(qtbot, window, eyes, 3)
    window.resize(800, 520)
    assert (window.width(), window.height()) == (800, 520)
    theme.apply("dark")
    assert not window.grab().isNull()


# --- the whole set, and the real eyes ---


def test_the_whole_set_is_counted_and_leads_to_the_worst_image(
    qtbot: QtBot, seen: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.training.seen_coverage import Coverage

    main, window, eyes = seen()
    images = main.session.document.images()  # type: ignore[union-attr]
    total, missed = np.array([[0, 3, 0], [0, 1, 0]]), np.array([[0, 2, 0], [0, 0, 0]])

    def count(_folder: Path, wanted: Recipe, names: tuple[str, ...]) -> Iterator[Coverage]:
        assert wanted == recipe()
        yield Coverage(names[0], "YOLOv1", 96, total, missed, (images[1].id,))
        yield Coverage(names[1], "YOLOv3", 0, total * 0, total * 0, (), "It can't be built.")

    monkeypatch.setattr(work, "count", count)
    find(window, QTabWidget, "seen-tabs").setCurrentIndex(1)
    qtbot.waitUntil(lambda: not main.session.jobs)
    tree = find(window, QTreeWidget, "seen-whole")
    rows = [tree.topLevelItem(k) for k in range(tree.topLevelItemCount())]
    assert [[row.text(c) for c in range(5)] for row in rows] == [
        ["YOLOv1", "2", "", "2", ""], ["YOLOv3", "–", "", "", ""],
    ]  # fmt: skip
    assert [rows[0].child(0).text(c) for c in (0, 1)] == ["cell", "2"]
    assert "2 of 4" in rows[0].toolTip(1)
    assert "can't be built" in rows[1].toolTip(0)
    tree.itemActivated.emit(rows[0], 0)
    settle(qtbot, window, eyes, 2)
    assert main.session.image_id == images[1].id
    assert (eyes.wishes[-1].augmented, eyes.wishes[-1].detector) == (False, "yolov1")


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
        assert look.side == 320
        assert len(look.boxes) == 3
        assert sum(bool(reason) for reason in look.reasons) == reasons
    assert "another box has its cell" in boxes(window)[0][1]
    main.show_page("train")
    find(main, QPushButton, "train-seen").click()
    assert len(main.findChildren(SeenWindow)) == 1
    panes[0].choose("ssd300")
    find(window, QCheckBox, "seen-beside").click()
    window.controls.augmented.setChecked(True)
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

    small = recipes.preset("quick-cpu").with_detector("yolov3-tiny")
    small = small.changed({"input_px": 64, "width": 0.1, "epochs": 1, "batch": 2, "ignore_iou": 0.05, "hold_out": 0.0})
    with Document.open(labelled) as document:
        snapshot, images = document.snapshot(), document.images()
    for _ in run.train(RunRequest(tmp_path / "run", snapshot, small)):
        pass
    wanted = recipes.preset("quick-cpu")
    wish = Wish(labelled, 0, wanted, images[0].id, "yolov3-tiny", tmp_path / "run" / "last.safetensors", False, 0, None)
    eyes = work.Eyes()
    trained, fresh = eyes.do(wish), eyes.do(replace(wish, weights=FRESH))
    certain = eyes.do(replace(wish, weights=CERTAIN))
    assert isinstance(trained, Look)
    assert isinstance(fresh, Look)
    assert isinstance(certain, Look)
    assert (trained.side, fresh.side) == (64, wanted.detector_settings.input_px)
    assert trained.ignored is not None
    assert trained.ignored.any()
    assert certain.ignored is None
    assert "choose weights" in certain.note
    assert (fresh.prior.tolist(), fresh.box.tolist()) == (certain.prior.tolist(), certain.box.tolist())


def test_images_without_boxes_or_outside_the_training_are_shown_too(labelled: Path) -> None:
    with Document.open(labelled) as document:
        empty, other = document.images()[2].id, document.images()[1].id
        document.do(edits.SetState((other,), State.IN_WORK))
    wanted = (
        recipes.preset("quick-cpu").with_detector("yolov1").changed({"width": 0.05, "mosaic": 0.0, "hold_out": 0.0})
    )
    eyes, wish = work.Eyes(), Wish(labelled, 0, wanted, empty, "yolov1", FRESH, True, 0, None)
    nothing, outside = eyes.do(wish), eyes.do(replace(wish, image=other))
    assert isinstance(nothing, Look)
    assert isinstance(outside, Look)
    assert (len(nothing.boxes), nothing.positives) == (0, 0)
    assert nothing.note == "No box is in sight."
    assert "step" in nothing.about
    assert outside.note == work.NOT_TRAINED
    assert "as it is" in outside.about
    assert len(outside.boxes) == outside.positives == 1


def test_a_project_without_labels_says_what_to_do(project: Path) -> None:
    with Document.open(project) as document:
        image = document.images()[0].id
    wish = Wish(project, 0, recipe(), image, "yolov1", FRESH, False, 0, None)
    with pytest.raises(WorkbenchError, match="no labels yet"):
        work.Eyes().do(wish)
