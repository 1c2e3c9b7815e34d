"""Our icons are those of qtawesome, to the pixel, without importing it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon, QImage, QPixmap
from pytestqt.qtbot import QtBot

from workbench.ui import icons

PACKAGE = Path(icons.__file__).parent
NAMES = sorted({n for f in PACKAGE.rglob("*.py") for n in re.findall(r'"(mdi6\.[a-z0-9-]+)"', f.read_text("utf-8"))})


def pixels(pixmap: QPixmap) -> np.ndarray:
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_ARGB32)
    return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).copy()


def test_every_icon_of_the_program_is_drawn(qtbot: QtBot) -> None:
    assert len(NAMES) > 50
    for name in NAMES:
        drawn = pixels(icons.icon(name, "#ff0000", "#0000ff").pixmap(QSize(24, 24), 1.0))
        assert 15 < (drawn[..., 3] > 128).sum() < 24 * 24, name  # 18: an arrow of a folding title


@pytest.mark.parametrize("side", [14, 16, 24, 48])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_they_are_qtawesomes_to_the_pixel(
    qtbot: QtBot, side: int, ratio: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QT_API", "pyside6")
    qtawesome = pytest.importorskip("qtawesome")
    for name in NAMES:
        ours = icons.icon(name, "#123456", "#abcdef")
        theirs = qtawesome.icon(name, color="#123456", color_disabled="#abcdef")
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Disabled):
            mine, other = (pixels(one.pixmap(QSize(side, side), ratio, mode)) for one in (ours, theirs))
            assert np.array_equal(mine, other), (name, mode)


def test_an_icon_has_a_colour_of_its_own_in_a_selected_row(qtbot: QtBot) -> None:
    icon = icons.icon(NAMES[0], "#ff0000", "#0000ff", "#00ff00")
    for one in (icon, QIcon(icon)):
        drawn = pixels(one.pixmap(QSize(24, 24), 1.0, QIcon.Mode.Selected))
        assert tuple(drawn[drawn[..., 3] == 255].max(axis=0)) == (0, 255, 0, 255)


def test_a_swatch_is_seen_in_a_selected_row_of_its_own_colour(qtbot: QtBot) -> None:
    plain, chosen = (
        pixels(icons.swatch("#0072b2").pixmap(QSize(12, 12), 1.0, mode))
        for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected)
    )
    assert (plain[..., :3] == (0xB2, 0x72, 0)).all()
    assert chosen[0, :, :3].min() == 255
    assert (chosen[3:9, 3:9, :3] == (0xB2, 0x72, 0)).all()


def test_an_icon_that_does_not_exist_is_an_error(qtbot: QtBot) -> None:
    with pytest.raises(KeyError):
        icons.icon("mdi6.no-such-thing", "#000000", "#000000")
