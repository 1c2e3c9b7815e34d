"""The script of a soak: a day's work over and over, by keys and the mouse, as a generator of small steps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QSlider,
    QTabWidget,
    QWidget,
)

from tests.promises.soak_hand import SoakHand, Steps
from tests.promises.whole_session import CTRL, LEFT, NONE, SHIFT
from tests.ui.window_driver import find
from workbench.ui.window.main_window import MainWindow

LABELS = ("ball", "crate", "gear", "leaf", "star")
MOST = 10
"""Boxes of an image from which on none is drawn."""
KEPT_RUNS = 3


@dataclass(frozen=True)
class Plan:
    """How much of each in a cycle. `stages` are methods of Session."""

    stages: tuple[str, ...] = (
        "label", "gallery", "anchors", "train", "inspect", "export", "windows", "themes", "label",
    )  # fmt: skip
    images: int = 20  # labelled in each labelling
    paged: int = 20  # images and screens of the gallery that are only looked at
    filled: int = 0  # the same in the first cycle, until what is kept of them is full
    epochs: int = 2


class Session(SoakHand):
    """Works in `window` on its project."""

    def __init__(self, window: MainWindow, plan: Plan, seed: int, deeds: TextIO) -> None:
        super().__init__(window, seed, deeds)
        self.plan, self.stage, self._cycle = plan, "", 0
        self._unfilled = plan.filled

    def cycle(self) -> Steps:
        self._cycle += 1
        for stage in self.plan.stages:
            self.stage = stage
            yield from getattr(self, stage)()
        self.stage = "calm"
        yield from self._calm()

    # --- labelling ---

    def label(self) -> Steps:
        yield from self._to_the_canvas()
        pages, self._unfilled = self._unfilled or self.plan.paged, 0
        for _ in range(pages):
            yield from self._key(Qt.Key.Key_D)
            yield self._shown
        for _ in range(self.plan.images):
            yield from self._to_the_canvas()
            yield from self.random.choice((self._next, self._by_the_list, self._by_search, self._by_unlabelled))()
            yield self._shown
            yield from self._work_on()

    def _to_the_canvas(self) -> Steps:
        if not self.canvas_is_visible:
            yield from self._page("label")
        self.window.activateWindow()
        yield self.window.isActiveWindow
        self.canvas.setFocus()
        for _ in range(3):
            yield from self._key(Qt.Key.Key_Escape)

    @property
    def canvas_is_visible(self) -> bool:
        canvas = self.window.findChild(QWidget, "canvas")
        return canvas is not None and canvas.isVisible()

    def _shown(self) -> bool:
        return self.canvas.picture is not None

    def _next(self) -> Steps:
        yield from self._key(self.random.choice((Qt.Key.Key_D, Qt.Key.Key_A)))

    def _by_unlabelled(self) -> Steps:
        yield from self._key(Qt.Key.Key_D, SHIFT)

    def _by_the_list(self) -> Steps:
        view = find(self.window, QAbstractItemView, "image-list")
        yield from self._click_row(view, self.random.randrange(view.model().rowCount()))
        self.canvas.setFocus()

    def _by_search(self) -> Steps:
        """Ctrl+K and a name."""
        images = self.document.images()
        name = images[self.random.randrange(len(images))].name
        QTest.keyClick(self.window, Qt.Key.Key_K, CTRL)
        yield lambda: QApplication.activePopupWidget() is not None
        field = find(QApplication.activePopupWidget(), QLineEdit, "finder-field")
        yield from self._type(field, name.removesuffix(".jpg"))
        yield from self._key(Qt.Key.Key_Return, on=field)
        yield from self._to_the_canvas()
        yield lambda: self.image == name

    def _work_on(self) -> Steps:
        """One or two boxes, and one thing more."""
        drawn = min(self.random.choice((1, 1, 2)), MOST - len(self.canvas.layer.boxes))
        for _ in range(drawn):
            yield from self._draw()
        yield from self._zoom()
        more = self.random.random()
        if more < 0.3:
            yield from self._back_and_forth(drawn)
        elif more < 0.4 and self.canvas.layer.boxes:
            yield from self._relabel()
        elif more < 0.5 and self.canvas.layer.boxes:
            yield from self._clear()
            if more < 0.45:
                yield from self._undo()
        if self.random.random() < 0.5:
            image = self.image
            yield from self._key(Qt.Key.Key_N)
            self._tell("mark", images=[image], state="done")

    def _draw(self) -> Steps:
        number = self.random.randrange(len(LABELS))
        yield from self._key(str(number + 1))
        width, height = self.canvas.image_size.width(), self.canvas.image_size.height()
        x0, y0 = self.random.randint(4, int(width) - 30), self.random.randint(4, int(height) - 30)
        x1, y1 = self.random.randint(x0 + 16, int(width) - 4), self.random.randint(y0 + 16, int(height) - 4)
        yield from self._key(Qt.Key.Key_W)
        image = self.image
        yield from self._drag((x0, y0), (x1, y1))
        self._tell("draw", image=image, label=LABELS[number], xyxy=[x0, y0, x1, y1])
        yield from self._to_the_canvas()

    def _drag(self, start: tuple[int, int], end: tuple[int, int]) -> Steps:
        canvas = self.canvas
        at = [
            canvas.view.to_widget(
                QPointF(start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)
            ).toPoint()
            for part in (0, 0.25, 0.5, 0.75, 1)
        ]
        QTest.mouseMove(canvas, at[0])
        yield None
        QTest.mousePress(canvas, LEFT, NONE, at[0])
        yield None
        for point in at[1:]:
            QTest.mouseMove(canvas, point)
            yield None
        QTest.mouseRelease(canvas, LEFT, NONE, at[-1])
        yield None

    def _zoom(self) -> Steps:
        for _ in range(2):
            yield from self._key("+")
        yield from self._key(Qt.Key.Key_F, CTRL)

    def _back_and_forth(self, drawn: int) -> Steps:
        for _ in range(drawn):
            yield from self._undo()
        for _ in range(self.random.randint(0, drawn)):
            yield from self._key(Qt.Key.Key_Z, CTRL | SHIFT)
            self._tell("redo")
            yield self._shown

    def _undo(self) -> Steps:
        QTest.keyClick(self.window, Qt.Key.Key_Z, CTRL)
        self._tell("undo")
        yield None
        yield lambda: not self.canvas_is_visible or self._shown()

    def _relabel(self) -> Steps:
        number, image = self.random.randrange(len(LABELS)), self.image
        yield from self._key(Qt.Key.Key_A, CTRL)
        yield from self._key(str(number + 1))
        self._tell("relabel", image=image, label=LABELS[number])
        yield from self._to_the_canvas()

    def _clear(self) -> Steps:
        image = self.image
        yield from self._key(Qt.Key.Key_A, CTRL)
        yield from self._key(Qt.Key.Key_Delete)
        self._tell("clear", image=image)

    # --- the other pages ---

    def gallery(self) -> Steps:
        """Pages of thumbnails, filters, states; two images taken out and brought back."""
        yield from self._page("data")
        view = find(self.window, QAbstractItemView, "gallery")
        view.setFocus()
        yield from self._key(Qt.Key.Key_Home, on=view)
        for _ in range((self.plan.filled if self._cycle == 1 else self.plan.paged) // 10):
            yield from self._key(Qt.Key.Key_PageDown, on=view)
            yield lambda: view.currentIndex().data(Qt.ItemDataRole.DecorationRole) is not None
        yield from self._filter()
        yield from self._select_two(view)
        yield from self._press("set-state-done")
        self._tell("mark", images=self._two, state="done")
        yield from self._undo()
        yield from self._select_two(view)
        yield from self._key(Qt.Key.Key_Delete, CTRL, view)
        self._tell("drop", images=self._two)
        yield lambda: not any(image.path in self._two for image in self.document.images())
        yield from self._undo()

    def _filter(self) -> Steps:
        field = find(self.window, QLineEdit, "filter-text")
        yield from self._type(field, "-001")
        field.clear()
        for name in ("filter-state", "filter-split", "filter-label"):
            box = find(self.window, QComboBox, name)
            for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Home):
                yield from self._key(key, on=box)

    def _select_two(self, view: QAbstractItemView) -> Steps:
        images = self.document.images()
        first = self.random.randrange(len(images) - 1)
        self._two = [images[first].path, images[first + 1].path]
        view.setFocus()
        yield from self._click_row(view, first)
        yield from self._click_row(view, first + 1, CTRL)

    def anchors(self) -> Steps:
        jobs = self._jobs
        yield from self._page("anchors")
        find(self.window, QSlider, "anchors-speed").setValue(31)
        k: Any = self.window.findChild(QWidget, "anchors-k")
        if self._cycle > 1:
            jobs = self._jobs
            k.setValue(3 + (k.value() - 2) % 7)
        yield self._after(jobs)
        yield lambda: find(self.window, QAbstractButton, "anchors-pause").text() == "Replay"
        yield from self._tabs("anchors-tabs")
        yield self._idle

    def train(self) -> Steps:
        """A short training on the verified images, while others are labelled."""
        yield from self._page("train")
        yield lambda: find(self.window, QComboBox, "train-detector").isEnabled()
        settings = {"epochs": str(self.plan.epochs), "input_px": "96", "batch": "4", "width": "0.25", "threads": "2"}
        for name, typed in settings.items():
            field = find(self.window, QLineEdit, f"train-form-{name}")
            if field.text() != typed:
                yield from self._type(field, typed)
        find(self.window, QComboBox, "train-form-states").setCurrentText("verified")
        yield from self._press("train-start")
        yield lambda: any(job.is_training for job in self.window.session.jobs)
        yield from self._to_the_canvas()
        for _ in range(2):
            yield from self._by_unlabelled()
            yield self._shown
            yield from self._work_on()
            yield from self._to_the_canvas()
        yield from self._page("train")
        yield self._idle
        yield from self._tabs("train-tabs")
        yield from self._delete_the_oldest()

    def _delete_the_oldest(self) -> Steps:
        table = find(self.window, QAbstractItemView, "train-runs")
        find(self.window, QTabWidget, "train-tabs").setCurrentIndex(0)
        yield from self._calm()
        rows = table.model().rowCount()
        if rows > KEPT_RUNS:
            table.setFocus()
            yield from self._click_row(table, rows - 1)
            yield from self._key(Qt.Key.Key_Delete, on=table)
            yield lambda: table.model().rowCount() < rows
            yield from self._calm()
            find(self.window, QMenu, "train-runs-empty").actions()[0].trigger()  # for good
            yield from self._calm()

    def inspect(self) -> Steps:
        """The newest run: sliders, tabs, images."""
        yield from self._page("inspect")
        yield lambda: find(self.window, QWidget, "inspect-look").isVisible()
        runs = find(self.window, QComboBox, "inspect-run")
        yield lambda: runs.count() > 0
        runs.setCurrentIndex(0)
        yield self._idle
        jobs = self._jobs
        yield from self._press("inspect-look")
        yield self._after(jobs)
        yield lambda: find(self.window, QLabel, "inspect-ap50").text() != "–"
        for name in ("confidence", "iou"):
            slider = find(self.window, QSlider, f"inspect-{name}-slider")
            for key in 5 * (Qt.Key.Key_Right,) + 5 * (Qt.Key.Key_Left,):
                yield from self._key(key, on=slider)
        yield from self._tabs("inspect-tabs")
        table = find(self.window, QAbstractItemView, "inspect-images")
        for _ in range(10):
            yield from self._key(Qt.Key.Key_Down, on=table)

    def export(self) -> Steps:
        yield from self._page("export")
        yield lambda: self.window.findChild(QAbstractButton, "export-format-safetensors") is not None
        yield self._idle
        for box in self.window.findChildren(QAbstractButton):
            if box.objectName().startswith("export-format-"):
                box.setChecked(box.objectName() == "export-format-safetensors")
        find(self.window, QComboBox, "export-run").setCurrentIndex(0)
        jobs = self._jobs
        yield from self._press("export-start")
        yield self._after(jobs)
        said = find(self.window, QLabel, "export-words").text()
        assert "written and verified" in said, said

    def windows(self) -> Steps:
        """Each is opened and closed again."""
        for action, name in (("keys", "keys-sheet"), ("log", "log-window"), ("history", "history-window"),
                             ("help-start-here", "help-window")):  # fmt: skip
            self._action(action)
            yield from self._seen_and_closed(name)

    def _seen_and_closed(self, name: str) -> Steps:
        yield lambda: self._window(name) is not None
        self._window(name).close()
        yield lambda: self._window(name) is None

    def themes(self) -> Steps:
        for theme in ("dark", "light"):
            self._action(f"theme-{theme}")
            yield None


def exports(project: Path) -> list[Path]:
    """What the session has exported."""
    return sorted((project / "runs").glob("*/export/*/*.safetensors"))
