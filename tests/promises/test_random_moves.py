"""Thousands of random moves between images and edits, against a plain model: no box astray, lost or twice.

X-AnyLabeling (#310, #518) has written boxes of one image into another.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from tests.promises.form import times
from tests.promises.walk_model import Held, Model
from tests.promises.walk_moves import MOVES
from tests.promises.walking import Walk
from tests.ui.window_driver import Open
from workbench.core import edits
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.document import Document
from workbench.core.project import XYXY, Label
from workbench.ui.annotate.box_commands import BoxCommands
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.images import pictures
from workbench.ui.images.pictures import Picture

LABELS = ("cell", "plate", "dust")
SIZES = ((200, 100), (160, 120), (64, 64), (300, 200))
DAMAGED = "07.png"
SEED = 20261127


def place_of(folder: Path) -> tuple[Path, dict[str, QColor], Model]:
    """A project of twelve images of four sizes, each of one colour, one of them damaged, in two folders."""
    photographs = folder / "photographs"
    colours, sizes = {}, {}
    for number in range(12):
        name = f"{number:02}.png" if number < 9 else f"later/{number:02}.png"
        file = photographs / name
        file.parent.mkdir(parents=True, exist_ok=True)
        size, colour = SIZES[number % len(SIZES)], (20 * number + 10, 255 - 20 * number, 7 * number)
        noise = random.Random(number).randbytes(size[0] * size[1] * 3)  # below the corner that is looked at
        picture = PillowImage.frombytes("RGB", size, noise)
        picture.paste(colour, (0, 0, 8, 8))
        picture.save(file)
        if name == DAMAGED:
            file.write_bytes(file.read_bytes()[:5000])
        else:
            colours[name] = QColor(*colour)
        sizes[name] = size
    with Document.create(folder / "project", photographs) as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in LABELS)))
        document.clear_history()
        known = {image.path: (float(image.width), float(image.height)) for image in document.images()}
    held = Held(dict.fromkeys(known, ()), dict.fromkeys(known, "unlabelled"), LABELS)
    return folder / "project", colours, Model(known, held, next(iter(known)), LABELS[0])


def slow_reading(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Pictures come late, each after another time, and often when another image is shown."""
    load, chance = pictures.load, random.Random(seed)

    def late(file: Path, window: IntensityWindow | None = None, cache: Path | None = None) -> Picture:
        time.sleep(chance.choice((0.0, 0.0, 0.005, 0.03)))
        return load(file, window, cache)

    monkeypatch.setattr(pictures, "load", late)


def walked(
    qtbot: QtBot, open_window: Open, monkeypatch: pytest.MonkeyPatch, folder: Path, moves: int, seed: int
) -> tuple[Walk, str]:
    """The walk, and what was wrong after the last of its moves."""
    project, colours, model = place_of(folder)
    slow_reading(monkeypatch, seed)
    walk = Walk(qtbot, open_window, project, model, colours, MOVES, seed)
    for number in range(1, moves + 1):
        wrong = walk.go()
        if wrong:
            return walk, f"seed {seed}, move {number}: {wrong}\nthe last moves: {', '.join(walk.told[-8:])}"
    return walk, ""


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_box_goes_astray_in_random_moves(
    qtbot: QtBot, open_window: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    moves = times(300, 10_000)
    walk, wrong = walked(qtbot, open_window, monkeypatch, tmp_path, moves, SEED)
    assert not wrong, wrong
    boxes = sum(map(len, walk.model.held.boxes.values()))
    empty = sum(count for name, count in walk.counts.items() if "nothing" in name)
    print(
        f"\n{moves:,} moves (seed {SEED}), {empty:,} of them without effect; {len(walk.model.steps):,} edits in the"
        f" journal, {boxes} boxes at the end: 0 in a wrong image, lost or twice. {dict(sorted(walk.counts.items()))}"
    )


# --- controls: faults that the same walk must find ---


def into_the_image_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drawn box goes into the image in which the one before was drawn."""
    add, drawn_in = BoxCommands.add, [0]

    def wrong(commands: BoxCommands, image: int, xyxy: XYXY, label: int) -> None:
        before, drawn_in[0] = drawn_in[0] or image, image
        add(commands, before, xyxy, label)

    monkeypatch.setattr(BoxCommands, "add", wrong)


def lost_with_a_held_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Canvas, "end_nudge", Canvas.cancel_gesture)


def pasted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    paste = BoxCommands.paste

    def wrong(commands: BoxCommands) -> None:
        paste(commands)
        paste(commands)

    monkeypatch.setattr(BoxCommands, "paste", wrong)


def a_late_picture_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever picture comes is taken for that of the shown image."""

    def wrong(page: AnnotatePage, _id: int, result: object) -> None:
        if isinstance(result, Picture):
            page.canvas.show_picture(result, QSizeF(result.width, result.height), keep_view=True)

    monkeypatch.setattr(AnnotatePage, "_picture_came", wrong)


def a_drag_goes_on_in_the_next_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Canvas, "cancel_gesture", lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        into_the_image_before,
        lost_with_a_held_arrow,
        pasted_twice,
        a_late_picture_is_shown,
        a_drag_goes_on_in_the_next_image,
    ],
)
def test_the_same_walk_finds_a_fault(
    qtbot: QtBot,
    open_window: Open,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: Callable[[pytest.MonkeyPatch], None],
) -> None:
    fault(monkeypatch)
    _, wrong = walked(qtbot, open_window, monkeypatch, tmp_path, 300, SEED)
    assert wrong
