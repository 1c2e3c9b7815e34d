"""Text can be read in both themes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProxyStyle,
    QPushButton,
    QRadioButton,
    QSlider,
    QStyle,
    QTabBar,
    QTableView,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from workbench.core.project import colour_for
from workbench.ui import theme
from workbench.ui.colours import DARK, LIGHT, Colours
from workbench.ui.data.importing.findings_view import FindingsView
from workbench.ui.style_sheet import style_sheet
from workbench.ui.widgets.popups import Combo
from workbench.ui.widgets.rows import RowsView
from workbench.ui.widgets.spin_boxes import ROOM, spin_box
from workbench.ui.widgets.tile_view import TileView


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_four_and_a_half_on_every_ground(colours: Colours) -> None:
    for ground in (colours.window, colours.surface, colours.raised, colours.hover, colours.plot):
        for ink in ("text", "muted", "accent", "ok", "warning", "error", "hit", "miss", "false_alarm"):
            assert theme.contrast(getattr(colours, ink), ground) >= 4.5, (ink, ground)
    assert theme.contrast(colours.on_accent, colours.accent) >= 4.5


def test_names_on_label_colours_can_be_read() -> None:
    for colour in map(colour_for, range(1, 301)):
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


def seen(widget: QWidget) -> tuple[str, float]:
    """The ground of a button or field as painted, and the highest contrast with it of anything within its frame."""
    image = widget.grab().toImage()
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
    button = QPushButton()
    button.setEnabled(False)
    qtbot.addWidget(button)
    theme.set_icon(button, "mdi6.pause")
    button.resize(48, 32)
    for other in ("light", "dark", mode):
        theme.apply(other)
        assert seen(button)[1] >= 2.0, other


def test_an_icon_beside_words_changes_with_the_theme(qtbot: QtBot) -> None:
    label, inks = QLabel(), []
    qtbot.addWidget(label)
    theme.set_pixmap(label, "mdi6.information-outline", 20, "accent")
    for mode in ("light", "dark"):
        theme.apply(mode)
        picture = label.pixmap().toImage()
        pixels = [picture.pixelColor(x, y) for x in range(picture.width()) for y in range(picture.height())]
        inks.append(max(pixels, key=lambda ink: ink.alpha()).name())
    assert inks == [LIGHT.accent, DARK.accent]


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


def primary() -> QPushButton:
    button = QPushButton("Start", autoDefault=False)
    button.setProperty("role", "primary")
    return button


def test_the_blue_button_is_as_high_as_those_beside_it(qtbot: QtBot, mode: str) -> None:
    row = QWidget()
    qtbot.addWidget(row)
    blue, other = primary(), QPushButton("Close", autoDefault=False)
    for button in (blue, other):
        button.setParent(row)
    row.show()
    assert blue.sizeHint().height() == other.sizeHint().height()


def tabs() -> QTabBar:
    bar = QTabBar()
    bar.addTab("Runs")
    bar.addTab("Log")
    return bar


def tool(flat: bool) -> QToolButton:
    button = QToolButton(autoRaise=flat)
    button.setText("Plots")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


KINDS = {
    "primary": primary,
    "flat": lambda: QPushButton("Forget", flat=True, autoDefault=False),
    "button": lambda: QPushButton("Estimate", autoDefault=False),
    "raised tool": lambda: tool(flat=False),
    "flat tool": lambda: tool(flat=True),
    "combo box": lambda: QComboBox(),
    "spin box": spin_box,
    "slider": lambda: QSlider(Qt.Orientation.Horizontal),
    "tick": lambda: QCheckBox("Logarithmic"),
    "radio": lambda: QRadioButton("Light"),
    "tabs": tabs,
    "table": lambda: QTableView(),
    "flat list": lambda: RowsView("labels", "Labels"),
    "tiles": lambda: TileView("tiles", "Tiles", QSize(40, 40)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_the_keyboard_is_seen_to_have_it(qtbot: QtBot, mode: str, kind: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    row = QHBoxLayout(window)
    made = [KINDS[kind](), KINDS[kind]()]
    for widget in made:
        widget.setFixedWidth(100)
        row.addWidget(widget)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    made[0].setFocus(Qt.FocusReason.TabFocusReason)
    assert made[0].hasFocus()
    focused, other = (widget.grab().toImage() for widget in made)
    assert focused.size() == other.size()
    assert focused != other


def test_the_chosen_one_of_a_list_of_a_combo_box_is_on_the_accent(qtbot: QtBot, mode: str) -> None:
    box = Combo()
    qtbot.addWidget(box)
    box.addItems(["Quick", "Few images", "As published"])
    box.setCurrentIndex(1)
    box.show()
    box.showPopup()
    row = box.view().visualRect(box.model().index(1, 0))
    image = box.view().viewport().grab(row).toImage()
    inks = Counter(QColor(image.pixel(x, y)).name() for x in range(image.width()) for y in range(image.height()))
    box.hidePopup()
    most, accent = QColor(inks.most_common(1)[0][0]), QColor(theme.colours().accent)
    for part in (QColor.red, QColor.green, QColor.blue):
        assert abs(part(most) - part(accent)) <= 12  # Qt shades it a little from above to below
    assert max(theme.contrast(ink, theme.colours().accent) for ink in inks) >= 4.5


def test_a_choice_that_is_made_and_can_not_be_changed_is_no_accent(qtbot: QtBot, mode: str) -> None:
    button = QPushButton("Done")
    button.setCheckable(True)
    button.setChecked(True)
    button.setProperty("role", "choice")
    qtbot.addWidget(button)
    button.show()
    allowed = seen(button)[1]
    button.setEnabled(False)
    assert seen(button)[1] < 4.5 <= allowed


def test_every_picture_of_the_sheet_is_there(qtbot: QtBot) -> None:
    for colours in (LIGHT, DARK):
        pictures = re.findall(r'url\("([^"]+)"\)', style_sheet(colours))
        assert len(pictures) >= 5
        assert not any(QPixmap(picture).isNull() for picture in pictures)


class _Iconic(QProxyStyle):
    """Of a desktop that wants pictures on the buttons of dialogs."""

    def styleHint(self, hint: QStyle.StyleHint, *rest: Any) -> int:
        return 1 if hint == QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons else super().styleHint(hint, *rest)


def test_buttons_of_a_dialog_have_no_pictures_of_another_set(qtbot: QtBot, mode: str) -> None:
    """Qt's own cross for Close is black: it could not be seen on a dark button."""
    desktop = _Iconic("Fusion")
    buttons = QDialogButtonBox()
    qtbot.addWidget(buttons)
    buttons.setStyle(desktop)
    assert buttons.addButton(QDialogButtonBox.StandardButton.Close).icon().isNull()


