"""Fields for a number: what is typed is what counts, on keyboards of any country."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from workbench.ui.widgets.spin_boxes import double_spin_box, short_spin_box, spin_box


@pytest.fixture(params=[QLocale.Language.C, QLocale.Language.English, QLocale.Language.German])
def country(request: pytest.FixtureRequest) -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale(request.param))
    yield
    QLocale.setDefault(before)


@pytest.mark.usefixtures("country")
@pytest.mark.parametrize("typed", ["0.5", "0,5", ".5", ",5"])
def test_decimals_follow_a_point_or_a_comma(qtbot: QtBot, typed: str) -> None:
    spin = double_spin_box(decimals=2, maximum=1.0, value=0.13)
    qtbot.addWidget(spin)
    assert spin.text() == "0.13"
    spin.selectAll()
    QTest.keyClicks(spin, typed)
    assert spin.value() == 0.5
    assert spin.text().endswith(".5")


@pytest.mark.usefixtures("country")
def test_thousands_are_set_apart_as_everywhere(qtbot: QtBot) -> None:
    spin = spin_box(maximum=9999, value=1234)
    qtbot.addWidget(spin)
    spin.setGroupSeparatorShown(True)
    assert spin.text() == "1,234"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(65535, "65535"), (0, "0"), (100, "100"), (0.25, "0.25"), (-1000.5, "-1000.5"), (1e-6, "0.000001")],
)
def test_a_short_number_has_no_zeros_at_its_end(qtbot: QtBot, value: float, shown: str) -> None:
    box = short_spin_box(minimum=-1e6, maximum=1e6, decimals=6)
    qtbot.addWidget(box)
    box.setValue(value)
    assert box.text() == shown
    box.lineEdit().setText(shown)
    box.interpretText()
    assert box.value() == value
