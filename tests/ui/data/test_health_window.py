"""Check the data in the real window: what is found, shown on its image, and mended as one step."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import PIL.Image
import pytest
from pyqtgraph import BarGraphItem
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QCheckBox, QLabel, QPushButton, QTabWidget, QToolButton, QTreeWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, boxes_on_disk, find, write_photographs
from workbench import health as health_module
from workbench.core import edits, new_sizes
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.errors import WorkbenchError
from workbench.health import FilesExamined, Health, HealthFinding
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.data import health_window
from workbench.ui.data.health_window import CHANGED, HealthWindow
from workbench.ui.plots.plot import Plot
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def ailing(project: Path) -> Path:
    """b.png has a sound box, one of no width and one that reaches outside; c.png can't be read."""
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        image, label = document.images()[1].id, document.labels()[0].id
        boxes = ((20, 20, 80, 60), (50, 50, 50, 70), (150, 50, 250, 90))
        document.draw(tuple(Box(0, image, label, xyxy) for xyxy in boxes))
        document.do(edits.SetState((image,), State.DONE))
        document.file(document.images()[2]).write_bytes(b"no picture")
    return project


def press(window: HealthWindow, name: str) -> None:
    button = find(window, QPushButton, name)
    assert button.isEnabled()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def checked(qtbot: QtBot, window: MainWindow) -> HealthWindow:
    QTest.mouseClick(find(window, QToolButton, "button-check-data"), Qt.MouseButton.LeftButton)
    health: HealthWindow = find(window, HealthWindow, "health-window")
    settle(qtbot, health, window)
    return health


def settle(qtbot: QtBot, health: HealthWindow, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.session.jobs and find(health, QPushButton, "health-check").text() == "Check")


def findings(health: HealthWindow) -> list[str]:
    tree = find(health, QTreeWidget, "health-tree")
    return [tree.topLevelItem(row).text(0) for row in range(tree.topLevelItemCount())]


def choose(health: HealthWindow, words: str) -> None:
    tree = find(health, QTreeWidget, "health-tree")
    (row,) = (row for row, text in enumerate(findings(health)) if words in text)
    tree.setCurrentItem(tree.topLevelItem(row))


def words(health: HealthWindow) -> str:
    text: str = find(health, QLabel, "health-words").text()
    return text


def test_that_nothing_is_wrong_is_not_said_of_a_project_that_has_changed_since(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "data")
    health = checked(qtbot, window)
    document = window.session.document
    assert document is not None
    ids = tuple(image.id for image in document.images())
    health.show_health(Health(1, 1, 1, (), (), ()))
    assert words(health) == "1 image, 1 box. No problems found."
    window.session.do(edits.SetState(ids, State.DONE))
    assert words(health) == CHANGED
    press(health, "health-check")
    window.session.do(edits.SetState(ids, State.IN_WORK))  # while it is checked
    settle(qtbot, health, window)
    assert words(health) == CHANGED


