"""Thousands of boxes: what numpy writes is what Qt's pen of one pixel paints, wherever the boxes lie."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen, QPixmap
from pytestqt.qtbot import QtBot

from workbench.core.project import Box, Label
from workbench.ui import theme
from workbench.ui.images import boxes_painter, outlines
from workbench.ui.images.boxes_painter import BoxesLayer, BoxStyle
from workbench.ui.images.view_transform import ViewTransform, fitted

WIDTH, HEIGHT = 320, 200
AREA = QRectF(0, 0, WIDTH, HEIGHT)
RED, BLUE = 0xFFFF0000, 0xFF0000FF
GROUND = "#102030"
LABELS = {1: Label(1, "one", "#ff0000"), 2: Label(2, "two", "#0000ff")}


def pixels(image: QImage) -> np.ndarray:
    """(H, W) uint32, a copy."""
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), image.width()).copy()


def ground(ratio: float = 1.0) -> QImage:
    made = QImage(round(WIDTH * ratio), round(HEIGHT * ratio), QImage.Format.Format_RGB32)
    made.setDevicePixelRatio(ratio)
    made.fill(QColor(GROUND))
    return made


def written(xyxy: np.ndarray, view: ViewTransform, ratio: float = 1.0, area: QRectF = AREA) -> np.ndarray:
    made = ground(ratio)
    painter = QPainter(made)
    outlines.paint(painter, view, xyxy, np.full(len(xyxy), RED, np.uint32), area)
    painter.end()
    return pixels(made)


def by_qt(xyxy: np.ndarray, view: ViewTransform, ratio: float = 1.0) -> np.ndarray:
    made = ground(ratio)
    painter = QPainter(made)
    pen = QPen(QColor.fromRgb(RED), 1)
    pen.setCosmetic(True)  # one pixel of the device, whatever the ratio
    painter.setPen(pen)
    for box in xyxy.tolist():
        painter.drawRect(view.rect(tuple(box)))
    painter.end()
    return pixels(made)


def boxes_at(places: np.ndarray) -> tuple[Box, ...]:
    return tuple(Box(i + 1, 1, 1 + i % 2, tuple(place)) for i, place in enumerate(places.tolist()))


def scattered(count: int, across: float, seed: int = 0) -> np.ndarray:
    """(count, 4) boxes on quarters of pixels, some of them partly or wholly outside an image of that width."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.1 * across, across, (count, 2))
    return np.asarray(np.concatenate([corner, corner + rng.uniform(0.02, 0.3, (count, 2)) * across], axis=1).round(2))


@pytest.mark.parametrize(
    "xyxy",
    [
        pytest.param((20, 30, 60, 50), id="inside"),
        pytest.param((20.25, 30.75, 60.5, 50.25), id="between pixels"),
        pytest.param((-20, 30, 60, 50), id="half outside on the left"),
        pytest.param((300, 180, 350, 230), id="half outside at the corner"),
        pytest.param((-5, -5, 330, 210), id="around all that is seen"),
        pytest.param((0, 0, 320, 200), id="as large as the image, its far sides just outside"),
        pytest.param((0, 0, 319, 199), id="along the border"),
        pytest.param((400, 20, 500, 50), id="outside"),
        pytest.param((40, 30, 40, 50), id="without width"),
        pytest.param((40, 30, 60, 30), id="without height"),
        pytest.param((60, 50, 20, 30), id="corners the wrong way round"),
        pytest.param((-1e9, 20, 1e9, 40), id="far beyond what a pixel's number holds"),
    ],
)
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_one_outline_is_what_qt_paints(xyxy: tuple[float, ...], ratio: float) -> None:
    box = np.array([xyxy], np.float64)
    made, wanted = written(box, ViewTransform(), ratio) == RED, by_qt(box, ViewTransform(), ratio) == RED
    assert made.any() == wanted.any()
    assert not (wanted & ~made).any()
    assert (made & ~wanted).sum() <= 1  # Qt leaves out a corner where a rectangle is cut off on the left