def test_the_hint_in_a_disabled_field_is_as_strong_as_its_text(qtbot: QtBot, mode: str) -> None:
    """Qt paints it half as strong: it could hardly be seen."""
    field = QLineEdit(placeholderText="up to the last number")
    field.setEnabled(False)
    qtbot.addWidget(field)
    field.resize(240, 28)
    hint = seen(field)
    field.setText("up to the last number")
    assert hint == seen(field)
    assert 2.0 <= hint[1] < 4.5


def test_the_line_of_tabs_is_below_them_and_the_button_beside_them_whole(qtbot: QtBot, mode: str) -> None:
    view = FindingsView()
    qtbot.addWidget(view)
    view.resize(700, 400)
    view.show()
    corner, bar, middle = view.tabs.cornerWidget(), view.tabs.tabBar(), 500
    assert bar.width() < middle < corner.x()
    assert view.tabs.rect().contains(corner.geometry())
    seen, line = view.tabs.grab().toImage(), theme.colour("border")
    assert [y for y in range(bar.height() + 2) if seen.pixelColor(middle, y) == line] == [bar.height()]
    assert corner.geometry().bottom() < bar.height()


def test_the_digits_of_a_spin_box_stand_off_its_frame(qtbot: QtBot, mode: str) -> None:
    box = spin_box(maximum=9, value=1)
    qtbot.addWidget(box)
    box.show()
    assert box.lineEdit().cursorRect().left() >= ROOM - 4  # a cursor's rectangle begins before it


def test_counts_below_each_other_end_at_the_same_place(qtbot: QtBot, mode: str) -> None:
    def last_column(words: str) -> int:
        button = QPushButton(words, flat=True)
        button.setProperty("role", "count")
        qtbot.addWidget(button)
        button.setFixedWidth(72)
        button.show()
        drawn = button.grab().toImage()
        rows = range(drawn.height())
        return max(x for x in range(2, 70) if any(drawn.pixel(x, y) != drawn.pixel(4, 4) for y in rows))

    assert last_column("0") == last_column("1,240")


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
