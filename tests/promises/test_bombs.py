"""Bombs: images that lie, unpack to gigabytes or never end cost less than 1 GB and 2 s each, and the window lives."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from tests.promises.bombs import Bomb, at_the_limit, bombs
from tests.promises.form import full, times
from tests.promises.reading_child import Reading, readings
from tests.ui.conftest import open_window, project
from tests.ui.window_driver import Open, WindowDriver, write_photographs
from workbench.core.document import Document

__all__ = ["open_window", "project"]  # fixtures
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is counted as Linux counts it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("bombs")
    put(made, bombs())
    return made


def put(folder: Path, files: Mapping[str, Bomb]) -> list[Path]:
    for name, bomb in files.items():
        (folder / name).write_bytes(bomb())
    return [folder / name for name in files]


def told(found: list[Reading]) -> str:
    slowest, largest = max(found, key=lambda r: r.seconds), max(found, key=lambda r: r.peak)
    return (
        f"{len(found)} files: at most {slowest.seconds:.2f} s of processor time ({Path(slowest.file).name}),"
        f" {largest.peak / 1e6:.0f} MB ({Path(largest.file).name})"
    )


@pytest.mark.slow
def test_bombs_cost_less_than_a_gigabyte_and_two_seconds_each(folder: Path) -> None:
    found = list(readings("ours", sorted(folder.iterdir())))
    assert len(found) >= 50
    assert [reading for reading in found if not reading.is_harmless] == []
    assert not any("Error" in reading.outcome for reading in found), "whatever is wrong is refused with a sentence"
    print("\n" + told(found))


@pytest.mark.slow
def test_a_reader_without_limits_fails_on_some(folder: Path) -> None:
    """OpenCV, with the limit on pixels that it comes with; 2 s, which is what is promised, and 4 GB end it here."""
    some = ["20,000.png", "3,000 passes.jpg", "IDAT says 3.2 GB.png"]
    found = list(readings("cv2", [folder / name for name in some], seconds=2, memory=4 << 30))
    failed = {Path(reading.file).name for reading in found if not reading.is_harmless}
    assert {"20,000.png", "3,000 passes.jpg"} <= failed
    print("\ncv2.imdecode fails on " + ", ".join(sorted(failed)))


@pytest.mark.slow
def test_a_small_file_of_a_large_image_takes_what_its_size_takes(tmp_path: Path) -> None:
    """Up to the limit on pixels an image is no bomb, however well it was compressed: it is read."""
    wanted = at_the_limit() if full else {"one bit.png": at_the_limit()["one bit.png"]}
    for reading in readings("ours", put(tmp_path, wanted), seconds=120):
        print(f"\n{Path(reading.file).name}: {reading.seconds:.2f} s, {reading.peak / 1e6:.0f} MB", end="")
        assert not reading.signal
        assert reading.outcome.startswith("read")
        assert reading.peak < (1.2e9 if Path(reading.file).name == "one bit.png" else 2e9)  # it was 2.2e9


@pytest.mark.slow
def test_the_window_lives_among_bombs(folder: Path, tmp_path: Path, open_window: Open, qtbot: QtBot) -> None:
    """Each is walked over, and in the end a photograph is seen."""
    some = tmp_path / "some"
    write_photographs(some, ["zzzzz.png"])  # the last one
    for file in sorted(folder.iterdir())[:: times(5, 1)]:
        (some / file.name).write_bytes(file.read_bytes())
    window = open_window()
    window._projects.create(tmp_path / "p", some)
    qtbot.waitUntil(lambda: window.session.document is not None and not window.session.jobs, timeout=60_000)
    document = window.session.document
    assert document is not None
    assert len(document.images()) == len(list(some.iterdir()))
    window.show_page("label")
    hand = WindowDriver(qtbot, window)
    sentences = []
    for image in document.images():
        window.session.select_image(image.id)
        qtbot.waitUntil(lambda: hand.canvas.picture is not None or bool(hand.canvas.sentence), timeout=20_000)
        sentences.append(hand.canvas.sentence)
    assert window.session.image is not None
    assert window.session.image.name == "zzzzz.png"
    assert hand.canvas.picture is not None
    window.show_page("data")  # all of them as thumbnails
    qtbot.waitUntil(lambda: window.isVisible() and not window.session.jobs)
    print(f"\n{len(sentences)} images, {sum(map(bool, sentences))} of them with a sentence in their place")
    with Document.open(tmp_path / "p", read_only=True) as there:
        assert len(there.images()) == len(sentences)
