"""A photograph that another program has resized or cropped since its boxes were drawn, on the Label page."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image as PillowImage
from PySide6.QtCore import QSizeF
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.annotate.label_page_project import CTRL, corners, labelled, near
from tests.ui.window_driver import Open, WindowDriver, find
from workbench.core.document import Document
from workbench.core.project import Image
from workbench.ui.window.main_window import MainWindow

__all__ = ["labelled"]  # a fixture


def save_as(project: Path, width: int, height: int) -> None:
    PillowImage.new("RGB", (width, height)).save(project.parent / "photographs" / "a.png")


def said(window: MainWindow) -> str:
    return find(window, QLabel, "message-text").text()


def on_disk(project: Path) -> Image:
    with Document.open(project, read_only=True) as document:
        return document.images()[0]


def opened(qtbot: QtBot, open_window: Open, project: Path) -> WindowDriver:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    qtbot.waitUntil(lambda: said(window) != "")
    return hand


def test_the_boxes_of_a_resized_file_are_scaled_with_it(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    save_as(labelled, 400, 200)
    hand = opened(qtbot, open_window, labelled)
    assert said(hand.window) == (
        "a.png was 200 × 100 px when it was added, and its file is now 400 × 200 px. Restore the old file, or"
        " take over the new size, which scales its boxes."
    )
    button = find(hand.window, QPushButton, "message-button")
    assert button.text() == "Scale the boxes"
    button.click()
    assert said(hand.window).startswith("a.png is 400 × 200 px now, with 1 box.")
    assert corners(labelled) == [(40, 40, 160, 120)]
    assert (on_disk(labelled).width, on_disk(labelled).height, str(on_disk(labelled).state)) == (400, 200, "in work")
    assert find(hand.window, QLabel, "image-about").text() == "400 × 200"
    hand.draw((200, 60), (300, 180))
    assert near(corners(labelled)[1], (200, 60, 300, 180))
    for _ in range(2):
        hand.key("Z", CTRL)
    assert corners(labelled) == [(20, 20, 80, 60)]
    assert on_disk(labelled).width == 200
    assert said(hand.window).startswith("a.png was 200 × 100 px"), "it is again to be decided"


def test_of_a_cropped_file_the_size_is_taken_and_the_boxes_stay(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    save_as(labelled, 90, 120)
    hand = opened(qtbot, open_window, labelled)
    assert said(hand.window) == (
        "a.png was 200 × 100 px when it was added, and its file is now 90 × 120 px. Restore the old file, or"
        " take over the new size, and correct the boxes that no longer fit."
    )
    button = find(hand.window, QPushButton, "message-button")
    assert button.text() == "Take over the size"
    hand.key("D")
    button.click()
    assert hand.window.session.image.name == "a.png", "it is shown what has changed"
    assert corners(labelled) == [(20, 20, 80, 60)]
    assert (on_disk(labelled).width, on_disk(labelled).height) == (90, 120)


@pytest.mark.parametrize("size", [(400, 200), (90, 120)])
def test_boxes_are_in_pixels_of_the_file_each_time_it_is_shown(
    qtbot: QtBot, open_window: Open, labelled: Path, size: tuple[int, int]
) -> None:
    """Come back to, it was stretched to the size before: boxes of one image were drawn in two sizes."""
    save_as(labelled, *size)
    hand = opened(qtbot, open_window, labelled)
    hand.key("D")
    hand.settle()
    hand.key("A")
    assert not hand.canvas.sentence
    assert hand.canvas.image_size == QSizeF(*size)
    assert said(hand.window).startswith("a.png was 200 × 100 px")


def test_of_a_project_that_is_opened_again_it_is_said_again(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    """And of the image of another project with the same number, which was passed over."""
    save_as(labelled, 400, 200)
    window = opened(qtbot, open_window, labelled).window
    window.close_project()
    window.open(labelled)
    window.show_page("label")
    qtbot.waitUntil(lambda: said(window).startswith("a.png was 200") and find(window, QWidget, "messages").isVisible())


def test_a_file_that_is_restored_before_the_button_is_pressed_is_told(
    qtbot: QtBot, open_window: Open, labelled: Path
) -> None:
    save_as(labelled, 400, 200)
    hand = opened(qtbot, open_window, labelled)
    save_as(labelled, 200, 100)
    find(hand.window, QPushButton, "message-button").click()
    assert said(hand.window).startswith("Nothing was taken over: a.png has its former size again")
    assert corners(labelled) == [(20, 20, 80, 60)]


def test_a_window_that_may_only_read_offers_nothing(qtbot: QtBot, open_window: Open, labelled: Path) -> None:
    save_as(labelled, 400, 200)
    with Document.open(labelled):
        hand = opened(qtbot, open_window, labelled)
        qtbot.waitUntil(lambda: said(hand.window).startswith("a.png was"))
        assert find(hand.window, QPushButton, "message-button").text() != "Scale the boxes"
