"""What the Label page shows is what the file holds, also where another program has changed it since it was read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver
from workbench.errors import WorkbenchError
from workbench.ui.background import Background
from workbench.ui.images import thumbnails
from workbench.ui.images.picture_loader import PictureLoader, PictureRequest
from workbench.ui.images.pictures import Picture

Shown = tuple[int, int, int]


@pytest.fixture
def loader(qtbot: QtBot) -> Iterator[PictureLoader]:
    loader = PictureLoader()
    yield loader
    loader.close()


def grey(file: Path, shade: int, width: int = 8) -> PictureRequest:
    Image.new("RGB", (width, 8), (shade,) * 3).save(file)
    os.utime(file, ns=(shade, shade))
    return PictureRequest(1, file)


def shown(picture: object) -> Shown:
    """Width, height and shade."""
    assert isinstance(picture, Picture)
    return picture.width, picture.height, picture.levels[0].pixelColor(0, 0).red()


def came(qtbot: QtBot, loader: PictureLoader, wish: PictureRequest) -> list[object]:
    """What comes of this request, besides what is kept."""
    found: list[object] = []
    loader.loaded.connect(lambda _, result: found.append(result))
    loader.want([wish])
    qtbot.waitUntil(loader.is_idle)
    loader.loaded.disconnect()
    return found


def test_a_file_that_was_changed_is_read_anew_when_it_is_shown_again(
    qtbot: QtBot, loader: PictureLoader, tmp_path: Path
) -> None:
    wish = grey(tmp_path / "a.png", 10)
    assert [shown(one) for one in came(qtbot, loader, wish)] == [(8, 8, 10)]
    assert came(qtbot, loader, wish) == [], "it is kept, and as it was"
    grey(tmp_path / "a.png", 200, width=5)
    assert [shown(one) for one in came(qtbot, loader, wish)] == [(5, 8, 200)]
    assert shown(loader.want([wish])) == (5, 8, 200)
    qtbot.waitUntil(loader.is_idle)  # it looks at the file once more, which is to be over before that is damaged
    (tmp_path / "a.png").write_bytes(b"half of it")
    (error,) = came(qtbot, loader, wish)
    assert isinstance(error, WorkbenchError)


def test_a_picture_whose_disk_is_away_is_shown_as_it_was(qtbot: QtBot, loader: PictureLoader, tmp_path: Path) -> None:
    wish = grey(tmp_path / "a.png", 10)
    came(qtbot, loader, wish)
    (tmp_path / "a.png").unlink()
    assert came(qtbot, loader, wish) == []
    assert shown(loader.want([wish])) == (8, 8, 10)


def test_a_kept_picture_counts_as_read_again_once_its_disk_is_back(
    qtbot: QtBot, loader: PictureLoader, tmp_path: Path
) -> None:
    """The list had found meanwhile that it can't be read: although it was shown, it could not be marked done."""
    wish = grey(tmp_path / "a.png", 10)
    came(qtbot, loader, wish)
    read: list[object] = []
    loader.read.connect(lambda image, picture: read.append((image, shown(picture))))
    (tmp_path / "a.png").rename(tmp_path / "away.png")
    came(qtbot, loader, wish)
    assert read == []
    (tmp_path / "away.png").rename(tmp_path / "a.png")
    assert came(qtbot, loader, wish) == []
    assert read == [(1, (8, 8, 10))]


def test_the_thumbnail_follows_its_file(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    hand, kept = WindowDriver(qtbot, window), thumbnails.of(window.session)
    image = window.session.image

    def width() -> int:
        found = kept.get(image)
        return found.width() if found is not None else 0

    qtbot.waitUntil(lambda: width() > 150)
    hand.key(Qt.Key.Key_D)
    hand.settle()
    grey(project.parent / "photographs" / "a.png", 77, width=6)
    hand.key(Qt.Key.Key_A)
    qtbot.waitUntil(lambda: 0 < width() < 10)


def test_thumbnails_follow_their_files_when_one_comes_back_from_another_program(
    qtbot: QtBot, qapp: QApplication, open_window: Open, project: Path
) -> None:
    """Those of images that were not on the canvas stayed the old ones until the project was opened again."""
    window = open_window(project, "data")
    kept, image = thumbnails.of(window.session), window.session.image
    photograph = project.parent / "photographs" / "a.png"

    def width() -> int:
        found = kept.get(image)
        return found.width() if found is not None else 0

    def come_back() -> None:
        qapp.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)

    qtbot.waitUntil(lambda: width() > 150)
    grey(photograph, 77, width=6)
    come_back()
    qtbot.waitUntil(lambda: 0 < width() < 10)
    photograph.unlink()
    come_back()
    width()
    qtbot.waitUntil(lambda: not kept.findChild(QTimer).isActive() and kept.findChild(Background).is_idle())
    assert 0 < width() < 10, "as it was, as when its disk is away"