def test_what_is_wrong_is_listed_problems_first(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    listed = findings(health)
    assert "no width or height" in listed[0]
    assert listed[1].startswith("c.png can't be read: this is not an image of a known format"), "no folder before"
    health.resize(health.minimumSizeHint().width(), 400)
    tree = find(health, QTreeWidget, "health-tree")
    qtbot.waitUntil(lambda: tree.visualItemRect(tree.topLevelItem(1)).height() > 1.9 * tree.fontMetrics().height())
    qtbot.waitUntil(lambda: find(window, QAbstractButton, "count-unreadable").text() == "1")
    assert any("outside their image" in line for line in listed[2:])
    assert words(health) == f"3 images, 3 boxes: 2 problems, {len(listed) - 2} hints."
    press(health, "health-check")
    settle(qtbot, health, window)
    assert findings(health) == listed


def test_the_boxes_are_shown_as_bars(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    health = checked(qtbot, open_window(ailing, "data"))
    find(health, QTabWidget, "health-tabs").setCurrentIndex(1)

    def heights(name: str) -> list[int]:
        (bars,) = (item for item in find(health, Plot, f"statistics-{name}").items() if isinstance(item, BarGraphItem))
        return [int(height) for height in bars.opts["height"]]

    assert heights("labels") == [3]
    assert heights("images")[:4] == [2, 0, 0, 1]
    assert sum(heights("sides")) == sum(heights("shapes")) == 2
    assert find(health, Plot, "statistics-labels").to_csv().splitlines() == ["curve,label,boxes", "bars,1.0,3.0"]
    assert not health.grab().isNull()
    (left, right), _ = find(health, Plot, "statistics-images").getPlotItem().vb.viewRange()
    assert left <= -0.45, "the bar of the images without a box is half as wide else"
    assert right >= 3.45


def test_another_project_is_checked_anew(qtbot: QtBot, open_window: Open, ailing: Path, tmp_path: Path) -> None:
    """Images and boxes have the same numbers in every project: an old finding would mend the wrong ones."""
    write_photographs(tmp_path / "sound", ["a.png", "b.png"])
    with Document.create(tmp_path / "other", tmp_path / "sound") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        document.draw(tuple(Box(0, document.images()[1].id, 1, (x, 0, x + 20, 20)) for x in (0, 30, 60)))
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    assert any("no width or height" in line for line in findings(health))
    assert window.open(tmp_path / "other")
    assert (health.isVisible(), findings(health)) == (False, [])
    assert find(health, Plot, "statistics-labels").to_csv().splitlines() == ["curve,label,boxes"]
    assert not [item for item in find(health, Plot, "statistics-labels").items() if isinstance(item, BarGraphItem)]
    window.show_page("data")
    assert checked(qtbot, window) is health
    assert not any("no width or height" in line for line in findings(health))


def test_a_finding_shows_its_image_and_its_boxes(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    choose(health, "outside their image")
    press(health, "health-open")
    assert find(window, QLabel, "image-name").text() == "b.png"
    canvas = find(window, Canvas, "canvas")
    assert [box.xyxy for box in canvas.selected_boxes] == [(150, 50, 250, 90)]


def test_a_finding_shows_the_first_of_its_images_that_is_still_there(
    qtbot: QtBot, open_window: Open, ailing: Path
) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    document, tree = window.session.document, find(health, QTreeWidget, "health-tree")
    assert document is not None
    ids = tuple(image.id for image in document.images())
    for gone, shown in ((ids[0], "b.png"), (ids[1], "c.png"), (ids[2], "")):
        window.session.do(edits.RemoveImages((gone,)))
        health.show_health(Health(3, 3, 0, (), (), (HealthFinding("hint", "odd", "Odd images.", ids),)))
        tree.setCurrentItem(tree.topLevelItem(0))
        press(health, "health-open")
        if shown:
            assert find(window, QLabel, "image-name").text() == shown
    assert find(window, QLabel, "message-text").text() == "That was taken out of the project. Check again."


def test_a_finding_that_is_about_no_image_shows_none_and_says_nothing_false(
    qtbot: QtBot, open_window: Open, ailing: Path
) -> None:
    window = open_window(ailing, "data")
    health, said = checked(qtbot, window), find(window, QLabel, "message-text")
    health.show_health(Health(3, 3, 0, (), (), (HealthFinding("hint", "odd", "An odd label.", ()),)))
    said.clear()
    tree = find(health, QTreeWidget, "health-tree")
    tree.setCurrentItem(tree.topLevelItem(0))
    tree.itemActivated.emit(tree.topLevelItem(0), 0)
    assert (said.text(), window.session.page) == ("", "data")


def test_buttons_that_can_not_be_pressed_say_why(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    health = checked(qtbot, open_window(ailing, "data"))
    show, repair = (find(health, QPushButton, f"health-{name}") for name in ("open", "repair"))
    assert not show.isEnabled()
    assert not repair.isEnabled()
    assert (show.toolTip(), repair.toolTip()) == (
        "Choose a finding about images, or one of its images.", "Choose a finding first.",
    )  # fmt: skip
    choose(health, "no width or height")
    assert show.isEnabled()
    assert repair.isEnabled()
    assert show.toolTip() == repair.toolTip() == ""


def test_repairs_are_one_step_each(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    choose(health, "no width or height")
    assert find(health, QPushButton, "health-repair").text() == "Delete these boxes"
    press(health, "health-repair")
    choose(health, "outside their image")
    press(health, "health-repair")
    assert [box.xyxy for box in boxes_on_disk(ailing)["b.png"]] == [(20, 20, 80, 60), (150, 50, 200, 90)]
    assert "changed since" in words(health)
    window.session.undo()
    window.session.undo()
    assert len(boxes_on_disk(ailing)["b.png"]) == 3
    press(health, "health-check")
    settle(qtbot, health, window)
    assert any("no width or height" in line for line in findings(health))


@pytest.mark.parametrize("beside", [True, False])
def test_sizes_of_many_files_are_taken_over_beside_the_window(
    qtbot: QtBot, open_window: Open, ailing: Path, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    """Each file is opened: on a share, the window stood still for thousands."""
    with Document.open(ailing) as document:
        file = document.file(document.images()[1])
    PIL.Image.new("RGB", (100, 50)).save(file)
    monkeypatch.setattr(health_window, "MANY_FILES", 0 if beside else 1)
    threads = list[bool]()
    real = new_sizes.taking_over

    def taking_over(document: Document, ids: Iterable[int]) -> edits.Edit | None:
        threads.append(threading.current_thread() is threading.main_thread())
        return real(document, ids)

    monkeypatch.setattr(new_sizes, "taking_over", taking_over)
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    choose(health, "is 100 x 50 now")
    press(health, "health-repair")
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert threads == [not beside]
    assert find(window, QLabel, "message-text").text() == "Scale the boxes: done. Undo brings it back."
    assert not any("is 100 x 50 now" in text for text in findings(health))
    assert window.session.document is not None
    assert [image.width for image in window.session.document.images()][1] == 100
    assert boxes_on_disk(ailing)["b.png"][0].xyxy == (10, 10, 40, 30)


def test_it_checks_anew_when_it_is_opened_after_an_edit(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    before = findings(health)
    health.close()
    find(health, QTreeWidget, "health-tree").takeTopLevelItem(0)
    assert findings(checked(qtbot, window)) == before[1:], "what it found stays while nothing changes"
    health.close()
    assert window.session.document is not None
    window.session.do(edits.RemoveImages((window.session.document.images()[0].id,)))
    health = checked(qtbot, window)
    assert words(health).startswith("2 images")
    assert findings(health) != before[1:]


def test_without_opening_files_damaged_ones_are_not_seen(qtbot: QtBot, open_window: Open, ailing: Path) -> None:
    window = open_window(ailing, "data")
    health = checked(qtbot, window)
    find(health, QCheckBox, "health-files").setChecked(False)
    press(health, "health-check")
    settle(qtbot, health, window)
    assert not any("c.png" in line for line in findings(health))


def test_a_check_ends_when_its_window_is_closed_and_begins_anew_when_it_is_opened(
    qtbot: QtBot, open_window: Open, ailing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def examine(*_: object, **__: object) -> Iterator[FilesExamined]:
        done = 0
        while not let_go.wait(0.005):
            done += 1
            yield FilesExamined(done, 100_000)

    window = open_window(ailing, "data")
    with monkeypatch.context() as patch:
        patch.setattr(health_module, "examine", examine)
        QTest.mouseClick(find(window, QToolButton, "button-check-data"), Qt.MouseButton.LeftButton)
        health = find(window, HealthWindow, "health-window")
        qtbot.waitUntil(lambda: words(health).endswith("images opened"))
        health.reject()
        qtbot.waitUntil(lambda: not window.session.jobs)
    assert checked(qtbot, window) is health
    assert words(health).startswith("3 images, 3 boxes")
    health.reject()
    assert checked(qtbot, window) is health
    assert words(health).startswith("3 images, 3 boxes"), "what was found stays"


def test_a_check_that_is_stopped_before_its_first_image_says_so(
    qtbot: QtBot, open_window: Open, ailing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said that it was checking for ever, also when the window was opened again."""
    let_go = threading.Event()

    def examine(*_: object, **__: object) -> Iterator[FilesExamined]:
        let_go.wait(10)
        yield from ()

    monkeypatch.setattr(health_module, "examine", examine)
    window = open_window(ailing, "data")
    QTest.mouseClick(find(window, QToolButton, "button-check-data"), Qt.MouseButton.LeftButton)
    health = find(window, HealthWindow, "health-window")
    assert words(health) == "Checking …"
    press(health, "health-check")
    let_go.set()
    settle(qtbot, health, window)
    assert words(health) == "Stopped."


def test_a_check_that_fails_once_its_window_is_closed_does_not_pass_for_one_that_was_made(
    qtbot: QtBot, open_window: Open, ailing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def examine(*_: object, **__: object) -> Iterator[FilesExamined]:
        yield FilesExamined(1, 2)
        let_go.wait(10)
        raise WorkbenchError("The disk was taken away.")

    window = open_window(ailing, "data")
    with monkeypatch.context() as patch:
        patch.setattr(health_module, "examine", examine)
        QTest.mouseClick(find(window, QToolButton, "button-check-data"), Qt.MouseButton.LeftButton)
        health = find(window, HealthWindow, "health-window")
        qtbot.waitUntil(lambda: words(health).endswith("images opened"))
        health.reject()
        let_go.set()
        qtbot.waitUntil(lambda: not window.session.jobs)
    assert words(health) == ""
    assert checked(qtbot, window) is health
    assert words(health).startswith("3 images, 3 boxes")


def test_a_screen_reader_is_told_the_result_and_what_the_sign_of_a_finding_means(
    qtbot: QtBot, open_window: Open, ailing: Path, announced: list[tuple[str, bool]]
) -> None:
    health = checked(qtbot, open_window(ailing, "data"))
    assert announced[-1] == (words(health), False)
    tree = find(health, QTreeWidget, "health-tree")
    rows = range(tree.topLevelItemCount())
    spoken = [tree.topLevelItem(row).data(0, Qt.ItemDataRole.AccessibleTextRole) for row in rows]
    assert spoken[0] == f"problem: {findings(health)[0]}"
    assert spoken[-1] == f"hint: {findings(health)[-1]}"
