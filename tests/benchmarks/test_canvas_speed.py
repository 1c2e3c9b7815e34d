"""A2 to A5 of the reference: what a drag and a pan cost does not grow with boxes that are not touched or not seen, a
large photograph is seen early, and a huge one is seen at all. WORKBENCH_FULL_BENCHMARKS=1 takes 600 megapixels for it.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QSizeF, Qt
from PySide6.QtGui import QImage, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.core import images
from workbench.core.decoding import pyramid
from workbench.core.decoding.pyramid import Pyramid, TilePosition
from workbench.core.project import Box, Label
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.canvas_painter import selection_area
from workbench.ui.images import pictures
from workbench.ui.images.pictures import TiledPicture
from workbench.ui.images.tiles import Tiles
from workbench.ui.images.view_transform import ViewTransform

FULL = os.environ.get("WORKBENCH_FULL_BENCHMARKS") == "1"
WIDTH, HEIGHT = 4000, 3000
LABELS = tuple(Label(i + 1, f"label {i}", f"#{40 * i:02x}80c0") for i in range(6))


class Counting(Canvas):
    """Knows how many pixels it was asked to paint."""

    painted = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        area = event.region().boundingRect()
        self.painted += area.width() * area.height()
        super().paintEvent(event)


def boxes(count: int) -> tuple[Box, ...]:
    """The first one in the middle; the others anywhere."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, (WIDTH - 100, HEIGHT - 100), (count, 2))
    size = rng.uniform(12, 90, (count, 2))
    places = np.concatenate([corner, corner + size], axis=1).round()
    places[0] = (1900, 1400, 2060, 1540)
    return tuple(Box(i + 1, 1, 1 + i % len(LABELS), tuple(place)) for i, place in enumerate(places.tolist()))


@pytest.fixture
def canvas(qtbot: QtBot) -> Counting:
    made = Counting()
    qtbot.addWidget(made)
    made.resize(1600, 1000)
    made.show()
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    made.show_picture(pictures.picture(noise.repeat(8, 0).repeat(8, 1)), QSizeF(WIDTH, HEIGHT))
    return made


def dragged(canvas: Counting, count: int, moves: int = 60) -> tuple[float, int, float]:
    """(median milliseconds of a move with its painting, most pixels painted for one, pixels that the box takes)."""
    canvas.set_boxes(boxes(count), LABELS)
    canvas.select((1,))
    canvas.repaint()
    at = canvas.view.to_widget(QPointF(1980, 1470)).toPoint()
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    QApplication.processEvents()  # the press paints all, without the box that is now held
    times, most, area = [], 0, 0.0
    for step in range(1, moves + 1):
        canvas.painted = 0
        start = time.perf_counter()
        QTest.mouseMove(canvas, at + QPoint(2 * step, step))
        QApplication.processEvents()
        times.append(time.perf_counter() - start)
        most = max(most, canvas.painted)
        taken = selection_area(canvas)
        area = max(area, taken.width() * taken.height())
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    assert canvas.painted >= 0
    return 1000 * float(np.median(times)), most, area


def test_a2_a_drag_costs_the_same_with_a_hundred_and_ten_thousand_boxes(canvas: Counting) -> None:
    few, many, ratio = [], [], float("inf")
    for done in range(12):  # on until both have had a quiet moment
        few.append(dragged(canvas, 100))
        many.append(dragged(canvas, 10_000))
        ratio = min(m[0] for m in many) / min(f[0] for f in few)
        if done >= 2 and ratio <= 1.3:
            break
    most, area = max(m[1] for m in many), max(m[2] for m in many)
    print(
        f"A2: a move takes {min(m[0] for m in many):.2f} ms with 10,000 boxes, {ratio:.2f} times as long as with 100;"
    )
    print(f"    it paints {most:,} pixels where the box with its handles takes {area:,.0f}")
    assert ratio <= 1.3
    assert 0 < most <= 3 * area