def test_a_box_without_any_area_is_a_point() -> None:
    made = written(np.array([(40.0, 30.0, 40.0, 30.0)]), ViewTransform())
    assert np.argwhere(made == RED).tolist() == [[30, 40]]


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(
    "view",
    [
        pytest.param(fitted(QSizeF(4000, 3000), QSizeF(WIDTH, HEIGHT)), id="fitted"),
        pytest.param(ViewTransform(1.0, -1000.0, -900.0), id="one to one"),
        pytest.param(ViewTransform(64.0, -128_000.5, -96_000.25), id="as near as it goes"),
    ],
)
def test_thousands_of_outlines_are_what_qt_paints(view: ViewTransform, ratio: float) -> None:
    places = scattered(3000, 4000)
    made, wanted = written(places, view, ratio) == RED, by_qt(places, view, ratio) == RED
    assert wanted.any()
    # Qt counts in 64ths of a pixel: a side that lies as near to the next pixel may be found there
    assert (made != wanted).sum() <= 0.01 * wanted.sum()
    around = np.ones((3, 3), np.uint8)
    assert not (made & (cv2.dilate(wanted.astype(np.uint8), around) == 0)).any()
    assert not (wanted & (cv2.dilate(made.astype(np.uint8), around) == 0)).any()


def test_shorter_lines_lie_over_longer_ones_and_later_over_earlier() -> None:
    made = np.zeros((5, 8), np.uint32)
    outlines.write(made, np.array([(2, 1, 4, 3), (0, 1, 7, 4)], float), np.array([RED, BLUE], np.uint32))
    r, b = RED, BLUE
    assert made.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [b, b, r, r, r, b, b, b],
        [b, 0, r, 0, r, 0, 0, b],
        [b, 0, r, r, r, 0, 0, b],
        [b, b, b, b, b, b, b, b],
    ]
    outlines.write(made, np.array([(1, 0, 2, 1), (1, 0, 2, 1)], float), np.array([RED, BLUE], np.uint32))
    assert made[:2, 1:3].tolist() == [[b, b], [b, b]]


def test_only_the_area_is_painted() -> None:
    made = written(np.array([(20.0, 30.0, 60.0, 50.0)]), ViewTransform(), area=QRectF(50, 40, 30, 30)) == RED
    whole = by_qt(np.array([(20.0, 30.0, 60.0, 50.0)]), ViewTransform()) == RED
    inside = np.zeros_like(whole)
    inside[40:70, 50:80] = True
    assert np.array_equal(made, whole & inside)
    assert made.any()


# --- the layer ---


