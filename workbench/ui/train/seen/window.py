"""What the trainer sees: an image as it enters the network, what a detector's loss makes of it, two detectors side by
side, and how many boxes of the whole set nothing would learn.

All that is dear happens in one thread (`Background`) or in a job of the session; PyTorch is loaded there. The window
follows the session's image, and looks anew when the project is edited.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QSplitter, QTabWidget, QVBoxLayout, QWidget

from workbench.errors import WorkbenchError
from workbench.training.recipes import Recipe
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.session import Session
from workbench.ui.train.seen.boxes_table import BoxesTable
from workbench.ui.train.seen.controls import Controls
from workbench.ui.train.seen.pane import Pane
from workbench.ui.train.seen.whole_set import WholeSet
from workbench.ui.train.seen.work import Eyes, Members, Rest, Start, Wish

_AFTER = 60
"""Milliseconds after the last change until a look is asked for: a spin box that is held down asks once."""
SECOND = "yolov3"
"""The detector that is compared with first."""
LIST_WIDTH = 380

RecipeOf = Callable[[], Recipe | None]


class SeenWindow(QDialog):
    """Not modal. `recipe_of` gives the recipe as it stands on the train page, or None for the first preset.

    `look` does the work for a wish in a thread, or is a fake for tests.
    """

    def __init__(
        self, session: Session, parent: QWidget, recipe_of: RecipeOf, look: Callable[[object], object] | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("seen-window")
        self.setWindowTitle("What the trainer sees")
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.ended = False
        self._session = session
        self._recipe_of = recipe_of
        self._recipe: Recipe | None = None
        self._members: Members | None = None
        self._version = 0
        self._wishes: dict[Wish, list[int]] = {}  # what was asked for last, and by which panes
        self._eyes = Background("Looking as the trainer does", look or Eyes().do, self)
        self._later = QTimer(self, singleShot=True, interval=_AFTER)
        self.controls = Controls()
        self.panes = (Pane("seen", "Detector"), Pane("seen-second", "Second detector"))
        self._beside = QCheckBox("Compare with a second detector")
        self._beside.setObjectName("seen-beside")
        self.tables = (
            BoxesTable("seen-boxes", "Boxes and what learns them"),
            BoxesTable("seen-second-boxes", "Boxes and what of the second detector learns them"),
        )
        self._titles = (QLabel(), QLabel())
        self.whole = WholeSet(session)
        self._lay_out()
        self._connect()
        self._show_second(False)
        self.resize(1120, 720)

    def _lay_out(self) -> None:
        pictures = QHBoxLayout()
        pictures.setSpacing(2 * theme.GRID)
        for pane in self.panes:
            pictures.addWidget(pane, 1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, theme.GRID, 0)
        column.setSpacing(theme.GRID)
        column.addWidget(self.controls)
        column.addLayout(pictures, 1)
        boxes = QWidget()
        lists = QVBoxLayout(boxes)
        lists.setContentsMargins(theme.GRID, theme.GRID, 0, 0)
        lists.setSpacing(theme.GRID)
        lists.addWidget(self._beside)
        for title, table in zip(self._titles, self.tables, strict=True):
            title.setProperty("role", "muted")
            lists.addWidget(title)
            lists.addWidget(table, 1)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("seen-tabs")
        self.tabs.setDocumentMode(True)
        self.tabs.addTab(boxes, "This image")
        self.tabs.addTab(self.whole, "Whole set")
        split = QSplitter()
        split.addWidget(left)
        split.addWidget(self.tabs)
        split.setStretchFactor(0, 1)
        split.setSizes([1120 - LIST_WIDTH, LIST_WIDTH])
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.addWidget(split)

    def _connect(self) -> None:
        self._later.timeout.connect(self._ask)
        self._eyes.done.connect(self._done)
        self.controls.changed.connect(self._look_later)
        self.controls.drawn_changed.connect(self._draw)
        self.controls.stepped.connect(self._step)
        self._beside.toggled.connect(self._show_second)
        for pane, table in zip(self.panes, self.tables, strict=True):
            pane.changed.connect(self._look_later)
            pane.picture.box_chosen.connect(self._box_chosen)
            table.box_chosen.connect(self._box_chosen)
        self.whole.chosen.connect(self._show_worst)
        self.tabs.currentChanged.connect(self._tab_changed)
        self._session.image_changed.connect(self._image_changed)
        self._session.edited.connect(self._edited)
        self._session.closing.connect(self._end)

    # --- beginning ---

    def _begin(self) -> None:
        document = self._session.document
        if document is None:
            self.panes[0].picture.say("No project is open. Open one, or make one from a folder of photographs.")
            return
        self._name_image()
        self.panes[0].picture.say("Loading PyTorch …", "muted")
        self._eyes.ask([Start(document.runs_folder)])

    def take(self, recipe_of: RecipeOf) -> None:
        """Look with the recipe as it stands now."""
        self._recipe_of = recipe_of
        if self._members is not None:
            self._take_recipe(self._members)

    def _take_recipe(self, members: Members) -> None:
        recipe = self._recipe_of() or next(iter(members.loaded.recipes), None)
        if recipe is None or recipe == self._recipe:
            return
        self._recipe = recipe
        self.panes[0].choose(recipe.detector)
        self.controls.offer(recipe.training.epochs, recipe.training.seed)
        self.whole.offer([choice.name for choice in members.loaded.detectors], recipe)

    def _filled(self, members: Members) -> None:
        self._members = members
        names = [choice.name for choice in members.loaded.detectors]
        for pane, first in zip(self.panes, (names[0], SECOND if SECOND in names else names[-1]), strict=True):
            pane.fill(members.loaded.detectors, members.runs, first)
        self._take_recipe(members)
        self._ask()

    # --- asking ---

    def _wish(self, pane: Pane) -> Wish | None:
        document = self._session.document
        if document is None or self._recipe is None or not pane.detector_name or not self._session.image_id:
            return None
        return Wish(
            document.folder, self._version, self._recipe, self._session.image_id, pane.detector_name,
            pane.weights_wanted, self.controls.augmented.isChecked(), self.controls.epoch.value() - 1,
            self.controls.seed_wanted,
        )  # fmt: skip

    @Slot()
    def _ask(self) -> None:
        self._wishes = {}
        for number, pane in enumerate(self.panes):
            if number and not self._beside.isChecked():
                continue
            wish = self._wish(pane)
            if wish is not None:
                self._wishes.setdefault(wish, []).append(number)
                pane.wait()
        if not self._session.image_id:
            self.panes[0].show_result(WorkbenchError("There is no image to look at. Add some on the Data page."))
        self._eyes.ask(list(self._wishes))

    @Slot(object, object)
    def _done(self, wish: object, result: object) -> None:
        if isinstance(wish, Start):
            if isinstance(result, Members):
                self._filled(result)
            elif isinstance(result, WorkbenchError):
                self.panes[0].show_result(result)
            return
        for number in self._wishes.get(wish, []):  # type: ignore[call-overload]
            self._show(number, result)

    def _show(self, number: int, result: object) -> None:
        pane, table = self.panes[number], self.tables[number]
        pane.show_result(result)
        self._draw()
        self._titles[number].setText(f"{pane.look.title}, levels as below the picture" if pane.look else "")
        if pane.look is not None:
            table.show_look(pane.look)
        else:
            table.setRowCount(0)

    # --- choosing ---

    @Slot()
    def _draw(self) -> None:
        for pane in self.panes:
            pane.picture.shows_ignored = self.controls.ignored.isChecked()
            pane.picture.shows_negatives = self.controls.negatives.isChecked()
            pane.picture.renew()

    @Slot(bool)
    def _show_second(self, on: bool) -> None:
        for part in (self.panes[1], self.tables[1], self._titles[1]):
            part.setVisible(on)
        if on:
            self._look_later()

    @Slot(int)
    def _box_chosen(self, box: int) -> None:
        """Show what learns this box; again: everything."""
        sender = self.sender()
        for pane, table in zip(self.panes, self.tables, strict=True):
            if sender in (pane.picture, table):
                again = sender is pane.picture and pane.picture.chosen == box
                pane.picture.choose(-1 if again else box)
                if sender is pane.picture:
                    table.choose(-1 if again else box)

    @Slot(int)
    def _step(self, by: int) -> None:
        document = self._session.document
        if document is None or not document.images().has(self._session.image_id):
            return
        images = document.images()
        row = images.row_of(self._session.image_id) + by
        if 0 <= row < len(images):
            self._session.select_image(images[row].id)

    @Slot(int)
    def _image_changed(self, _id: int) -> None:
        self._name_image()
        self._look_later()

    def _name_image(self) -> None:
        image = self._session.image
        self.controls.image.setText(image.path if image else "")
        self.controls.image.setToolTip(image.path if image else "")

    @Slot(object)
    def _edited(self, _applied: object) -> None:
        self._version += 1
        self.whole.forget()
        self._look_later()

    @Slot()
    def _look_later(self) -> None:
        """When it is seen; else when it will be."""
        if self.isVisible() and self._members is not None:
            self._later.start()

    @Slot(int)
    def _tab_changed(self, tab: int) -> None:
        if tab == 1 and self.whole.is_blank:
            self.whole.count()

    @Slot(str, int)
    def _show_worst(self, detector: str, image: int) -> None:
        """The image with the most boxes that the detector does not learn, as it is: so they were counted."""
        self.panes[0].choose(detector)
        self.controls.augmented.setChecked(False)
        if image:
            self._session.select_image(image)
        self._look_later()

    def hideEvent(self, event: QHideEvent) -> None:
        """Closed: it may come back, but works no more until then."""
        self._later.stop()
        self.whole.stop()
        self._wishes = {}
        self._eyes.ask([Rest()] if self._members is not None else [])
        super().hideEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        if self._members is not None:
            self._later.start()
        elif self._eyes.is_idle():
            self._begin()
        super().showEvent(event)

    @Slot()
    def _end(self) -> None:
        """The project goes: so does this window, for good, once its thread is over."""
        self.ended = True
        self.hide()
        self._eyes.close()
        self.deleteLater()