@pytest.mark.parametrize("count", [100, 10_000])
def test_a3_only_boxes_in_sight_are_painted(canvas: Counting, count: int) -> None:
    canvas.set_boxes(boxes(count), LABELS)
    canvas.zoom_to(1.0 / canvas.devicePixelRatioF())
    handed: list[int] = []
    paint = canvas.layer.paint
    canvas.layer.paint = lambda *given: handed.append(paint(*given)) or handed[-1]  # type: ignore[method-assign]
    for _ in range(5):
        canvas.set_view(canvas.view.moved(QPointF(-60, -40)))
        canvas.repaint()
        a, b = (canvas.view.to_image(at) for at in (QPointF(0, 0), QPointF(canvas.width(), canvas.height())))
        seen = [
            x0 <= b.x() and x1 >= a.x() and y0 <= b.y() and y1 >= a.y()
            for x0, y0, x1, y1 in (box.xyxy for box in canvas.layer.boxes)
        ]
        assert handed[-1] == sum(seen)
    assert len(handed) == 5
    print(f"A3: {handed[-1]:,} of {count:,} boxes were painted")
    assert handed[-1] < count / 3


@pytest.mark.slow
def test_a4_the_first_look_at_a_large_photograph_comes_early(tmp_path: Path, qtbot: QtBot) -> None:
    """12 megapixels: all of it on the screen in a third of the time in which Qt has read the file."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (60, 80, 3), np.uint8)
    smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    file = tmp_path / "large.jpg"
    cv2.imwrite(str(file), noisy, [cv2.IMWRITE_JPEG_QUALITY, 85])
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(1600, 1000)
    canvas.show()

    def look() -> None:
        first = pictures.preview(file)
        assert first is not None
        canvas.show_picture(first, QSizeF(first.width, first.height))
        canvas.repaint()

    def whole() -> QImage:
        return pictures.wrapped(images.for_screen(file))

    works: tuple[Callable[[], object], ...] = (look, whole, lambda: pictures.load(file), lambda: QImage(str(file)))
    times = np.full((9, len(works)), np.inf)
    for row in times:  # by turns, so that what else the machine does falls on all
        for column, work in enumerate(works):
            start = time.perf_counter()
            made = work()
            row[column] = 1000 * (time.perf_counter() - start)
            del made
    first, full, loaded, qt = times.min(0).tolist()
    print(f"A4: first look {first:.0f} ms, QImage alone {qt:.0f} ms: {first / qt:.2f}")
    print(
        f"    full resolution {full:.0f} ms: {full / qt:.2f}; with its halved copies {loaded:.0f} ms: {loaded / qt:.2f}"
    )
    assert whole() == QImage(str(file)).convertToFormat(QImage.Format.Format_RGB32)
    assert first <= qt / 3
    assert full <= qt / (2 if FULL else 1.6)  # neighbours that are not still take their share of the memory's speed
    assert (canvas.image_size.width(), canvas.image_size.height()) == (WIDTH, HEIGHT)


# --- A5 ---

WRITE = """
import sys, cv2, numpy as np
file, across, down = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = np.random.default_rng(0)
smooth = cv2.resize(random.integers(0, 255, (25, 50, 3), np.uint8), (1000, 500), interpolation=cv2.INTER_CUBIC)
noisy = np.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
assert cv2.imwrite(file, np.tile(noisy, (down, across, 1)), [cv2.IMWRITE_JPEG_QUALITY, 80])
"""
QT = """
from PySide6.QtGui import QImage, QImageReader
def work():
    QImageReader.setAllocationLimit(0)
    assert not QImage(sys.argv[1]).isNull()
"""
OVERVIEW = """
from workbench.core import images
images.info(Path(sys.argv[1]))  # the first use loads Pillow's decoders
def work():
    assert images.overview(Path(sys.argv[1])).shape[1] == int(sys.argv[2]) // 8
"""
CUT = """
from workbench.core import images
from workbench.core.decoding import pyramid_builder
def work():
    list(pyramid_builder.PyramidBuilder(Path(sys.argv[1]), None, Path(sys.argv[1]).parent).steps())
