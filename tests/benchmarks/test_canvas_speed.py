"""A2 to A4 of the reference: what a drag and a pan cost does not grow with boxes that are not touched or not seen, and
a large photograph is seen early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QSizeF, Qt
from PySide6.QtGui import QImage, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.core.project import Box, Label
from workbench.ui import pictures
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.canvas_painter import selection_area

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
    few, many = [], []
    for _ in range(3):
        few.append(dragged(canvas, 100))
        many.append(dragged(canvas, 10_000))
    ratio = min(m[0] for m in many) / min(f[0] for f in few)
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
    canvas.layer.paint = lambda *given: handed.append(paint(*given)) or handed[-1]  # type: ignore[method-assign, func-returns-value]
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

    def best(work: Callable[[], object]) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return 1000 * min(times)

    first, full, qt = best(look), best(lambda: pictures.load(file)), best(lambda: QImage(str(file)))
    print(f"A4: first look {first:.0f} ms, QImage alone {qt:.0f} ms: {first / qt:.2f}")
    print(f"    whole, with its halved copies, {full:.0f} ms: {full / qt:.2f}")
    assert first <= qt / 3
    assert (canvas.image_size.width(), canvas.image_size.height()) == (WIDTH, HEIGHT)