@pytest.fixture
def layer() -> BoxesLayer:
    """Boxes that lie apart, 1000 more than are painted with thick lines; every other one of each label."""
    rows = np.arange(boxes_painter.THIN_FROM + 1000)
    corner = np.stack([rows % 75 * 4.0, rows // 75 * 4.0], axis=1) + 4
    return BoxesLayer(boxes_at(np.concatenate([corner, corner + 3], axis=1)), LABELS, (WIDTH, HEIGHT))


def painted(
    layer: BoxesLayer, device: QImage | QPixmap, without: frozenset[int] = frozenset(), dimmed: bool = False
) -> tuple[np.ndarray, int]:
    painter = QPainter(device)
    count = layer.paint(painter, ViewTransform(), AREA, without, dimmed)
    painter.end()
    return pixels(device if isinstance(device, QImage) else device.toImage()), count


def wanted_of(layer: BoxesLayer, colours: list[str], opacity: float = 1.0) -> np.ndarray:
    """As Qt paints them one by one; an empty colour is left out."""
    made = ground()
    painter = QPainter(made)
    painter.setOpacity(opacity)
    for box, colour in zip(layer.boxes, colours, strict=True):
        if colour:
            painter.setPen(QPen(QColor(colour), 1, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawRect(ViewTransform().rect(box.xyxy))
    painter.end()
    return pixels(made)


def test_each_box_has_its_labels_colour_on_an_image_and_on_a_pixmap(qtbot: QtBot, layer: BoxesLayer) -> None:
    wanted = wanted_of(layer, [LABELS[box.label].colour for box in layer.boxes])
    for device in (ground(), QPixmap.fromImage(ground())):
        made, count = painted(layer, device)
        assert count == len(layer.boxes)
        assert np.array_equal(made, wanted)


def test_boxes_that_are_held_are_left_out(layer: BoxesLayer) -> None:
    colours = [LABELS[box.label].colour for box in layer.boxes]
    colours[4] = colours[7] = ""
    made, count = painted(layer, ground(), frozenset((5, 8, 999_999)))
    assert count == len(layer.boxes) - 2
    assert np.array_equal(made, wanted_of(layer, colours))


def test_dimmed_boxes_let_the_picture_through(layer: BoxesLayer) -> None:
    made, _ = painted(layer, ground(), dimmed=True)
    wanted = wanted_of(layer, [LABELS[box.label].colour for box in layer.boxes], boxes_painter._DIMMED)
    parts, wanted_parts = made.view(np.uint8).astype(int), wanted.view(np.uint8).astype(int)
    assert np.abs(parts - wanted_parts).max() <= 2  # Qt rounds a pen's opacity and an image's not alike
    assert not np.array_equal(made, painted(layer, ground())[0])


def test_boxes_can_be_coloured_by_their_mark(layer: BoxesLayer) -> None:
    boxes = list(layer.boxes)
    boxes[3] = dataclasses.replace(boxes[3], difficult=True)
    boxes[6] = dataclasses.replace(boxes[6], crowd=True)
    by_mark = BoxesLayer(boxes, LABELS)
    by_mark.style = BoxStyle(by_mark=True)
    names = [tuple(boxes_painter.MARKS)[mark] for mark in by_mark.marks.tolist()]
    assert {"Difficult", "Crowd"} < set(names)
    assert np.array_equal(
        painted(by_mark, ground())[0], wanted_of(by_mark, [boxes_painter.MARKS[name] for name in names])
    )


def test_a_label_that_is_gone_is_painted_grey(layer: BoxesLayer) -> None:
    orphans = BoxesLayer(layer.boxes, {})
    assert np.array_equal(painted(orphans, ground())[0], wanted_of(orphans, ["#b3b3b3"] * len(orphans.boxes)))


def test_a_region_to_ignore_is_hatched_and_says_so() -> None:
    boxes = [
        dataclasses.replace(box, crowd=crowd)
        for box, crowd in zip(boxes_at(np.array([(4.0, 4, 90, 60)] * 2)), (False, True), strict=True)
    ]
    plain, ignored = (painted(BoxesLayer([box], LABELS, (WIDTH, HEIGHT)), ground())[0] for box in boxes)
    inside = (slice(40, 55), slice(20, 80))
    assert np.array_equal(plain[inside], pixels(ground())[inside])
    share = (ignored[inside] != plain[inside]).mean()
    assert 0.05 < share < 0.5, "lines, through which the picture is seen"
    assert "".join(BoxesLayer(boxes, LABELS).words_of(1)).endswith(boxes_painter.IGNORED)


@pytest.mark.parametrize("style", [BoxStyle(), BoxStyle(sizes=True)], ids=["name", "name and size"])
def test_a_name_longer_than_its_box_is_elided_to_fit_it(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, style: BoxStyle
) -> None:
    plates: list[tuple[QRectF, str]] = []
    monkeypatch.setattr(boxes_painter, "name_plate", lambda _painter, area, text, *_: plates.append((area, text)))
    name = "Kraftfahrzeug-Haftpflichtversicherung"
    box = Box(1, 1, 1, (10.0, 10, 190, 60))
    layer = BoxesLayer([box], {1: Label(1, name, "#ff0000")}, (WIDTH, HEIGHT))
    layer.style = style
    painted(layer, ground())
    ((area, text),) = plates
    beginning, _, end = text.partition("…")
    assert beginning
    assert name.startswith(beginning)
    size = "  180 × 50" if style.sizes else ""
    assert end.endswith(size)
    assert name.endswith(end.removesuffix(size))
    assert QRectF(10, 10, 180, 50).contains(area)
    assert QFontMetricsF(theme.font(theme.SMALL)).horizontalAdvance(text) + 8 <= area.width()


def test_a_box_too_narrow_for_a_part_of_a_name_has_none(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    plates: list[str] = []
    monkeypatch.setattr(boxes_painter, "name_plate", lambda _painter, _area, text, *_: plates.append(text))
    labels = {1: Label(1, "ring", "#ff0000"), 2: Label(2, "Haftpflichtversicherung", "#0000ff")}
    boxes = [Box(id, 1, id, (10.0, 10, 50, 60)) for id in labels]
    painted(BoxesLayer(boxes, labels, (WIDTH, HEIGHT)), ground())
    assert plates == ["ring"]


def test_a_name_is_above_a_low_box_whose_object_it_would_hide(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    plates: list[QRectF] = []
    monkeypatch.setattr(boxes_painter, "name_plate", lambda _painter, area, *_: plates.append(area))
    low, high, at_the_top = (20.0, 60, 90, 85), (120.0, 60, 190, 110), (220.0, 5, 290, 30)
    boxes = [Box(number, 1, 1, xyxy) for number, xyxy in enumerate((low, high, at_the_top), start=1)]
    painted(BoxesLayer(boxes, LABELS, (WIDTH, HEIGHT)), ground())
    assert plates[0].bottom() <= low[1] - 2
    assert plates[0].left() == low[0]
    assert [area.top() for area in plates[1:]] == [high[1], at_the_top[1]]