"""
MEASURE = """
def most():  # not getrusage: that of a new process begins with what its parent had
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
before, start = most(), time.perf_counter()
work()
print(time.perf_counter() - start, most(), before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


class Cost(NamedTuple):
    """Of work in a process of its own: memory is the most that was resident, in MiB."""

    seconds: float
    memory: float
    before: float  # with all that is imported
    of_children: float


def measured(work: str, file: Path, width: int) -> Cost:
    code = "import re, resource, sys, time\nfrom pathlib import Path\n" + work + MEASURE
    command = [sys.executable, "-c", code, str(file), str(width)]
    return Cost(*map(float, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory that a process took")
@pytest.mark.skipif(not pyramid.is_available(), reason="the extra [huge] is not installed")
def test_a5_a_huge_image_is_seen_early_and_in_little_memory(tmp_path: Path) -> None:
    """210 megapixels; in full the 600 megapixels of the reference."""
    across, down = (30, 40) if FULL else (15, 28)
    width, height = 1000 * across, 500 * down
    file = tmp_path / "huge.jpg"
    subprocess.run([sys.executable, "-c", WRITE, str(file), str(across), str(down)], check=True)
    pairs = [(measured(OVERVIEW, file, width), measured(QT, file, width)) for _ in range(2)]
    ours = min((one for one, _ in pairs), key=lambda cost: cost.seconds)
    qt = min((other for _, other in pairs), key=lambda cost: cost.seconds)
    cut = measured(CUT, file, width)
    print(f"A5: {width * height / 1e6:.0f} megapixels; Qt {qt.seconds:.1f} s, {qt.memory:.0f} MiB;", end=" ")
    print(f"overview {ours.seconds:.2f} s, {ours.memory:.0f} MiB (of which {ours.before:.0f} before):", end=" ")
    print(f"{ours.seconds / qt.seconds:.2f} of the time, {ours.memory / qt.memory:.3f} of the memory")
    print(f"    cut into tiles in {cut.seconds:.1f} s, {cut.of_children:.0f} MiB in the other process")
    assert ours.seconds <= qt.seconds / (4 if FULL else 2)  # opening the file weighs more in the small one
    assert ours.memory - ours.before <= (qt.memory - qt.before) / 10
    assert not FULL or ours.memory <= qt.memory / 10
    assert 0 < cut.of_children <= 400


def test_a5_tiles_are_asked_for_that_are_in_sight_and_painted_from_memory(canvas: Counting, qtbot: QtBot) -> None:
    """Over 4 gigapixels: no image is needed to count."""
    width, height = 80_000, 50_000
    read: list[TilePosition] = []

    class Grid(Pyramid):
        def read(self, place: TilePosition) -> np.ndarray:
            read.append(place)
            return np.zeros((512, 512, 4), np.uint8)

    overview = pictures.picture(np.zeros((500, 800, 3), np.uint8)).levels
    tiles = Tiles()
    try:
        grid = Grid(Path("none.zip"), width, height, 1, {}, 7)
        canvas.show_picture(TiledPicture(overview, (width, height), pyramid=grid, tiles=tiles), QSizeF(width, height))
        side = pyramid.tile_side(width)
        for scale, x, y in ((1.0, 20_000, 10_000), (1.0, 70_100, 40_100), (0.3, 30_000, 30_000), (16.0, 79_990, 9)):
            read.clear()
            middle = QPointF(canvas.width() / 2, canvas.height() / 2)
            canvas.set_view(ViewTransform(scale, middle.x() - x * scale, middle.y() - y * scale))
            canvas.repaint()
            qtbot.waitUntil(tiles.is_idle)
            step = side << grid.level(scale * canvas.devicePixelRatioF())
            a, b = (canvas.view.to_image(at) for at in (QPointF(0, 0), QPointF(canvas.width(), canvas.height())))
            columns = math.ceil(min(b.x(), width) / step) - int(max(a.x(), 0) // step)
            rows = math.ceil(min(b.y(), height) / step) - int(max(a.y(), 0) // step)
            assert len(read) == len(set(read)) == columns * rows
            print(f"A5: at {scale:.0%} {len(read)} tiles were read, {columns * rows} are in sight")
            canvas.renew()
            canvas.repaint()
            qtbot.waitUntil(tiles.is_idle)
            assert len(read) == columns * rows, "painting again reads nothing"
    finally:
        tiles.close()
