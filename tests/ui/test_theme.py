"""Text can be read in both themes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from workbench.core.project import LABEL_COLOURS
from workbench.ui import theme


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half_on_every_ground(colours: theme.Colours) -> None:
    for ground in (colours.window, colours.surface, colours.raised, colours.hover, colours.plot):
        for ink in ("text", "muted", "accent", "ok", "warning", "error", "hit", "miss", "false_alarm"):
            assert theme.contrast(getattr(colours, ink), ground) >= 4.5, (ink, ground)
    assert theme.contrast(colours.on_accent, colours.accent) >= 4.5


def test_names_on_label_colours_can_be_read() -> None:
    for colour in LABEL_COLOURS:
        assert theme.contrast(theme.text_on(colour), colour) >= 4.5


def test_contrast_of_black_on_white_is_twenty_one() -> None:
    assert theme.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert theme.contrast("#777777", "#777777") == pytest.approx(1)


@pytest.fixture(params=["light", "dark"])
def mode(request: pytest.FixtureRequest) -> Iterator[str]:
    """Puts the theme on; the light one is back after the test."""
    theme.apply(request.param)
    yield request.param
    theme.apply("light")


def seen(button: QAbstractButton) -> tuple[str, float]:
    """The ground of a button as it is painted, and the highest contrast of anything well within its frame with it."""
    image = button.grab().toImage()
    inside = [(x, y) for x in range(5, image.width() - 5) for y in range(5, image.height() - 5)]
    inks = Counter(QColor(image.pixel(x, y)).name() for x, y in inside)
    ground = inks.most_common(1)[0][0]
    return ground, max(theme.contrast(ink, ground) for ink in inks)


@pytest.mark.parametrize("kind", ["button", "raised tool", "flat tool"])
@pytest.mark.parametrize("icon", ["mdi6.step-forward", "mdi6.pause", "mdi6.delete-outline"])
def test_a_disabled_icon_is_seen_but_less_than_an_enabled_one(qtbot: QtBot, mode: str, kind: str, icon: str) -> None:
    button = QPushButton() if kind == "button" else QToolButton(autoRaise=kind == "flat tool")
    qtbot.addWidget(button)
    theme.set_icon(button, icon)
    button.resize(48, 32)
    ground, enabled = seen(button)
    assert theme.theme().dark == (mode == "dark") == (theme.contrast(ground, "#000000") < 4)
    button.setEnabled(False)
    _, disabled = seen(button)
    assert 2.0 <= disabled < 4.5 <= enabled


def test_a_disabled_icon_changes_with_the_theme(qtbot: QtBot, mode: str) -> None:
    button = QPushButton(enabled=False)
    qtbot.addWidget(button)
    theme.set_icon(button, "mdi6.pause")
    button.resize(48, 32)
    for other in ("light", "dark", mode):
        theme.apply(other)
        assert seen(button)[1] >= 2.0, other


class Restyled(QWidget):
    """Counts how often a style is put on it."""

    times = 0

    def changeEvent(self, event: QEvent) -> None:
        self.times += event.type() == QEvent.Type.StyleChange


def test_a_theme_is_put_on_a_widget_no_oftener_the_more_are_around_it(qtbot: QtBot, mode: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    widgets = [Restyled(window)]
    for _ in range(9):
        widgets.append(Restyled(widgets[-1]))
    window.show()
    before = [widget.times for widget in widgets]
    theme.apply("light" if mode == "dark" else "dark")
    times = [widget.times - early for widget, early in zip(widgets, before, strict=True)]
    assert 1 <= times[0] <= times[-1] <= times[0] + 1


def test_a_primary_button_that_has_the_keyboard_is_seen_to_have_it(qtbot: QtBot, mode: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    row = QHBoxLayout(window)
    buttons = [QPushButton(autoDefault=False), QPushButton(autoDefault=False)]
    for button in buttons:
        button.setProperty("role", "primary")
        row.addWidget(button)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    buttons[0].setFocus(Qt.FocusReason.TabFocusReason)
    focused, other = (button.grab().toImage() for button in buttons)
    assert focused.size() == other.size()
    assert focused != other


def test_a_font_that_was_changed_on_the_screen_outlives_another_theme(qtbot: QtBot, mode: str) -> None:
    number = QLabel("86.6 %")
    qtbot.addWidget(number)
    number.setFont(theme.font(theme.TITLE))
    number.show()
    number.setFont(theme.font(theme.BODY))  # in a low window
    theme.apply()
    assert number.font() == theme.font(theme.BODY)


def test_a_link_has_the_colour_of_the_theme_that_was_chosen_after_it_was_written(qtbot: QtBot, mode: str) -> None:
    written, fresh = QLabel("<a href='#'>Copy the command</a>"), QLabel()
    qtbot.addWidget(written)
    qtbot.addWidget(fresh)
    written.show()
    theme.apply("light" if mode == "dark" else "dark")
    fresh.setText(written.text())
    fresh.show()
    fresh.resize(written.size())
    assert written.grab().toImage() == fresh.grab().toImage()
